"""Hours of the shop after the end of its story, played under a control system that the shop obeys.

A stretch is some hours that were played at once; the state that the control system had at its beginning holds for all
of it. The shop's apps ask at every start which version to run, so what is withdrawn is gone within hours:

==================== ==================================================================================
state of a platform  what its people do
==================== ==================================================================================
as it was            they update as before
halted               nobody gets the newest version any more; who has it goes back to the one before, half
                     of them within 40 minutes
an older version     rolled back: the same, but the apps are told at once: half of them within 20 minutes
resumed              people update again, half of those who were brought back within eight hours
==================== ==================================================================================

Flags are obeyed as well, and none of them breaks or mends anything. A change of a flag or a version is exported as the
event that it is. Every hour is drawn from streams of its own, so playing twelve hours twice is playing a day.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

import numpy as np

from dagster_project.simulation.shop.planted import Deployment, FlagChange, ShopRelease
from dagster_project.simulation.shop.story import PLATFORMS, Adoption, Story

CONTROL_SYSTEM = "control-system"
"""Author of the changes that the control system makes."""

Control = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""State of the control system: ``flags`` and ``releases`` (by platform), as ``control.json`` has them."""

_HALTED_HOURS, _ROLLED_BACK_HOURS, _RESUMED_HOURS = 1.0, 0.5, 12.0
"""Hours in which all but a share of 1/e have followed."""
_FIRST_DEPLOYMENT = 70_000_000


@dataclass(frozen=True)
class Stretch:
    """Hours played at once, and the state of the control system at their beginning."""

    hours: int
    control: Control


@dataclass(frozen=True)
class BroughtBack:
    """People of a platform who were brought back from some versions to another; ``left`` is the share that was not."""

    versions: frozenset[str]
    to: str
    left: float = 1.0


@dataclass(frozen=True)
class Hour(Story):
    """One hour after the end of a story, as a grid of its own; ``after`` counts from the end."""

    after: int = 0
    brought_back: Mapping[str, BroughtBack] = field(default_factory=dict)

    @property
    def first_hour(self) -> int:
        """Hours from the beginning of the story to this one."""
        return self.days * 24 + self.after

    @property
    def hours(self) -> int:
        """One."""
        return 1

    def _adoption(self) -> Adoption:
        """The adoption without a control system, less what was withdrawn."""
        adoption = super()._adoption()
        for platform, back in self.brought_back.items():
            versions, shares = adoption[platform]
            by_version = dict(zip(versions, shares.T, strict=True))
            taken = np.zeros(1)
            for version in back.versions & by_version.keys():
                taken = taken + (1 - back.left) * by_version[version]
                by_version[version] = back.left * by_version[version]
            by_version[back.to] = by_version.get(back.to, np.zeros(1)) + taken
            adoption[platform] = tuple(by_version), np.stack(list(by_version.values()), axis=1)
        return adoption


@dataclass(frozen=True)
class Played:
    """A story, and the stretches that were played after it."""

    story: Story
    stretches: tuple[Stretch, ...] = ()

    @property
    def present(self) -> datetime:
        """The end of the last stretch."""
        return self.story.until + timedelta(hours=sum(stretch.hours for stretch in self.stretches))

    @cached_property
    def hours(self) -> list[Hour]:
        """Every hour after the story."""
        return list(_hours(self.story, self.stretches))

    @cached_property
    def flag_changes(self) -> list[FlagChange]:
        """The flags that a stretch found changed."""
        features = {change.flag_key: change.feature for change in self.story.flags}
        return [
            FlagChange(key, "production", at, now["enabled"], now.get("variant", ""), features[key], CONTROL_SYSTEM)
            for at, before, found in self._changes()
            for key, now in found["flags"].items()
            if now != before["flags"][key]
        ]

    @cached_property
    def deployments(self) -> list[Deployment]:
        """The versions that a stretch found changed."""
        numbers = {(release.platform, release.version): release.number for release in self.story.releases}
        changed = [
            (at, platform, before["releases"][platform]["version"], now["version"])
            for at, before, found in self._changes()
            for platform, now in found["releases"].items()
            if now["version"] != before["releases"][platform]["version"]
        ]
        return [
            Deployment(
                number=_FIRST_DEPLOYMENT + place,
                version=version,
                platform=platform,
                deployed_at=at,
                task="rollback" if numbers[platform, version] < numbers[platform, was] else "deploy",
            )
            for place, (at, platform, was, version) in enumerate(changed, start=1)
        ]

    def _changes(self) -> Iterator[tuple[datetime, Control, Control]]:
        """Beginning of each stretch, with the state before and the state found."""
        at: datetime = self.story.until
        before: Control = usual_control(self.story)
        for stretch in self.stretches:
            yield at, before, stretch.control
            at, before = at + timedelta(hours=stretch.hours), stretch.control


