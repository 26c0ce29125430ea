"""Feedback exports of the simulated shop, in the format of each channel's real tool."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from dagster_project.simulation.shop.encoding import (
    Files,
    csv_bytes,
    gzip_bytes,
    iso,
    json_bytes,
    json_lines,
    parquet_bytes,
)
from dagster_project.simulation.shop.feedback import Feedback
from dagster_project.simulation.shop.story import COUNTRIES

WAREHOUSE_ZONE = "Europe/Berlin"
WAREHOUSE_DATES = "%d.%m.%Y %H:%M"
ZENDESK_FIELDS = {
    "360001": "platform",
    "360002": "app_version",
    "360003": "country",
    "360004": "order_id",
    "360005": "customer_segment",
    "360006": "language",
}
_TICKETS_PER_PAGE = 500


def feedback_files(feedback: Sequence[Feedback], present: datetime) -> Files:
    """Every feedback export."""
    by_source: dict[str, list[Feedback]] = {}
    for piece in feedback:
        by_source.setdefault(piece.source, []).append(piece)
    return {
        **_google_play(by_source.get("google_play", [])),
        **_app_store(by_source.get("app_store", []), present),
        **_zendesk(by_source.get("zendesk", [])),
        **_survey(by_source.get("survey", [])),
        **_chat(by_source.get("chat", [])),
        **_social(by_source.get("social", [])),
        **_shop_reviews(by_source.get("shop_reviews", [])),
        **_returns(by_source.get("returns", [])),
    }


def _google_play(pieces: Sequence[Feedback]) -> Files:
    """Monthly review exports of the Play Console: CSV in UTF-16 with a byte-order mark."""
    header = (
        "Package Name", "App Version Code", "App Version Name", "Reviewer Language", "Device",
        "Review Submit Date and Time", "Review Submit Millis Since Epoch", "Review Last Update Date and Time",
        "Review Last Update Millis Since Epoch", "Star Rating", "Review Title", "Review Text",
        "Developer Reply Date and Time", "Developer Reply Millis Since Epoch", "Developer Reply Text", "Review Link",
        "known_at",
    )  # fmt: skip
    months: dict[str, list[tuple[Any, ...]]] = {}
    for p in pieces:
        millis = int(p.occurred_at.timestamp()) * 1000
        version = p.app_version or ""
        link = f"https://play.example.com/console/reviews?reviewId={p.feedback_id.removeprefix('gp-')}&corpus=PUBLIC"
        row = (
            "com.example.shop", version.replace(".", "0"), version, p.language, p.device, iso(p.occurred_at), millis,
            iso(p.occurred_at), millis, p.rating, p.title, p.text, "", "", "", link, iso(p.known_at),
        )  # fmt: skip
        months.setdefault(f"{p.occurred_at:%Y%m}", [header]).append(row)
    return {
        f"google_play/reviews_com.example.shop_{month}.csv": b"\xff\xfe" + csv_bytes(rows).decode().encode("utf-16-le")
        for month, rows in sorted(months.items())
    }


def _app_store(pieces: Sequence[Feedback], present: datetime) -> Files:
    """The customer-reviews feed of each country's store."""
    files = {}
    for country in COUNTRIES:
        entries = [
            {
                "author": {
                    "name": {"label": f"{p.author.split()[0].lower()}{p.number % 1000}"},
                    "uri": {"label": f"https://apps.example.com/{country.lower()}/reviews/id{p.number}"},
                },
                "updated": {"label": iso(p.occurred_at)},
                "im:rating": {"label": str(p.rating)},
                "im:version": {"label": p.app_version},
                "id": {"label": str(p.number)},
                "title": {"label": p.title},
                "content": {"label": p.text, "attributes": {"type": "text"}},
            }
            for p in reversed(pieces)
            if p.country == country
        ]
        feed = {"author": {"name": {"label": "App Store"}}, "entry": entries, "updated": {"label": iso(present)}}
        files[f"app_store/{country.lower()}.json"] = json_bytes({"feed": feed})
    return files


