from __future__ import annotations

import itertools
import random
import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models_ml.golden.golden_set import load_golden
from models_ml.text.duplicates import (
    MIN_LETTERS,
    MIN_WORDS,
    PERMUTATIONS,
    THRESHOLD,
    Clusters,
    band_keys,
    signature,
    similarity,
)

COMPLAINT = "ordered two chairs in march, one came broken and nobody answers my mails about the other one"

STORED = 1158497983497203047
"""The first band key of ``COMPLAINT`` when signatures were first written."""

START = datetime(2026, 3, 1, tzinfo=UTC)

Edit = Callable[[str, random.Random], str]


def answers(stream: Sequence[tuple[str, bytes | None]]) -> list[str | None]:
    """Clusters of texts that come one second apart."""
    clusters = Clusters()
    return [
        clusters.add(key, known, START + timedelta(seconds=at), group="app") for at, (key, known) in enumerate(stream)
    ]


def few(number: int) -> list[bytes]:
    """The signatures of the first golden texts."""
    return list(itertools.islice(signed().values(), number))


@cache
def signed() -> dict[str, bytes]:
    """The golden texts that are long enough, with their signatures."""
    found = {one.text: signature(one.text) for one in load_golden().texts}
    return {text: known for text, known in found.items() if known is not None}


def sign(text: str) -> bytes:
    found = signature(text)
    assert found is not None
    return found


def another_word(text: str, rng: random.Random) -> str:
    words = text.split()
    words[rng.randrange(len(words))] = rng.choice(["kettle", "monday", "blue", "yesterday", "quickly"])
    return " ".join(words)


def a_typo(text: str, rng: random.Random) -> str:
    at = rng.randrange(len(text) - 1)
    return text[:at] + rng.choice([text[at + 1] + text[at], "", rng.choice("aeint")]) + text[at + 2 :]


def emoji_and_capitals(text: str, rng: random.Random) -> str:
    return f"{rng.choice('😡👎🤬')} {text.upper()} {rng.choice('😡👎🤬') * 3}"


def punctuation(text: str, rng: random.Random) -> str:
    return text.replace(",", " -").replace(".", rng.choice(["!!!", "...", " ;"])) + "!?!"


def an_appendix(text: str, rng: random.Random) -> str:
    return f"{text} {rng.choice(['please fix asap', 'thanks for nothing', 'very disappointed'])}"


def a_link(text: str, rng: random.Random) -> str:
    return f"{text} https://pics.example/{rng.randrange(10**9)}"


def joined(edit: Edit) -> float:
    """The share of golden texts that an edited copy joins, over every text that has a signature."""
    rng = random.Random(20)
    return float(
        np.mean(
            [
                answers([("first", known), ("copy", signature(edit(text, rng)))])[1] == "first"
                for text, known in signed().items()
            ]
        )
    )


@pytest.mark.parametrize(
    ("edit", "share"),
    [
        (emoji_and_capitals, 1.0),
        (punctuation, 1.0),
        (a_link, 1.0),
        (a_typo, 0.97),
        (an_appendix, 0.95),
        (another_word, 0.88),
    ],
)
def test_an_edited_copy_joins_its_original(edit: Edit, share: float) -> None:
    assert joined(edit) >= share


def test_no_two_different_texts_of_the_golden_set_join() -> None:
    numbers = np.frombuffer(b"".join(signed().values()), "<u4").reshape(-1, PERMUTATIONS)
    alike = sum(int(((numbers[at + 1 :] == one).mean(axis=1) >= THRESHOLD).sum()) for at, one in enumerate(numbers))
    assert alike <= 1e-6 * len(numbers) ** 2


@given(st.sampled_from(sorted(signed())), st.integers(0, 5))
@settings(max_examples=200, derandomize=True)
def test_an_exact_copy_always_joins_whatever_stands_between(text: str, between: int) -> None:
    stream = [("first", signature(text)), *((f"between {at}", other) for at, other in enumerate(few(between)))]
    assert answers([*stream, ("copy", signature(text))])[-1] == "first"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "great app",
        "Great app!!! 😍😍😍 love it",
        "video won't play",
        "something went wrong tap to retry",
        "crash crash crash crash crash crash crash crash crash crash crash crash",
        "a b c d e f g h i j k l",
        "🤬" * 100,
        "非常好用，谢谢",
        "x" * 5_000,
        "https://a-very-long-link.example/with/many/words/in/it/which/do/not/count/at/all",
    ],
)
def test_what_many_people_write_by_themselves_has_no_signature(text: str) -> None:
    assert signature(text) is None


def test_the_shortest_text_with_a_signature_is_the_documented_one() -> None:
    words = ["abcde", "fghij", "klmno", "pqrst", "uvwxy", "zabcd", "efghi", "jklmn"]
    assert (len(words), len("".join(words))) == (MIN_WORDS, MIN_LETTERS)
    assert signature(" ".join(words)) is not None
    assert signature(" ".join(words[:-1]) + " jklm") is None
    assert signature(" ".join([*words[:-1], words[0]])) is None


def test_a_long_text_in_a_script_without_blanks_has_one() -> None:
    text = "更新之后应用程序一直闪退，我已经卸载并重新安装了三次，客服也没有任何回复，请尽快退款"
    assert similarity(sign(text), sign(text + "！！")) == 1


def test_people_who_meet_the_same_error_are_no_brigade() -> None:
    reports = [
        "something went wrong every time I try to play a video it says something went wrong tap to retry",
        "since the update every video I open says something went wrong, I have reinstalled twice, please fix it",
        "videos do not load on wifi any more and it only ever says tap to retry, what is going on",
        "why does it say something went wrong tap to retry on each video, my internet is fine on everything else",
    ]
    assert answers([(str(at), signature(text)) for at, text in enumerate(reports)]) == [None] * 4


