"""Scenarios with a real incident: an issue must open, and the change that caused it, if any, must be named."""

from __future__ import annotations

from dagster_project.simulation.worlds.scenario import Crowd, Dice, Flag, Plot, Rollout


def bad_release_on_one_platform(dice: Dice) -> Plot:
    """A release breaks a function on one platform; people get it over two days."""
    release = Rollout(dice.app(), 0)
    trouble = dice.breakage(release)
    return Plot(changes=(release,), troubles=(trouble,), culprit=release, expected=(trouble.issue_type,))


def slow_burning_regression(dice: Dice) -> Plot:
    """A release whose harm grows over four days, as caches fill and people update."""
    release = Rollout(dice.app(), 0)
    trouble = dice.breakage(release, grows=96, lift=dice.between(0.3, 0.7))
    return Plot(changes=(release,), troubles=(trouble,), culprit=release, expected=(trouble.issue_type,))


def bad_flag(dice: Dice) -> Plot:
    """A flag goes on for everybody and breaks a function on every platform; a release shortly before is innocent."""
    flag = Flag(dice.one_of("new_cart", "fast_search", "express_pay"), 0)
    trouble = dice.breakage(None)
    return Plot((dice.innocent_release(), flag), (trouble,), culprit=flag, expected=(trouble.issue_type,))


def two_overlapping_incidents(dice: Dice) -> Plot:
    """A release breaks one function of one app; half a day later the payment provider fails for everybody."""
    release = Rollout(dice.app(), 0)
    first = dice.failure(dice.one_of("app_crash", "search_discovery", "login_account"), release)
    second = dice.failure("payment_failure", None, start=dice.between(6, 24), end=dice.between(40, 60))
    return Plot(
        (release,), (first, second), culprit=release, expected=(first.issue_type,), excused=(second.issue_type,)
    )


def regression_masked_by_a_campaign(dice: Dice) -> Plot:
    """A sale brings twice the people on the day of a bad release, and more talk of everything."""
    release = Rollout(dice.app(), 0)
    trouble = dice.breakage(release)
    sale = Crowd(dice.between(1.6, 2.6), dice.between(-10, 6), dice.between(40, 70), campaign="sale")
    return Plot((release,), (trouble,), (sale,), culprit=release, expected=(trouble.issue_type,))


def regression_at_low_traffic(dice: Dice) -> Plot:
    """A small product with a handful of feedback a day; the breakage is severe."""
    release = Rollout(dice.app(), 0)
    trouble = dice.breakage(release, lift=dice.between(0.8, 1.6), error_rate=dice.between(0.15, 0.4))
    return Plot((release,), (trouble,), culprit=release, expected=(trouble.issue_type,), per_day=dice.between(6, 12))


def partial_rollout(dice: Dice) -> Plot:
    """A bad release to a tenth or a quarter of one platform's people."""
    release = Rollout(dice.app(), 0, reach=dice.between(0.1, 0.25))
    trouble = dice.breakage(release, lift=dice.between(1.5, 3.0))
    return Plot((release,), (trouble,), culprit=release, expected=(trouble.issue_type,))


def provider_fails_after_an_innocent_release(dice: Dice) -> Plot:
    """Payments fail on every platform and version, hours after a release to one of them."""
    trouble = dice.failure("payment_failure", None, end=dice.between(30, 60))
    return Plot((dice.innocent_release(),), (trouble,), expected=(trouble.issue_type,))


def telemetry_missing(dice: Dice) -> Plot:
    """A bad release where nobody measures anything: words are all there is."""
    release = Rollout(dice.app(), 0)
    trouble = dice.breakage(release)
    return Plot((release,), (trouble,), quirk="telemetry_missing", culprit=release, expected=(trouble.issue_type,))


def telemetry_late(dice: Dice) -> Plot:
    """A bad release whose telemetry arrives half a day late."""
    release = Rollout(dice.app(), 0)
    trouble = dice.breakage(release)
    return Plot((release,), (trouble,), quirk="telemetry_late", culprit=release, expected=(trouble.issue_type,))


MUST_FIRE = (
    bad_release_on_one_platform,
    slow_burning_regression,
    bad_flag,
    two_overlapping_incidents,
    regression_masked_by_a_campaign,
    regression_at_low_traffic,
    partial_rollout,
    provider_fails_after_an_innocent_release,
    telemetry_missing,
    telemetry_late,
)
