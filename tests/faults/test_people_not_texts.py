"""People are counted, not texts: one angry person, sixty customers with one sentence, ten fakes, from files on."""

from __future__ import annotations

import csv
import random
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from dagster_project.decisioning.dbt_build import run_dbt
from dagster_project.decisioning.explain import explain
from dagster_project.decisioning.playbook import land_playbook, load_playbook
from dagster_project.decisioning.published import read_mart
from dagster_project.errors import ConfigurationError
from dagster_project.home import PLAYBOOK, Home
from dagster_project.loop import turn
from tests.decisioning.lake_builder import LakeBuilder

START = datetime(2026, 3, 1, tzinfo=UTC)
NOW = START + timedelta(days=20)

ANGRY = "I can not log in"
CANNED = "My payment was declined at the checkout although my card is valid and has been charged before"
PREFILLED = "My parcel arrived much later than the delivery date that I had been promised when I ordered"
LOGIN = (
    "I cannot log in since this morning, the login page says my password is wrong although it is right",
    "Login fails for me, after I enter the code from the mail it throws me back to the login page",
    "Since today I can't sign in to my account any more, it says that something went wrong, please help",
    "My account does not let me in, the password reset mail never arrives and support does not answer",
    "Signing in is impossible, the login button spins for ever and then the page shows an error message",
    "Can not log in to my account from the phone or the computer, resetting the password did not help",
    "Your login is broken, it asks for the verification code again and again and never lets me in",
    "Every time I try to log in it says invalid credentials, but I have not changed my password at all",
)
SILENCED = (
    "The app crashes every single time that I open the camera screen, I have to restart the phone",
    "It crashes right after the start, I see the logo for a second and then the home screen again",
    "Keeps crashing when I try to open my list of orders, reinstalling it did not change anything",
    "Since the update this app closes by itself after about ten seconds, it is completely useless",
    "App crashes as soon as I tap on the search field, this happens on both of my phones now",
    "Crash after crash after crash, I could not finish a single thing that I wanted to do today",
    "Force closes whenever a notification comes in while the application is open in the foreground",
    "It does not even start any more, it crashes immediately with a message that it has stopped",
    "The application crashes while it loads the pictures, and my whole basket is gone afterwards",
    "Crashes constantly on my tablet, on the phone of my wife it crashes just as often as here",
)
RETURNED = "The article arrived broken, the screen has a crack and the box was damaged too"
FAKES = (
    "Payment failed three times in a row and nobody could tell me why",
    "They took my money twice for one order, the payment page is broken",
    "My card gets declined here although it works in every other shop",
    "Cannot pay at all, the payment page shows an error after I confirm",
    "The payment does not go through with any of my cards since yesterday",
    "I was charged but the app says that the payment was not successful",
    "Paying fails with a strange message, I tried four different cards",
    "Payment error again and again, now my account was charged two times",
    "It declines my credit card every time, the bank says all is fine",
    "The transfer failed, the money is gone and the order does not exist",
)


@dataclass
class Export:
    """Rows of a CSV file of feedback, known when they were said, and of one of orders."""

    rows: list[dict[str, str]] = field(default_factory=list)
    orders: list[dict[str, str]] = field(default_factory=list)

    def say(self, product: str, text: str, at: datetime, **more: str) -> None:
        said = {"feedback_id": f"f{len(self.rows):04d}", "product": product, "text": text, "channel": "support_ticket"}
        self.rows.append({**said, "occurred_at": at.isoformat(), "known_at": at.isoformat(), **more})

    def quiet_weeks(self, product: str) -> None:
        """Three weeks in which strangers on the open web say little."""
        for hour in range(0, 20 * 24 - 24, 8):
            self.say(product, "love it", START + timedelta(hours=hour), channel="app_review")

    def write(self, folder: Path) -> Path:
        for table, rows in (("feedback", self.rows), ("orders", self.orders)):
            with (folder / f"{table}.csv").open("w", encoding="utf-8", newline="") as file:
                writer = csv.DictWriter(file, sorted({name for row in rows for name in row}))
                writer.writeheader()
                writer.writerows(rows)
        sources = folder / "sources.yml"
        sources.write_text(
            "sources:\n- {name: export, table: feedback, path: feedback.csv, constants: {source: export}}\n"
            "- {name: shop, table: orders, path: orders.csv}\n"
        )
        return sources


def every(minutes: float, number: int) -> Iterable[datetime]:
    """Instants of the last day."""
    return (NOW - timedelta(hours=20) + timedelta(minutes=minutes * step) for step in range(number))


