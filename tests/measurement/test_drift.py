"""The drift report and the label queue, over a real lake and the real classifier."""

from __future__ import annotations

import csv
import json
import re
import shutil
import socket
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import polars as pl
import pytest
from click.testing import CliRunner, Result
from dagster import AssetCheckSeverity, RunRequest, build_schedule_context

from dagster_project import lake
from dagster_project.cli.main import main
from dagster_project.definitions import defs
from dagster_project.enrichment.labeling import label_new
from dagster_project.home import Home
from dagster_project.lake_tables import schema_of
from dagster_project.measurement.drift import DriftReport, label_queue, report, write_report
from dagster_project.measurement.schedules import every_monday
from dagster_project.resources import HomeResource
from models_ml.golden import GOLDEN
from models_ml.golden.active_learning import COLUMNS, add_labelled
from models_ml.golden.golden_set import load_golden

AS_OF = datetime(2026, 5, 15, tzinfo=UTC)
LAST_WEEK, THIS_WEEK = AS_OF - timedelta(days=10), AS_OF - timedelta(days=3)

CALM = [
    f"{opening} {matter}"
    for opening in ("I have to say", "Honestly,", "As a customer since 2019,", "So far", "Yesterday", "Well,")
    for matter in (
        "the parcel came two days late and nobody told me",
        "delivery was quick and everything works, thanks",
        "I was charged twice for one order and want it back",
        "I cannot find the size filter in the search any more",
        "the jumper fell apart after the first wash",
        "the agent on the phone was friendly but no help",
        "checkout does not take my voucher code",
        "great shop, will order again",
        "my password reset mail never arrives",
        "please add a wish list that I can share",
    )
]
STORM = [
    f"{opening} the new hologram viewer {matter}{ending}"
    for opening in ("since the update", "every time", "help!")
    for matter in ("crashes my phone", "closes the app", "freezes on the start screen", "kills the app at once")
    for ending in ("", " again", " on android", " after login", " all day long", " write me: jo@example.com")
]


def say(home: Home, texts: Sequence[str], at: datetime) -> None:
    """Land these texts, a minute apart."""
    rows = [
        {
            "feedback_id": f"{at:%d}-{number:03}",
            "source": "test",
            "channel": "app_review" if number % 2 else "chat",
            "product": "app",
            "occurred_at": at + timedelta(minutes=number),
            "text": text,
            "known_at": at + timedelta(minutes=number),
            "schema_version": 1,
            "content_hash": f"{number}",
        }
        for number, text in enumerate(texts)
    ]
    lake.append(home, "feedback", pl.DataFrame(rows, schema=schema_of("feedback")))


Fresh = Callable[[], Home]


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory, models_dir: Path) -> Fresh:
    """Makes homes with an empty lake and the one trained model."""

    def make() -> Home:
        home = Home(tmp_path_factory.mktemp("home"))
        home.models.symlink_to(models_dir)
        lake.ensure_table(home, "feedback")
        return home

    return make


@pytest.fixture(scope="module")
def stormy(fresh: Fresh) -> Home:
    """A calm week, then one of crashes in something that did not exist before; labelled."""
    home = fresh()
    say(home, CALM, LAST_WEEK)
    say(home, STORM, THIS_WEEK)
    label_new(home)
    return home


@pytest.fixture(scope="module")
def written(stormy: Home) -> tuple[DriftReport, list[object]]:
    """The whole report, and every address that anything tried to reach meanwhile."""
    reached: list[object] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("DO_NOT_TRACK", raising=False)
        patch.setattr(socket.socket, "connect", lambda _, address: reached.append(address))
        label_queue(stormy, as_of=AS_OF, size=10)
        return write_report(stormy, as_of=AS_OF), reached


@pytest.fixture
def without_evidently(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "write_evidently", lambda *_: False)


# --- the report


def test_a_week_unlike_the_last_is_drift_and_says_why(written: tuple[DriftReport, list[object]]) -> None:
    result, _ = written
    assert result.verdicts["previous"] == "drift"
    assert result.known == {"golden": len(load_golden().split("evaluation")), "previous": 60, "current": 72}
    drifted = {one.finding.kind: one.sentence for one in result.against["previous"].findings if one.finding.drifted}
    assert {"issue_type", "embedding", "vocabulary", "single_word"} <= set(drifted)
    assert "app_crash" in drifted["issue_type"]
    assert "hologram" in {one.word for one in result.against["previous"].moved_words}


def test_findings_stand_in_the_order_of_their_effect_on_accuracy(written: tuple[DriftReport, list[object]]) -> None:
    for against in written[0].against.values():
        effects = [abs(one.accuracy_effect or 0) for one in against.findings if one.finding.drifted]
        assert effects == sorted(effects, reverse=True)
        parts = [abs(one.change.effect) for one in against.changes]
        assert parts == sorted(parts, reverse=True)


def test_the_expected_accuracy_of_the_golden_texts_holds_the_measured_one(
    written: tuple[DriftReport, list[object]],
) -> None:
    result, _ = written
    golden = result.accuracy["golden"]
    assert golden.low is not None and golden.high is not None and result.golden_accuracy is not None
    assert golden.low <= result.golden_accuracy <= golden.high


