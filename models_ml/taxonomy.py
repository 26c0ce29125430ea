"""The taxonomy: issue types, channels and the reference language."""

from __future__ import annotations

ISSUE_TYPES: tuple[str, ...] = (
    "checkout_failure",
    "payment_failure",
    "login_account",
    "app_crash",
    "performance",
    "search_discovery",
    "feature_bug",
    "ui_usability",
    "inventory_availability",
    "shipping_delivery",
    "product_defect",
    "packaging",
    "pricing_expectation",
    "billing_subscription",
    "returns_refunds",
    "customer_service",
    "security_privacy",
    "feature_request",
    "praise",
    "other",
)
"""The classes, in the order of the model's outputs; a test holds them equal to the taxonomy seed."""

FIRST_LANGUAGE = "en"
"""The language that every model is judged in, whether or not it reads others."""

CHANNELS = ("app_review", "product_review", "support_ticket", "chat", "social", "nps", "return")