def export() -> Export:
    """Each case in a product of its own."""
    export = Export()
    for product in ("angry", "author", "form", "silencer", "silenced", "login", "fakes", "crowd", "guests"):
        export.quiet_weeks(product)
    for at in every(60, 8):
        export.say("angry", ANGRY, at, customer_id="C1")
        export.say("author", ANGRY, at, channel="app_review", author="Angry Ann")
    for number, at in enumerate(every(10, 60)):
        export.say("form", CANNED, at, channel="nps", customer_id=f"C{number}")
    for number, (text, at) in enumerate(zip(SILENCED, every(60, 10), strict=True)):
        export.say("silencer", text, at - timedelta(days=1), channel="app_review")
        export.say("silenced", text, at, channel="app_review", author=f"Reviewer {number}")
    for number, at in enumerate(every(15, 50)):
        text = f"{LOGIN[number % 8]}. Tried {number % 7 + 2} times"
        known = {"customer_id": f"L{number}"} if number < 30 else {"channel": "social"}
        export.say("login", text, at, **known)
    for text, at in zip(FAKES, every(60, 10), strict=True):
        export.say("fakes", text, at, channel="app_review")
    for number, (text, at) in enumerate(zip(FAKES, every(60, 10), strict=True)):
        export.say("crowd", text, at, customer_id=f"K{number}")
    burst(export)
    survey(export)
    guests(export)
    return export


def burst(export: Export) -> None:
    """A shop with established customers, and a day on which twelve of fifteen complaints come from new accounts."""
    for step in range(220):
        at = START + timedelta(hours=2 * step)
        export.say("burst", "love it", at, customer_id=f"B{step % 12}")
    for number, at in enumerate(every(30, 15)):
        customer = f"B{number}" if number < 3 else f"NEW{number}"
        export.say("burst", f"{FAKES[number % 10]} {number}", at, customer_id=customer)


def survey(export: Export) -> None:
    """A prefilled answer that customers give for days, then people whom the survey does not name."""
    for number in range(6):
        at = START + timedelta(days=5 + number % 3, hours=number)
        export.say("survey", PREFILLED, at, channel="nps", customer_id=f"S{number}")
    for at in every(60, 6):
        export.say("survey", PREFILLED, at, channel="nps")


def guests(export: Export) -> None:
    """Thirty guests return what they ordered, with one reason; their orders name a customer that all guests share."""
    for number, at in enumerate(every(30, 30)):
        export.say("guests", RETURNED, at, channel="return", order_id=f"G{number}")
        ordered = (START + timedelta(days=2)).isoformat()
        order = {"order_id": f"G{number}", "product": "guests", "customer_id": "Guest", "ordered_at": ordered}
        export.orders.append({**order, "known_at": ordered, "amount": "10", "currency": "EUR", "status": "paid"})


@pytest.fixture(scope="module")
def decided(tmp_path_factory: pytest.TempPathFactory, models_dir: Path) -> Home:
    home = Home(tmp_path_factory.mktemp("people") / "home").marked("replay")
    home.models.symlink_to(models_dir)
    report = turn(home, sources=export().write(tmp_path_factory.mktemp("export")), as_of=NOW, send=False)
    assert report.failures == []
    return home


def issues(home: Home, product: str) -> list[dict[str, Any]]:
    return list(read_mart(home, "fct_issues", where={"product": product}).iter_rows(named=True))


def why(home: Home, issue: dict[str, Any]) -> str:
    return explain(home, issue["issue_id"]).as_text()


def said(home: Home, product: str, issue_type: str) -> pl.DataFrame:
    return read_mart(home, "fct_feedback", where={"product": product, "issue_type": issue_type})


@pytest.mark.parametrize(
    ("product", "person"), [("angry", "customer:C1"), ("author", "author:export:person-6ca58ca43c1e70b9")]
)
def test_one_person_who_says_four_words_eight_times_opens_nothing(decided: Home, product: str, person: str) -> None:
    rows = said(decided, product, "login_account")
    assert rows["person_key"].to_list() == [person] * 8
    assert sorted(rows["not_counted_because"].to_list(), key=str) == [None] + ["repetition"] * 7
    assert issues(decided, product) == []


