"""The fictional companies: eight trades, each with its services, funnel, customers' talk and places."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from dagster_project.simulation.products.scenario import Product, Service

_BY_APP = ("platform", "app_version")

_USUAL = {
    "happy": 34.0,
    "chatter": 9.0,
    "wish": 6.0,
    "hard_to_use": 4.0,
    "slow_all": 3.0,
    "sync_dead": 4.0,
    "notify_dead": 2.0,
    "crash_midway": 1.5,
    "crash_start": 1.5,
    "login_loop": 2.5,
    "login_no_code": 1.5,
    "price_too_high": 5.0,
    "support_silent": 4.0,
    "sarcasm": 1.5,
    "bot_spam": 0.8,
    "foreign_login": 0.7,
    "search_empty": 1.2,
    "billing_wrong": 1.5,
    "pay_declined": 1.5,
    "pay_double": 0.7,
}
_GOODS = {
    "checkout_stuck": 1.8,
    "promo_rejected": 1.0,
    "delivery_late": 6.0,
    "goods_broken": 4.0,
    "box_damaged": 1.5,
    "refund_missing": 2.5,
    "out_of_stock": 2.5,
}


@dataclass(frozen=True)
class _Trade:
    """One line of business."""

    services: tuple[Service, ...]
    steps: dict[str, float]
    topics: dict[str, float]
    web: bool
    features: tuple[str, ...]
    order_value: float


_APP_SERVICE = Service("mobile-app", 6.0, 0.002, 90.0, _BY_APP)
_AUTH = Service("auth-service", 0.4, 0.006, 140.0)
_SEARCH = Service("search-api", 1.6, 0.003, 110.0)
_BUY_STEPS = {"visit": 0.72, "search": 0.66, "product_view": 0.24, "cart": 0.55, "checkout": 0.7, "payment": 0.92}
_USE_STEPS = {"visit": 0.93, "login": 0.91, "search": 0.6, "payment": 0.9}

_TRADES: dict[str, _Trade] = {
    "shop": _Trade(
        (
            _APP_SERVICE,
            _AUTH,
            _SEARCH,
            Service("checkout-service", 0.2),
            Service("payment-gateway", 0.12, 0.015),
            Service("billing-service", 0.05),
        ),
        _BUY_STEPS,
        _GOODS,
        True,
        ("wishlist", "express_checkout", "gift_cards"),
        54.0,
    ),
    "groceries": _Trade(
        (
            _APP_SERVICE,
            Service("identity-provider", 0.3),
            Service("catalog-search", 2.0),
            Service("cart-api", 0.9),
            Service("payments", 0.2, 0.02),
            Service("billing-api", 0.03),
        ),
        _BUY_STEPS,
        {**_GOODS, "delivery_late": 8.0},
        True,
        ("delivery_slots", "recipes", "reorder"),
        71.0,
    ),
    "bank": _Trade(
        (
            _APP_SERVICE,
            Service("login-service", 0.9),
            Service("payment-core", 0.5, 0.008),
            Service("billing-service", 0.1),
            Service("search-api", 0.2),
            Service("ledger-reports", 0.2),
        ),
        _USE_STEPS,
        {"pay_declined": 3.0, "login_no_code": 3.0, "foreign_login": 2.0, "checkout_stuck": 0.1},
        False,
        ("instant_transfer", "savings_pots", "card_freeze"),
        130.0,
    ),
    "streaming": _Trade(
        (
            _APP_SERVICE,
            _AUTH,
            _SEARCH,
            Service("media-cdn", 9.0, 0.002, 60.0),
            Service("billing-service", 0.05),
            Service("payment-gateway", 0.04, 0.02),
        ),
        _USE_STEPS,
        {"sync_dead": 7.0, "slow_all": 4.0, "out_of_stock": 2.0, "checkout_stuck": 0.1},
        True,
        ("downloads", "profiles", "subtitles"),
        12.0,
    ),
    "meals": _Trade(
        (
            _APP_SERVICE,
            _AUTH,
            _SEARCH,
            Service("order-api", 0.5),
            Service("payment-gateway", 0.3, 0.02),
            Service("courier-tracking", 1.1),
        ),
        _BUY_STEPS,
        {**_GOODS, "delivery_late": 9.0, "box_damaged": 0.8},
        False,
        ("group_order", "live_tracking", "loyalty"),
        24.0,
    ),
    "travel": _Trade(
        (
            _APP_SERVICE,
            Service("account-service", 0.3),
            Service("search-fares", 3.0, 0.01, 420.0),
            Service("checkout-api", 0.1),
            Service("payment-gateway", 0.06, 0.02),
            Service("billing-service", 0.03),
        ),
        _BUY_STEPS,
        {
            "refund_missing": 5.0,
            "delivery_late": 4.0,
            "checkout_stuck": 1.6,
            "out_of_stock": 2.0,
            "promo_rejected": 0.6,
        },
        True,
        ("seat_map", "price_alerts", "miles"),
        210.0,
    ),
    "game": _Trade(
        (
            _APP_SERVICE,
            _AUTH,
            Service("match-server", 12.0, 0.003, 45.0),
            Service("payment-gateway", 0.05, 0.02),
            Service("search-api", 0.1),
            Service("billing-service", 0.01),
        ),
        _USE_STEPS,
        {"crash_midway": 4.0, "sync_dead": 5.0, "pay_declined": 1.0, "checkout_stuck": 0.1, "wish": 10.0},
        False,
        ("clans", "season_pass", "replays"),
        7.0,
    ),
    "telecom": _Trade(
        (
            _APP_SERVICE,
            Service("login-gateway", 0.6),
            Service("billing-core", 0.3, 0.005, 260.0),
            Service("payment-gateway", 0.1, 0.02),
            Service("search-api", 0.2),
            Service("network-usage", 0.8),
        ),
        _USE_STEPS,
        {"billing_wrong": 6.0, "support_silent": 7.0, "slow_all": 5.0, "checkout_stuck": 0.3},
        True,
        ("roaming", "family_plan", "usage_meter"),
        31.0,
    ),
}

_FIRST = ("Alder", "Brio", "Cinder", "Dovetail", "Ember", "Fjord", "Galena", "Harrow", "Ibex", "Juniper", "Kestrel")
_SECOND = ("works", "ly", "point", "yard", "loop", "nest", "field", "bay", "craft", "way")
_COUNTRIES = (
    {"DE": 0.45, "AT": 0.15, "CH": 0.1, "FR": 0.2, "NL": 0.1},
    {"GB": 0.6, "IE": 0.15, "FR": 0.15, "ES": 0.1},
    {"US": 0.7, "CA": 0.2, "MX": 0.1},
    {"ES": 0.35, "PT": 0.2, "IT": 0.25, "BR": 0.2},
    {"IN": 0.5, "GB": 0.2, "AE": 0.1, "SG": 0.2},
)


def company(rng: Random, trade: str) -> Product:
    """A company of a trade, otherwise drawn at random."""
    kind = _TRADES[trade]
    android = rng.uniform(0.3, 0.6)
    platforms = {"android": android, "ios": 0.85 - android} | ({"web": 0.15} if kind.web else {})
    topics = {topic: weight * rng.lognormvariate(0, 0.25) for topic, weight in {**_USUAL, **kind.topics}.items()}
    channels = {"app_review": 40.0, "support_ticket": 22.0, "chat": 12.0, "social": 14.0, "nps": 8.0}
    return Product(
        name=f"{rng.choice(_FIRST)}{rng.choice(_SECOND)}-{trade}".lower(),
        platforms=platforms,
        countries=rng.choice(_COUNTRIES),
        services=tuple(_varied(service, rng) for service in kind.services),
        steps={step: min(0.97, rate * rng.uniform(0.92, 1.05)) for step, rate in kind.steps.items()},
        topics=topics,
        channels={name: weight * rng.lognormvariate(0, 0.4) for name, weight in channels.items()},
        features=kind.features,
        feedback_per_day=round(rng.lognormvariate(3.9, 0.6)),
        visits_per_feedback=rng.uniform(120, 400),
        overdispersion=rng.uniform(0.2, 0.3),
        growth=rng.uniform(-0.04, 0.12),
        order_value=kind.order_value,
    )


def _varied(service: Service, rng: Random) -> Service:
    """The same service, as busy and as clean as this company has it; some are measured by platform."""
    by = service.by or (("platform",) if rng.random() < 0.15 else ())
    return Service(
        service.name,
        service.requests_per_visit * rng.uniform(0.7, 1.4),
        service.error_rate * rng.uniform(0.6, 1.6),
        service.latency_ms * rng.uniform(0.8, 1.3),
        by,
    )
