"""Incidents that a change causes: releases of the app and of services, flags, configuration."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from dagster_project.simulation.products.draft import Act, Draft
from dagster_project.simulation.products.scenario import Change


def app_release(draft: Draft, topic: str, platform: str, share: float) -> None:
    """A new version of the app breaks something on one platform, for those who have it."""
    release = draft.app_release(draft.onset(), platform)
    _in_app(draft, topic, share, release)


def forced_app_release(draft: Draft, topic: str, platform: str, share: float) -> None:
    """A broken version that everybody has by the next day."""
    release = draft.app_release(draft.onset(), platform, adoption_days=0.3)
    _in_app(draft, topic, share, release)


def partial_rollout(draft: Draft, topic: str, platform: str, percent: float, share: float) -> None:
    """A broken version that only some customers are given."""
    release = draft.app_release(draft.onset(), platform, rollout_percent=percent, adoption_days=1.2)
    _in_app(draft, topic, share, release, vocal=5.0)


def service_release(draft: Draft, topic: str, service: str, share: float, versioned: bool) -> None:
    """A release of a back-end service breaks it within the hour, on all platforms."""
    onset = draft.onset()
    release = draft.service_release(
        onset - timedelta(minutes=draft.rng.randint(1, 50)), draft.service(service), versioned=versioned
    )
    draft.fail(topic, onset, share, "release", release.change_id, service=draft.service(service))


def index_build(draft: Draft, share: float) -> None:
    """A new search index lacks most of the catalogue; the service answers without errors, but empty."""
    onset = draft.onset()
    release = draft.service_release(onset - timedelta(minutes=12), draft.service("search"), "index", versioned=False)
    draft.fail("search_empty", onset, share, "release", release.change_id)


def configuration(draft: Draft, topic: str, service: str, share: float) -> None:
    """A change of configuration, which has neither version nor platform."""
    onset = draft.onset()
    release = draft.service_release(
        onset - timedelta(minutes=25), draft.service(service), "configuration", versioned=False
    )
    draft.fail(topic, onset, share, "release", release.change_id, service=draft.service(service))


def slow_release(draft: Draft, service: str, hours: float) -> None:
    """A release that leaks memory: its service grows slower from hour to hour."""
    at = draft.onset()
    release = draft.service_release(at, draft.service(service), versioned=True)
    draft.fail(
        "slow_all", at, 0.6, "release", release.change_id,
        service=draft.service(service), effect="latency", ramp_hours=hours,
    )  # fmt: skip


def flag(draft: Draft, topic: str, service: str, share: float, platform: str) -> None:
    """A feature is switched on that does not work."""
    onset, feature = draft.onset(), draft.rng.choice(draft.product.features)
    change = draft.flag(onset - timedelta(minutes=draft.rng.randint(1, 30)), feature)
    name = "mobile-app" if service == "app" else draft.service(service) if service else ""
    draft.fail(
        topic, onset, share, "flag", change.change_id,
        feature=feature, service=name, platform=platform, effect="errors" if name else "none",
    )  # fmt: skip


def _in_app(draft: Draft, topic: str, share: float, release: Change, vocal: float = 3.0) -> None:
    effect = "latency" if topic == "slow_all" else "none" if topic in ("notify_dead", "sync_dead") else "errors"
    draft.fail(
        topic, release.at, share, "release", release.change_id,
        platform=release.platform, version=release.version, service="mobile-app", effect=effect, vocal=vocal,
    )  # fmt: skip


VARIANTS: dict[Act, tuple[tuple[Any, ...], ...]] = {
    app_release: (
        ("shop", "crash_start", "android", 0.45),
        ("bank", "crash_start", "ios", 0.3),
        ("game", "crash_midway", "android", 0.6),
        ("travel", "crash_midway", "ios", 0.25),
        ("shop", "checkout_stuck", "ios", 0.5),
        ("groceries", "checkout_stuck", "android", 0.8),
        ("telecom", "login_loop", "android", 0.4),
        ("meals", "pay_declined", "ios", 0.35),
        ("streaming", "sync_dead", "ios", 0.5),
        ("bank", "notify_dead", "android", 0.7),
        ("streaming", "slow_all", "android", 0.5),
        ("groceries", "search_empty", "ios", 0.4),
        ("shop", "promo_rejected", "android", 0.5),
    ),
    forced_app_release: (
        ("game", "crash_start", "ios", 0.2),
        ("meals", "checkout_stuck", "android", 0.3),
        ("bank", "login_no_code", "ios", 0.25),
    ),
    partial_rollout: (
        ("shop", "crash_start", "android", 10.0, 0.7),
        ("streaming", "crash_midway", "android", 20.0, 0.6),
        ("bank", "login_loop", "ios", 25.0, 0.5),
        ("travel", "checkout_stuck", "android", 20.0, 0.8),
    ),
    service_release: (
        ("shop", "search_empty", "search", 0.5, True),
        ("travel", "search_empty", "search", 0.3, False),
        ("telecom", "billing_wrong", "billing", 0.2, True),
        ("streaming", "billing_wrong", "billing", 0.4, False),
        ("groceries", "billing_wrong", "billing", 0.5, True),
        ("bank", "login_no_code", "auth", 0.4, True),
        ("shop", "login_loop", "auth", 0.25, False),
        ("game", "login_loop", "auth", 0.5, True),
        ("telecom", "login_no_code", "auth", 0.15, False),
        ("groceries", "checkout_stuck", "checkout", 0.35, False),
        ("travel", "checkout_stuck", "checkout", 0.6, True),
        ("bank", "pay_declined", "pay", 0.3, True),
        ("shop", "pay_double", "pay", 0.1, False),
    ),
    index_build: (("shop", 0.7), ("groceries", 0.4), ("streaming", 0.6)),
    configuration: (
        ("meals", "pay_declined", "pay", 0.5),
        ("telecom", "login_loop", "auth", 0.3),
        ("shop", "checkout_stuck", "checkout", 0.25),
    ),
    slow_release: (("streaming", "search", 48.0), ("bank", "auth", 96.0)),
    flag: (
        ("shop", "checkout_stuck", "checkout", 0.4, ""),
        ("bank", "pay_declined", "pay", 0.25, ""),
        ("meals", "notify_dead", "", 0.6, ""),
        ("streaming", "sync_dead", "", 0.4, "android"),
        ("game", "crash_midway", "app", 0.3, "ios"),
        ("travel", "search_empty", "search", 0.3, ""),
        ("telecom", "billing_wrong", "billing", 0.3, ""),
    ),
}
"""The trade and the arguments of each variant."""
