"""Vocabulary of a scenario: changes, troubles, crowds, data faults (quirks), and the world they make up.

Hours are relative to the onset, the instant at which the scenario's event begins; negative hours lie before it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

NEW_COUNTRY = "PL"
"""Country without earlier feedback."""

Quirk = Literal[
    "", "telemetry_missing", "telemetry_late", "backfill", "duplicates", "clock_skew", "classifier_drift", "new_locale"
]


BREAKABLE = {
    "checkout_failure": "checkout",
    "payment_failure": "payments",
    "login_account": "identity",
    "search_discovery": "search",
    "app_crash": "app-client",
    "performance": "app-client",
    "feature_bug": "app-client",
}
"""Service that fails for an issue type; ``SERVICES`` gives the funnel step that it carries."""


@dataclass(frozen=True)
class Rollout:
    """A release on one platform.

    ``reach`` is the rollout share, 0-1; with ``forced_within`` everybody has it after so many hours.
    """

    platform: str
    hour: float
    reach: float = 1.0
    forced_within: float | None = None


@dataclass(frozen=True)
class Flag:
    """A feature flag, switched on for everybody."""

    key: str
    hour: float


@dataclass(frozen=True)
class Trouble:
    """A cause of complaints.

    ``lift`` is the number of complaints a day at full effect, relative to all feedback of a normal day. The trouble
    acts where its release runs, or everywhere without one, and ramps up over ``grows`` hours. ``error_rate`` is added
    to its service's error rate, and ``left`` is the factor on its funnel step's completion; without them telemetry
    shows nothing. ``copies`` is the share of complaints that are copies of others, 0-1. ``counted_as`` is the issue
    type whose service the errors are counted under, its own if empty. With ``by_one_customer`` all complaints are those
    of one customer, on every channel in turn.
    """

    issue_type: str
    lift: float
    start: float = 0.0
    end: float | None = None
    grows: float = 0.0
    release: Rollout | None = None
    error_rate: float | None = None
    left: float = 1.0
    copies: float = 0.0
    channel: str | None = None
    counted_as: str = ""
    by_one_customer: bool = False


@dataclass(frozen=True)
class Crowd:
    """More visitors than usual, ``factor`` times; ``talk`` has factors on the usual mix of issue types."""

    factor: float
    start: float = 0.0
    end: float = 48.0
    campaign: str = ""
    talk: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Plot:
    """The events of a world and its truth.

    ``culprit`` is the change that caused the troubles, or None. ``expected`` are the issue types for which an issue
    must open, ``excused`` those for which one may.
    """

    changes: tuple[Rollout | Flag, ...] = ()
    troubles: tuple[Trouble, ...] = ()
    crowds: tuple[Crowd, ...] = ()
    quirk: Quirk = ""
    culprit: Rollout | Flag | None = None
    expected: tuple[str, ...] = ()
    excused: tuple[str, ...] = ()
    per_day: float | None = None
    noisy_after_release: str = ""


@dataclass(frozen=True)
class World:
    """A plot for one product, with its size (pieces of feedback per day) and seed."""

    product: str
    scenario: str
    must_fire: bool
    seed: int
    per_day: float
    plot: Plot


@dataclass(frozen=True)
class Dice:
    """Random choices of a scenario."""

    rng: np.random.Generator

    def between(self, low: float, high: float) -> float:
        """Uniform random number."""
        return float(self.rng.uniform(low, high))

    def one_of(self, *choices: str) -> str:
        """Uniform random choice."""
        return str(choices[self.rng.integers(len(choices))])

    def app(self) -> str:
        """Random app platform (versions are installed by users)."""
        return self.one_of("android", "ios")

    def innocent_release(self) -> Rollout:
        """A harmless release 1 to 20 hours before the onset: the obvious wrong suspect."""
        return Rollout(self.app(), -self.between(1, 20))

    def breakage(self, release: Rollout | None, **details: float | str | None) -> Trouble:
        """A random function fails, where a release runs or everywhere; visible in complaints and telemetry."""
        issue_type = self.one_of(*BREAKABLE)
        return self.failure(issue_type, release, **details)

    def failure(self, issue_type: str, release: Rollout | None, **details: float | str | None) -> Trouble:
        """One function fails; by default strongly enough to be detectable within a day or two."""
        usual: dict[str, float | str | None] = {
            "lift": self.between(0.25, 0.8),
            "error_rate": self.between(0.05, 0.25),
            "left": self.between(0.5, 0.85),
        }
        return Trouble(issue_type, release=release, **{**usual, **details})  # type: ignore[arg-type]
