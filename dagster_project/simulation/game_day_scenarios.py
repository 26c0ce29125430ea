"""Scenarios of a game day: the chain that must act, and the ones in which nothing may."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import yaml

from dagster_project.files import write_json, write_text
from dagster_project.simulation.game_day import GameDay, MissedError, expect
from dagster_project.simulation.shop.story import PRODUCT, Story

_FAKES = 80


@dataclass(frozen=True)
class Scenario:
    """One scenario; ``play`` runs after the home was set up."""

    summary: str
    play: Callable[[GameDay, str], None]


def _until_ticket(day: GameDay) -> None:
    day.receive()
    issue_id = day.find_issue()
    day.find_plan(issue_id)
    day.find_ticket(issue_id)


def _bad_release(day: GameDay, planted: str) -> None:
    day.receive()
    issue_id = day.find_issue()
    PLANTED[planted](day)
    day.find_plan(issue_id)
    day.find_ticket(issue_id)
    day.approve()
    day.effect_is_seen()
    day.verify()
    day.undo()


def _approver_absent(day: GameDay, _: str) -> None:
    _until_ticket(day)
    with day.hop("reminders", "the first approver is reminded, the next one is asked, the plan expires", 300) as seen:
        for minutes in (31, 61, 91, 8 * 60 + 1):
            day.mitigate(timedelta(minutes=minutes))
        expected = {"reminded", "escalated", "expired"}
        expect(expected <= set(day.events()), ", ".join(day.events()))
        seen(", ".join(day.events()), "ledger")
    day.nothing_acts("nobody approved")


def _target_down(day: GameDay, _: str) -> None:
    day.receive()
    day.find_issue()
    _take_down(day)
    with day.hop("told", "the turn names the target that is down, and makes no plan", 120) as seen:
        report = day.mitigate()
        expect(bool(report.problems), "no problem was told")
        seen(report.problems[0], "report of the turn")
    day.nothing_acts("its target is down")


def _stop_switch(day: GameDay, _: str) -> None:
    _until_ticket(day)
    day.ledger.switch.stop("game day", "rehearsal", day.present)
    day.approve("approved")
    day.nothing_acts("acts are stopped")
    day.ledger.switch.resume("game day", "rehearsal", day.present)
    with day.hop("resumed", "the approved plan is carried out once acts go on", 120) as seen:
        day.mitigate()
        expect("applied" in day.events(), ", ".join(day.events()))
        seen(", ".join(day.events()), "ledger")
    day.undo()


def _drifted(day: GameDay, _: str) -> None:
    _until_ticket(day)
    day.approve()
    write_json(day.home.control, day.control_before)
    with day.hop("drift", "the next turn tells that somebody set it back, and leaves it", 120) as seen:
        day.mitigate()
        expect("drifted" in day.events(), ", ".join(day.events()))
        expect(day.control() == day.control_before, "it was overwritten")
        seen(", ".join(day.events()), "ledger")


def _sale(day: GameDay, _: str) -> None:
    day.receive()
    sale = next(one for one in Story.ending(day.present, 56).campaigns if one.kind == "sale")
    day.decide(sale.ended_at)
    day.nothing_acts("twice as many people, and nothing is wrong")


def _review_bombing(day: GameDay, _: str) -> None:
    _write_fakes(day)
    day.receive()
    day.decide(_quiet(day))
    day.nothing_acts(f"{_FAKES} strangers, and nothing that was measured agrees")


SCENARIOS: Mapping[str, Scenario] = {
    "bad-release": Scenario("A release breaks the checkout on Android: the whole chain, and back.", _bad_release),
    "approver-absent": Scenario("Nobody approves: reminder, escalation, expiry.", _approver_absent),
    "target-down": Scenario("The control system is down: told, and no plan.", _target_down),
    "stop-switch": Scenario("Acts are stopped: an approved plan waits.", _stop_switch),
    "drifted": Scenario("Somebody sets the state back: drift is told, never overwritten.", _drifted),
    "sale": Scenario("A sale brings twice the people: nothing acts.", _sale),
    "review-bombing": Scenario("Strangers complain in a wave: nothing acts.", _review_bombing),
}


def _take_down(day: GameDay) -> None:
    day.home.control.unlink()


def _stop(day: GameDay) -> None:
    day.ledger.switch.stop("game day", "planted", day.present)


PLANTED: Mapping[str, Callable[[GameDay], None]] = {
    "": lambda _: None,
    "target-down": _take_down,
    "stop-switch": _stop,
}
"""Faults that can be planted into ``bad-release``, by which a rehearsal shows that it can fail."""


def play(day: GameDay, scenario: str, planted: str = "") -> None:
    """Play one scenario; a missed hop ends it."""
    try:
        day.set_up()
        SCENARIOS[scenario].play(day, planted)
    except MissedError as error:
        day.progress(str(error))


def _quiet(day: GameDay) -> Any:
    """An instant at which the shop is quiet, some hours after the fakes."""
    return day.present - timedelta(days=8)


def _write_fakes(day: GameDay) -> None:
    """Reviews by strangers within six hours, as a source of their own."""
    assert day.shop is not None
    path, begun = day.shop.folder / "fakes.csv", _quiet(day) - timedelta(hours=8)
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("feedback_id", "occurred_at", "known_at", "text", "rating", "platform", "app_version"))
        for number in range(_FAKES):
            at = (begun + timedelta(minutes=4.5 * number)).isoformat()
            text = f"Checkout fails, order {number * 7919 % 10_007} did not go through, worst app."
            rows.writerow((f"fake-{number}", at, at, text, 1, "ios", "4.8.1"))
    sources = yaml.safe_load(day.shop.sources.read_text(encoding="utf-8"))
    constants = {"source": "open_web", "channel": "app_review", "product": PRODUCT, "schema_version": 1}
    sources["sources"].append({"name": "fakes", "table": "feedback", "path": path.name, "constants": constants})
    write_text(day.shop.sources, yaml.safe_dump(sources, sort_keys=False))
    day.shop.rows["feedback"] += _FAKES
