"""The simulated shop's exports, each in the format its source really has, and the ``sources.yml`` that reads them back.

Every writer takes rows and gives ``{file name: bytes}``; the same rows always give the same bytes (gzip without a time,
sorted keys, fixed line ends).
"""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import yaml

from dagster_project.measurement.rehearsals.feedback import Feedback
from dagster_project.measurement.rehearsals.story import COUNTRIES, PLATFORMS, PRODUCT, Release, Story
from dagster_project.measurement.rehearsals.traffic import Traffic

Files = dict[str, bytes]

_WAREHOUSE_ZONE = "Europe/Berlin"
_WAREHOUSE_DATES = "%d.%m.%Y %H:%M"
_TICKETS_PER_PAGE = 500
_ZENDESK_FIELDS = {
    "360001": "platform",
    "360002": "app_version",
    "360003": "country",
    "360004": "order_id",
    "360005": "customer_segment",
    "360006": "language",
}


class _Plain(yaml.SafeDumper):
    """Writes settings that several sources share in full each time."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def export_files(story: Story, traffic: Traffic, feedback: Sequence[Feedback]) -> Files:
    """Every export of the shop by its path below the folder."""
    by_source: dict[str, list[Feedback]] = {}
    for piece in feedback:
        by_source.setdefault(piece.source, []).append(piece)
    return {
        **_google_play(by_source.get("google_play", [])),
        **_app_store(by_source.get("app_store", []), story),
        **_zendesk(by_source.get("zendesk", [])),
        **_survey(by_source.get("survey", [])),
        **_chat(by_source.get("chat", [])),
        **_social(by_source.get("social", [])),
        **_shop_reviews(by_source.get("shop_reviews", [])),
        **_returns(by_source.get("returns", [])),
        **_releases(story),
        **_changes(story),
        **_telemetry(traffic),
    }


def sources_file() -> bytes:
    """The ``sources.yml`` over these exports."""
    shop = {"product": PRODUCT}
    plain: list[dict[str, Any]] = [
        {"name": "google_play", "reader": "google_play", "path": "google_play/reviews_*.csv", "constants": shop},
        *(
            {
                "name": f"app_store_{country.lower()}",
                "reader": "app_store",
                "path": f"app_store/{country.lower()}.json",
                "constants": {**shop, "country": country},
                "known_at": {"column": "occurred_at", "delay": "3h"},
            }
            for country in COUNTRIES
        ),
        {
            "name": "zendesk",
            "reader": "zendesk",
            "path": "zendesk/tickets_*.json",
            "constants": shop,
            "renames": _ZENDESK_FIELDS,
            "known_at": {"column": "occurred_at", "delay": "5m"},
        },
        {"name": "survey", "reader": "nps", "path": "survey/nps.csv", "constants": shop},
        {"name": "chat", "table": "feedback", "path": "chat/conversations.jsonl.gz", "constants": {**shop, "channel": "chat"}},
        {"name": "social", "table": "feedback", "path": "social/mentions.jsonl", "constants": {**shop, "channel": "social"}},
        {
            "name": "shop_reviews",
            "table": "feedback",
            "path": "shop/reviews.parquet",
            "constants": {**shop, "channel": "product_review"},
            "renames": {"stars": "rating", "body": "text", "headline": "title", "written_at": "occurred_at"},
        },
        {
            "name": "returns",
            "table": "feedback",
            "path": "warehouse/returns.csv",
            "constants": {**shop, "channel": "return"},
            "renames": {
                "RMA": "feedback_id", "Erfasst": "occurred_at", "Bemerkung": "text", "Kunde": "customer_id",
                "Artikel": "sku", "Auftrag": "order_id", "Land": "country", "Uebertragen": "known_at",
            },
            "encoding": "latin-1",
            "date_format": _WAREHOUSE_DATES,
            "timezone": _WAREHOUSE_ZONE,
        },
        *(
            {
                "name": f"github_{platform}",
                "reader": "github",
                "path": f"github/shop-{platform}.releases.json",
                "constants": {**shop, "platform": platform, "rollout_percent": 100},
                "known_at": {"column": "deployed_at", "delay": "2m"},
            }
            for platform in PLATFORMS
        ),
        {"name": "flags", "table": "flag_changes", "path": "flags/changes.json", "constants": shop},
        {"name": "services", "table": "service_metrics", "path": "telemetry/services.parquet"},
        {"name": "funnel", "table": "funnel_metrics", "path": "telemetry/funnel.parquet"},
        {"name": "orders", "table": "orders", "path": "shop/orders.csv.gz", "renames": {"line_total": "amount"}},
        # After the orders: a refund is a newer version of an order line.
        {"name": "refunds", "table": "orders", "path": "shop/refunds.jsonl"},
        {
            "name": "customers",
            "table": "customers",
            "path": "crm/customers.csv",
            "renames": {"tier": "segment", "clv_eur": "lifetime_value"},
        },
        {"name": "campaigns", "table": "campaigns", "path": "marketing/campaigns.jsonl", "constants": shop},
    ]  # fmt: skip
    head = "# The simulated shop: every source, as the generator wrote it. Rewritten with each `feedback-control demo`.\n"
    text = yaml.dump({"sources": plain}, Dumper=_Plain, sort_keys=False, allow_unicode=True, width=120)
    return (head + text).encode()


def feedback_truth(feedback: Sequence[Feedback]) -> bytes:
    """What each piece of feedback is really about: ``feedback_id, issue_type, planted``."""
    return _csv((("feedback_id", "issue_type", "planted"), *((p.feedback_id, p.issue_type, p.planted) for p in feedback)))


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
            "com.example.shop", version.replace(".", "0"), version, p.language, p.device, _iso(p.occurred_at), millis,
            _iso(p.occurred_at), millis, p.rating, p.title, p.text, "", "", "", link, _iso(p.known_at),
        )  # fmt: skip
        months.setdefault(f"{p.occurred_at:%Y%m}", [header]).append(row)
    return {
        f"google_play/reviews_com.example.shop_{month}.csv": b"\xff\xfe" + _csv(rows).decode().encode("utf-16-le")
        for month, rows in sorted(months.items())
    }


def _app_store(pieces: Sequence[Feedback], story: Story) -> Files:
    """The customer-reviews feed of each country's store."""
    files = {}
    for country in COUNTRIES:
        entries = [
            {
                "author": {
                    "name": {"label": f"{p.author.split()[0].lower()}{p.number % 1000}"},
                    "uri": {"label": f"https://apps.example.com/{country.lower()}/reviews/id{p.number}"},
                },
                "updated": {"label": _iso(p.occurred_at)},
                "im:rating": {"label": str(p.rating)},
                "im:version": {"label": p.app_version},
                "id": {"label": str(p.number)},
                "title": {"label": p.title},
                "content": {"label": p.text, "attributes": {"type": "text"}},
            }
            for p in reversed(pieces)
            if p.country == country
        ]
        feed = {"author": {"name": {"label": "App Store"}}, "entry": entries, "updated": {"label": _iso(story.until)}}
        files[f"app_store/{country.lower()}.json"] = _json({"feed": feed})
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
                "created_at": _iso(p.occurred_at),
                "updated_at": _iso(p.occurred_at + timedelta(minutes=4)),
                "subject": p.title,
                "description": p.text,
                "status": "open" if p.number % 4 else "solved",
                "priority": "high" if p.number % 7 == 0 else "normal",
                "tags": ["app"] if p.platform else ["web_form"],
                "custom_fields": [{"id": int(field), "value": getattr(p, name)} for field, name in _ZENDESK_FIELDS.items()],
            }
            for p in page
        ]
        last = number == len(pages)
        end = {"count": len(tickets), "end_of_stream": last, "end_time": int(page[-1].occurred_at.timestamp())}
        files[f"zendesk/tickets_{number:03d}.json"] = _json({"tickets": tickets, **end})
    return files


