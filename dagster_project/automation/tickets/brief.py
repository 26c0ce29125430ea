"""The ticket as an incident brief: what an on-call engineer needs, in the order they need it.

``render`` is a pure function of one row of the queue: the same row gives the same bytes, so the ledger can tell by a
hash whether there is anything to say. The words are in ``templates/ticket.md.j2``, rendered in Jinja's sandbox; every
value that the template prints is made inert on its way out, so that no text from outside can ping, link, load or
format anything.
"""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import FileSystemLoader, StrictUndefined, Template, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from dagster_project.automation.destinations.settings import Policy
from dagster_project.automation.text import sanitize
from dagster_project.automation.ticket import Ticket, marker_line
from dagster_project.automation.tickets.issues import Evidence, Issue, Quote
from dagster_project.automation.tickets.throttling import Umbrella, owner_of
from dagster_project.errors import ConfigurationError

TITLE_LIMIT = 200
QUOTE_LIMIT = 400
BODY_LIMIT = 60_000  # characters; GitHub takes 65,536, the least of the common trackers

_SUSPECTS = {
    "regression": "This change best explains the issue.",
    "no_regression": "No release or flag change explains it: look outside them (providers, content, operations).",
    "inconclusive": "A change may be involved, but the evidence does not settle it.",
    "insufficient_data": "There is too little data to say whether a change is the cause.",
}
_AGAINST = "against it: "  # as int_issue_statements words it
_NOTHING_UNUSUAL = "nothing unusual"
_DEFAULT = Policy()


class _Ours(str):
    """Markdown that this module wrote itself, which the template prints as it is."""


def marker_of(issue_id: str, destination: str) -> str:
    """What makes a ticket recognisable at a destination for ever: the same issue there has the same marker."""
    return hashlib.sha256(json.dumps([issue_id, destination]).encode()).hexdigest()[:24]


def render(issue: Issue, destination: str, policy: Policy = _DEFAULT) -> Ticket:
    """The ticket for an issue at a destination, in the words and fields that its policy asks for.

    Raises:
        ConfigurationError: the policy's template or a field cannot be rendered; the message names it.
    """
    marker = marker_of(issue.issue_id, destination)
    context = {**_context(issue), "marker": marker_line(marker)}
    if policy.template:
        body = f"{_custom(policy.template, context)}\n\n{marker_line(marker)}"
    else:
        body = _template("ticket.md.j2").render(context).strip()
    return Ticket(
        issue_id=issue.issue_id,
        marker=marker,
        title=_title(issue),
        body=_within_limit(body, issue.issue_id, marker),
        status=issue.status,
        priority=issue.priority,
        owner=owner_of(issue),
        labels=labels_of(issue.priority, issue.issue_type, issue.product),
        fields=tuple((name, _field(name, text, context)) for name, text in sorted(policy.fields.items())),
        keeps_open=policy.mode == "upsert",
    )


def render_umbrella(umbrella: Umbrella, destination: str) -> Ticket:
    """One ticket for what came too fast to be read one by one."""
    marker = marker_of(umbrella.issue_id, destination)
    members = [(issue, _title(issue)) for issue in umbrella.issues]
    body = _template("umbrella.md.j2").render(umbrella=umbrella, members=members, marker=marker_line(marker)).strip()
    return Ticket(
        issue_id=umbrella.issue_id,
        marker=marker,
        title=f"[{umbrella.priority}] {len(members)} issues at once for {umbrella.owner}",
        body=_within_limit(body, umbrella.issue_id, marker),
        status=umbrella.status,
        priority=umbrella.priority,
        owner=umbrella.owner,
        labels=labels_of(umbrella.priority, "umbrella", "several"),
    )


def labels_of(priority: str, issue_type: str, product: str) -> tuple[str, ...]:
    """The labels of a ticket."""
    labels = (f"priority: {priority}", f"type: {issue_type}", f"product: {product}")
    return tuple(sanitize.plain(label, sanitize.LABEL_LIMIT).replace(",", " ") for label in labels)


