"""Scenarios without a guilty change (false-positive tests): no release may be rolled back.

In each, a harmless release went out hours before. Where customers do complain, an issue may open.
"""

from __future__ import annotations

from dagster_project.simulation.worlds.scenario import Crowd, Dice, Plot, Trouble


def sale(dice: Dice) -> Plot:
    """Two days with two or three times the visitors; the mix of feedback is unchanged."""
    return Plot((dice.innocent_release(),), crowds=(Crowd(dice.between(1.8, 3.2), campaign="sale"),))


def holiday(dice: Dice) -> Plot:
    """Four busy days; parcels take longer, and nobody announced a campaign."""
    crowd = Crowd(dice.between(1.4, 2.0), end=96, talk={"shipping_delivery": 1.8, "inventory_availability": 1.5})
    return Plot((dice.innocent_release(),), crowds=(crowd,), excused=("shipping_delivery", "inventory_availability"))


def price_rise(dice: Dice) -> Plot:
    """Prices go up, and people say so; everything works."""
    trouble = Trouble("pricing_expectation", dice.between(0.3, 1.0), grows=6)
    return Plot((dice.innocent_release(),), (trouble,), excused=("pricing_expectation", "billing_subscription"))


def brigading(dice: Dice) -> Plot:
    """A crowd that never used the product floods the store with the same few sentences."""
    about = dice.one_of("customer_service", "security_privacy", "pricing_expectation", "app_crash")
    trouble = Trouble(about, dice.between(1, 5), end=dice.between(12, 36), copies=0.7, channel="app_review")
    return Plot((dice.innocent_release(),), (trouble,), excused=(about,))


def viral_post(dice: Dice) -> Plot:
    """A post goes round: five times the talk, praise and chatter above all, and twice the people."""
    crowd = Crowd(dice.between(1.5, 2.5), end=36, talk={"praise": 4.0, "other": 5.0, "feature_request": 3.0})
    return Plot((dice.innocent_release(),), crowds=(crowd,))


def featured_in_the_store(dice: Dice) -> Plot:
    """A store shows the app to everybody for three days; newcomers ask and grumble more than regulars."""
    talk = {"ui_usability": 1.3, "pricing_expectation": 1.3, "feature_request": 1.5, "praise": 1.3}
    crowd = Crowd(dice.between(2, 4), end=72, talk=talk)
    return Plot((dice.innocent_release(),), crowds=(crowd,), excused=("ui_usability", "pricing_expectation"))


def third_party_outage(dice: Dice) -> Plot:
    """A provider fails for some hours, on every platform and version."""
    about = dice.one_of("payment_failure", "login_account", "search_discovery")
    trouble = dice.failure(about, None, end=dice.between(4, 14))
    return Plot((dice.innocent_release(),), (trouble,), excused=(about,))


def new_locale(dice: Dice) -> Plot:
    """The product opens in another country; new customers ask beginners' questions."""
    return Plot((dice.innocent_release(),), quirk="new_locale")


def expectation_gap(dice: Dice) -> Plot:
    """A campaign promises features that the product lacks."""
    start = -dice.between(0, 6)
    trouble = Trouble("pricing_expectation", dice.between(0.3, 0.8), grows=12)
    crowd = Crowd(dice.between(1.2, 1.6), start, 72, campaign="launch")
    return Plot((dice.innocent_release(),), (trouble,), (crowd,), excused=("pricing_expectation",))


def data_backfill(dice: Dice) -> Plot:
    """Half a year of old feedback is loaded in one night."""
    return Plot((dice.innocent_release(),), quirk="backfill")


def duplicate_delivery(dice: Dice) -> Plot:
    """A source sends the last three days again, half of it under new ids."""
    return Plot((dice.innocent_release(),), quirk="duplicates")


def clock_skew(dice: Dice) -> Plot:
    """One platform's clocks are hours off."""
    return Plot((dice.innocent_release(),), quirk="clock_skew")


def classifier_drift(dice: Dice) -> Plot:
    """New slang: from one day on, a sixth of praise and chatter is taken for a complaint."""
    return Plot((dice.innocent_release(),), quirk="classifier_drift")


def tiny_product(dice: Dice) -> Plot:
    """Hardly anybody says anything, and three complaints on one day are chance."""
    return Plot((dice.innocent_release(),), per_day=dice.between(0.5, 2.0))


MUST_NOT_ROLL_BACK = (
    sale,
    holiday,
    price_rise,
    brigading,
    viral_post,
    featured_in_the_store,
    third_party_outage,
    new_locale,
    expectation_gap,
    data_backfill,
    duplicate_delivery,
    clock_skew,
    classifier_drift,
    tiny_product,
)
