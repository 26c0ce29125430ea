"""The command ``roi``: what the loop was worth, what it cost, and what could not be told."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click
from rich.table import Table

from dagster_project.cli.options import Instant, chosen_view, console, json_option, view_option
from dagster_project.home import Home

if TYPE_CHECKING:
    from dagster_project.measurement.roi import Roi

_KINDS = ("revenue", "refunds", "support", "customers")
_BY = ("product", "month", "release", "season", "type")


@click.command()
@click.option("--since", type=Instant(), help="Months from that of this day on  [default: all].")
@click.option("--by", type=click.Choice(_BY), default="product", show_default=True, help="What money is summed by.")
@view_option
@json_option
@click.pass_obj
def roi(home: Home, since: datetime | None, by: str, as_of: datetime | None, as_json: bool) -> None:
    """Return on investment: benefits with their 90 % intervals, costs, what could not be told, and adoption.

    Money counts as earned only where an effect can be told from chance against what was not treated. docs/roi.md has
    the definitions; the costs are those of playbook.yml.
    """
    from dagster_project.measurement.roi import read_roi

    found = read_roi(chosen_view(home, as_of), by=by, since=since)
    if as_json:
        click.echo(json.dumps(asdict(found), indent=2, default=str, ensure_ascii=False))
    else:
        _show(found)


def _show(found: Roi) -> None:
    if found.is_empty:
        months = f" since {found.since:%Y-%m}" if found.since else ""
        click.echo(
            f"nothing is measured yet{months}: there is no issue, and no product has adopted the loop"
            " (its first ticket, or `costs.adopted_on` in playbook.yml)"
        )
    else:
        _show_money(found)
    _show_adoption(found)
    _show_dora(found)
    _show_assumptions(found)


def _show_money(found: Roi) -> None:
    from dagster_project.measurement.roi import DIMENSIONS

    column = DIMENSIONS[found.by]
    table = Table(title=f"Return on investment, {found.total['currency']}", title_justify="left", box=None)
    table.add_column(found.by, overflow="fold")
    for name in ("issues", "benefit", "90 % interval", "as at peak", "cost", "net", "ratio", "not told", "worse"):
        table.add_column(name, justify="right")
    for row in found.roi:
        name = f"{row[column]:%Y-%m}" if found.by == "month" else str(row[column])
        table.add_row(name, *_cells(row))
    table.add_row("all", *_cells(found.total), style="bold")
    console().print(table)
    total = found.total
    click.echo(
        "benefit: "
        + ", ".join(
            f"{kind} {_money(total[f'benefit_{kind}'])}" for kind in ("revenue", "refunds", "support", "customers")
        )
    )
    click.echo(
        f"cost: engineering {_money(total['cost_engineering'])} ({total['tickets']} tickets),"
        f" running {_money(total['cost_running'])},"
        f" wrong acts {_money(total['cost_wrong_acts'])} ({total['wrong_acts']})"
    )
    answers = ", ".join(f"{count} {answer}" for answer, count in found.answers.items())
    click.echo(f"effects by answer: {answers or 'none'}; without a price: {total['effects_without_price']}")


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    ratio = "-" if row["ratio"] is None else f"{row['ratio']:.2f}"
    return (
        str(row["issues"]),
        _money(row["benefit"]),
        f"{_money(row['benefit_low'])} to {_money(row['benefit_high'])}",
        _money(row["benefit_frozen"]),
        _money(row["cost"]),
        _money(row["net"]),
        ratio,
        _money(row["not_attributed_value"]),
        _money(row["worsened_value"]),
    )


def _show_adoption(found: Roi) -> None:
    if not found.adoption:
        return
    table = Table(title="Before and after adoption", title_justify="left", box=None)
    for name in ("product", "measure", "adopted", "before", "after", "effect", "90 % interval", "placebos", "answer"):
        table.add_column(name, overflow="fold")
    for row in found.adoption:
        interval = "-" if row["effect"] is None else f"{row['effect_low']:+.0%} to {row['effect_high']:+.0%}"
        table.add_row(
            row["product"],
            row["measure"],
            "-" if row["adopted_at"] is None else f"{row['adopted_at']:%Y-%m-%d}",
            *("-" if row[name] is None else f"{row[name]:.4f}" for name in ("rate_before", "rate_after")),
            "-" if row["effect"] is None else f"{row['effect']:+.0%}",
            interval,
            str(row["placebos"]),
            row["answer"],
        )
    console().print(table)


def _show_dora(found: Roi) -> None:
    if not found.dora:
        return
    table = Table(title="Deployments", title_justify="left", box=None)
    table.add_column("product", overflow="fold")
    table.add_column("month")
    for name in ("deployments", "fail rate", "recovery, h", "fail rate (last)", "recovery, h (last)"):
        table.add_column(name, justify="right")
    for row in found.dora:
        cells = [
            cell
            for suffix in ("", "_by_last")
            for cell in (f"{row[f'change_fail_rate{suffix}']:.0%}", _hours(row[f"recovery_minutes{suffix}"]))
        ]
        table.add_row(row["product"], f"{row['month']:%Y-%m}", str(row["deployments"]), *cells)
    console().print(table)
    click.echo("(last): by the last deployment before an issue, whatever it changed; else by the suspect release")


def _show_assumptions(found: Roi) -> None:
    costs = found.costs
    click.echo(
        f"assumptions (playbook.yml, costs), {costs['cost_currency']}:"
        f" support contact {costs['cost_support_contact']:g},"
        f" engineer's hour {costs['cost_engineer_hour']:g}, hours a ticket {costs['cost_hours_per_ticket']:g},"
        f" running cost a month {costs['cost_running_month']:g}, wrong act {costs['cost_wrong_act']:g}"
    )
    for claim in found.claims:
        click.echo(
            f"to compare, a claim that is not measured here ({claim['source']}):"
            f" {claim['negative_review_reduction']:.0%} fewer negative reviews, ROI {claim['roi_ratio']:g} times"
        )


def _money(value: float) -> str:
    return f"{value:,.0f}"


def _hours(minutes: float | None) -> str:
    return "-" if minutes is None else f"{minutes / 60:.1f}"


COMMANDS = (roi,)
