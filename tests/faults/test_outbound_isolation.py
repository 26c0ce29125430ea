"""Isolation of what leaves: whatever raises harms only its own, the report names it, and the rest is done."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from dagster import AssetCheckResult
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import OperationalError

from dagster_project.automation import checks
from dagster_project.automation.destinations import ConfiguredDestination
from dagster_project.automation.destinations.local import LocalTracker, list_tickets
from dagster_project.automation.destinations.settings import Policy
from dagster_project.automation.ledger.ledger import Ledger
from dagster_project.automation.ticket import ExternalTicket, Ticket
from dagster_project.automation.tickets import brief
from dagster_project.automation.tickets.pull import pull
from dagster_project.automation.tickets.push import PushReport, push
from dagster_project.cli.main import main
from dagster_project.errors import ConfigurationError
from dagster_project.home import Home
from tests.automation.support import CHECKOUT, DELIVERY, NOW, Clock, SimulatedTracker, publish

_GROWS = "{%% set n = namespace(x=%s) %%}{%% for i in range(99) %%}{%% set n.x = %s %%}{%% endfor %%}{{ n.x }}"

BROKEN = {
    "a division by zero": "{{ issue.signals / 0 }}",
    "an undefined name": "{{ x / 0 }}",
    "an undefined column": "{{ issue.nope.more }}",
    "a value of another type": "{{ issue.product + 1 }}",
    "a syntax error": "{% if %}",
    "an unknown filter": "{{ 'x' | nofilter }}",
    "an include that is not there": "{% include 'nope' %}",
    "something that the sandbox forbids": "{{ issue.__class__.__mro__ }}",
    "an endless loop": "{% for i in range(9999) %}{% for j in range(9999) %}{% endfor %}{% endfor %}",
    "an endless recursion": "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "a huge range": "{{ range(10**9) | list }}",
    "a huge text": "{{ 'a' * 10**9 }}",
    "a huge list": "{{ ['a' * 100000] * 10000 }}",
    "a huge width": "{{ '%1000000000d' % 1 }}",
    "another huge width": "{{ '{:>1000000000}'.format(1) }}",
    "a huge indent": "{{ 'a' | indent(1000000000) }}",
    "a huge replacement": "{{ ('a' * 100000).replace('a', 'b' * 100000) }}",
    "a text that doubles": _GROWS % ("'a'", "n.x ~ n.x"),
    "a sum that doubles": _GROWS % ("'a'", "n.x + n.x"),
    "a number that squares": _GROWS % ("99", "n.x * n.x"),
    "lists in lists": _GROWS % ("[1]", "[n.x, n.x]"),
    "more output than a ticket": "{% for i in range(9999) %}{{ 'y' * 3000 }}{% endfor %}",
}


@pytest.fixture
def tracker() -> SimulatedTracker:
    return SimulatedTracker(Clock())


def both(home: Home, broken: ConfiguredDestination, minutes: float = 0) -> PushReport:
    """A push to a destination that is broken, then to one that is not."""
    healthy = ConfiguredDestination(LocalTracker(home.tickets))
    return push(home, now=NOW + timedelta(minutes=minutes), destinations=[broken, healthy])


@pytest.mark.parametrize("template", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("place", ["template", "field"])
def test_x_divided_by_0_in_one_template_stops_no_other_destination(
    home: Home, tracker: SimulatedTracker, tmp_path: Path, template: str, place: str
) -> None:
    (tmp_path / "own.j2").write_text(template)
    policy = Policy(template=tmp_path / "own.j2") if place == "template" else Policy(fields={"squad": template})
    publish(home, [CHECKOUT])
    began = time.monotonic()
    report = both(home, ConfiguredDestination(tracker, policy))
    assert time.monotonic() - began < 10
    assert (report.created, len(list_tickets(home.tickets)), tracker.writes) == (1, 1, 0)
    named = str(tmp_path / "own.j2") if place == "template" else "fields.squad"
    assert len(report.failures) == 1 and named in report.failures[0] and CHECKOUT.issue_id in report.failures[0]


LEAVES = ["issue.signals", "issue.product", "issue.evidence", "issue", "0", "9999", "'ab'", "nope", "range(99)"]
OPERATORS, FILTERS = ["+", "-", "*", "**", "/", "~", "%", "in"], ["length", "list", "join", "upper", "round", "tojson"]


def _larger(one: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    binary = st.builds("({} {} {})".format, one, st.sampled_from(OPERATORS), one)
    filtered = st.builds("({} | {})".format, one, st.sampled_from(FILTERS))
    return st.one_of(binary, filtered, st.builds("{}[{}]".format, one, one))


@given(st.recursive(st.sampled_from(LEAVES), _larger, max_leaves=6))
@settings(max_examples=60, deadline=None)
def test_whatever_a_field_asks_for_it_is_a_text_or_a_configuration_error(expression: str) -> None:
    policy = Policy(fields={"f": f"{{{{ {expression} }}}}"})
    try:
        ((_, value),) = brief.render(CHECKOUT, "sim", policy).fields
        assert len(value) <= brief.FIELD_LIMIT
    except ConfigurationError as error:
        assert "fields.f" in str(error)


@pytest.mark.parametrize("content", [None, b"caf\xe9 {{ issue.product }}", b"\xff\xfe\x00"])
def test_a_template_file_that_is_missing_or_not_utf_8_stops_no_other_destination(
    home: Home, tracker: SimulatedTracker, tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "own.j2"
    if content is not None:
        path.write_bytes(content)
    publish(home, [CHECKOUT])
    report = both(home, ConfiguredDestination(tracker, Policy(template=path)))
    assert (report.created, tracker.writes) == (1, 0)
    assert str(path) in report.failures[0]


def test_a_template_that_fails_for_one_issue_withholds_that_ticket_only(
    home: Home, tracker: SimulatedTracker, tmp_path: Path
) -> None:
    (tmp_path / "own.j2").write_text("{{ 1 / (issue.signals - 1) }}")  # the delivery issue has one signal
    policy = Policy(template=tmp_path / "own.j2")
    publish(home, [CHECKOUT, DELIVERY])
    report = both(home, ConfiguredDestination(tracker, policy))
    assert [record.ticket.issue_id for record in tracker.records] == [CHECKOUT.issue_id]
    assert report.created == 3 and DELIVERY.issue_id in report.failures[0] and len(report.failures) == 1
    (tmp_path / "own.j2").write_text("{{ issue.signals }}")
    assert both(home, ConfiguredDestination(tracker, policy), minutes=5).failures == []
    assert len(tracker.records) == 2


class Odd(SimulatedTracker):
    """A destination that raises whatever it likes, wherever it is told to."""

    name = "odd"

    def __init__(self, where: str) -> None:
        super().__init__(Clock())
        self.where = where

    def __getattribute__(self, name: str) -> Any:
        if name == "settle_seconds" and self.where == "settle_seconds":
            raise RuntimeError("odd")
        return super().__getattribute__(name)

    def create(self, ticket: Ticket) -> ExternalTicket:
        if self.where == "create":
            raise RuntimeError("odd")
        return super().create(ticket)

    def find_by_marker(self, marker: str, since: object = None) -> list[ExternalTicket]:
        if self.where == "find":
            raise ZeroDivisionError("odd")
        if self.where == "nonsense":
            return [None]  # type: ignore[list-item]
        return []

    def changes_since(self, _since: object) -> Iterator[Any]:
        yield replace
        raise RuntimeError("odd")

    def close(self) -> None:
        if self.where == "close":
            raise OSError("odd")


@pytest.mark.parametrize("where", ["settle_seconds", "create", "find", "nonsense", "close"])
def test_a_destination_that_raises_anything_anywhere_stops_no_other(home: Home, where: str) -> None:
    publish(home, [CHECKOUT, DELIVERY])
    odd = Odd(where)
    report = both(home, ConfiguredDestination(odd))
    assert len(list_tickets(home.tickets)) == 2
    assert any(
        (problem.startswith("odd: ") and "odd" in problem) or "NoneType" in problem for problem in report.problems
    )


def test_one_entry_of_destinations_yml_that_is_wrong_stops_no_other(home: Home) -> None:
    wrong = ["7", "{kind: trello}", "{kind: github}", "{kind: local, name: x, fields: {a: 3}}", "{kind: [a]}"]
    entries = "\n".join(f"- {entry}" for entry in [*wrong, "{kind: local}"])
    (home.root / "destinations.yml").write_text(f"version: 1\ndestinations:\n{entries}\n")
    publish(home, [CHECKOUT])
    pushed = CliRunner().invoke(main, ["--home", str(home.root), "push"])
    assert (pushed.exit_code, "1 created" in pushed.stdout) == (1, True)
    for number in range(len(wrong)):
        assert f"destinations.{number}" in pushed.stderr
    pulled = CliRunner().invoke(main, ["--home", str(home.root), "pull"])
    assert pulled.exit_code == 1 and "Traceback" not in pulled.stderr


def test_a_destination_that_cannot_be_made_stops_no_other(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    from dagster_project.automation.destinations.mail import MailSettings

    monkeypatch.setattr(MailSettings, "build", lambda *_: 1 / 0)
    (home.root / "destinations.yml").write_text(
        "version: 1\ndestinations:\n- {kind: mail, host: x, sender: a@b.example, to: [c@d.example]}\n- {kind: local}\n"
    )
    publish(home, [CHECKOUT])
    pushed = CliRunner().invoke(main, ["--home", str(home.root), "push"])
    assert (pushed.exit_code, "1 created" in pushed.stdout, "ZeroDivisionError" in pushed.stderr) == (1, True, True)


LOST = OperationalError("update intents", {}, Exception("server closed the connection unexpectedly"))


@pytest.mark.parametrize("method", ["record", "claim", "finish"])
def test_a_database_lost_in_mid_push_is_told_and_what_was_sent_is_reconciled(
    home: Home, tracker: SimulatedTracker, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    publish(home, [CHECKOUT, DELIVERY])
    inner = "_insert" if method == "record" else "_move"

    def lost(event: str) -> Callable[..., Any]:
        original = getattr(Ledger, inner)

        def sometimes(self: Ledger, *arguments: Any, **options: Any) -> Any:
            if event == "record" or (event == "claim") == ("claimed" in arguments):
                raise LOST
            return original(self, *arguments, **options)

        return sometimes

    with monkeypatch.context() as patch:
        patch.setattr(Ledger, inner, lost(method))
        report = both(home, ConfiguredDestination(tracker))
    assert "server closed the connection" in report.failures[0] and "looks up what was sent" in report.failures[0]
    assert len(tracker.records) == (1 if method == "finish" else 0)
    for minutes in (10, 20, 30):
        report = both(home, ConfiguredDestination(tracker), minutes)
    assert report.failures == []
    assert [len(tracker.of(issue)) for issue in (CHECKOUT, DELIVERY)] == [1, 1]
    assert len(list_tickets(home.tickets)) == 2


def test_a_change_that_nobody_foresaw_leaves_the_other_destinations_read(home: Home) -> None:
    publish(home, [CHECKOUT])
    odd, healthy = ConfiguredDestination(Odd("")), ConfiguredDestination(LocalTracker(home.tickets))
    push(home, now=NOW, destinations=[odd, healthy])
    ticket = list_tickets(home.tickets)[0].path
    ticket.write_text(ticket.read_text().replace("status: open", "status: done"))
    report = pull(home, now=NOW + timedelta(minutes=5), destinations=[odd, healthy])
    assert report.acts["status"] == 1
    assert report.problems[0].startswith("odd: what people did there was not read: unforeseen RuntimeError")


def test_a_check_that_raises_fails_alone(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "nothing_stale", lambda *_: 1 / 0)
    results = {one.check_name: one for one in checks.check_results(lambda: Ledger.of(home), "sim")}
    assert {name: one.passed for name, one in results.items()} == {
        "no_dead_letters": True,
        "nothing_stale": False,
        "pushes_succeed": True,
    }
    assert isinstance(results["nothing_stale"], AssetCheckResult)