def _survey(pieces: Sequence[Feedback]) -> Files:
    header = ("response_id", "submitted_at", "score", "comment", "customer_id", "customer_segment", "country", "platform", "known_at")
    rows = (
        (
            p.feedback_id, _iso(p.occurred_at), p.nps_score, p.text, p.customer_id, p.customer_segment, p.country,
            p.platform, _iso(p.known_at),
        )
        for p in pieces
    )  # fmt: skip
    return {"survey/nps.csv": _csv((header, *rows))}


def _chat(pieces: Sequence[Feedback]) -> Files:
    screens = ("home", "cart", "orders", "product", "account")
    names = (
        "feedback_id", "text", "language", "country", "customer_id", "customer_segment", "platform", "app_version",
        "os_version", "device", "browser", "order_id",
    )  # fmt: skip
    rows = [
        {name: getattr(p, name) for name in names if getattr(p, name) is not None}
        | {"occurred_at": _iso(p.occurred_at), "known_at": _iso(p.known_at), "opened_from": screens[p.number % 5]}
        for p in pieces
    ]
    return {"chat/conversations.jsonl.gz": _gzip(_json_lines(rows))}


def _social(pieces: Sequence[Feedback]) -> Files:
    rows = [
        {
            "feedback_id": p.feedback_id,
            "text": p.text,
            "language": p.language,
            "occurred_at": _iso(p.occurred_at),
            "known_at": _iso(p.known_at),
            "url": f"https://social.example.com/status/{p.number}",
            "likes": p.number * 7 % 23,
            "network": "microblog" if p.number % 2 else "photos",
        }
        for p in pieces
    ]
    return {"social/mentions.jsonl": _json_lines(rows)}


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
    return {"shop/reviews.parquet": _parquet(pl.DataFrame(rows, infer_schema_length=None))}


