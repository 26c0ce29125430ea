"""One way to write a file, and the lock between processes."""

from __future__ import annotations

import ast
import multiprocessing
import os
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dagster_project.files import locked, write_atomically, write_json, write_text
from dagster_project.home import REPOSITORY

PACKAGES = ("dagster_project", "models_ml", "benchmarks")


def test_a_file_takes_the_place_of_the_one_before_with_the_rights_of_any_new_file(tmp_path: Path) -> None:
    path, usual = tmp_path / "new" / "folder" / "page.html", tmp_path / "usual"
    for text in ("first", "zweitens: ä\r\n"):
        write_text(path, text)
        assert path.read_bytes() == text.encode()
    usual.write_text("")
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(usual.stat().st_mode)
    assert [one.name for one in path.parent.iterdir()] == ["page.html"]
    write_json(path, {"b": 1, "a": 2})
    assert path.read_text() == '{\n "a": 2,\n "b": 1\n}'


def test_a_writer_that_fails_leaves_the_file_as_it_was_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    write_text(path, "whole")

    def fail(temporary: Path) -> None:
        temporary.write_text("hal")
        temporary.with_name(temporary.name + ".wal").write_text("log")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, fail)
    assert (path.read_text(), [one.name for one in tmp_path.iterdir()]) == ("whole", ["page.html"])


def test_content_is_on_the_disk_before_the_name_is_and_the_name_before_the_writer_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced = []

    def note(handle: int) -> None:
        here = [one.name.split(".tmp")[0][:11] for one in tmp_path.iterdir()]
        synced.append((stat.S_ISDIR(os.fstat(handle).st_mode), here))

    monkeypatch.setattr(os, "fsync", note)
    write_text(tmp_path / "page.html", "whole")
    assert synced == [(False, [".page.html."]), (True, ["page.html"])]


def test_writers_of_one_file_do_not_meet(tmp_path: Path) -> None:
    path = tmp_path / "page.html"

    def write(letter: str) -> None:
        for _ in range(50):
            write_text(path, letter * 100_000)

    threads = [threading.Thread(target=write, args=(letter,)) for letter in "ab"]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert not path.exists() or len(set(path.read_text())) == 1
    assert [one.name for one in tmp_path.iterdir()] == ["page.html"]


def _hold(path: Path, taken: str) -> None:
    with locked(path):
        Path(taken).touch()
        time.sleep(60)


def test_a_lock_keeps_out_other_processes_names_its_holder_and_ends_with_it(tmp_path: Path) -> None:
    path, taken = tmp_path / "warehouse.lock", tmp_path / "taken"
    holder = multiprocessing.get_context("spawn").Process(target=_hold, args=(path, str(taken)))
    holder.start()
    while not taken.exists():
        time.sleep(0.01)
    told: list[str] = []

    def let_go(message: str) -> None:
        told.append(message)
        assert holder.is_alive()
        holder.kill()

    with locked(path, let_go):
        holder.join()
    assert told == [f"waiting for process {holder.pid}, which holds {path}"]
    holder.close()


def test_a_lock_keeps_out_other_threads_and_lets_its_own_in_again(tmp_path: Path) -> None:
    path, order = tmp_path / "warehouse.lock", []

    def second() -> None:
        with locked(path):
            order.append("second")

    other = threading.Thread(target=second)
    with locked(path), locked(path):
        other.start()
        time.sleep(0.05)
        order.append("first")
    other.join()
    assert order == ["first", "second"]


def _calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            function = node.func
            yield (function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")), node


def _renames(name: str, call: ast.Call) -> bool:
    """True for ``path.replace(other)`` and ``path.rename(other)``, not for text, dates, dataclasses and columns."""
    one = len(call.args) == 1 and not call.keywords and not isinstance(call.args[0], ast.Dict | ast.DictComp)
    is_module = isinstance(call.func, ast.Attribute) and getattr(call.func.value, "id", "") in ("os", "shutil")
    return (name in ("replace", "rename") and (one or is_module)) or (name == "move" and is_module)


def test_no_other_code_makes_temporary_files_to_rename() -> None:
    """One implementation: code that needs a file to appear whole calls ``write_atomically``."""
    files = [path for package in PACKAGES for path in sorted((REPOSITORY / package).rglob("*.py"))]
    found = [
        f"{path.relative_to(REPOSITORY)}, line {call.lineno}: {name}"
        for path in files
        for name, call in _calls(path)
        if path != REPOSITORY / "models_ml" / "files.py"
        if name in ("mkstemp", "NamedTemporaryFile") or ".fresh" in ast.unparse(call) or _renames(name, call)
    ]
    assert len(files) > 100
    assert found == [], "use dagster_project.files.write_atomically, or write_text"
