"""Export files of the simulated shop, and the ``sources.yml`` that reads them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import polars as pl
import yaml

from dagster_project.simulation.shop.encoding import (
    Files,
    csv_bytes,
    gzip_bytes,
    iso,
    iso_column,
    json_bytes,
    json_lines,
    parquet_bytes,
)
from dagster_project.simulation.shop.feedback import Feedback
from dagster_project.simulation.shop.feedback_files import (
    WAREHOUSE_DATES,
    WAREHOUSE_ZONE,
    ZENDESK_FIELDS,
    feedback_files,
)
from dagster_project.simulation.shop.planted import Deployment, ShopRelease
from dagster_project.simulation.shop.played import CONTROL_SYSTEM, Played
from dagster_project.simulation.shop.story import COUNTRIES, PLATFORMS, PRODUCT
from dagster_project.simulation.shop.traffic import Traffic


class _Plain(yaml.SafeDumper):
    """YAML dumper without aliases: shared settings are written in full."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def export_files(played: Played, traffic: Traffic, feedback: Sequence[Feedback]) -> Files:
    """All exports, by path below the folder."""
    exported = feedback_files(feedback, played.present)
    return {**exported, **_releases(played), **_changes(played), **_telemetry(traffic)}


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
            "renames": ZENDESK_FIELDS,
            "known_at": {"column": "occurred_at", "delay": "5m"},
        },
        {"name": "survey", "reader": "nps", "path": "survey/nps.csv", "constants": shop},
        {
            "name": "chat",
            "table": "feedback",
            "path": "chat/conversations.jsonl.gz",
            "constants": {**shop, "channel": "chat"},
        },
        {
            "name": "social",
            "table": "feedback",
            "path": "social/mentions.jsonl",
            "constants": {**shop, "channel": "social"},
        },
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
            "date_format": WAREHOUSE_DATES,
            "timezone": WAREHOUSE_ZONE,
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
    head = (
        "# The simulated shop: every source, as the generator wrote it. Rewritten with each `feedback-control demo`.\n"
    )
    # A simulation ends, and its sources fall silent: that is no news.
    ended = [{**source, "silent_after": "never"} for source in plain]
    text = yaml.dump({"sources": ended}, Dumper=_Plain, sort_keys=False, allow_unicode=True, width=120)
    return (head + text).encode()


def feedback_truth(feedback: Sequence[Feedback]) -> bytes:
    """Truth of each piece of feedback as CSV: ``feedback_id, issue_type, planted``."""
    return csv_bytes(
        (("feedback_id", "issue_type", "planted"), *((p.feedback_id, p.issue_type, p.planted) for p in feedback))
    )


def _releases(played: Played) -> Files:
    """The answers of GET /repos/…/releases, one repository per app, newest first; deployments before them."""
    delay = timedelta(minutes=2)
    return {
        f"github/shop-{platform}.releases.json": json_bytes(
            [
                *(_github_deployment(one) for one in reversed(played.deployments) if one.platform == platform),
                *(
                    _github_release(release)
                    for release in reversed(played.story.releases)
                    if release.platform == platform and release.deployed_at + delay <= played.present
                ),
            ]
        )
        for platform in PLATFORMS
    }


def _github_deployment(deployment: Deployment) -> dict[str, Any]:
    return {
        "id": deployment.number,
        "ref": f"v{deployment.version}",
        "sha": f"{deployment.number * 2_654_435_761 % 2**64:016x}",
        "task": deployment.task,
        "environment": "production",
        "created_at": iso(deployment.deployed_at),
        "creator": {"login": CONTROL_SYSTEM},
        "url": f"https://api.github.example.com/repos/shop/shop-{deployment.platform}/deployments/{deployment.number}",
    }


def _github_release(release: ShopRelease) -> dict[str, Any]:
    page = f"https://github.example.com/shop/shop-{release.platform}/releases/tag/v{release.version}"
    return {
        "id": release.number,
        "tag_name": f"v{release.version}",
        "name": release.version,
        "draft": False,
        "prerelease": False,
        "target_commitish": f"{release.number * 2_654_435_761 % 2**64:016x}",
        "published_at": iso(release.deployed_at),
        "author": {"login": release.author},
        "html_url": page,
        "body": release.notes,
    }


def _changes(played: Played) -> Files:
    story = played.story
    flags = [
        {
            "flag_key": flag.flag_key,
            "environment": flag.environment,
            "changed_at": iso(flag.changed_at),
            "enabled": flag.enabled,
            "variant": flag.variant,
            "actor": flag.actor,
            "feature": flag.feature,
            "known_at": iso(flag.changed_at + timedelta(minutes=1)),
        }
        for flag in (*story.flags, *played.flag_changes)
        if flag.changed_at + timedelta(minutes=1) <= played.present
    ]
    campaigns = [
        {
            "campaign_id": campaign.campaign_id,
            "started_at": iso(campaign.started_at),
            "ended_at": iso(campaign.ended_at),
            "kind": campaign.kind,
            "name": campaign.name,
            "known_at": iso(max(story.since, campaign.started_at - timedelta(days=5))),
            "channel_mix": "push and e-mail",
        }
        for campaign in story.campaigns
    ]
    return {"flags/changes.json": json_bytes(flags), "marketing/campaigns.jsonl": json_lines(campaigns)}


def _telemetry(traffic: Traffic) -> Files:
    instants = {name: kind for name, kind in traffic.orders.schema.items() if isinstance(kind, pl.Datetime)}
    orders = traffic.orders.with_columns(iso_column(name) for name in instants).rename({"amount": "line_total"})
    refunds = traffic.refunds.with_columns(iso_column(name) for name in (*instants, "refunded_at"))
    customers = traffic.customers.with_columns(iso_column("known_at"))
    customers = customers.rename({"segment": "tier", "lifetime_value": "clv_eur"})
    return {
        "telemetry/services.parquet": parquet_bytes(traffic.services),
        "telemetry/funnel.parquet": parquet_bytes(traffic.funnel),
        "shop/orders.csv.gz": gzip_bytes(orders.write_csv().encode()),
        "shop/refunds.jsonl": refunds.write_ndjson().encode(),
        "crm/customers.csv": customers.write_csv().encode(),
    }