def test_sixty_customers_who_tick_one_prefilled_sentence_are_an_urgent_issue(decided: Home) -> None:
    assert said(decided, "form", "payment_failure")["duplicate_of"].null_count() == 1  # all the others are copies
    (issue,) = issues(decided, "form")
    assert (issue["feedback_count"], issue["customers_affected"], issue["known_people"]) == (60, 60, 60)
    assert (issue["priority"], issue["priority_held_back_by"]) == ("P1", None)


def test_a_sentence_in_one_product_silences_nobody_in_another(decided: Home) -> None:
    rows = said(decided, "silenced", "app_crash")
    assert rows["duplicate_of"].null_count() == rows.height == 10
    (issue,) = issues(decided, "silenced")
    assert issue["feedback_count"] == 10


def test_fifty_login_complaints_of_thirty_customers_in_eight_sentences_are_thirty_people(decided: Home) -> None:
    rows = said(decided, "login", "login_account")
    assert rows["duplicate_of"].drop_nulls().len() > 35
    (issue,) = issues(decided, "login")
    assert (issue["customers_affected"], issue["feedback_count"], issue["priority"]) == (30, 30, "P2")


def test_ten_fakes_in_their_own_words_open_no_urgent_issue_and_ten_known_customers_do(decided: Home) -> None:
    (fakes,), (crowd,) = issues(decided, "fakes"), issues(decided, "crowd")
    assert (fakes["priority"], fakes["priority_held_back_by"], fakes["known_people"]) == ("P3", "unknown_people", 0)
    assert (crowd["priority"], crowd["priority_held_back_by"], crowd["known_people"]) == ("P1", None, 10)
    assert "10 of 10 people who complain are not established customers" in why(decided, fakes)
    assert "not established" not in why(decided, crowd)


def test_a_burst_of_accounts_first_seen_today_weighs_less_and_is_shown(decided: Home) -> None:
    (issue,) = issues(decided, "burst")
    assert (issue["feedback_count"], issue["new_accounts"], issue["known_people"]) == (15, 12, 3)
    assert 3.0 < issue["evidence"] < 12.0
    assert issue["priority_held_back_by"] == "unknown_people"
    assert "12 of 15 people who complain have accounts first seen on that day" in why(decided, issue)


def test_a_canned_sentence_counts_without_a_customer_and_a_copy_in_own_words_does_not(decided: Home) -> None:
    rows = said(decided, "survey", "shipping_delivery")
    strangers = rows.filter(pl.col("provenance") == "unknown").sort("occurred_at")
    assert strangers["is_canned"].to_list() == [True] * 6
    assert strangers["is_counted"].to_list() == [True] * 6
    copies = said(decided, "login", "login_account").filter(pl.col("provenance") == "unknown")
    assert not copies["is_counted"].any()


def test_guests_who_return_what_they_ordered_are_as_many_people_as_orders(decided: Home) -> None:
    rows = said(decided, "guests", "packaging")
    assert set(rows["provenance"]) == {"verified_purchase"}
    (issue,) = issues(decided, "guests")
    assert (issue["customers_affected"], issue["feedback_count"], issue["known_people"]) == (30, 30, 30)


def test_all_totals_equal_what_they_drill_down_to(decided: Home) -> None:
    feedback = read_mart(decided, "fct_feedback").filter("is_counted")
    days = read_mart(decided, "fct_issue_days")
    activity = read_mart(decided, "fct_issue_activity", where={"scope_kind": "all"})
    for issue in read_mart(decided, "fct_issues").iter_rows(named=True):
        own = feedback.filter(
            pl.col("product") == issue["product"],
            pl.col("issue_type") == issue["issue_type"],
            pl.col("counted_at") > (NOW - timedelta(days=2)).replace(tzinfo=None),
        )
        assert own.height == issue["feedback_count"]
        assert own["person_key"].n_unique() == issue["customers_affected"]
        assert own["evidence_weight"].sum() == pytest.approx(issue["evidence"], abs=1e-3)
        assert days.filter(pl.col("issue_id") == issue["issue_id"])["complaints"].sum() == issue["feedback_count"]
        (last,) = activity.filter(
            pl.col("product") == issue["product"],
            pl.col("issue_type") == issue["issue_type"],
            pl.col("tick") <= NOW.replace(tzinfo=None),
            pl.col("valid_to") > NOW.replace(tzinfo=None),
        ).iter_rows(named=True)
        today = own.filter(pl.col("counted_at") > (NOW - timedelta(days=1)).replace(tzinfo=None))
        assert (last["feedback_count"], last["evidence"]) == (
            today.height,
            pytest.approx(today["evidence_weight"].sum(), abs=1e-3),
        )