def test_a_text_joins_the_cluster_of_what_it_copies_and_the_answer_is_its_first_member() -> None:
    kettle = sign("an entirely different story about a kettle that leaks hot water on the table")
    again, april = sign(COMPLAINT + " !!!"), sign(COMPLAINT.replace("march", "april"))
    stream = [("a", sign(COMPLAINT)), ("b", kettle), ("c", again), ("d", april), ("e", None)]
    assert answers(stream) == [None, None, "a", "a", None]


def test_a_text_that_comes_again_under_its_own_key_is_no_copy_of_itself() -> None:
    assert answers([("a", sign(COMPLAINT)), ("a", sign(COMPLAINT)), ("b", sign(COMPLAINT))]) == [None, None, "a"]


def test_a_sentence_in_one_product_neither_finds_nor_hides_a_copy_in_another() -> None:
    clusters = Clusters()
    found = [
        clusters.add(key, sign(text), START, group=group)
        for key, text, group in (
            ("a1", COMPLAINT, "app"),
            ("b1", COMPLAINT, "bank"),
            ("b2", COMPLAINT + "!", "bank"),
            ("a2", COMPLAINT, "app"),
        )
    ]
    assert found == [None, None, "b1", "a1"]
    clusters.add("late", sign(COMPLAINT), START + timedelta(days=30), group="app")
    assert len(clusters._members) == 1
    assert len(clusters._bands) == 16


def test_a_text_is_no_copy_of_one_from_before_the_window() -> None:
    clusters = Clusters(window=timedelta(days=7))
    assert clusters.add("a", sign(COMPLAINT), START, group="app") is None
    assert clusters.add("b", sign(COMPLAINT), START + timedelta(days=6), group="app") == "a"
    assert clusters.add("c", sign(COMPLAINT), START + timedelta(days=12), group="app") == "a"  # of b, which was of a
    assert clusters.add("d", sign(COMPLAINT), START + timedelta(days=20), group="app") is None
    assert clusters.add("e", sign(COMPLAINT), START + timedelta(days=20), group="app") == "d"


@given(st.integers(0, 10**6), st.integers(1, 170), st.integers(1, 60), st.integers(5, 500))
@settings(max_examples=40, derandomize=True, deadline=None)
def test_clusters_seeded_with_the_latest_answers_go_on_as_if_never_interrupted(
    seed: int, stop: int, hours: int, limit: int
) -> None:
    rng = random.Random(seed)
    stream = [edit(text, rng) for text in list(signed())[:60] for edit in (punctuation, another_word, an_appendix)]
    rng.shuffle(stream)
    window, step = timedelta(hours=hours), timedelta(hours=1)
    whole, resumed = Clusters(window, limit), Clusters(window, limit)
    told = [whole.add(str(at), signature(text), START + at * step, group="app") for at, text in enumerate(stream)]
    for at in range(max(0, stop - hours), stop):
        if known := signature(stream[at]):
            resumed.seed(told[at] or str(at), known, START + at * step, group="app")
    for at in range(stop, len(stream)):
        assert resumed.add(str(at), signature(stream[at]), START + at * step, group="app") == told[at]


def test_a_flood_of_copies_does_not_grow_the_memory() -> None:
    clusters = Clusters()
    flood = [clusters.add(str(at), sign(COMPLAINT), START + timedelta(seconds=at), group="app") for at in range(3_000)]
    assert set(flood[1:]) == {"0"}
    assert len(clusters._members) == 1


def test_the_limit_bounds_the_memory_and_what_is_forgotten_leaves_nothing_behind() -> None:
    clusters = Clusters(timedelta(days=7), limit=10)
    for at, known in enumerate(signed().values()):
        clusters.add(str(at), known, START, group="app")
    assert len(clusters._members) == len(clusters._equal) == 11
    clusters.add("late", sign(COMPLAINT), START + timedelta(days=30), group="app")
    assert len(clusters._members) == 1
    assert len(clusters._bands) == 16


@given(st.text(max_size=300))
@settings(max_examples=300, derandomize=True)
def test_any_text_has_a_signature_of_64_numbers_and_bands_in_64_bits_or_none(text: str) -> None:
    known = signature(text)
    if known is not None:
        keys = band_keys(known)
        assert len(known) == 4 * PERMUTATIONS
        assert len(keys) == len(set(keys)) == 16
        assert all(-(2**63) <= key < 2**63 for key in keys)
        assert similarity(known, known) == 1


@given(st.binary(min_size=256, max_size=256), st.integers(0, 15), st.binary(min_size=16, max_size=16))
@settings(max_examples=100, derandomize=True)
def test_a_change_in_one_band_changes_only_that_key(known: bytes, band: int, other: bytes) -> None:
    changed = known[: 16 * band] + other + known[16 * (band + 1) :]
    same = [a == b for a, b in zip(band_keys(known), band_keys(changed), strict=True)]
    assert same == [at != band or known == changed for at in range(16)]
    assert similarity(known, changed) == similarity(changed, known) >= 60 / 64


@pytest.mark.parametrize("wrong", [b"", b"x" * 255, b"x" * 257])
def test_what_is_no_signature_is_refused(wrong: bytes) -> None:
    with pytest.raises(ValueError, match="256 bytes"):
        band_keys(wrong)
    with pytest.raises(ValueError, match="256 bytes"):
        similarity(wrong, wrong)


def test_a_signature_is_the_same_in_another_process_and_since_it_was_first_stored() -> None:
    code = f"from models_ml.text.duplicates import band_keys, signature; print(band_keys(signature({COMPLAINT!r}))[0])"
    root = Path(__file__).parents[3]
    told = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True).stdout
    assert int(told) == band_keys(sign(COMPLAINT))[0] == STORED
