"""The vocabulary of a scenario: changes, troubles, crowds and quirks, and the world that they make.

All hours are counted from the onset, the instant at which the scenario's event begins; negative ones lie before it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

NEW_COUNTRY = "PL"
"""A locale that nobody used before."""

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
"""The service that breaks for an issue type, and with it the step of the journey that it carries (``SERVICES``)."""


@dataclass(frozen=True)
class Rollout:
    """A release to one platform; ``reach`` is the share of its people who may get it."""

    platform: str
    hour: float
    reach: float = 1.0


@dataclass(frozen=True)
class Flag:
    """A feature flag that is switched on for everybody."""

    key: str
    hour: float


@dataclass(frozen=True)
class Trouble:
    """Something that customers complain about.

    ``lift`` is how many complaints it adds a day at full effect, as a share of all that is normally said in a day. It
    acts where its release runs, or else everywhere, and grows over ``grows`` hours. ``error_rate`` is what its service
    then shows, and ``left`` what is left of its step's completion; without them machines notice nothing. Of its
    complaints, ``copies`` are told word by word.
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


@dataclass(frozen=True)
class Crowd:
    """More people than usual, ``factor`` times; ``talk`` says how their words differ from the usual mix."""

    factor: float
    start: float = 0.0
    end: float = 48.0
    campaign: str = ""
    talk: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Plot:
    """What happens in a world.

    ``culprit`` is the change that caused its troubles, if one did. ``expected`` are the issue types for which an issue
    should open, ``excused`` those for which one may.
    """

    changes: tuple[Rollout | Flag, ...] = ()
    troubles: tuple[Trouble, ...] = ()
    crowds: tuple[Crowd, ...] = ()
    quirk: Quirk = ""
    culprit: Rollout | Flag | None = None
    expected: tuple[str, ...] = ()
    excused: tuple[str, ...] = ()
    per_day: float | None = None


@dataclass(frozen=True)
class World:
    """A plot, acted out by one product of some size, from one seed."""

    product: str
    scenario: str
    must_fire: bool
    seed: int
    per_day: float
    plot: Plot


@dataclass(frozen=True)
class Dice:
    """What a scenario leaves to chance."""

    rng: np.random.Generator

    def between(self, low: float, high: float) -> float:
        """Any number between two."""
        return float(self.rng.uniform(low, high))

    def one_of(self, *choices: str) -> str:
        """One of these, all as likely."""
        return str(choices[self.rng.integers(len(choices))])

    def app(self) -> str:
        """A platform whose versions people install."""
        return self.one_of("android", "ios")

    def innocent_release(self) -> Rollout:
        """A harmless release shortly before the onset: the first one that a hasty eye would blame."""
        return Rollout(self.app(), -self.between(1, 20))

    def breakage(self, release: Rollout | None, **details: float | None) -> Trouble:
        """Some function fails, where a release runs or everywhere; customers complain and machines see it."""
        issue_type = self.one_of(*BREAKABLE)
        return self.failure(issue_type, release, **details)

    def failure(self, issue_type: str, release: Rollout | None, **details: float | None) -> Trouble:
        """One function fails; unless said otherwise, strongly enough to be seen within a day or two."""
        usual: dict[str, float | None] = {
            "lift": self.between(0.25, 0.8),
            "error_rate": self.between(0.05, 0.25),
            "left": self.between(0.5, 0.85),
        }
        return Trouble(issue_type, release=release, **{**usual, **details})  # type: ignore[arg-type]
