"""A lake in which much happens: worlds of scenarios side by side, with people, tickets and all kinds of text; and news.

Labels are given, so no model is needed.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl
import polars.selectors as cs

from dagster_project import lake
from dagster_project.decisioning.playbook import land_playbook, load_playbook
from dagster_project.home import Home
from dagster_project.lake_tables import INSTANT, schema_of
from dagster_project.simulation.worlds import runner
from dagster_project.simulation.worlds.catalogue import build_worlds
from dagster_project.simulation.worlds.simulate import Simulation
from dagster_project.simulation.worlds.timeline import START

FIRST, SECOND = runner.LOOKS[2], runner.LOOKS[3]
"""The instants of the two builds; in between the news arrive."""

_EARLIER = timedelta(days=17)
"""Head start of one world before the others, so that its issue is over before anything is built again."""

# What engines spell, cut or order differently: quotes, backslashes, breaks, wide and combined characters, odd cases.
_TEXTS = (
    "The app won't start since yesterday, please fix it soon",
    'He said "try again" and C:\\temp\\new is \\"full\\"',
    "First line\nsecond line\twith a tab\r\nand a third line",
    "Die Zahlung schlägt fehl, große Enttäuschung für mich",
    "支付失败,订单已取消,但是钱已经扣了,请尽快退款给我,谢谢",
    "🙈🙈 crashes 👩‍👩‍👧 every time I open it 🇩🇪 really",
    "İSTANBUL'DA ÇALIŞMIYOR, ẞ STRASSE",
    "Cafe\u0301 or café? <b>50 %</b> off & {{ nothing }} works",
    "too short",
    "Long " + "and long 🙂 " * 60,
)
_SEGMENTS = ("vip", "Enterprise", "plus", "basic", "ноль")


def set_up(home: Home) -> None:
    """Make the lake: six worlds in which something breaks, five in which nothing does, one long over."""
    runner.set_up(home, [Simulation(world) for world in build_worlds(6, 5, 5, 0.5)])
    land_playbook(home, load_playbook())
    for table in ("feedback", "labels", "releases", "orders", "funnel_metrics", "service_metrics"):
        rows = lake.scan(home, table).collect()
        lake.replace(home, table, _told(table, pl.concat([rows, _over(rows)])))
    _append(home, "orders", _settled(lake.scan(home, "orders").collect()))
    customers = pl.DataFrame({"number": range(900)}).select(
        customer_id=pl.format("c{}", "number"),
        segment=_one_of(_SEGMENTS, "number"),
        lifetime_value=pl.col("number") * 1.37,
        known_at=pl.lit(START).cast(INSTANT) + pl.duration(hours="number"),
        content_hash=pl.lit("first"),
    )
    _append(home, "customers", customers)
    for table, pushed in _pushes(FIRST - timedelta(hours=4)).items():
        _append(home, table, pushed)
    _append(home, "baseline_exclusions", _rejections(home, FIRST))


def _over(rows: pl.DataFrame) -> pl.DataFrame:
    """The first world once more, earlier."""
    name = pl.col("product" if "product" in rows.columns else "feedback_id")
    own = rows.filter(name.str.starts_with("bad_release_on_one_platform"))
    names = cs.ends_with("_id") | cs.by_name("product", "duplicate_of", require_all=False)
    return own.with_columns(cs.datetime() - _EARLIER, names + "-earlier")


def _settled(orders: pl.DataFrame) -> pl.DataFrame:
    """The orders of the first days once more, ten days earlier: days that no later build makes anew."""
    first = orders.filter(pl.col("ordered_at") < pl.col("ordered_at").min() + timedelta(days=2))
    return first.with_columns(cs.datetime() - timedelta(days=10), pl.col("order_id") + "-settled")


def _told(table: str, rows: pl.DataFrame) -> pl.DataFrame:
    """Columns that the worlds leave empty, filled by row number, so that the same lake comes out each time."""
    if table not in {"feedback", "labels", "orders"}:
        return rows
    numbered = rows.sort("known_at", rows.columns[0]).with_row_index("number")
    number = pl.col("number")
    lately = pl.col("known_at") > FIRST - timedelta(days=2)
    customer = pl.when(number % 7 > 0).then(pl.format("c{}", number * 31 % 1000))
    said: dict[str, dict[str, pl.Expr]] = {
        "orders": {
            "customer_id": customer,
            "refunded_at": pl.when(number % 7 == 0).then(pl.col("ordered_at")),
            "refund_amount": pl.when(number % 7 == 0).then(pl.col("amount") / 7.0),
        },
        "feedback": {
            "customer_id": customer,
            "customer_segment": pl.when(number % 3 == 0).then(_one_of(_SEGMENTS, "number")),
            "order_id": pl.format("o{}", number),
            "app_version": pl.when(number % 9 > 0).then("app_version"),
            "feature": pl.when(lately & _is_of("bad_flag")).then(pl.lit("wallet")).otherwise(pl.lit("search")),
            "country": pl.when(lately & _is_of("price_rise")).then(pl.lit("FR")).otherwise("country"),
            "title": _one_of(_TEXTS, "number"),
            "nps_score": pl.when(pl.col("channel") == "nps").then(number % 11),
            "known_at": pl.col("known_at") + pl.duration(microseconds=number * 97 % 1_000_000),
        },
        "labels": {
            "masked_text": _one_of(_TEXTS, "number")
            + pl.when(number % 4 > 0).then(pl.format(" ({})", number)).otherwise(pl.lit("")),
            "confidence": (number * 37 % 1000) / 1000.0,
            "is_spam": number % 41 == 0,
            "abstained": pl.col("issue_type") == "other",
            "language": pl.lit("en"),
            "sentiment": pl.when(number % 2 == 0).then(pl.lit("negative")).otherwise(pl.lit("neutral")),
            "sentiment_score": (number % 21) / 10.0 - 1.0,
            "entities": pl.struct(
                app_version=pl.concat_list(*(pl.format("{}.0", number % 7 + step) for step in range(2))).list.head(
                    number % 3
                ),
                device=pl.concat_list(pl.lit("Zoë's phone")),
            ).struct.json_encode(),
            "key_phrases": pl.struct(phrase=number, weight=number / 7.0).struct.json_encode(),
            "runner_up_type": pl.lit("praise"),
        },
    }
    values = {name: value.cast(rows.schema[name]) for name, value in said[table].items()}
    return numbered.with_columns(**values).drop("number")


def _is_of(scenario: str) -> pl.Expr:
    return pl.col("product").str.starts_with(scenario)


def _one_of(values: tuple[str, ...], number: str) -> pl.Expr:
    return pl.col(number).cast(pl.Int64).map_elements(lambda at: values[at % len(values)], return_dtype=pl.String)


def bring_news(home: Home, now: datetime, issues: list[str]) -> None:
    """Rows that arrive late or correct earlier ones, none of a time long past; and tickets for the issues so far."""
    moment = pl.lit(now).cast(INSTANT)
    recent = {"feedback": 1, "labels": 1, "funnel_metrics": 2, "service_metrics": 2, "releases": 3}
    changed = {
        "feedback": {"text": pl.lit("corrected"), "title": pl.lit(None), "country": pl.lit("FR")},
        "labels": {"issue_type": pl.lit("app_crash"), "labeled_at": moment},
        "funnel_metrics": {"entered": pl.col("entered") + 50},
        "service_metrics": {"errors": pl.col("errors") * 3},
        "releases": {"deployed_at": pl.col("deployed_at") + timedelta(hours=3)},
        "orders": {"status": pl.lit("refunded"), "refunded_at": moment, "refund_amount": pl.col("amount") / 3.0},
        "customers": {"segment": pl.lit("loyal"), "lifetime_value": pl.col("lifetime_value") + 1000.0},
    }
    for table, values in changed.items():
        days = recent.get(table, 40)
        known = lake.scan(home, table).filter(pl.col("known_at").is_between(now - timedelta(days=days), now)).collect()
        rows = known.sort(known.columns).gather_every(max(1, known.height // 40)).with_columns(**values)
        if "content_hash" in rows.columns:
            rows = rows.with_columns(content_hash=pl.lit("changed"))
        _append(home, table, rows.with_columns(known_at=moment))
    before = lake.scan(home, "feedback").filter(pl.col("known_at") < FIRST - timedelta(days=2)).collect()
    for name, rows, happened in (
        ("-late", before.tail(25), pl.col("occurred_at")),
        ("-backfilled", before.head(25), moment - timedelta(days=3, hours=5)),
    ):
        new = rows.with_columns(feedback_id=pl.col("feedback_id") + name, known_at=moment, occurred_at=happened)
        _append(home, "feedback", new)
    _append(home, "ticket_events", _tickets(issues, now))
    _append(home, "baseline_exclusions", _rejections(home, now))
    for table, pushed in _pushes(now).items():
        _append(home, table, pushed)
    _append(home, "plan_events", _plans(issues, now))


def _plans(issues: list[str], at: datetime) -> pl.DataFrame:
    """Events of plans for the issues so far: every other one is in force, the rest were only recorded."""
    rows = []
    for number, issue_id in enumerate(issues):
        plan = {"plan_id": f"plan-{number}", "issue_id": issue_id, "mitigation": "rollout-halt", "tier": 2}
        plan |= {"target": "control", "item": "releases/android", "actor": "feedback-control", "channel": "loop"}
        acts = [("proposed", "proposed", 7), ("applied", "in_force", 6)] if number % 2 else [("proposed", "shadow", 7)]
        for event, state, hours in acts:
            happened = {"event": event, "state": state, "occurred_at": at - timedelta(hours=hours), "known_at": at}
            mode = "shadow" if state == "shadow" else "approve"
            rows.append({"event_id": f"{number}-{event}", **plan, **happened, "mode": mode, "reason": ""})
    return pl.DataFrame(rows, schema=schema_of("plan_events"))


def _pushes(at: datetime) -> dict[str, pl.DataFrame]:
    """Lake tables of pushes: a run a quarter of an hour at two destinations, each try with another outcome."""
    outcomes = ("confirmed", "rejected", "unknown", "not sent", "deferred")
    places = {"local": 3, "jira": 12}
    runs = [
        {
            "run_id": f"{name}-{at:%j}-{n}",
            "destination": name,
            "started_at": at + timedelta(minutes=15 * n),
            "finished_at": at + timedelta(minutes=15 * n, seconds=7),
            "known_at": at + timedelta(minutes=15 * n, seconds=7),
            **{count: n % 3 for count in ("created", "updated", "resolved", "rejected", "unknown", "twins")},
        }
        for name, count in places.items()
        for n in range(count)
    ]
    tries = [
        {
            "attempt_id": f"{run['run_id']}-{n}",
            "intent_id": f"{run['run_id']}-intent",
            "issue_id": "ISS-0",
            "destination": run["destination"],
            "kind": ("create", "update", "look_up")[n % 3],
            "outcome": outcome,
            "reason": "" if outcome == "confirmed" else _TEXTS[n],
            "occurred_at": run["started_at"],
            "known_at": run["started_at"],
        }
        for run in runs
        for n, outcome in enumerate(outcomes)
    ]
    return {"sync_runs": pl.DataFrame(runs), "sync_attempts": pl.DataFrame(tries)}


def _tickets(issues: list[str], now: datetime) -> pl.DataFrame:
    """A ticket for each issue; every other one is closed again."""
    rows = [
        {"event_id": f"{issue}-{event}", "issue_id": issue, "event": event, "occurred_at": at}
        for number, issue in enumerate(issues)
        for event, at in (("created", now), ("resolved", now + timedelta(minutes=number)))
        if event == "created" or number % 2
    ]
    ours = pl.DataFrame(rows).with_columns(known_at="occurred_at", url=pl.format("https://tracker/{}", "issue_id"))
    acts = (("status", "not a bug", "rejected"), ("assignee", "Zoë", None), ("comment", _TEXTS[1], None))
    theirs = [
        {
            "event_id": f"{issue}-{event}-{number % 3}",
            "issue_id": issue,
            "event": event,
            "value": value,
            "resolution": (resolution, "open", "resolved")[number % 3] if resolution else None,
            "actor": "jo" if number % 2 else "",
            "by_person": number % 5 > 0,
            "occurred_at": now - timedelta(minutes=7 * number + len(event)),
            "known_at": now,
        }
        for number, issue in enumerate(issues)
        for event, value, resolution in acts
    ]
    return pl.concat([ours, pl.DataFrame(theirs)], how="diagonal")


def _rejections(home: Home, now: datetime) -> pl.DataFrame:
    """The first worlds' days of last week were no incident after all; for one that is taken back a day later."""
    products = lake.scan(home, "feedback").select("product").unique().sort("product").head(6).collect()["product"]
    types = lake.scan(home, "labels").select("issue_type").unique().sort("issue_type").collect()["issue_type"]
    said = [
        {
            "issue_id": f"{product}-{kind}",
            "product": product,
            "issue_type": kind,
            "platform": "android" if number % 2 else None,
            "country": "DE" if number % 3 == 0 else None,
            "excluded_from": now - timedelta(days=12 + number, hours=5),
            "excluded_until": None if number % 4 == 0 else now - timedelta(days=7, hours=5),
            "excluded": True,
            "known_at": now - timedelta(days=2, hours=number),
        }
        for number, product in enumerate(products)
        for kind in types
    ]
    back = [{**row, "excluded": False, "known_at": now - timedelta(hours=30)} for row in said[: len(types)]]
    return pl.DataFrame([*said, *back])


def _append(home: Home, table: str, rows: pl.DataFrame) -> None:
    schema = schema_of(table) if table != "labels" else lake.scan(home, table).collect_schema()
    columns = [
        (pl.col(name) if name in rows.columns else pl.lit(None)).cast(kind).alias(name) for name, kind in schema.items()
    ]
    lake.append(home, table, rows.select(columns))