def usual_control(story: Story) -> dict[str, dict[str, dict[str, Any]]]:
    """State of the control system at the end of a story: its flags, and the newest version of each platform."""
    flags = {
        change.flag_key: {"enabled": change.enabled, **({"variant": change.variant} if change.variant else {})}
        for change in story.flags
        if change.environment == "production"
    }
    return {"flags": flags, "releases": {platform: _state_of(_newest(story, platform)) for platform in PLATFORMS}}


def obeyed(story: Story, found: Mapping[str, Any]) -> Control:
    """What the shop obeys of a state that was found: its own flags and versions; whatever else is there is as usual."""
    usual = usual_control(story)
    known = {(release.platform, release.version) for release in story.releases}
    flags, releases = usual["flags"], usual["releases"]
    for key in flags:
        now = found.get("flags", {}).get(key, {})
        flags[key] |= {"enabled": bool(now.get("enabled", flags[key]["enabled"]))}
        flags[key] |= {"variant": str(now["variant"])} if now.get("variant") else {}
    for platform, state in releases.items():
        now = found.get("releases", {}).get(platform, {})
        state["halted"] = bool(now.get("halted", False))
        if (platform, now.get("version")) in known:
            state["version"] = now["version"]
    return usual


def _state_of(release: ShopRelease) -> dict[str, Any]:
    return {"version": release.version, "previous_version": release.previous_version, "halted": False}


def _newest(story: Story, platform: str) -> ShopRelease:
    return max((one for one in story.releases if one.platform == platform), key=lambda one: one.number)


def _hours(story: Story, stretches: Sequence[Stretch]) -> Iterator[Hour]:
    """Every hour of the stretches, with the people who were brought back by its middle."""
    brought_back: dict[str, BroughtBack] = {}
    after = 0
    for stretch in stretches:
        for _ in range(stretch.hours):
            middle = _later(story, stretch.control, brought_back)
            yield Hour(story.until, story.days, after, middle)
            brought_back = _later(story, stretch.control, middle)
            after += 1


def _later(story: Story, control: Control, before: Mapping[str, BroughtBack]) -> dict[str, BroughtBack]:
    """Who was brought back half an hour later."""
    found = {}
    for platform in PLATFORMS:
        back = before.get(platform)
        withdrawn, within = _withdrawn(story, platform, control)
        if withdrawn:
            left = back.left if back else 1.0
            found[platform] = replace(withdrawn, left=left * math.exp(-0.5 / within))
        elif back:
            found[platform] = replace(back, left=1 - (1 - back.left) * math.exp(-0.5 / _RESUMED_HOURS))
    return found


def _withdrawn(story: Story, platform: str, control: Control) -> tuple[BroughtBack | None, float]:
    """What a state withdraws on a platform, and within how many hours; nothing if all is as it was."""
    state, newest = control["releases"][platform], _newest(story, platform)
    own = {one.version: one.number for one in story.releases if one.platform == platform}
    newer = frozenset(version for version, number in own.items() if number > own[state["version"]])
    if newer:
        return BroughtBack(newer, state["version"]), _ROLLED_BACK_HOURS
    if state["halted"]:
        return BroughtBack(frozenset((newest.version,)), newest.previous_version), _HALTED_HOURS
    return None, 0.0
