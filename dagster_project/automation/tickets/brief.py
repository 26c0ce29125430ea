"""Ticket as an incident brief for the person on call: trend, action, cause with its evidence, quotes.

``render`` is a pure function of one row of the queue. The same row gives the same bytes, so the ledger sees by a hash
if there is anything to say. The words are in ``templates/ticket.md.j2`` and, shared with every other text about an
issue, in ``decisioning/templates``. They are rendered in Jinja's sandbox, and every value that a template prints is
sanitized on its way out: no text from outside can ping, link, load or format anything. Evidence is grouped by its
stance column; no sentence is ever parsed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import FileSystemLoader

from dagster_project import sanitize
from dagster_project.automation.destinations.settings import Policy
from dagster_project.automation.mitigation.telling import TIERS, PlanFacts
from dagster_project.automation.text.markup import FOLD_END, FOLD_START
from dagster_project.automation.ticket import Ticket, marker_line
from dagster_project.automation.tickets.issues import Issue, Quote
from dagster_project.automation.tickets.templating import LimitedEnvironment, render_limited
from dagster_project.automation.tickets.throttling import Umbrella, owner_of
from dagster_project.decisioning import wording
from dagster_project.decisioning.links import fill
from dagster_project.errors import ConfigurationError

TITLE_LIMIT = 200
QUOTE_LIMIT = 400
FIELD_LIMIT = 10_000
ACT_LIMIT = 300
BODY_LIMIT = 60_000  # characters; GitHub takes 65,536, the least of the common trackers

_DEFAULT = Policy()


class _Ours(str):
    """Markdown that this module wrote itself, which the template prints as it is."""


def marker_of(issue_id: str, destination: str) -> str:
    """Idempotency key of a ticket, for ever: the same issue at the same destination has the same marker."""
    return hashlib.sha256(json.dumps([issue_id, destination]).encode()).hexdigest()[:24]


def render(issue: Issue, destination: str, policy: Policy = _DEFAULT, plans: Sequence[PlanFacts] = ()) -> Ticket:
    """The ticket for an issue at a destination, in the words and fields that its policy asks for.

    ``plans`` are those of mitigations for the issue, oldest first.

    Raises:
        ConfigurationError: the policy's template or a field cannot be rendered; the message names it.
    """
    marker = marker_of(issue.issue_id, destination)
    context = {**_context(issue), "marker": marker_line(marker), "plans": plans, "tiers": TIERS}
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
        acts=tuple(sanitize.one_line(line, ACT_LIMIT) for one in plans for line in one.story),
    )


def render_umbrella(umbrella: Umbrella, destination: str) -> Ticket:
    """The umbrella ticket for a storm: issues that came too fast to be read one by one."""
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
    """Labels of a ticket: priority, type and product."""
    labels = (f"priority: {priority}", f"type: {issue_type}", f"product: {product}")
    return tuple(sanitize.plain(label, sanitize.LABEL_LIMIT).replace(",", " ") for label in labels)


def note_between(before: Ticket, after: Ticket) -> str:
    """Note for people on a change of status, priority or mitigation, in one line; empty when the text alone changed."""
    news = [line for line in after.acts if line not in before.acts]
    return " ".join([said, *news] if (said := _change(before, after)) else news)


def _change(before: Ticket, after: Ticket) -> str:
    if after.status == "resolved" and before.status != "resolved":
        return "Resolved: complaints are back to their usual rate. The ticket now shows the final numbers."
    if after.status != "resolved" and before.status == "resolved":
        return f"Reopened as {after.priority}: the complaints came back before the issue could count as over."
    if after.status != "resolved" and before.priority != after.priority:
        direction = "raised" if after.priority < before.priority else "lowered"
        return f"Priority {direction} from {before.priority} to {after.priority}."
    return ""


def _within_limit(body: str, issue_id: str, marker: str) -> str:
    if len(body) <= BODY_LIMIT:
        return body
    kept = body[:BODY_LIMIT].rpartition("\n")[0]
    note = f"(Cut here: too long for a ticket. The rest: {sanitize.code(f'feedback-control explain {issue_id}')}.)"
    fold = [FOLD_END] if FOLD_START in kept and FOLD_END not in kept else []
    return "\n\n".join([kept, note, *fold, marker_line(marker)])


def _title(issue: Issue) -> str:
    return sanitize.plain(f"[{issue.priority}] {wording.title(issue)}", TITLE_LIMIT)


def _context(issue: Issue) -> dict[str, Any]:
    return {
        **wording.context(issue),
        "issue": issue,
        "people": _people(issue),
        "links": _links(issue),
        "scoring": [term for term in issue.severity_terms if term.points > 0],
        "silent_terms": [term.term.replace("_", " ") for term in issue.severity_terms if term.points <= 0],
        "quotes": [
            {"text": sanitize.one_line(quote.text, QUOTE_LIMIT), "said": _said(quote)}
            for quote in _chosen(issue.quotes)
        ],
    }


def _people(issue: Issue) -> str:
    roles = {"approval": issue.accountable, "ask": issue.consulted, "tell": issue.informed}
    named = {"Owner": issue.owner, **{role: ", ".join((who or "").split(";")) for role, who in roles.items()}}
    return "; ".join(f"{role}: {who}" for role, who in named.items() if who)


def _links(issue: Issue) -> list[_Ours]:
    """Links that open: the page of the suspect, then those of the playbook that the issue has values for."""
    values = {
        "issue_id": issue.issue_id,
        "issue_type": issue.issue_type,
        "product": issue.product,
        "platform": issue.scope_platform or (issue.suspect_platform or "").lower() or None,
        "version": issue.suspect_version or issue.scope_version,
        "country": issue.scope_country,
        "since": f"{issue.started_at:%Y-%m-%dT%H:%M:%SZ}",
    }
    known = [(link.name, fill(link.url, values)) for link in issue.links]
    release = [(f"release {wording.suspect_name(issue)}", issue.suspect_url)]
    linked = [sanitize.link(name, url) for name, url in [*release, *known] if url]
    return [_Ours(link) for link in linked if link]


def _chosen(quotes: Sequence[Quote]) -> list[Quote]:
    """One quote for each symptom, from the affected scope where it has any; three where no symptom is known."""
    inside = [quote for quote in quotes if quote.is_in_scope] or list(quotes)
    firsts = {quote.symptom: quote for quote in reversed(inside) if quote.symptom}
    return [quote for quote in inside if quote.symptom and firsts[quote.symptom] is quote] or inside[:3]


def _said(quote: Quote) -> str:
    stars = "" if quote.rating is None else f"{quote.rating:g} star" + ("" if quote.rating == 1 else "s")
    version = f"version {quote.app_version}" if quote.app_version else ""
    parts = [quote.channel.replace("_", " "), stars, version, quote.country, quote.occurred_at]
    return ", ".join(sanitize.one_line(part, 60) for part in parts if part)


def _cut(value: object) -> str:
    return str(value)[:FIELD_LIMIT]


def _finalize(value: object) -> object:
    return value if isinstance(value, _Ours) else sanitize.markdown(str(value), limit=4000)


def _custom(path: Path, context: dict[str, Any]) -> str:
    try:
        text = path.expanduser().read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"template {path} cannot be read ({error.strerror}); check template") from None
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"template {path} is not UTF-8 (byte {error.start}); save it as UTF-8") from None
    return render_limited(_environment(), text, context, f"template {path}").strip()


def _field(name: str, text: str, context: dict[str, Any]) -> str:
    return sanitize.one_line(render_limited(_environment(plain=True), text, context, f"fields.{name}", FIELD_LIMIT))


def _template(name: str) -> Any:
    return _environment().get_template(name)


@cache
def _environment(*, plain: bool = False) -> LimitedEnvironment:
    environment = LimitedEnvironment(
        loader=FileSystemLoader([Path(__file__).parent / "templates", wording.TEMPLATES]),
        finalize=_cut if plain else _finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    own = wording.filters(
        code=lambda text: _Ours(sanitize.code(str(text))),
        strong=lambda text: _Ours(f"**{sanitize.markdown(str(text))}**"),
    )
    further: dict[str, Callable[..., Any]] = {
        "decimal": lambda value: f"{value:.1f}",
        "ours": _Ours,
        "rounded": lambda value: f"{value:.0f}",
        "words": lambda text: text.replace("_", " "),
    }
    environment.add_filters({**own, **further})
    return environment
