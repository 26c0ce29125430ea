"""Parts of the tests of briefs: a section of one, and an issue whose suspect is a flag."""

from __future__ import annotations

from dataclasses import replace

from dagster_project.decisioning.facts import Evidence
from tests.automation.support import CHECKOUT, about


def section(body: str, heading: str) -> str:
    return body.split(f"### {heading}", 1)[1].split("\n### ", 1)[0]


FLAG = replace(
    CHECKOUT,
    suspect_kind="flag",
    suspect_release_id="new_cart@2026-05-31 08:10",
    suspect_flag="new_cart",
    suspect_flag_enabled=True,
    suspect_version=None,
    suspect_platform=None,
    suspect_previous_version=None,
    suspect_url=None,
    suspect_rollout_percent=None,
    rollback_supported=False,
    evidence=CHECKOUT.evidence[:3]
    + about(
        "new_cart@2026-05-31 08:10",
        "new_cart@2026-05-31 08:10",
        Evidence(kind="change", measure="error_rate", stance="for", value=0.31, baseline=0.004),
    ),
)
"""An open P1 whose suspect is a flag."""
