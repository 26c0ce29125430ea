"""Costs of the playbook: what a support contact, an engineer's hour, the system itself and a wrong act cost.

The defaults are assumptions to replace by one's own figures; ``docs/roi.md`` says so, and ``feedback-control roi``
prints the figures that its money rests on.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from dagster_project.decisioning.mitigations import Strict

Money = Annotated[float, Field(ge=0, allow_inf_nan=False)]
"""An amount in the currency of the costs."""


def _of_this_age(value: date) -> date:
    if value.year < 2000:
        raise ValueError("the day must be 2000-01-01 or later, as 2026-03-01")
    return value


Day = Annotated[date, AfterValidator(_of_this_age)]


class Costs(Strict):
    """Unit costs, in ``currency``, and the day on which each product adopted the loop.

    ``running_cost_per_month`` is of the whole installation; it is split over the products by their share of feedback.
    A product that ``adopted_on`` leaves out adopted it with its first ticket.
    """

    currency: str = Field(default="EUR", pattern=r"^[A-Z]{3}$")
    support_contact: Money = 6.0
    engineer_hour: Money = 80.0
    hours_per_ticket: Money = 4.0
    running_cost_per_month: Money = 500.0
    wrong_act: Money = 400.0
    adopted_on: dict[Annotated[str, Field(min_length=1)], Day] = Field(default_factory=dict)


def cost_settings(costs: Costs) -> Mapping[str, float]:
    """Columns of ``playbook_settings`` that hold unit costs."""
    return {
        "cost_support_contact": costs.support_contact,
        "cost_engineer_hour": costs.engineer_hour,
        "cost_hours_per_ticket": costs.hours_per_ticket,
        "cost_running_month": costs.running_cost_per_month,
        "cost_wrong_act": costs.wrong_act,
    }


def adoption_rows(costs: Costs) -> list[dict[str, Any]]:
    """Rows of ``playbook_adoptions``: midnight (UTC) of the day on which a product adopted the loop."""
    return [
        {"product": product, "adopted_at": datetime(day.year, day.month, day.day, tzinfo=UTC)}
        for product, day in costs.adopted_on.items()
    ]
