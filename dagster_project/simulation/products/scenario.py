"""Data model of a scenario: a product, its changes, at most one failure, temptations, and the truth about them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

HISTORY = timedelta(days=63)
"""Length of a product's history, up to ``until``."""
QUIET = timedelta(days=28)
"""The last part of the history, in which a product is judged."""

CauseKind = Literal["release", "flag", "third_party", "campaign", "carrier", "none"]
ChangeKind = Literal["app", "service", "index", "configuration", "flag"]


@dataclass(frozen=True)
class Service:
    """A back-end service, or the app itself; ``by`` are the columns that its metrics are split by."""

    name: str
    requests_per_visit: float
    error_rate: float = 0.004
    latency_ms: float = 120.0
    by: tuple[str, ...] = ()


@dataclass(frozen=True)
class Product:
    """A fictional company: its size, places, platforms, habits and what its customers usually speak of."""

    name: str
    platforms: dict[str, float]
    countries: dict[str, float]
    services: tuple[Service, ...]
    steps: dict[str, float]
    topics: dict[str, float]
    channels: dict[str, float]
    features: tuple[str, ...]
    feedback_per_day: float
    visits_per_feedback: float
    overdispersion: float
    growth: float
    order_value: float


@dataclass(frozen=True)
class Change:
    """A release or a flag change, innocent or not."""

    change_id: str
    kind: ChangeKind
    at: datetime
    version: str = ""
    service: str = ""
    platform: str = ""
    rollout_percent: float | None = None
    adoption_days: float = 2.5
    feature: str = ""


@dataclass(frozen=True)
class Failure:
    """The operational failure: its topic, scope, time and cause."""

    topic: str
    onset: datetime
    share: float
    cause_kind: CauseKind
    cause_id: str = ""
    ended: datetime | None = None
    platform: str = ""
    version: str = ""
    country: str = ""
    feature: str = ""
    service: str = ""
    step: str = ""
    effect: Literal["errors", "latency", "none"] = "errors"
    ramp_hours: float = 0.0
    vocal: float = 1.2
    """Complaints of a customer who meets the failure all day, against what customers say in a usual day."""
    reach: float = 1.0
    segment: str = ""
    accepted: tuple[str, ...] = ()
    """Other issue types that a reasonable reader could call it."""


@dataclass(frozen=True)
class Wave:
    """Feedback beyond the usual that no failure causes: bots, jokes, one angry customer, a crowd of unknowns."""

    topics: tuple[str, ...]
    start: datetime
    hours: float
    count: int
    channels: tuple[str, ...]
    account: Literal["", "unknown", "one"] = ""
    rating: int | None = None
    country: str = ""


@dataclass(frozen=True)
class Crowd:
    """A time with more (or less) of something that is no failure; a factor of 1 leaves it as usual.

    ``conversion`` acts on the last steps of the funnel; ``topics`` makes single topics likelier.
    """

    start: datetime
    hours: float
    visits: float = 1.0
    feedback: float = 1.0
    conversion: float = 1.0
    topics: dict[str, float] = field(default_factory=dict)
    kind: str = ""
    """A campaign of this kind is recorded, if given."""


@dataclass(frozen=True)
class ErrorBurst:
    """Errors or slowness of a service that no customer feels."""

    service: str
    start: datetime
    hours: float
    error_share: float = 0.0
    slower: float = 1.0


@dataclass(frozen=True)
class Gap:
    """A time in which a table got no rows. Telemetry of that time is lost; feedback arrives together at its end."""

    table: Literal["funnel_metrics", "feedback"]
    start: datetime
    hours: float


@dataclass(frozen=True)
class World:
    """Everything that happens to one product."""

    product: Product
    start: datetime
    until: datetime
    changes: tuple[Change, ...]
    failure: Failure | None = None
    waves: tuple[Wave, ...] = ()
    crowds: tuple[Crowd, ...] = ()
    bursts: tuple[ErrorBurst, ...] = ()
    gaps: tuple[Gap, ...] = ()
    holidays: tuple[datetime, ...] = ()
    mix_shift: tuple[datetime, dict[str, float]] | None = None
    """From an instant on, other shares of channels."""
    tolerated: tuple[str, ...] = ()
    """Issue types that customers do complain of more, though nothing fails: the price after a rise."""


@dataclass(frozen=True)
class Scenario:
    """A named kind of world; ``build`` makes one from a seed and the last instant of its history."""

    name: str
    quiet: bool
    build: Callable[[int, datetime], World]


@dataclass(frozen=True)
class Truth:
    """Ground truth about a product, kept apart from its files.

    Without a failure, all fields from ``issue_type`` on keep their defaults. ``complaints`` are the instants of the
    complaints that the failure caused, ``feedback`` counts everything.
    """

    scenario: str
    seed: int
    product: str
    judged_from: datetime
    until: datetime
    feedback: int
    innocent_changes: tuple[str, ...]
    tolerated: tuple[str, ...] = ()
    issue_type: str = ""
    accepted: tuple[str, ...] = ()
    onset: datetime | None = None
    ended: datetime | None = None
    platform: str = ""
    version: str = ""
    country: str = ""
    feature: str = ""
    cause_kind: CauseKind = "none"
    cause_id: str = ""
    share: float = 0.0
    telemetry_shows: bool = False
    complaints: tuple[datetime, ...] = ()

    @property
    def quiet(self) -> bool:
        """True if nothing failed."""
        return self.onset is None