def _zendesk(pieces: Sequence[Feedback]) -> Files:
    """Pages of the incremental ticket export."""
    files = {}
    pages = [pieces[at : at + _TICKETS_PER_PAGE] for at in range(0, len(pieces), _TICKETS_PER_PAGE)]
    for number, page in enumerate(pages, start=1):
        tickets = [
            {
                "id": p.number,
                "url": f"https://shop.example.com/api/v2/tickets/{p.number}.json",
                "external_id": p.customer_id,
                "via": {"channel": "web" if p.number % 3 else "email"},
                "created_at": iso(p.occurred_at),
                "updated_at": iso(p.occurred_at + timedelta(minutes=4)),
                "subject": p.title,
                "description": p.text,
                "status": "open" if p.number % 4 else "solved",
                "priority": "high" if p.number % 7 == 0 else "normal",
                "tags": ["app"] if p.platform else ["web_form"],
                "custom_fields": [
                    {"id": int(field), "value": getattr(p, name)} for field, name in ZENDESK_FIELDS.items()
                ],
            }
            for p in page
        ]
        last = number == len(pages)
        end = {"count": len(tickets), "end_of_stream": last, "end_time": int(page[-1].occurred_at.timestamp())}
        files[f"zendesk/tickets_{number:03d}.json"] = json_bytes({"tickets": tickets, **end})
    return files


def _survey(pieces: Sequence[Feedback]) -> Files:
    header = (
        "response_id",
        "submitted_at",
        "score",
        "comment",
        "customer_id",
        "customer_segment",
        "country",
        "platform",
        "known_at",
    )
    rows = (
        (
            p.feedback_id, iso(p.occurred_at), p.nps_score, p.text, p.customer_id, p.customer_segment, p.country,
            p.platform, iso(p.known_at),
        )
        for p in pieces
    )  # fmt: skip
    return {"survey/nps.csv": csv_bytes((header, *rows))}


def _chat(pieces: Sequence[Feedback]) -> Files:
    screens = ("home", "cart", "orders", "product", "account")
    names = (
        "feedback_id", "text", "language", "country", "customer_id", "customer_segment", "platform", "app_version",
        "os_version", "device", "browser", "order_id",
    )  # fmt: skip
    rows = [
        {name: getattr(p, name) for name in names if getattr(p, name) is not None}
        | {"occurred_at": iso(p.occurred_at), "known_at": iso(p.known_at), "opened_from": screens[p.number % 5]}
        for p in pieces
    ]
    return {"chat/conversations.jsonl.gz": gzip_bytes(json_lines(rows))}


def _social(pieces: Sequence[Feedback]) -> Files:
    rows = [
        {
            "feedback_id": p.feedback_id,
            "text": p.text,
            "language": p.language,
            "occurred_at": iso(p.occurred_at),
            "known_at": iso(p.known_at),
            "url": f"https://social.example.com/status/{p.number}",
            "likes": p.number * 7 % 23,
            "network": "microblog" if p.number % 2 else "photos",
        }
        for p in pieces
    ]
    return {"social/mentions.jsonl": json_lines(rows)}


def _shop_reviews(pieces: Sequence[Feedback]) -> Files:
    rows = [
        {
            "feedback_id": p.feedback_id,
            "written_at": p.occurred_at,
            "known_at": p.known_at,
            "headline": p.title,
            "body": p.text,
            "stars": p.rating,
            "customer_id": p.customer_id,
            "sku": p.sku,
            "country": p.country,
            "verified_purchase": p.sku is not None,
        }
        for p in pieces
    ]
    return {"shop/reviews.parquet": parquet_bytes(pl.DataFrame(rows, infer_schema_length=None))}


def _returns(pieces: Sequence[Feedback]) -> Files:
    """The German warehouse: semicolons, Latin-1, local time."""
    header = ("RMA", "Erfasst", "Uebertragen", "Bemerkung", "Kunde", "Artikel", "Auftrag", "Land", "Regalplatz")
    rows = (
        (
            p.feedback_id, _local(p.occurred_at), _local(p.known_at), p.text, p.customer_id, p.sku, p.order_id,
            p.country, f"R{p.number % 40:02d}",
        )
        for p in pieces
    )  # fmt: skip
    return {"warehouse/returns.csv": csv_bytes((header, *rows), delimiter=";").decode().encode("latin-1", "replace")}


def _local(instant: datetime) -> str:
    return instant.astimezone(ZoneInfo(WAREHOUSE_ZONE)).strftime(WAREHOUSE_DATES)