def note_between(before: Ticket, after: Ticket) -> str:
    """What a person should be told about the change, as one line; empty when the text alone changed."""
    if after.status == "resolved":
        return "Resolved: complaints are back to their usual rate. The ticket now shows the final numbers."
    if before.status == "resolved":
        return f"Reopened as {after.priority}: the complaints came back before the issue could count as over."
    if before.priority != after.priority:
        direction = "raised" if after.priority < before.priority else "lowered"
        return f"Priority {direction} from {before.priority} to {after.priority}."
    return ""


def _within_limit(body: str, issue_id: str, marker: str) -> str:
    if len(body) <= BODY_LIMIT:
        return body
    note = f"(Cut here: too long for a ticket. The rest: `feedback-control explain {issue_id}`.)"
    return f"{body[:BODY_LIMIT].rpartition(chr(10))[0]}\n\n{note}\n\n{marker_line(marker)}"


def _title(issue: Issue) -> str:
    version = issue.scope_version or issue.suspect_version
    platform = _platform(issue.scope_platform) if issue.scope_platform else None
    parts = [
        f"[{issue.priority}] {issue.issue_title}",
        f"on {platform} {version or ''}".rstrip() if platform else f"in version {version}" if version else "",
        f"in {issue.scope_country}" if issue.scope_country else "",
        f"around {issue.scope_feature}" if issue.scope_feature else "",
        f"— {issue.product}",
    ]
    return sanitize.plain(" ".join(part for part in parts if part), TITLE_LIMIT)


def _platform(name: str) -> str:
    proper = {
        "android": "Android",
        "ios": "iOS",
        "web": "web",
        "macos": "macOS",
        "windows": "Windows",
        "linux": "Linux",
    }
    return proper.get(name.lower(), name)


def _context(issue: Issue) -> dict[str, Any]:
    suspect = issue.suspect_release_id
    changes = [e.statement for e in issue.evidence if e.kind == "change"]
    measured = [e for e in issue.evidence if e.kind not in ("change", "alternative")]
    clauses = [clause for statement in changes if _is_about(statement, suspect) for clause in _clauses(statement)]
    against = [_sentence(clause.removeprefix(_AGAINST)) for clause in clauses if clause.startswith(_AGAINST)]
    against += [e.statement for e in measured if suspect and _NOTHING_UNUSUAL in e.statement]
    return {
        "issue": issue,
        "raci": _raci(issue),
        "resolved_at": _instant(issue.resolved_at) if issue.resolved_at else None,
        "where": _where(issue),
        "revenue": _revenue(issue.revenue_at_risk),
        "suspect_heading": _suspect_heading(issue),
        "suspect_text": _SUSPECTS[issue.verdict],
        "evidence_for": [_sentence(clause) for clause in clauses if not clause.startswith(_AGAINST)],
        "evidence_against": against,
        "other_changes": [_readable(statement) for statement in changes if not _is_about(statement, suspect)],
        "alternatives": [e.statement for e in issue.evidence if e.kind == "alternative"],
        "signals": _by_signal(measured, suspect),
        "agreement": _agreement(issue.signals),
        "scoring": [term for term in issue.severity_terms if term.points > 0],
        "silent_terms": [term.term.replace("_", " ") for term in issue.severity_terms if term.points <= 0],
        "quotes": [
            {"text": sanitize.one_line(quote.text, QUOTE_LIMIT), "said": _said(quote)} for quote in issue.quotes
        ],
    }


def _raci(issue: Issue) -> str:
    named = {"Accountable": issue.accountable, "consulted": issue.consulted, "informed": issue.informed}
    parts = [f"{role}: {', '.join(who.split(';'))}" for role, who in named.items() if who]
    return f"{'; '.join(parts)}." if parts else ""


def _is_about(statement: str, change_id: str | None) -> bool:
    return change_id is not None and statement.startswith(f"{change_id} ")


def _clauses(statement: str) -> list[str]:
    """The findings of one statement about a change; its closing verdict is said in the heading."""
    findings = statement.partition(". Confidence ")[0].split("; ")
    return [f"it {findings[0].partition(' ')[2]}", *findings[1:]]