@pytest.mark.parametrize(("setting", "value"), [("canned_people", 1), ("urgent_known_people", 0), ("urgent_people", 4)])
def test_a_setting_that_would_let_one_person_decide_is_refused_by_its_name(
    tmp_path: Path, setting: str, value: int
) -> None:
    playbook = PLAYBOOK.read_text(encoding="utf-8")
    path = tmp_path / "playbook.yml"
    path.write_text(re.sub(rf"{setting}: \d+", f"{setting}: {value}", playbook), encoding="utf-8")
    with pytest.raises(ConfigurationError, match=setting):
        load_playbook(path)


@pytest.mark.parametrize(
    ("setting", "value", "problem"),
    [
        ("urgent_score", "3", "urgent_score must be at or above open_score"),
        ("urgent_score_confirmed", "4.6", "urgent_score_confirmed must be at or below urgent_score"),
    ],
)
def test_an_urgent_score_out_of_order_is_refused_by_its_name(
    tmp_path: Path, setting: str, value: str, problem: str
) -> None:
    playbook = PLAYBOOK.read_text(encoding="utf-8")
    path = tmp_path / "playbook.yml"
    path.write_text(re.sub(rf"{setting}: [\d.]+", f"{setting}: {value}", playbook), encoding="utf-8")
    with pytest.raises(ConfigurationError, match=problem):
        load_playbook(path)
    path.write_text(re.sub(rf"{setting}: [\d.]+", f"{setting}: 4.5", playbook), encoding="utf-8")
    assert getattr(load_playbook(path).detection, setting) == 4.5


PEOPLE = (
    {"channel": "support_ticket", "customer_id": "1"},
    {"channel": "support_ticket", "customer_id": "2"},
    {"channel": "app_review", "customer_id": "3"},
    {"channel": "app_review", "attributes": '{"author": "Ann"}'},
    {"channel": "chat", "attributes": '{"device_id": "d1"}'},
    {"channel": "return", "order_id": "o1"},
    {"channel": "social"},
)
Said = tuple[int, dict[str, str], bool]
"""The hour, the person, and whether the text is a copy of the first one."""


def world(lake: LakeBuilder, product: str, pieces: list[Said]) -> None:
    """The pieces in the order given, as a product of their own; the first is nobody's copy."""
    first = f"f{len(lake.rows.get('feedback', [])):06d}"
    for place, (hour, person, is_copy) in enumerate(pieces):
        at = START + timedelta(hours=hour)
        lake.complain("app_crash", at, product=product, duplicate_of=first if is_copy and place else None, **person)


def test_repeating_and_reordering_never_raise_a_count_and_another_known_customer_never_lowers_it(
    tmp_path: Path,
) -> None:
    rng, lake = random.Random(16), LakeBuilder(Home(tmp_path / "home"))
    for number in range(60):
        pieces = [(rng.randint(0, 100), rng.choice(PEOPLE), rng.random() < 0.4) for _ in range(rng.randint(1, 12))]
        named = [piece for piece in pieces if "channel" in piece[1] and len(piece[1]) > 1]
        again = [(hour + rng.randint(0, 60), person, copy) for hour, person, copy in named for _ in range(3)]
        hour = rng.randint(0, 100)
        other = {"channel": "support_ticket", "customer_id": "another"}
        world(lake, f"{number}-base", pieces)
        world(lake, f"{number}-repeated", [*pieces, *again])
        world(lake, f"{number}-reordered", [pieces[0], *rng.sample(pieces[1:], len(pieces) - 1)])
        world(lake, f"{number}-joined", [*pieces, (hour, other, rng.random() < 0.5)])
    lake.write()
    land_playbook(lake.home, load_playbook())
    run_dbt(lake.home, ["build", "--select", "+int_feedback", "--exclude-resource-type", "unit_test", "test"])
    with duckdb.connect(str(lake.home.warehouse), read_only=True) as connection:
        query = (
            "select product, sum(evidence_weight), count(*) filter (where is_counted) from int_feedback group by all"
        )
        found = {product: (weight, count) for product, weight, count in connection.execute(query).fetchall()}
    for number in range(60):
        weight, count = found[f"{number}-base"]
        assert found[f"{number}-repeated"] == (weight, count)
        assert found[f"{number}-reordered"] == (weight, count)
        assert found[f"{number}-joined"][0] >= weight
        assert found[f"{number}-joined"][1] == count + 1
