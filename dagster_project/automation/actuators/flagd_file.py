"""A flag file of flagd (OpenFeature): a feature flag set to one variant for everybody.

An item is the key of a flag. In flagd targeting overrides `defaultVariant`, and a disabled flag gives whatever default
the calling code has, often *on*: so a switch empties `targeting`, sets `defaultVariant` and leaves the flag enabled.
The flag from before is kept word for word, and put back by an undo. The file is replaced atomically.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal
from urllib.parse import quote

import httpx
from pydantic import Field, field_validator

from dagster_project.automation.actuators.base import Desired, FlagState, Preflight, Reading, State
from dagster_project.automation.actuators.conditional import set_state
from dagster_project.automation.actuators.settings import TargetSettings
from dagster_project.automation.http import HttpTarget
from dagster_project.automation.outcomes import DeliveryError, Rejected
from dagster_project.files import locked, write_text
from dagster_project.home import Home

_NOBODY = {"context": {"targetingKey": "feedback-control"}}
"""OFREP's context of an evaluation: the key is required, and no targeting names it."""
_INDENT = re.compile(r"\n([ \t]+)\S")


class FlagdFileSettings(TargetSettings):
    """A ``kind: flagd_file`` target: the JSON file that a flagd, or a provider in the application, watches.

    ``on_variant`` and ``off_variant`` are the variants of *on* and *off*, unless `set` names one. ``ofrep_url`` is a
    flagd that serves the file: the effect is what it evaluates, else what the evaluator on this machine does.
    """

    PLACE: ClassVar[tuple[str, ...]] = ("file",)
    DESIRED: ClassVar[type[Desired]] = FlagState

    kind: Literal["flagd_file"] = "flagd_file"
    file: Path
    on_variant: str = "on"
    off_variant: str = "off"
    ofrep_url: str | None = None
    settle_seconds: float = Field(5, ge=0, le=3600)
    timeout_seconds: float = Field(15, gt=0, le=25)

    @field_validator("file")
    @classmethod
    def _json(cls, value: Path) -> Path:
        if value.suffix != ".json":
            raise ValueError("must end in .json: comments of a YAML file would be lost")
        return value

    def where(self, home: Home) -> Path:
        """The file."""
        return home.root / self.file.expanduser()

    def build(self, home: Home) -> FlagdFile:
        """The actuator."""
        return FlagdFile(self, self.where(home))


class FlagdFile:
    """The flags of one file."""

    def __init__(
        self, settings: FlagdFileSettings, file: Path, *, transport: httpx.BaseTransport | None = None
    ) -> None:
        self.name, self.settle_seconds = settings.name, settings.settle_seconds
        self._file = file
        self._variants = {True: settings.on_variant, False: settings.off_variant}
        self._ofrep: HttpTarget | None = None
        if settings.ofrep_url:
            self._ofrep = HttpTarget(
                base_url=settings.ofrep_url,
                headers=lambda _: {"User-Agent": "feedback-control"},
                refusal=lambda _: None,
                timeout_seconds=settings.timeout_seconds,
                transport=transport,
            )

    def read(self, item: str) -> Reading:
        """A flag, word for word."""
        flags = json.loads(self._text())["flags"]
        if item not in flags:
            raise DeliveryError(Rejected(f"{self._file} has no flag {item}"))
        return Reading(item, flags[item], url=str(self._file))

    def shows(self, reading: Reading, desired: State) -> bool:
        """True if everybody gets the variant that is wanted."""
        flag = reading.state
        for_everybody = flag.get("state", "ENABLED") == "ENABLED" and not flag.get("targeting")
        return bool(for_everybody and flag.get("defaultVariant") == self._variant(desired))

    def apply(self, item: str, desired: State, before: Reading, note: str) -> Reading:
        """Give everybody one variant."""
        return self._set(before, self._with(before, desired))

    def restore(self, before: Reading, applied: Reading, note: str) -> Reading:
        """Put the flag back as it was, with its targeting."""
        return self._set(applied, before.state)

    def preflights(self, item: str, desired: State, reading: Reading) -> Sequence[Preflight]:
        """None: flagd has no approvals and no dry run."""
        return ()

    def effect(self, item: str, desired: State) -> bool | None:
        """The variant that flagd evaluates, by OFREP or by the evaluator here; None if there is neither."""
        variant = self._evaluated_there(item) if self._ofrep else self._evaluated_here(item)
        return None if variant is None else variant == self._variant(desired)

    def close(self) -> None:
        """Let the connections go."""
        if self._ofrep is not None:
            self._ofrep.close()

    def _set(self, expected: Reading, wanted: State) -> Reading:
        def write(now: Reading) -> None:
            text = self._text()
            content = json.loads(text)
            content["flags"][now.item] = dict(wanted)
            indent = _INDENT.search(text)
            ending = "\n" if text.endswith("\n") else ""
            new = json.dumps(content, indent=indent[1] if indent else None, ensure_ascii=False)
            write_text(self._file.resolve(), new + ending)

        with locked(self._file.resolve().with_name(f".{self._file.name}.lock")):
            return set_state(self.read, write, expected, wanted)

    def _with(self, reading: Reading, desired: State) -> dict[str, Any]:
        """The flag with one variant for everybody."""
        variant, variants = self._variant(desired), reading.state.get("variants", {})
        if variant not in variants:
            reason = f"flag {reading.item} has no variant {variant}; it has {', '.join(sorted(variants))}"
            raise DeliveryError(Rejected(f"{reason}: name one by `variant`"))
        if self.shows(reading, desired):
            return dict(reading.state)
        return {**reading.state, "state": "ENABLED", "defaultVariant": variant, "targeting": {}}

    def _variant(self, desired: State) -> str:
        return str(desired.get("variant") or self._variants[desired["enabled"]])

    def _evaluated_there(self, item: str) -> str | None:
        assert self._ofrep
        try:
            path = f"/ofrep/v1/evaluate/flags/{quote(item, safe='')}"
            return str(self._ofrep.write("POST", path, _NOBODY, dict[str, Any]).get("variant"))
        except DeliveryError:
            return None

    def _evaluated_here(self, item: str) -> str | None:
        try:
            from openfeature.contrib.tools.flagd.core import FlagdCore
            from openfeature.exception import OpenFeatureError
        except ImportError:
            return None
        evaluator = FlagdCore()
        resolve: dict[type, Callable[..., Any]] = {
            bool: evaluator.resolve_boolean_value,
            str: evaluator.resolve_string_value,
            int: evaluator.resolve_float_value,
            float: evaluator.resolve_float_value,
        }
        try:
            evaluator.set_flags(self._text())
            value = next(iter(self.read(item).state["variants"].values()))
            resolved = resolve.get(type(value), evaluator.resolve_object_value)(item, value, None)
            return str(resolved.variant)
        except OpenFeatureError:
            return None

    def _text(self) -> str:
        """The file's text, once it is known to hold flags."""
        try:
            text = self._file.read_text(encoding="utf-8")
            if isinstance(json.loads(text)["flags"], dict):
                return text
            reason = f"{self._file} has no object `flags`"
        except FileNotFoundError:
            reason = f"there is no {self._file}; set `file` of target {self.name}"
        except (OSError, ValueError, KeyError, TypeError) as error:
            reason = f"{self._file} cannot be read as flagd's flags ({error})"
        raise DeliveryError(Rejected(reason, whole_destination=True))
