"""Events of the simulated shop: releases, flag changes, campaigns, and planted incidents with their expected result."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class ShopRelease:
    """A release of one version on one platform."""

    number: int
    version: str
    previous_version: str
    platform: str
    deployed_at: datetime
    notes: str
    author: str

    @property
    def release_id(self) -> str:
        """Id given by the GitHub reader."""
        return f"gh-{self.number}"


@dataclass(frozen=True)
class Planted:
    """A planted event, and the result that the loop should find."""

    name: str
    what: str
    issue_type: str | None
    started_at: datetime
    ended_at: datetime | None
    platform: str | None = None
    country: str | None = None
    app_version: str | None = None
    release_id: str | None = None
    expect_issue: bool | None = True
    """True: an issue must open; False: none may; None: either is fine."""
    expected_verdicts: tuple[str, ...] = ()
    expected_status: str | None = None
    per_day: float = 0.0
    """Complaints a day at full effect and average traffic."""

    def as_json(self) -> dict[str, Any]:
        """Plain values, instants as ISO 8601."""
        return {
            "name": self.name,
            "what": self.what,
            "issue_type": self.issue_type,
            "started_at": self.started_at.isoformat(),
            "ended_at": self.ended_at.isoformat() if self.ended_at else None,
            "scope": {"platform": self.platform, "country": self.country, "app_version": self.app_version},
            "release_id": self.release_id,
            "expect_issue": self.expect_issue,
            "expected_verdicts": list(self.expected_verdicts),
            "expected_status": self.expected_status,
        }


@dataclass(frozen=True)
class Campaign:
    """A campaign, and its factor on traffic."""

    campaign_id: str
    kind: str
    name: str
    started_at: datetime
    ended_at: datetime
    factor: float


@dataclass(frozen=True)
class FlagChange:
    """A change of a feature flag."""

    flag_key: str
    environment: str
    changed_at: datetime
    enabled: bool
    variant: str
    feature: str
    actor: str = "release-manager"


@dataclass(frozen=True)
class Deployment:
    """A version that the control system has put in force on one platform: a rollback, or the undo of one."""

    number: int
    version: str
    platform: str
    deployed_at: datetime
    task: str
