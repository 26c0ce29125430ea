"""The door: logs, errors, terminal, pages and Dagster's events."""

from __future__ import annotations

import ast
import io
import logging
import re
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout

import pytest
from dagster import (
    AssetCheckResult,
    DagsterInstance,
    Failure,
    MaterializeResult,
    MetadataValue,
    asset,
    materialize,
)
from jinja2 import Environment
from markdown_it import MarkdownIt
from rich.table import Table

from dagster_project import display, outgoing, redaction
from dagster_project.cli.options import console
from dagster_project.dagster_metadata import guarded, markdown
from dagster_project.errors import ConfigurationError
from dagster_project.home import REPOSITORY

SECRET = "pl4nted-Secret/77=x"
CARD, PIXEL = "4012 8888 8888 1881", "![x](https://tracker.example/p.png)"
HOSTILE = f"{SECRET} {CARD} {PIXEL} <img src=x> \x1b[31mred\x1b[0m \x1b]0;title\x07 a\u202eb\u200bc [bold]x[/bold]"


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(redaction, "_KNOWN", redaction._Known())
    redaction.know(SECRET)
    factory = logging.getLogRecordFactory()
    outgoing.install()
    yield
    logging.setLogRecordFactory(factory)


def leaks(text: str) -> list[str]:
    return [one for one in ("pl4nted", "Secret/77", "4012 8888", "\x1b", "\u202e", "\u200b") if one in text]


def test_text_is_cleaned_before_it_is_cut() -> None:
    for limit in range(1, 60):
        assert not leaks(outgoing.clean(f"answered {SECRET} for {CARD}", limit))
        assert len(outgoing.excerpt(f"answered {SECRET} for {CARD}", limit)) <= limit


def test_an_excerpt_of_megabytes_takes_no_seconds_and_cuts_no_secret() -> None:
    started = time.monotonic()
    for filler in ("a" * 5_000_000, "12 " * 2_000_000, "\u200b" * 5_000_000):
        for before in (0, 30, 55, 60):
            assert not leaks(outgoing.excerpt("x" * before + f" {SECRET} {CARD} {filler}", 60))
    assert time.monotonic() - started < 5


def test_a_log_record_and_its_exception_are_cleaned_whatever_the_logger() -> None:
    told = io.StringIO()
    handler = logging.StreamHandler(told)
    logger = logging.getLogger("httpx")
    logger.addHandler(handler)
    try:
        logger.warning("HTTP Request: GET https://me:%s@host?card=%s", SECRET, CARD)
        try:
            try:
                raise ValueError(HOSTILE)
            except ValueError as error:
                raise RuntimeError("outer") from error
        except RuntimeError:
            logger.exception("it failed")
    finally:
        logger.removeHandler(handler)
    assert not leaks(told.getvalue())
    assert "RuntimeError: outer" in told.getvalue()
    assert "test_outgoing.py" in told.getvalue()


def test_an_error_that_may_leave_stays_as_it_is_and_another_says_the_same_without_the_rest() -> None:
    fine = ValueError("fine")
    assert outgoing.redacted(fine) is fine
    mine = outgoing.redacted(ConfigurationError(f"no {CARD}"))
    assert (type(mine), str(mine)) == (ConfigurationError, "no [card]")
    for error in (
        ValueError(SECRET),
        OSError(5, "gone", SECRET),
        KeyError(SECRET),
        ExceptionGroup("g", [OSError(SECRET)]),
    ):
        clean = outgoing.redacted(error)
        assert not leaks("".join(traceback.format_exception(clean)))
        assert type(error).__name__ in str(clean)
    noted = ValueError("x")
    noted.add_note(SECRET)
    assert not leaks("".join(traceback.format_exception(outgoing.redacted(noted))))


