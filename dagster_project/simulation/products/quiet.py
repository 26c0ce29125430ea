"""Quiet worlds: nothing fails, but something tempts to believe so. Each function is a kind of temptation."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from dagster_project.simulation.products.draft import Act, Draft
from dagster_project.simulation.products.scenario import Crowd, ErrorBurst, Gap, Wave

_ALL = ("app_review", "support_ticket", "chat", "social", "nps")


def plain(draft: Draft) -> None:
    """Nothing happens but the usual scatter."""


def busy_releases(draft: Draft) -> None:
    """The team releases something every day, and all of it works."""
    for day in range(35, 63):
        at = draft.start + timedelta(days=day, hours=draft.rng.uniform(8, 17))
        draft.service_release(at, draft.rng.choice(draft.product.services[1:]).name, versioned=day % 2 == 0)


def bots_and_spam(draft: Draft) -> None:
    """Advertising bots post hundreds of texts in some nights."""
    for _ in range(3):
        draft.waves.append(Wave(("bot_spam",), draft.moment(2, 26), 5, 120, ("social", "app_review"), "unknown", 5))


def backlog_import(draft: Draft) -> None:
    """The collector stops for 60 hours; then everything arrives within minutes."""
    draft.gaps.append(Gap("feedback", draft.moment(6, 18), 60))


def funnel_gap(draft: Draft) -> None:
    """Analytics loses ten hours and then two days; the shop was open."""
    draft.gaps.append(Gap("funnel_metrics", draft.moment(3, 9), 10))
    draft.gaps.append(Gap("funnel_metrics", draft.moment(12, 22), 48))


def campaign_crowd(draft: Draft) -> None:
    """A campaign brings three times the visitors, who talk about everything as usual and buy less."""
    draft.crowds.append(Crowd(draft.moment(5, 18), 72, visits=3.0, feedback=2.6, conversion=0.85, kind="tv_spot"))


def price_change(draft: Draft) -> None:
    """Prices rise: people say so, and a sixth of the buyers stays away."""
    rise = draft.moment(6, 16)
    draft.crowds.append(Crowd(rise, 24 * 28, conversion=0.83, topics={"price_too_high": 3.5, "happy": 0.9}))
    draft.tolerated = ("pricing_expectation",)


def sarcasm_wave(draft: Draft) -> None:
    """A comedian mentions the product; for two days people try to be funny about it."""
    count = round(draft.product.feedback_per_day * 1.5)
    draft.waves.append(
        Wave(("sarcasm", "sarcasm", "chatter"), draft.moment(5, 20), 48, count, ("social", "app_review"))
    )


def angry_customer(draft: Draft) -> None:
    """One customer complains of one thing on five channels, all day long."""
    topic = draft.rng.choice(("login_loop", "billing_wrong", "pay_double", "slow_all"))
    draft.waves.append(Wave((topic,), draft.moment(5, 20), 30, 26, _ALL, "one", 1))


def unfelt_error_burst(draft: Draft) -> None:
    """A service reports errors and slow answers for hours; the client retries, and nobody notices."""
    service = draft.rng.choice(draft.product.services[1:]).name
    draft.bursts.append(ErrorBurst(service, draft.moment(4, 12), 3, error_share=0.12))
    draft.bursts.append(ErrorBurst(service, draft.moment(14, 24), 6, error_share=0.05, slower=2.5))


def noisy_after_release(draft: Draft) -> None:
    """A service that is noisy for two hours after each of its releases, as its caches are cold."""
    service = max(draft.product.services[1:], key=lambda one: sum(c.service == one.name for c in draft.changes)).name
    for change in list(draft.changes):
        if change.service == service and change.kind != "index":
            draft.bursts.append(ErrorBurst(service, change.at, 2.2, error_share=0.06, slower=1.9))


def mix_shift_channels(draft: Draft) -> None:
    """A new chat widget: half of what came by mail and review now comes by chat."""
    usual = draft.product.channels
    new = {
        **usual,
        "chat": 45.0,
        "support_ticket": usual["support_ticket"] * 0.4,
        "app_review": usual["app_review"] * 0.6,
    }
    draft.mix_shift = (draft.moment(5, 14), new)


def mix_shift_languages(draft: Draft) -> None:
    """The product opens in a new country: half as much again, of it many short texts of newcomers."""
    count = round(draft.product.feedback_per_day * 7)
    opening = draft.moment(5, 12)
    topics = (
        "happy",
        "chatter",
        "happy",
        "wish",
        "slow_all",
        "happy",
        "price_too_high",
        "login_loop",
        "happy",
        "chatter",
    )
    draft.waves.append(Wave(topics, opening, 24 * 14, count, ("app_review", "social"), country="PL"))
    draft.crowds.append(Crowd(opening, 24 * 28, visits=1.5))


def holiday_spike(draft: Draft) -> None:
    """Two holidays and the day between: everything is busy, deliveries as punctual as always."""
    day = draft.moment(8, 20).replace(hour=0, minute=0)
    draft.holidays = (day, day + timedelta(days=1), day + timedelta(days=2))
    draft.crowds.append(Crowd(day, 72, feedback=1.7, topics={"delivery_late": 1.4, "out_of_stock": 1.3}))


def review_bombing(draft: Draft) -> None:
    """Accounts that nobody knows leave one star each, over a political matter."""
    count = round(draft.product.feedback_per_day * 3)
    draft.waves.append(
        Wave(("sarcasm", "price_too_high", "chatter"), draft.moment(5, 20), 30, count, ("app_review",), "unknown", 1)
    )
    draft.tolerated = ("pricing_expectation",)


def forced_update(draft: Draft) -> None:
    """Everybody is moved to a good new version within a day, some grumble about the design."""
    at = draft.moment(6, 18)
    for platform in ("android", "ios"):
        draft.app_release(at, platform, adoption_days=0.25)
    draft.crowds.append(Crowd(at, 72, topics={"hard_to_use": 2.0}))
    draft.tolerated = ("ui_usability",)


def overdispersed(draft: Draft) -> None:
    """Days that scatter more than elsewhere, without a reason."""
    draft.product = replace(draft.product, overdispersion=0.3)


VARIANTS: dict[Act, tuple[str, ...]] = {
    plain: ("shop", "bank", "game"),
    busy_releases: ("groceries", "travel"),
    bots_and_spam: ("game", "streaming"),
    backlog_import: ("shop", "bank", "meals"),
    funnel_gap: ("groceries", "streaming"),
    campaign_crowd: ("shop", "travel", "meals"),
    price_change: ("streaming", "telecom"),
    sarcasm_wave: ("telecom", "game"),
    angry_customer: ("bank", "shop"),
    unfelt_error_burst: ("bank", "meals", "travel"),
    noisy_after_release: ("shop", "telecom", "groceries"),
    mix_shift_channels: ("telecom", "bank"),
    mix_shift_languages: ("game", "streaming"),
    holiday_spike: ("groceries", "shop"),
    review_bombing: ("streaming", "game"),
    forced_update: ("meals", "bank"),
    overdispersed: ("shop", "telecom"),
}
"""The trades in which each kind is acted out."""
