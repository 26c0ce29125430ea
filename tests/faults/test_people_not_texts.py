"""People are counted, not texts: one angry person, sixty customers with one sentence, ten fakes, from files to issues."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from dagster_project.decisioning.published import read_mart
from dagster_project.home import Home
from dagster_project.loop import turn

START = datetime(2026, 3, 1, tzinfo=UTC)
NOW = START + timedelta(days=20)

ANGRY = "I can not log in"
CANNED = "My payment was declined at the checkout although my card is valid and has been charged before"
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
    """Rows of one CSV file of feedback, known when they were said."""

    rows: list[dict[str, str]] = field(default_factory=list)

    def say(self, product: str, text: str, at: datetime, **more: str) -> None:
        said = {"feedback_id": f"f{len(self.rows):04d}", "product": product, "text": text, "channel": "support_ticket"}
        self.rows.append({**said, "occurred_at": at.isoformat(), "known_at": at.isoformat(), **more})

    def quiet_weeks(self, product: str) -> None:
        """Three weeks in which strangers on the open web say little."""
        for hour in range(0, 20 * 24 - 24, 8):
            self.say(product, "love it", START + timedelta(hours=hour), channel="app_review")

    def write(self, folder: Path) -> Path:
        names = sorted({name for row in self.rows for name in row})
        with (folder / "feedback.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, names)
            writer.writeheader()
            writer.writerows(self.rows)
        sources = folder / "sources.yml"
        sources.write_text(
            "sources:\n- {name: export, table: feedback, path: feedback.csv, constants: {source: export}}\n"
        )
        return sources


def every(minutes: float, number: int) -> Iterable[datetime]:
    """Instants of the last day."""
    return (NOW - timedelta(hours=20) + timedelta(minutes=minutes * step) for step in range(number))


def export() -> Export:
    """Each case in a product of its own."""
    export = Export()
    for product in ("angry", "author", "form", "silencer", "silenced", "login", "fakes", "crowd"):
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
    return export


@pytest.fixture(scope="module")
def decided(tmp_path_factory: pytest.TempPathFactory, models_dir: Path) -> Home:
    home = Home(tmp_path_factory.mktemp("people") / "home")
    home.root.mkdir()
    home.models.symlink_to(models_dir)
    report = turn(home, sources=export().write(tmp_path_factory.mktemp("export")), as_of=NOW, send=False)
    assert report.failures == []
    return home


def issues(home: Home, product: str) -> pl.DataFrame:
    return read_mart(home, "fct_issues", where={"product": product})


def test_show(decided: Home) -> None:
    with pl.Config(tbl_cols=30, tbl_rows=50, tbl_width_chars=250):
        print(
            read_mart(
                decided,
                "fct_issues",
                [
                    "product",
                    "issue_type",
                    "priority",
                    "priority_held_back_by",
                    "feedback_count",
                    "evidence",
                    "customers_affected",
                    "known_people",
                    "new_accounts",
                ],
            )
        )
        f = read_mart(decided, "fct_feedback")
        print(
            f.filter(pl.col("counted_at") > (NOW - timedelta(days=2)).replace(tzinfo=None))
            .group_by("product", "issue_type", "channel", "provenance", "not_counted_because")
            .agg(pl.len(), pl.sum("evidence_weight"), pl.col("duplicate_of").is_not_null().sum().alias("dup"))
            .sort("product")
        )
    assert 0
