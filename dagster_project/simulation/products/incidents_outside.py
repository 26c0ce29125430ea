"""Incidents that no change causes: third parties, carriers, warehouses, crowds, decay; some sizes and hiding places."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from dagster_project.simulation.products.draft import Act, Draft
from dagster_project.simulation.products.scenario import Crowd


def third_party_outage(draft: Draft, share: float, minutes: int, service: str, hours: int) -> None:
    """The card processor fails, shortly after an innocent release of a back-end service."""
    onset = draft.onset()
    draft.service_release(onset - timedelta(minutes=minutes), draft.service(service), versioned=minutes % 2 == 0)
    draft.fail(
        "pay_declined", onset, share, "third_party",
        service=draft.service("pay"), ended=onset + timedelta(hours=hours), vocal=2.5,
    )  # fmt: skip


def carrier_outage(draft: Draft, topic: str, share: float, hours: int) -> None:
    """A carrier or network fails in one country; everywhere else all is well, and no service of ours errs."""
    onset = draft.onset()
    draft.fail(
        topic, onset, share, "carrier",
        country=list(draft.product.countries)[1], ended=onset + timedelta(hours=hours), effect="none", vocal=4.0,
    )  # fmt: skip


def slow_decay(draft: Draft, service: str, hours: float) -> None:
    """A database fills up: answers slow down over days, without any change."""
    draft.fail(
        "slow_all", draft.onset(), 0.7, "none", service=draft.service(service), effect="latency", ramp_hours=hours
    )  # fmt: skip


def few_valuable(draft: Draft, topic: str, service: str) -> None:
    """Few customers are hit, and they are worth the most; they write mails, and telemetry drowns them."""
    onset = draft.onset()
    release = draft.service_release(onset - timedelta(minutes=40), draft.service(service), versioned=True)
    draft.fail(
        topic, onset, 0.8, "release", release.change_id,
        service=draft.service(service), reach=0.04, vocal=3.5, segment="enterprise",
    )  # fmt: skip


def flood(draft: Draft, topic: str, service: str, per_hour: float) -> None:
    """Everything is down for some hours, and hundreds of complaints an hour come in."""
    onset = draft.onset()
    # Working hours are about one and a half times as busy as the mean.
    vocal = per_hour * 24 / draft.product.feedback_per_day / 0.8 / 1.5
    draft.fail(
        topic, onset, 0.8, "none", service=draft.service(service), ended=onset + timedelta(hours=6), vocal=vocal
    )  # fmt: skip


def trickle(draft: Draft, topic: str, service: str, share: float) -> None:
    """A lasting small failure after a release: a handful of complaints a day."""
    onset = draft.onset()
    release = draft.service_release(onset - timedelta(minutes=20), draft.service(service), versioned=True)
    draft.fail(
        topic, onset, share, "release", release.change_id, service=draft.service(service), vocal=1.4
    )  # fmt: skip


def no_telemetry(draft: Draft, topic: str, share: float) -> None:
    """Something fails that no monitor watches: only the customers tell."""
    draft.fail(topic, draft.onset(), share, "none", effect="none", vocal=0.8)


def crowd_overload(draft: Draft, topic: str, service: str) -> None:
    """A campaign brings more visitors than a service can bear."""
    onset = draft.onset()
    draft.crowds.append(Crowd(onset - timedelta(hours=1), 48, visits=3.0, feedback=1.8, kind="flash_sale"))
    # The campaign is the first that the product records.
    draft.fail(
        topic, onset, 0.4, "campaign", f"{draft.product.name}-k0",
        service=draft.service(service), ended=onset + timedelta(hours=40), vocal=1.5,
    )  # fmt: skip


VARIANTS: dict[Act, tuple[tuple[Any, ...], ...]] = {
    third_party_outage: (
        ("shop", 0.6, 30, "checkout", 20),
        ("shop", 0.3, 75, "pay", 30),
        ("groceries", 0.8, 15, "checkout", 10),
        ("groceries", 0.4, 120, "search", 24),
        ("bank", 0.35, 45, "auth", 36),
        ("bank", 0.5, 20, "pay", 18),
        ("meals", 0.7, 60, "checkout", 12),
        ("meals", 0.25, 10, "pay", 48),
        ("travel", 0.5, 90, "checkout", 30),
        ("travel", 0.8, 35, "billing", 16),
        ("streaming", 0.6, 50, "billing", 40),
        ("telecom", 0.45, 25, "pay", 28),
    ),
    carrier_outage: (
        ("shop", "delivery_late", 0.5, 120),
        ("groceries", "delivery_late", 0.6, 96),
        ("bank", "login_no_code", 0.7, 30),
        ("meals", "login_no_code", 0.5, 48),
        ("streaming", "slow_all", 0.5, 36),
    ),
    slow_decay: (("shop", "search", 72.0), ("travel", "search", 120.0), ("telecom", "auth", 96.0)),
    few_valuable: (
        ("bank", "pay_declined", "pay"),
        ("travel", "checkout_stuck", "checkout"),
        ("telecom", "billing_wrong", "billing"),
        ("shop", "login_loop", "auth"),
    ),
    flood: (("bank", "login_loop", "auth", 200.0), ("shop", "checkout_stuck", "checkout", 120.0),
            ("game", "login_loop", "auth", 150.0)),
    trickle: (
        ("shop", "checkout_stuck", "checkout", 0.06),
        ("bank", "login_no_code", "auth", 0.05),
        ("streaming", "billing_wrong", "billing", 0.08),
        ("groceries", "search_empty", "search", 0.08),
    ),
    no_telemetry: (
        ("shop", "refund_missing", 0.4),
        ("meals", "delivery_late", 0.35),
        ("streaming", "out_of_stock", 0.5),
        ("shop", "goods_broken", 0.4),
        ("bank", "foreign_login", 0.2),
        ("telecom", "support_silent", 0.6),
        ("travel", "refund_missing", 0.5),
    ),
    crowd_overload: (("shop", "checkout_stuck", "checkout"), ("travel", "search_empty", "search"),
                     ("groceries", "checkout_stuck", "checkout")),
}  # fmt: skip
"""The trade and the arguments of each variant."""