def test_everything_lies_in_the_folder_of_the_day(written: tuple[DriftReport, list[object]], stormy: Home) -> None:
    result, _ = written
    assert result.folder == stormy.reports / "drift" / "2026-05-15"
    assert {path.name for path in result.folder.iterdir()} == {
        "index.html",
        "drift.json",
        "evidently_golden.html",
        "evidently_previous.html",
        "to_label.csv",
    }


def test_the_page_opens_with_the_verdicts_and_needs_nothing_else(written: tuple[DriftReport, list[object]]) -> None:
    page = written[0].page.read_text(encoding="utf-8")
    assert page.index("against the window before") < page.index("<svg")
    assert not re.search(r"""(?:src|href)=["']?(?:https?:)?//""", page)
    for link in ("evidently_golden.html", "evidently_previous.html", "drift.json", "to_label.csv"):
        assert f'href="{link}"' in page
    for one in written[0].against["previous"].findings:
        assert one.sentence.split(";")[0].split("'")[0] in page


def test_no_words_of_customers_go_to_evidently_and_no_address_anywhere(
    written: tuple[DriftReport, list[object]],
) -> None:
    folder = written[0].folder
    for path in folder.iterdir():
        content = path.read_text(encoding="utf-8")
        assert "jo@example.com" not in content
        assert path.name.startswith("evidently") <= ("hologram" not in content)
    assert "app_crash" in (folder / "evidently_previous.html").read_text(encoding="utf-8")


def test_nothing_phones_home(written: tuple[DriftReport, list[object]]) -> None:
    assert written[1] == []


def test_the_json_says_what_the_report_says(written: tuple[DriftReport, list[object]]) -> None:
    result, _ = written
    content = json.loads((result.folder / "drift.json").read_text(encoding="utf-8"))
    assert content == json.loads(json.dumps(result.as_dict()))
    assert content["verdicts"]["previous"] == "drift"
    assert content["model_version"] == result.model_version


@pytest.mark.usefixtures("without_evidently")
def test_the_same_feedback_elsewhere_gives_the_same_bytes_whatever_became_known_later(
    written: tuple[DriftReport, list[object]], fresh: Fresh
) -> None:
    home = fresh()
    say(home, CALM, AS_OF + timedelta(minutes=1))
    say(home, STORM, THIS_WEEK)
    say(home, CALM, LAST_WEEK)
    label_new(home)
    again = write_report(home, as_of=AS_OF)
    assert (again.folder / "drift.json").read_bytes() == (written[0].folder / "drift.json").read_bytes()


@pytest.mark.usefixtures("without_evidently")
def test_two_weeks_of_the_same_talk_are_no_drift(fresh: Fresh) -> None:
    home = fresh()
    say(home, CALM, LAST_WEEK)
    say(home, CALM, THIS_WEEK)
    label_new(home)
    result = write_report(home, as_of=AS_OF)
    assert result.verdicts["previous"] == "no_drift"
    assert result.against["previous"].changes == ()
    assert "No group of answers moved it beyond chance" in result.page.read_text(encoding="utf-8")


@pytest.mark.parametrize("feedback", [0, 5])
def test_too_little_feedback_has_its_own_verdict(fresh: Fresh, feedback: int) -> None:
    home = fresh()
    say(home, STORM[:feedback], THIS_WEEK)
    label_new(home)
    result = write_report(home, as_of=AS_OF)
    assert set(result.verdicts.values()) == {"insufficient_data"}
    assert "50 of each are needed" in " ".join(result.page.read_text(encoding="utf-8").split())
    assert not list(result.folder.glob("evidently*"))
    assert json.loads((result.folder / "drift.json").read_text())["feedback"]["current"] == feedback


# --- the label queue


def queue_of(home: Home) -> list[dict[str, str]]:
    with (home.reports / "drift" / "2026-05-15" / "to_label.csv").open(encoding="utf-8", newline="") as rows:
        return list(csv.DictReader(rows))


def test_the_queue_asks_for_few_different_masked_texts(written: tuple[DriftReport, list[object]], stormy: Home) -> None:
    rows = queue_of(stormy)
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) == 10
    assert {(row["issue_type"], row["sentiment"], row["split"]) for row in rows} == {("", "", "")}
    assert all("guessed" in row["note"] and row["language"] == "en" for row in rows)
    assert {row["channel"] for row in rows} <= {"app_review", "chat"}
    assert sum("hologram" in row["text"] for row in rows) < 10


