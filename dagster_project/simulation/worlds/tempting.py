"""Scenarios that tempt whoever weighs telemetry beside complaints: what it shows is not what customers meet.

One of them is a real incident; in all others nothing may be rolled back. They are a list of their own, so that the
worlds of the other two lists stay the same from seed to seed.
"""

from __future__ import annotations

from dagster_project.simulation.worlds.scenario import BREAKABLE, Dice, Plot, Rollout, Trouble


def error_bursts_without_customers(dice: Dice) -> Plot:
    """A service errs for an hour or three, again and again: retries hide it, and no customer is affected."""
    about = dice.one_of(*BREAKABLE)
    starts = [0.0, dice.between(10, 20), dice.between(30, 45), dice.between(60, 90)]
    bursts = [
        Trouble(about, 0.0, start, start + dice.between(1, 3), error_rate=dice.between(0.1, 0.4)) for start in starts
    ]
    return Plot((dice.innocent_release(),), tuple(bursts))


def noisy_service_after_every_release(dice: Dice) -> Plot:
    """One service errs on every new version for its first hours, while caches are cold; everybody is used to it."""
    about = dice.one_of("checkout_failure", "login_account", "search_discovery", "app_crash")
    return Plot((dice.innocent_release(),), noisy_after_release=BREAKABLE[about])


def bot_storm_beside_an_error_spike(dice: Dice) -> Plot:
    """Bots hammer a service, which errs for its robots, and flood the store with the same few complaints about it."""
    about = dice.one_of(*BREAKABLE)
    end = dice.between(6, 24)
    storm = Trouble(about, dice.between(1, 4), end=end, copies=0.8, channel="app_review")
    spike = Trouble(about, 0.0, dice.between(0, 2), end, error_rate=dice.between(0.05, 0.25))
    return Plot((dice.innocent_release(),), (storm, spike), excused=(about,))


def price_rise_that_keeps_buyers_away(dice: Dice) -> Plot:
    """Prices go up: fewer people finish the checkout, and some say why; everything works."""
    said = Trouble("pricing_expectation", dice.between(0.2, 0.7), grows=6)
    unsold = Trouble("checkout_failure", 0.0, left=dice.between(0.6, 0.85))
    return Plot((dice.innocent_release(),), (said, unsold), excused=("pricing_expectation", "billing_subscription"))


def version_that_everybody_moves_to(dice: Dice) -> Plot:
    """An update is forced: all that a platform's people say is soon said on the new version; nothing is wrong."""
    return Plot((_forced(dice),))


def outage_once_everybody_has_moved(dice: Dice) -> Plot:
    """A provider fails for everybody on the day of a forced update: all complaints of a platform name its version."""
    about = dice.one_of("payment_failure", "login_account", "search_discovery")
    trouble = dice.failure(about, None, end=dice.between(4, 14))
    return Plot((_forced(dice),), (trouble,), excused=(about,))


def _forced(dice: Dice) -> Rollout:
    return Rollout(dice.app(), -dice.between(8, 20), forced_within=dice.between(2, 6))


def telemetry_of_the_wrong_service(dice: Dice) -> Plot:
    """A bad release breaks a function, and its errors are counted under another service than the map says."""
    release = Rollout(dice.app(), 0)
    types = ("checkout_failure", "login_account", "search_discovery")
    about = dice.one_of(*types)
    other = dice.one_of(*(one for one in types if one != about))
    trouble = dice.failure(about, release, counted_as=other)
    return Plot((release,), (trouble,), culprit=release, expected=(about,), excused=(other,))


def one_angry_customer_on_five_channels(dice: Dice) -> Plot:
    """One customer complains a dozen times within a day or two, on every channel there is."""
    per_day = dice.between(20, 60)
    about = dice.one_of(*BREAKABLE, "customer_service")
    end = dice.between(8, 30)
    trouble = Trouble(about, dice.between(10, 20) * 24 / end / per_day, end=end, by_one_customer=True)
    return Plot((dice.innocent_release(),), (trouble,), per_day=per_day)


TEMPTING = (
    error_bursts_without_customers,
    noisy_service_after_every_release,
    bot_storm_beside_an_error_spike,
    price_rise_that_keeps_buyers_away,
    version_that_everybody_moves_to,
    outage_once_everybody_has_moved,
    telemetry_of_the_wrong_service,
    one_angry_customer_on_five_channels,
)
