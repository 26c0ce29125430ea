"""Rows of announced changes: releases, flag changes, campaigns."""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from dagster_project.lake_tables import INSTANT
from dagster_project.simulation.worlds.scenario import Flag
from dagster_project.simulation.worlds.timeline import Timeline


def releases(timeline: Timeline) -> pl.DataFrame:
    """Rows of ``releases``."""
    return pl.DataFrame(
        [
            {
                "release_id": f"{timeline.world.product}:{version}",
                "product": timeline.world.product,
                "version": version,
                "platform": one.platform,
                "deployed_at": timeline.instant(one.hour),
                "known_at": timeline.instant(one.hour) + timedelta(minutes=5),
                "rollout_percent": 100.0 * one.reach,
            }
            for version, one in timeline.releases
        ]
    )


def flag_changes(timeline: Timeline) -> pl.DataFrame:
    """Rows of ``flag_changes``: the plot's, and a harmless one about every five days."""
    own = [one for one in timeline.world.plot.changes if isinstance(one, Flag)]
    first = -float(timeline.rng.uniform(300, 420))
    harmless = [Flag(f"trial_{number}", first + 120 * number) for number in range(4)]
    flags = [*own, *(one for one in harmless if not any(abs(one.hour - other.hour) < 24 for other in own))]
    return pl.DataFrame(
        [
            {
                "flag_key": one.key,
                "product": timeline.world.product,
                "changed_at": timeline.instant(one.hour),
                "known_at": timeline.instant(one.hour) + timedelta(minutes=5),
                "enabled": True,
            }
            for one in flags
        ]
    )


def campaigns(timeline: Timeline) -> pl.DataFrame:
    """Rows of ``campaigns``: the crowds that were announced."""
    schema = {"campaign_id": pl.String, "product": pl.String, "kind": pl.String}
    instants = {"started_at": INSTANT, "ended_at": INSTANT, "known_at": INSTANT}
    return pl.DataFrame(
        [
            {
                "campaign_id": f"{timeline.world.product}:{crowd.campaign}",
                "product": timeline.world.product,
                "kind": crowd.campaign,
                "started_at": timeline.instant(crowd.start),
                "ended_at": timeline.instant(crowd.end),
                "known_at": timeline.instant(crowd.start - 24),
            }
            for crowd in timeline.world.plot.crowds
            if crowd.campaign
        ],
        schema={**schema, **instants},
    )
