"""What a company announces of a world: releases, flags, campaigns."""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from dagster_project.lake_tables import INSTANT
from dagster_project.simulation.worlds.scenario import Flag
from dagster_project.simulation.worlds.timeline import Course


def releases(course: Course) -> pl.DataFrame:
    """Every release of the product."""
    return pl.DataFrame(
        [
            {
                "release_id": f"{course.world.product}:{version}",
                "product": course.world.product,
                "version": version,
                "platform": one.platform,
                "deployed_at": course.instant(one.hour),
                "known_at": course.instant(one.hour) + timedelta(minutes=5),
                "rollout_percent": 100.0 * one.reach,
            }
            for version, one in course.releases
        ]
    )


def flag_changes(course: Course) -> pl.DataFrame:
    """Every switch of a flag: the plot's, and a harmless one about every five days."""
    own = [one for one in course.world.plot.changes if isinstance(one, Flag)]
    first = -float(course.rng.uniform(300, 420))
    harmless = [Flag(f"trial_{number}", first + 120 * number) for number in range(4)]
    flags = [*own, *(one for one in harmless if not any(abs(one.hour - other.hour) < 24 for other in own))]
    return pl.DataFrame(
        [
            {
                "flag_key": one.key,
                "product": course.world.product,
                "changed_at": course.instant(one.hour),
                "known_at": course.instant(one.hour) + timedelta(minutes=5),
                "enabled": True,
            }
            for one in flags
        ]
    )


def campaigns(course: Course) -> pl.DataFrame:
    """Announced campaigns; a crowd may come without one."""
    schema = {"campaign_id": pl.String, "product": pl.String, "kind": pl.String}
    instants = {"started_at": INSTANT, "ended_at": INSTANT, "known_at": INSTANT}
    return pl.DataFrame(
        [
            {
                "campaign_id": f"{course.world.product}:{crowd.campaign}",
                "product": course.world.product,
                "kind": crowd.campaign,
                "started_at": course.instant(crowd.start),
                "ended_at": course.instant(crowd.end),
                "known_at": course.instant(crowd.start - 24),
            }
            for crowd in course.world.plot.crowds
            if crowd.campaign
        ],
        schema={**schema, **instants},
    )
