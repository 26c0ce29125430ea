"""Behaviour tables of the simulated customers: channel shares, issue-type mixes, ratings, known columns."""

from __future__ import annotations

PER_DAY = 68.0

# source: (channel, its share of the background, minutes until the row is known: earliest and latest)
SOURCES: dict[str, tuple[str, float, int, int]] = {
    "google_play": ("app_review", 0.18, 20, 360),
    "app_store": ("app_review", 0.14, 180, 180),
    "zendesk": ("support_ticket", 0.20, 5, 5),
    "chat": ("chat", 0.14, 1, 6),
    "shop_reviews": ("product_review", 0.14, 20, 400),
    "survey": ("nps", 0.08, 30, 300),
    "social": ("social", 0.06, 3, 45),
    "returns": ("return", 0.06, 10, 90),
}

BACKGROUND: dict[str, dict[str, float]] = {
    "app_review": dict(
        praise=42, performance=6, ui_usability=5, feature_request=6, feature_bug=6, login_account=4, app_crash=4,
        search_discovery=4, pricing_expectation=5, checkout_failure=3, payment_failure=2.5, shipping_delivery=4,
        customer_service=3, inventory_availability=2, other=4, security_privacy=1, billing_subscription=1.5,
        product_defect=1, returns_refunds=0.7,
    ),
    "product_review": dict(
        praise=52, product_defect=18, packaging=6, pricing_expectation=6, shipping_delivery=7, inventory_availability=2,
        returns_refunds=2, customer_service=2, other=4, feature_request=1,
    ),
    "support_ticket": dict(
        shipping_delivery=14, returns_refunds=14, login_account=11, product_defect=9, billing_subscription=8,
        payment_failure=7, feature_bug=6, other=6, checkout_failure=4, inventory_availability=4, customer_service=4,
        security_privacy=3, packaging=2, performance=2, pricing_expectation=2, feature_request=2, app_crash=1.5,
        praise=1, search_discovery=1, ui_usability=1,
    ),
    "chat": dict(
        shipping_delivery=14, other=14, returns_refunds=10, inventory_availability=9, login_account=9,
        payment_failure=6, billing_subscription=5, product_defect=5, checkout_failure=4, pricing_expectation=4,
        search_discovery=4,
        feature_bug=4, ui_usability=3, customer_service=3, praise=3, security_privacy=1, app_crash=1, performance=1,
    ),
    "nps": dict(
        praise=48, pricing_expectation=9, shipping_delivery=7, customer_service=6, ui_usability=5, feature_request=5,
        other=5, search_discovery=4, performance=4, product_defect=4, returns_refunds=3,
    ),
    "social": dict(
        praise=25, other=20, customer_service=12, shipping_delivery=10, pricing_expectation=10,
        inventory_availability=5, product_defect=5, feature_request=4, performance=3, checkout_failure=2,
        app_crash=2, security_privacy=2,
    ),
    "return": dict(product_defect=52, other=16, packaging=12, pricing_expectation=8, shipping_delivery=8),
}  # fmt: skip

SOURCES_OF_EVENT: dict[str, dict[str, float]] = {
    "android_checkout": {"google_play": 55, "zendesk": 20, "chat": 15, "social": 7, "survey": 3},
    "ios_crash": {"app_store": 68, "zendesk": 12, "social": 10, "chat": 6, "survey": 4},
    "carrier_strike": {
        "zendesk": 36, "chat": 25, "survey": 10, "shop_reviews": 10, "app_store": 9, "google_play": 5, "social": 5,
    },
    "payment_hiccup": {"zendesk": 40, "chat": 35, "google_play": 10, "app_store": 10, "social": 5},
}  # fmt: skip

RATINGS: dict[str, tuple[int, ...]] = {
    "praise": (5, 5, 5, 4),
    "feature_request": (4, 4, 3, 5, 5),
    "other": (3, 3, 4, 3, 2),
    "bad": (1, 1, 1, 1, 2, 2),
    "poor": (2, 2, 1, 3, 3, 2),
}
NPS = {5: (9, 10, 10), 4: (8, 8, 9), 3: (6, 7, 7), 2: (3, 4, 5, 6), 1: (0, 0, 1, 2, 3)}
POOR = frozenset(
    "ui_usability search_discovery pricing_expectation packaging inventory_availability feature_bug".split()
)
LANGUAGES: dict[str, dict[str, float]] = {
    "DE": {"en": 0.82, "de": 0.18},
    "FR": {"en": 0.82, "fr": 0.18},
    "US": {"en": 0.96, "es": 0.04},
    "GB": {"en": 1.0},
}
DEVICES = {
    "android": ("Pixel 8", "Pixel 7a", "Galaxy S23", "Galaxy A54", "Xperia 5", "Moto G84", "Nord 3"),
    "ios": ("iPhone 13", "iPhone 14", "iPhone 15", "iPhone SE", "iPad Air"),
    "web": ("laptop", "desktop", "tablet"),
}
SYSTEMS = {"android": ("Android 13", "Android 14", "Android 15"), "ios": ("iOS 17.6", "iOS 18.1"), "web": ("",)}
BROWSERS = ("Chrome", "Safari", "Firefox", "Edge")
# Age of the order in days when feedback about it is written.
ORDER_AGE = {"shipping_delivery": (3, 9), "returns_refunds": (12, 30), "billing_subscription": (1, 20)}
ABOUT_AN_ORDER = frozenset("shipping_delivery returns_refunds product_defect packaging billing_subscription".split())
KNOWS_CUSTOMER = frozenset({"zendesk", "chat", "shop_reviews", "survey", "returns"})
KNOWS_COUNTRY = KNOWS_CUSTOMER | {"app_store"}
KNOWS_LANGUAGE = frozenset({"google_play", "zendesk", "chat", "social"})
KNOWS_DEVICE = frozenset({"google_play", "chat"})
HAS_RATING = frozenset({"google_play", "app_store", "shop_reviews"})