def test_an_uncaught_exception_of_a_command_keeps_its_traceback_and_loses_what_it_must_not_say() -> None:
    program = (
        "import os; os.environ['PLANTED_TOKEN'] = 'pl4nted-Secret/77=x'\n"
        "from dagster_project.cli import main, turn\n"
        "import dagster_project.loop as loop\n"
        "def turn(*_, **__): raise RuntimeError('connect to https://me:pw123@host with pl4nted-Secret/77=x')\n"
        "loop.turn = turn\n"
        "main.main(['--home', '/nowhere-at-all', 'run', '--sources', 'pyproject.toml'])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=REPOSITORY, check=False)
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "connect to https://host with ***" in done.stderr
    assert not leaks(done.stderr + done.stdout)


def test_nothing_live_reaches_the_terminal_in_one_write_or_in_two() -> None:
    for pieces in ([HOSTILE + "\n"], [HOSTILE[:5], HOSTILE[5:12], HOSTILE[12:] + "\n"], [HOSTILE]):
        shown = io.StringIO()
        with redirect_stdout(shown), redirect_stderr(io.StringIO()), outgoing.terminal():
            for piece in pieces:
                print(piece, end="")
        assert not leaks(shown.getvalue())
        assert "[bold]x[/bold]" in shown.getvalue()


def test_rich_takes_no_markup_from_a_cell_and_keeps_its_own_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = io.StringIO()
    monkeypatch.setattr(shown, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    with redirect_stdout(shown), outgoing.terminal():
        table = Table("what", title=f"[red]{HOSTILE}")
        table.add_row(f"[link=https://evil.example]{HOSTILE}[/link] :boom:", style="bold red")
        console().print(table)
    assert leaks(shown.getvalue()) == ["\x1b"]  # ours
    assert "]0;title" not in shown.getvalue()
    assert "\x1b]8" not in shown.getvalue()
    assert "[link=" in shown.getvalue()


def test_a_json_value_keeps_its_ids_and_loses_the_rest() -> None:
    value = {
        "external_id": "0712345678",
        "said": f"call 0712345678 {SECRET}",
        "n": [1, None, {"x": CARD}],
        "hash": "a" * 9,
    }
    clean = outgoing.cleaned(value)
    assert clean == {
        "external_id": "0712345678",
        "said": "call [phone] ***",
        "n": [1, None, {"x": "[card]"}],
        "hash": "a" * 9,
    }


def test_a_page_escapes_what_the_door_let_through() -> None:
    page = Environment(autoescape=True, finalize=outgoing.finalized).from_string("<p>{{ said }}</p>{{ n }}")
    shown = page.render(said=HOSTILE, n=3)
    assert not leaks(shown)
    assert "<img" not in shown


def test_a_preview_shows_words_without_effect() -> None:
    table = display.markdown_table([{"text": HOSTILE, CARD: "| pipe `code` [a](javascript:x) www.evil.example @all"}])
    for shown in (table, markdown(table).md_str or ""):
        rendered = MarkdownIt("commonmark", {"html": True}).enable("table").render(shown)
        assert not [one for one in leaks(rendered) if one != "\u200b"]  # sanitizing breaks links with one
        assert not re.findall(r"<(?:img|a)\b|https?://", rendered)
        assert rendered.count("<tr>") == 2


def test_own_markdown_loses_images_and_html_even_if_a_caller_forgot_to_escape() -> None:
    shown = markdown(f"# Card\n\n| a |\n| --- |\n| {HOSTILE} |").md_str or ""
    assert not leaks(shown.replace("\u200b", ""))
    assert "\\![x](" in shown
    assert "\\<img" in shown
    assert shown.startswith("# Card\n\n| a |")


def event_log(instance: DagsterInstance) -> str:
    return "\n".join(repr(record) for run in instance.get_runs() for record in instance.all_logs(run.run_id))


def test_what_an_asset_reports_and_how_it_fails_is_cleaned_in_dagsters_events() -> None:
    @asset
    @guarded
    def reports(context) -> MaterializeResult[None]:  # type: ignore[no-untyped-def]  # noqa: ANN001
        context.log.warning(HOSTILE)
        print(HOSTILE)
        return MaterializeResult(
            metadata={
                "text": HOSTILE,
                "md": MetadataValue.md(HOSTILE),
                "json": {"deep": [HOSTILE]},
                "url": MetadataValue.url(f"https://me:{SECRET}@host"),
                HOSTILE: 1,
            }
        )

    @asset
    @guarded
    def fails() -> None:
        try:
            raise ValueError(SECRET)
        except ValueError:
            raise RuntimeError(HOSTILE)  # noqa: B904 - the context is what is tested

    @asset
    @guarded
    def stops() -> None:
        raise Failure(HOSTILE, metadata={"why": HOSTILE})

    with DagsterInstance.ephemeral() as instance:
        for one in (reports, fails, stops):
            materialize([one], instance=instance, raise_on_error=False)
        told = event_log(instance)
    assert "RuntimeError" in told
    assert not leaks(told.encode().decode("unicode_escape", "replace").replace("\u200b", ""))
    assert "'![x](" not in told


def test_a_check_result_is_cleaned() -> None:
    @guarded
    def checks() -> Iterator[AssetCheckResult]:
        yield AssetCheckResult(passed=True, description=HOSTILE, metadata={"said": HOSTILE})

    (result,) = checks()
    assert not leaks(str(result))


_DAGSTERS = {"asset", "multi_asset", "asset_check", "multi_asset_check", "sensor", "schedule", "dbt_assets", "op"}


def test_every_function_that_dagster_calls_is_guarded_and_markdown_is_made_in_one_place() -> None:
    seen = 0
    for path in sorted((REPOSITORY / "dagster_project").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                names = [_name(one) for one in node.decorator_list]
                if _DAGSTERS & set(names):
                    seen += 1
                    assert names[-1] == "guarded", f"{path}: {node.name} is not guarded"
            if path.name == "dagster_metadata.py":
                continue
            if isinstance(node, ast.Attribute) and _name(node.value) == "MetadataValue":
                assert node.attr in ("int", "float", "path", "url"), f"{path}: use `markdown` or a str"
            assert _name(node) not in ("MarkdownMetadataValue", "TextMetadataValue"), path
    assert seen > 15


def test_every_page_that_is_escaped_is_cleaned_first() -> None:
    seen = 0
    for path in sorted((REPOSITORY / "dagster_project").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and _name(node).endswith("Environment"):
                settings = {one.arg: _name(one.value) for one in node.keywords}
                if settings.get("autoescape") == "select_autoescape":
                    seen += 1
                    assert settings.get("finalize") == "finalized", path
    assert seen == 3


def _name(node: ast.AST) -> str:
    node = node.func if isinstance(node, ast.Call) else node
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