def _sentence(clause: str) -> str:
    return clause[:1].upper() + clause[1:].rstrip(".") + "."


def _readable(statement: str) -> str:
    for verdict in _SUSPECTS:
        statement = statement.replace(f"%: {verdict}.", f"%: {verdict.replace('_', ' ')}.")
    return statement


def _by_signal(measured: list[Evidence], suspect: str | None) -> dict[str, list[str]]:
    signals: dict[str, list[str]] = {}
    for evidence in measured:
        signals.setdefault(evidence.kind.capitalize(), []).append(evidence.statement)
    if suspect:
        signals["Change"] = [f"{suspect}, see above."]
    return signals


def _suspect_heading(issue: Issue) -> str:
    if issue.suspect_release_id is None:
        return "not settled" if issue.verdict == "inconclusive" else "none"
    sure = "" if issue.release_confidence is None else f", {issue.release_confidence * 100:.0f} % sure"
    return _Ours(sanitize.code(issue.suspect_release_id) + sure)


def _where(issue: Issue) -> str:
    named = {
        "platform": _platform(issue.scope_platform) if issue.scope_platform else None,
        "version": issue.scope_version or issue.suspect_version,
        "country": issue.scope_country,
        "feature": issue.scope_feature,
    }
    parts = [f"{name} {value}" for name, value in named.items() if value]
    return (
        f"{issue.product}, {', '.join(parts)}"
        if parts
        else f"{issue.product}, everywhere: no platform, version or country stands out"
    )


def _agreement(signals: int) -> str:
    if signals <= 1:
        return "Customers' words are the only signal so far; nothing measured confirms them yet."
    return f"{signals} independent kinds of signal agree."


def _said(quote: Quote) -> str:
    stars = "" if quote.rating is None else f"{quote.rating:g} star" + ("" if quote.rating == 1 else "s")
    version = f"version {quote.app_version}" if quote.app_version else ""
    parts = [quote.channel.replace("_", " "), stars, version, quote.country, quote.occurred_at]
    return ", ".join(sanitize.one_line(part, 60) for part in parts if part)


def _revenue(value: float | None) -> str:
    if value is None or value < 1:
        return "none that was measured"
    return f"about {_amount(value)}, in the currency of the orders"


def _instant(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _amount(value: float | None) -> str:
    return f"{round(value or 0):,}"


def _finalize(value: object) -> object:
    return value if isinstance(value, _Ours) else sanitize.markdown(str(value), limit=4000)


def _custom(path: Path, context: dict[str, Any]) -> str:
    try:
        return str(_compiled(path.expanduser().read_text(encoding="utf-8")).render(context)).strip()
    except OSError as error:
        raise ConfigurationError(f"template {path} cannot be read ({error.strerror}); check template") from None
    except TemplateError as error:
        line = f", line {error.lineno}" if hasattr(error, "lineno") else ""
        raise ConfigurationError(f"template {path}{line}: {error}; an issue's columns are in out_tickets") from None


def _field(name: str, text: str, context: dict[str, Any]) -> str:
    try:
        return sanitize.one_line(_compiled(text, plain=True).render(context))
    except TemplateError as error:
        raise ConfigurationError(f"fields.{name}: {error}; an issue's columns are in out_tickets") from None


def _template(name: str) -> Any:
    return _environment().get_template(name)


@cache
def _compiled(text: str, *, plain: bool = False) -> Template:
    return _environment(plain=plain).from_string(text)


@cache
def _environment(*, plain: bool = False) -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        undefined=StrictUndefined,
        finalize=None if plain else _finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "amount": _amount,
        "code": lambda text: _Ours(sanitize.code(text)),
        "decimal": lambda value: f"{value:.1f}",
        "instant": _instant,
        "ours": _Ours,
        "rounded": lambda value: f"{value:.0f}",
        "words": lambda text: text.replace("_", " "),
    }
    return environment
