"""Draft of a world: a company with its routine of releases and flags, to which a scenario adds its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random
from typing import Any

from dagster_project.simulation.products.company import company
from dagster_project.simulation.products.scenario import (
    HISTORY,
    QUIET,
    CauseKind,
    Change,
    ChangeKind,
    Crowd,
    ErrorBurst,
    Failure,
    Gap,
    Wave,
    World,
)

Act = Callable[..., None]
"""Plot of a kind of scenario: a function of a draft and the arguments of a variant."""

_WORDS = {
    "search": ("search",),
    "billing": ("billing",),
    "auth": ("auth", "login", "identity", "account"),
    "pay": ("pay",),
    "checkout": ("checkout", "cart", "order"),
}
_FLAGS = ("new_nav", "fast_images", "smart_reply", "recs_v2", "compact_list", "tips", "dark_theme", "prefetch")

STEP_OF_TOPIC = {
    "checkout_stuck": "checkout",
    "promo_rejected": "checkout",
    "pay_declined": "payment",
    "login_no_code": "login",
    "login_loop": "login",
    "search_empty": "search",
    "crash_start": "visit",
    "slow_all": "visit",
}
ACCEPTED = {
    "pay_double": ("billing_subscription",),
    "billing_wrong": ("payment_failure",),
    "crash_midway": ("feature_bug",),
    "out_of_stock": ("search_discovery",),
    "promo_rejected": ("pricing_expectation",),
    "sync_dead": ("performance",),
}


@dataclass
class Draft:
    """A company with its routine; scenarios add to the lists and set the failure."""

    name: str
    seed: int
    until: datetime
    trade: str
    failure: Failure | None = None
    waves: list[Wave] = field(default_factory=list)
    crowds: list[Crowd] = field(default_factory=list)
    bursts: list[ErrorBurst] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    holidays: tuple[datetime, ...] = ()
    mix_shift: tuple[datetime, dict[str, float]] | None = None
    tolerated: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.rng = Random(f"{self.name}/{self.seed}")
        self.product = company(self.rng, self.trade)
        volume = min(400.0, max(10.0, self.product.feedback_per_day))
        code = f"{self.rng.randrange(16**4):04x}"
        self.product = replace(self.product, feedback_per_day=volume, name=f"{self.product.name}-{code}")
        self.start = self.until - HISTORY
        self.changes = self._routine()

    def moment(self, first_day: float, last_day: float) -> datetime:
        """An instant within the judged time, by days from its begin."""
        return self.until - QUIET + timedelta(minutes=round(self.rng.uniform(first_day, last_day) * 24 * 60))

    def onset(self) -> datetime:
        """An instant that leaves nine days to be found in."""
        return self.moment(9, 16)

    def service(self, kind: str) -> str:
        """The product's service of a kind, or the empty name."""
        names = [one.name for one in self.product.services]
        return next((name for name in names for word in _WORDS[kind] if word in name and name != "mobile-app"), "")

    def version_at(self, at: datetime) -> str:
        """The number of an app release at an instant: week and day of its train."""
        days = (at - self.start).days + 140
        return f"{3 + self.seed % 4}.{days // 7}.{days % 7}"

    def app_release(self, at: datetime, platform: str, **settings: Any) -> Change:
        """An app release in the place of the routine ones around it."""
        near = timedelta(days=4)
        self.changes = [
            one
            for one in self.changes
            if not (one.kind == "app" and one.platform == platform and abs(one.at - at) < near)
        ]
        return self._add(self._app_change(at, platform, **settings))

    def service_release(self, at: datetime, service: str, kind: ChangeKind = "service", *, versioned: bool) -> Change:
        """A release of a back-end service, of an index or of a configuration."""
        version = f"{self.rng.randint(1, 9)}.{self.rng.randint(0, 80)}.{self.rng.randint(0, 9)}" if versioned else ""
        number = sum(one.service == service for one in self.changes)
        change_id = f"{self.product.name}-{service or 'config'}-{kind}-{number}-{at:%m%d%H%M}"
        return self._add(Change(change_id, kind, at, version=version, service=service))

    def flag(self, at: datetime, feature: str) -> Change:
        """A flag that is switched on."""
        return self._add(Change(f"{self.product.name}.{feature}", "flag", at, feature=feature))

    def fail(
        self, topic: str, onset: datetime, share: float, kind: CauseKind, cause: str = "", **settings: Any
    ) -> None:
        """Set the failure; the step of the funnel and neighbouring types follow from the topic."""
        step = STEP_OF_TOPIC.get(topic, "")
        defaults = {"step": step if step in self.product.steps else "", "accepted": ACCEPTED.get(topic, ())}
        failure = Failure(topic, onset, share, kind, cause, **(defaults | settings))
        self.failure = replace(failure, vocal=failure.vocal * self.rng.lognormvariate(0, 0.35))

    def world(self) -> World:
        """The world as it stands."""
        return World(
            product=self.product,
            start=self.start,
            until=self.until,
            changes=tuple(sorted(self.changes, key=lambda one: (one.at, one.change_id))),
            failure=self.failure,
            waves=tuple(self.waves),
            crowds=tuple(self.crowds),
            bursts=tuple(self.bursts),
            gaps=tuple(self.gaps),
            holidays=self.holidays,
            mix_shift=self.mix_shift,
            tolerated=self.tolerated,
        )

    def _add(self, change: Change) -> Change:
        self.changes.append(change)
        return change

    def _app_change(self, at: datetime, platform: str, **settings: Any) -> Change:
        version = self.version_at(at)
        adoption = {"adoption_days": self.rng.uniform(1.5, 3) if platform == "ios" else self.rng.uniform(2, 5)}
        change_id = f"{self.product.name}-{platform}-{version}"
        return Change(change_id, "app", at, version=version, platform=platform, **(adoption | settings))

    def _routine(self) -> list[Change]:
        self.changes = []
        self._routine_of_apps()
        for service in self.product.services[1:]:
            at, versioned = self.start + timedelta(days=self.rng.uniform(0, 12)), self.rng.random() < 0.5
            while at < self.until:
                self.service_release(at, service.name, versioned=versioned)
                at += timedelta(days=self.rng.uniform(6, 24))
        self._routine_of_index_and_flags()
        return self.changes

    def _routine_of_apps(self) -> None:
        at = self.start - timedelta(days=self.rng.uniform(2, 10))
        pace = self.rng.uniform(8, 16)
        while at < self.until:
            for platform in ("android", "ios"):
                self._add(self._app_change(at + timedelta(hours=self.rng.uniform(0, 40)), platform))
            at += timedelta(days=pace * self.rng.uniform(0.8, 1.2))

    def _routine_of_index_and_flags(self) -> None:
        at = self.start + timedelta(days=self.rng.uniform(0, 7), hours=3)
        while self.service("search") and at < self.until:
            self.service_release(at, self.service("search"), "index", versioned=False)
            at += timedelta(days=7)
        flags = list(_FLAGS)
        self.rng.shuffle(flags)
        for flag in flags[: self.rng.randint(3, len(flags))]:
            at = self.start + timedelta(days=self.rng.uniform(1, 62))
            self.flag(at, flag)
        for _ in range(self.rng.randint(1, 4)):
            self.service_release(
                self.start + timedelta(days=self.rng.uniform(1, 62)), "", "configuration", versioned=False
            )
