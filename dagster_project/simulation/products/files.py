"""One product written as raw exports with the ``sources.yml`` that reads them; equal arguments give equal bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from dagster_project.simulation.products.commerce import (
    campaign_rows,
    customer_rows,
    flag_rows,
    order_rows,
    release_rows,
)
from dagster_project.simulation.products.scenario import QUIET, Failure, Scenario, Truth, World
from dagster_project.simulation.products.shape import Shape
from dagster_project.simulation.products.telemetry import funnel_rows, service_rows
from dagster_project.simulation.products.texts import TYPE_OF_TOPIC
from dagster_project.simulation.products.voices import Speaker, Voice
from dagster_project.simulation.shop.encoding import csv_bytes, iso, json_lines

Row = dict[str, Any]

_TABLES: dict[str, Callable[[Shape], Iterable[Row]]] = {
    "services.csv": service_rows,
    "funnel.csv": funnel_rows,
    "orders.csv": order_rows,
    "crm.csv": customer_rows,
    "campaigns.csv": campaign_rows,
    "releases.csv": release_rows,
    "flags.csv": flag_rows,
}


def write_product(folder: Path, scenario: Scenario, seed: int, until: datetime) -> Truth:
    """Write the files of one product and return the truth about it.

    Args:
        folder: where the files go; it is made.
        scenario: from ``catalogue()``.
        seed: of all that the scenario leaves to chance.
        until: last instant of the history, at a full hour.
    """
    world = scenario.build(seed, until)
    shape = Shape(world, f"{scenario.name}/{seed}")
    voices = Speaker(shape).all()
    folder.mkdir(parents=True, exist_ok=True)
    _write_voices(folder, voices)
    for name, rows in _TABLES.items():
        _write_csv(folder / name, list(rows(shape)))
    present = {path.name for path in folder.iterdir()}
    sources = [one for one in _sources(world) if one["path"] in present]
    (folder / "sources.yml").write_text(yaml.safe_dump({"sources": sources}, sort_keys=False), encoding="utf-8")
    return _truth(scenario, seed, world, voices)


def _write_voices(folder: Path, voices: list[Voice]) -> None:
    """Every channel as its system exports it; what a system does not know is not in its file."""
    by_channel: dict[str, list[Row]] = {}
    for number, voice in enumerate(voices):
        by_channel.setdefault(voice.channel, []).append(_ROWS[voice.channel](number, voice))
    for channel, rows in by_channel.items():
        name = _FILES[channel]
        if name.endswith(".csv"):
            _write_csv(folder / name, rows)
        else:
            (folder / name).write_bytes(json_lines(rows))


def _review(number: int, voice: Voice) -> Row:
    return {
        "review": f"{voice.product}-r{number:06d}",
        "written": iso(voice.at),
        "fetched": iso(voice.known_at),
        "stars": voice.rating,
        "body": voice.text,
        "territory": voice.country,
        "os": voice.platform,
        "build": voice.version,
    }


def _ticket(number: int, voice: Voice) -> Row:
    row = {
        "ticket": f"{voice.product}-t{number:06d}",
        "created": iso(voice.at),
        "synced": iso(voice.known_at),
        "message": voice.text,
        "requester": voice.customer or None,
        "country": voice.country,
        "product_area": voice.feature or None,
    }
    # Every second customer fills in the device; the form does not ask for a version.
    return row | ({"device_os": voice.platform} if number % 2 else {})


def _chat(number: int, voice: Voice) -> Row:
    return {
        "chat": f"{voice.product}-h{number:06d}",
        "started": iso(voice.at),
        "synced": iso(voice.known_at),
        "said": voice.text,
        "customer": voice.customer or None,
        "platform": voice.platform,
        "version": voice.version or None,
        "country": voice.country,
    }


def _post(number: int, voice: Voice) -> Row:
    return {
        "post": f"{voice.product}-p{number:06d}",
        "posted": iso(voice.at),
        "crawled": iso(voice.known_at),
        "post_text": voice.text,
        "geo": voice.country if number % 3 == 0 else "",
    }


def _answer(number: int, voice: Voice) -> Row:
    return {
        "answer": f"{voice.product}-n{number:06d}",
        "sent": iso(voice.at),
        "imported": iso(voice.known_at),
        "score": min(10, voice.rating * 2),
        "comment": voice.text,
        "customer": voice.customer,
        "country": voice.country,
    }


_ROWS: dict[str, Callable[[int, Voice], Row]] = {
    "app_review": _review,
    "support_ticket": _ticket,
    "chat": _chat,
    "social": _post,
    "nps": _answer,
}
_FILES = {
    "app_review": "reviews.csv",
    "support_ticket": "tickets.jsonl",
    "chat": "chats.jsonl",
    "social": "posts.csv",
    "nps": "survey.csv",
}


def _write_csv(path: Path, rows: list[Row]) -> None:
    """A CSV file with a header; no file without rows, as a system that has nothing to say exports nothing."""
    if rows:
        path.write_bytes(csv_bytes([list(rows[0]), *(list(row.values()) for row in rows)]))


def _sources(world: World) -> list[dict[str, Any]]:
    """The configuration for the generic reader; names begin with the product, so that products can share a file."""
    product = world.product.name
    return [
        *_feedback_sources(product),
        _source(product, "services", "service_metrics", "services.csv", "ts", "15m",
                {"ts": "bucket_start", "p50": "latency_p50_ms", "p95": "latency_p95_ms"}),
        _source(product, "funnel", "funnel_metrics", "funnel.csv", "bucket", "2h", {"bucket": "bucket_start"}),
        _source(product, "orders", "orders", "orders.csv", "seen", "0s",
                {"order": "order_id", "customer": "customer_id", "placed": "ordered_at", "total": "amount",
                 "refunded": "refunded_at", "refund": "refund_amount"}),
        _source(product, "crm", "customers", "crm.csv", "", "", {"customer": "customer_id", "ltv": "lifetime_value"},
                constants={"known_at": iso(world.start)}),
        _source(product, "campaigns", "campaigns", "campaigns.csv", "begin", "0s",
                {"campaign": "campaign_id", "begin": "started_at", "end": "ended_at", "title": "name"}),
        _source(product, "releases", "releases", "releases.csv", "at", "10m",
                {"id": "release_id", "env": "environment", "at": "deployed_at", "previous": "previous_version",
                 "rollout": "rollout_percent"}),
        _source(product, "flags", "flag_changes", "flags.csv", "at", "5m",
                {"flag": "flag_key", "env": "environment", "at": "changed_at"}),
    ]  # fmt: skip


def _feedback_sources(product: str) -> list[dict[str, Any]]:
    exports: dict[str, tuple[str, dict[str, str]]] = {
        "app_review": ("fetched", {"review": "feedback_id", "written": "occurred_at", "stars": "rating", "body": "text",
                       "territory": "country", "os": "platform", "build": "app_version"}),
        "support_ticket": ("synced", {"ticket": "feedback_id", "created": "occurred_at", "message": "text",
                           "requester": "customer_id", "device_os": "platform", "product_area": "feature"}),
        "chat": ("synced", {"chat": "feedback_id", "started": "occurred_at", "said": "text", "version": "app_version",
                 "customer": "customer_id"}),
        "social": ("crawled", {"post": "feedback_id", "posted": "occurred_at", "post_text": "text", "geo": "country"}),
        "nps": ("imported", {"answer": "feedback_id", "sent": "occurred_at", "score": "nps_score", "comment": "text",
                "customer": "customer_id"}),
    }  # fmt: skip
    return [
        _source(
            product,
            Path(_FILES[channel]).stem,
            "feedback",
            _FILES[channel],
            known,
            "0s",
            names,
            constants={"channel": channel, "source": Path(_FILES[channel]).stem},
        )
        for channel, (known, names) in exports.items()
    ]


def _source(
    product: str,
    name: str,
    table: str,
    path: str,
    known: str,
    delay: str,
    renames: dict[str, str],
    *,
    constants: dict[str, str] | None = None,
) -> dict[str, Any]:
    owned = {} if table == "customers" else {"product": product}
    entry: dict[str, Any] = {"name": f"{product}-{name}", "table": table, "path": path, "renames": renames}
    entry |= {"known_at": {"column": known, "delay": delay}} if known else {}
    return entry | {"constants": owned | (constants or {}), "silent_after": "never"}


def _truth(scenario: Scenario, seed: int, world: World, voices: list[Voice]) -> Truth:
    cause = world.failure.cause_id if world.failure else ""
    quiet = Truth(
        scenario=scenario.name,
        seed=seed,
        product=world.product.name,
        judged_from=world.until - QUIET,
        until=world.until,
        feedback=len(voices),
        innocent_changes=tuple(sorted({one.change_id for one in world.changes} - {cause})),
        tolerated=world.tolerated,
    )
    return _with_failure(quiet, world.failure, voices) if world.failure else quiet


def _with_failure(quiet: Truth, failure: Failure, voices: list[Voice]) -> Truth:
    return replace(
        quiet,
        issue_type=TYPE_OF_TOPIC[failure.topic],
        accepted=failure.accepted,
        onset=failure.onset,
        ended=failure.ended,
        platform=failure.platform,
        version=failure.version,
        country=failure.country,
        feature=failure.feature,
        cause_kind=failure.cause_kind,
        cause_id=failure.cause_id,
        share=failure.share,
        telemetry_shows=bool(failure.effect != "none" and (failure.service or failure.step)),
        complaints=tuple(voice.at for voice in voices if voice.caused),
    )
