"""The simulated shop, written and landed once for all tests that look at it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from dagster_project import lake
from dagster_project.home import Home
from dagster_project.ingestion.landing import LandingReport, land
from dagster_project.ingestion.sources import load_sources
from dagster_project.simulation.shop.shop import ShopTruth, write_shop

UNTIL = datetime(2026, 11, 23, tzinfo=UTC)


@dataclass(frozen=True)
class LandedShop:
    """A shop, the lake it landed in, and the truth of each piece of feedback."""

    truth: ShopTruth
    home: Home
    report: LandingReport

    def table(self, name: str) -> pl.DataFrame:
        """The newest version of every row of a lake table."""
        keys = {"orders": ["order_id", "sku"]}
        frame = lake.scan(self.home, name).collect()
        if name in keys:
            frame = frame.sort("known_at").unique(keys[name], keep="last", maintain_order=True)
        return frame

    @property
    def feedback(self) -> pl.DataFrame:
        """Feedback with its true ``issue_type`` and the event that caused it."""
        truth = pl.read_csv(self.truth.folder / "truth_feedback.csv").with_columns(pl.col("planted").fill_null(""))
        return self.table("feedback").join(truth, on="feedback_id", how="left")

    def ago(self, days: float) -> datetime:
        """The instant so many days before the end."""
        return self.truth.until - timedelta(days=days)


def landed_shop(folder: Path) -> LandedShop:
    """Write the standard shop and land it through its own sources.yml."""
    truth = write_shop(folder / "shop", until=UNTIL)
    home = Home(folder / "home")
    return LandedShop(truth, home, land(home, load_sources(truth.sources), now=UNTIL))