def _returns(pieces: Sequence[Feedback]) -> Files:
    """The German warehouse: semicolons, Latin-1, local time."""
    header = ("RMA", "Erfasst", "Uebertragen", "Bemerkung", "Kunde", "Artikel", "Auftrag", "Land", "Regalplatz")
    rows = (
        (
            p.feedback_id, _local(p.occurred_at), _local(p.known_at), p.text, p.customer_id, p.sku, p.order_id, p.country,
            f"R{p.number % 40:02d}",
        )
        for p in pieces
    )  # fmt: skip
    return {"warehouse/returns.csv": _csv((header, *rows), delimiter=";").decode().encode("latin-1", "replace")}


def _releases(story: Story) -> Files:
    """The answers of GET /repos/…/releases, one repository per app, newest first."""
    delay = timedelta(minutes=2)
    return {
        f"github/shop-{platform}.releases.json": _json(
            [
                _github_release(release)
                for release in reversed(story.releases)
                if release.platform == platform and release.deployed_at + delay <= story.until
            ]
        )
        for platform in PLATFORMS
    }


def _github_release(release: Release) -> dict[str, Any]:
    page = f"https://github.example.com/shop/shop-{release.platform}/releases/tag/v{release.version}"
    return {
        "id": release.number,
        "tag_name": f"v{release.version}",
        "name": release.version,
        "draft": False,
        "prerelease": False,
        "target_commitish": f"{release.number * 2_654_435_761 % 2**64:016x}",
        "published_at": _iso(release.deployed_at),
        "author": {"login": release.author},
        "html_url": page,
        "body": release.notes,
    }


def _changes(story: Story) -> Files:
    flags = [
        {
            "flag_key": flag.flag_key,
            "environment": flag.environment,
            "changed_at": _iso(flag.changed_at),
            "enabled": flag.enabled,
            "variant": flag.variant,
            "actor": "release-manager",
            "feature": flag.feature,
            "known_at": _iso(flag.changed_at + timedelta(minutes=1)),
        }
        for flag in story.flags
        if flag.changed_at + timedelta(minutes=1) <= story.until
    ]
    campaigns = [
        {
            "campaign_id": campaign.campaign_id,
            "started_at": _iso(campaign.started_at),
            "ended_at": _iso(campaign.ended_at),
            "kind": campaign.kind,
            "name": campaign.name,
            "known_at": _iso(max(story.since, campaign.started_at - timedelta(days=5))),
            "channel_mix": "push and e-mail",
        }
        for campaign in story.campaigns
    ]
    return {"flags/changes.json": _json(flags), "marketing/campaigns.jsonl": _json_lines(campaigns)}


def _telemetry(traffic: Traffic) -> Files:
    instants = {name: kind for name, kind in traffic.orders.schema.items() if isinstance(kind, pl.Datetime)}
    orders = traffic.orders.with_columns(_iso_column(name) for name in instants).rename({"amount": "line_total"})
    refunds = traffic.refunds.with_columns(_iso_column(name) for name in (*instants, "refunded_at"))
    customers = traffic.customers.with_columns(_iso_column("known_at"))
    customers = customers.rename({"segment": "tier", "lifetime_value": "clv_eur"})
    return {
        "telemetry/services.parquet": _parquet(traffic.services),
        "telemetry/funnel.parquet": _parquet(traffic.funnel),
        "shop/orders.csv.gz": _gzip(orders.write_csv().encode()),
        "shop/refunds.jsonl": refunds.write_ndjson().encode(),
        "crm/customers.csv": customers.write_csv().encode(),
    }


def _iso(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _iso_column(name: str) -> pl.Expr:
    return pl.col(name).dt.strftime("%Y-%m-%dT%H:%M:%SZ")


def _local(instant: datetime) -> str:
    return instant.astimezone(ZoneInfo(_WAREHOUSE_ZONE)).strftime(_WAREHOUSE_DATES)


def _csv(rows: Iterable[Sequence[Any]], delimiter: str = ",") -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def _json(document: Any) -> bytes:
    return (json.dumps(document, ensure_ascii=False, indent=1) + "\n").encode()


def _json_lines(rows: Iterable[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def _gzip(content: bytes) -> bytes:
    packed = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=packed, mtime=0) as archive:
        archive.write(content)
    return packed.getvalue()


def _parquet(frame: pl.DataFrame) -> bytes:
    packed = io.BytesIO()
    frame.write_parquet(packed, compression="zstd")
    return packed.getvalue()