def test_what_people_labelled_is_not_asked_for_again(
    stormy: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    golden = Path(shutil.copytree(GOLDEN, tmp_path / "golden"))
    monkeypatch.setenv("FEEDBACK_GOLDEN", str(golden))
    path = label_queue(stormy, as_of=AS_OF, size=3)
    asked = queue_of(stormy)
    with path.open("w", encoding="utf-8", newline="") as target:
        writer = csv.DictWriter(target, COLUMNS)
        writer.writeheader()
        writer.writerows({**row, "issue_type": "other", "sentiment": "neutral"} for row in asked)
    assert add_labelled(path, golden) == 3
    label_queue(stormy, as_of=AS_OF, size=3)
    assert not {row["text"] for row in asked} & {row["text"] for row in queue_of(stormy)}


def test_the_feedback_of_issues_that_people_rejected_comes_first_and_says_so(stormy: Home, tmp_path: Path) -> None:
    """Published by hand: calm feedback of which some was counted in an issue that was rejected, some in another."""
    home = Home(Path(shutil.copytree(stormy.root, tmp_path / "home", symlinks=True)))
    begin, end = LAST_WEEK.replace(tzinfo=None), (LAST_WEEK + timedelta(minutes=20)).replace(tzinfo=None)
    issues = [
        ("ISS-1", "pricing_expectation", end, AS_OF - timedelta(days=1), "not a bug", "jo"),
        ("ISS-2", "praise", end, AS_OF + timedelta(days=1), "rejected", "kim"),  # is not known yet
        ("ISS-3", "other", end, None, None, None),
    ]
    home.published.parent.mkdir()
    with duckdb.connect(str(home.published)) as connection:
        connection.execute(
            "create table fct_issue_lifecycle (issue_id varchar, issue_type varchar, resolved_at timestamp,"
            " rejected_at timestamptz, rejected_as varchar, rejected_by varchar, product varchar, started_at timestamp)"
        )
        for issue in issues:
            connection.execute("insert into fct_issue_lifecycle values (?, ?, ?, ?, ?, ?, 'app', ?)", [*issue, begin])
        connection.execute(
            "create table fct_feedback as select printf('%s-%03d', ?, n) as feedback_id, 'app' as product,"
            " ['pricing_expectation', 'praise', 'other'][n % 3 + 1] as issue_type, true as is_counted,"
            " ? + n * interval '1' minute as counted_at from range(60) as numbers (n)",
            [f"{LAST_WEEK:%d}", begin],
        )
    rejected = {CALM[number] for number in range(0, 21, 3)}
    label_queue(home, as_of=AS_OF, size=10)
    rows = queue_of(home)
    doubted = [
        row["note"].startswith("issue ISS-1 was rejected as 'not a bug' by jo: is this the type?; ") for row in rows
    ]
    assert len(rows) == 10 and sum(doubted) >= 3
    assert doubted == sorted(doubted, reverse=True)
    assert {row["text"] for row, own in zip(rows, doubted, strict=True) if own} <= rejected
    assert {(row["issue_type"], row["split"]) for row in rows} == {("", "")}


def test_without_feedback_the_queue_is_empty(fresh: Fresh) -> None:
    path = label_queue(fresh(), as_of=AS_OF)
    assert path.read_text() == ",".join(COLUMNS) + "\n"


# --- the commands and the weekly job


def command(home: Home, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["--home", str(home.root), *arguments], catch_exceptions=False)


def test_the_commands_report_queue_and_take_labels_back(stormy: Home, without_evidently: None) -> None:
    told = command(stormy, "drift", "--as-of", AS_OF.isoformat())
    assert told.exit_code == 0
    assert told.stdout.startswith("drift against the previous window\n  ")
    assert "expected accuracy of the answers" in told.stdout
    content = json.loads(command(stormy, "drift", "--as-of", AS_OF.isoformat(), "--json").stdout)
    assert content["verdicts"]["previous"] == "drift"
    queue = Path(command(stormy, "label-queue", "--as-of", AS_OF.isoformat(), "--size", "5").stdout.strip())
    refused = command(stormy, "add-labelled", str(queue))
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "no row has an issue_type" in refused.stderr
    with queue.open(encoding="utf-8", newline="") as rows:
        labelled = [{**row, "issue_type": "app_crash", "sentiment": "negative"} for row in csv.DictReader(rows)]
    with queue.open("w", encoding="utf-8", newline="") as target:
        writer = csv.DictWriter(target, COLUMNS)
        writer.writeheader()
        writer.writerows(labelled)
    assert command(stormy, "add-labelled", str(queue)).stdout.startswith("5 texts added to ")
    own = load_golden(stormy.golden)
    assert stormy.golden == stormy.root / "golden"
    assert len(own.texts) == len(load_golden().texts) + 5
    shutil.rmtree(stormy.golden)


def test_the_weekly_job_reports_in_dagster_and_its_check_warns(
    stormy: Home, without_evidently: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEEDBACK_HOME", str(stormy.root))
    context = build_schedule_context(scheduled_execution_time=AS_OF)
    request = every_monday(context)
    assert isinstance(request, RunRequest)
    job = defs.resolve_job_def("drift")
    result = job.execute_in_process(run_config=request.run_config, resources={"home": HomeResource()})
    assert result.success
    (shown,) = result.asset_materializations_for_node("drift_report")
    assert str(shown.metadata["verdict"].value).startswith("- drift against the previous window\n  - ")
    (check,) = result.get_asset_check_evaluations()
    assert (check.check_name, check.passed, check.severity) == ("no_drift", False, AssetCheckSeverity.WARN)
    (queued,) = result.asset_materializations_for_node("label_queue")
    assert Path(str(queued.metadata["file"].value)).is_file()
