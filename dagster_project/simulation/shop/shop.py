"""Simulated shop: eight weeks of exports with planted incidents and a known truth, for the demo and tests.

``shop-app`` runs on Android, iOS and the web and sells in Germany, the United States, Great Britain and France. A new
version goes out on each platform about once a week and reaches people over days. Traffic follows day and night,
weekdays and a slight growth; orders are what the funnel completes; about seventy pieces of feedback a day come in on
seven channels, mostly English, some German, French and Spanish. All of that is background. On top of it are planted
events, in days before ``until``:

============= =============================== ==============================================================
days          event and expected result       traces in the data
============= =============================== ==============================================================
30.35         payment provider down for five  ``payments`` errors 0.8 → 34 % and three times slower on every
              hours: an issue or not, but no  platform, the payment step completes 93 → 58 %, a handful of
              release is to blame             complaints; an innocent Android release went out a day before
20.35 - 18.35 iOS 4.8.0 crashes, 4.8.1 fixes  ``app-client`` errors 0.3 → 8.5 % on that version, about 25
              it: a regression, resolved      ``app_crash`` complaints a day until the last have updated
15.4          flag new_search_ranking goes    none
              on: nothing
12 - 10       a two-day sale: nothing         traffic, orders and all feedback × 2.2
5.1 - now     carrier strike in Germany: an   ``shipping_delivery`` complaints from Germany × 8, no
              open issue, not a regression    technical trace; a web release and a flag went out hours before
2.56 - now    Android 5.2.0 breaks the        ``checkout`` errors 0.4 → 31 % and 2.6 × slower on that
              checkout: a regression, open    version, whose checkout completes 78 → 41 %; orders fall;
                                              ``checkout_failure`` complaints 2 → 30 a day, naming it
============= =============================== ==============================================================

Beside the exports stand ``sources.yml``, ``truth.json`` (all of the above with ids and instants) and
``truth_feedback.csv`` (true issue type of each piece of feedback). Every row carries the instant at which it became
known, none after ``until``, so any past day can be replayed. The same arguments give the same bytes.

``play_on`` plays the hours after that, under a control system that the shop obeys (``played``).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from dagster_project.errors import ConfigurationError
from dagster_project.simulation.shop.encoding import Files
from dagster_project.simulation.shop.export_files import export_files, feedback_truth, sources_file
from dagster_project.simulation.shop.feedback import Feedback, write_feedback
from dagster_project.simulation.shop.planted import Planted
from dagster_project.simulation.shop.played import Played, Stretch, obeyed
from dagster_project.simulation.shop.story import PRODUCT, Story
from dagster_project.simulation.shop.traffic import Traffic, simulate, simulate_on

_TRUTH = "truth.json"


@dataclass(frozen=True)
class ShopTruth:
    """The written shop: its folder, its planted events and row counts."""

    folder: Path
    sources: Path
    since: datetime
    until: datetime
    seed: int
    stretches: tuple[Stretch, ...]
    """What was played after the end of the story."""
    planted: tuple[Planted, ...]
    releases: tuple[str, ...]
    """Ids of all releases, oldest first; only those named by ``planted`` are bad."""
    rows: dict[str, int]
    """Rows per lake table once everything has landed (refunds count as the newer versions they are)."""
    complaints: dict[str, int]
    """Number of complaints caused by each planted event."""

    def event(self, name: str) -> Planted:
        """The planted event of that name."""
        return next(event for event in self.planted if event.name == name)


def write_shop(
    folder: Path, *, until: datetime, days: int = 56, seed: int = 7, stretches: Sequence[Stretch] = ()
) -> ShopTruth:
    """Write the shop's exports, ``sources.yml`` and the truth into a folder; replaces an earlier shop there.

    Args:
        folder: where to write; made if missing. Files that are not this generator's own are left alone.
        until: the story's end, usually midnight UTC; the story ends at the last full hour before it.
        days: length of the recording; earlier events are left out.
        seed: another seed gives another shop with the same story.
        stretches: what was played after the end.
    """
    story = Story.ending(until, days)
    played = Played(story, tuple(stretches))
    drawn = simulate_on(simulate(story, seed), played.hours, seed)
    feedback = write_feedback(story, played.hours, drawn, played.present, seed)
    traffic = drawn.known_by(played.present)
    files = export_files(played, traffic, feedback)
    files["sources.yml"] = sources_file()
    files["truth_feedback.csv"] = feedback_truth(feedback)
    releases = tuple(release.release_id for release in story.releases)
    truth = ShopTruth(
        folder=folder,
        sources=folder / "sources.yml",
        since=story.since,
        until=played.present,
        seed=seed,
        planted=story.planted,
        releases=releases,
        stretches=played.stretches,
        rows=_rows(played, traffic, feedback),
        complaints={
            name: count for name, count in sorted(Counter(piece.planted for piece in feedback).items()) if name
        },
    )
    _replace(folder, files, truth)
    return truth


def play_on(folder: Path, hours: int, control: Mapping[str, Any]) -> ShopTruth:
    """Play the shop in a folder on for some hours, under a state of the control system; rewrites its exports.

    Whatever was exported before is exported again, word for word; new rows come after it.
    """
    played, seed = read_shop(folder)
    story, before = played.story, list(played.stretches)
    new = Stretch(hours, obeyed(story, control))
    if before and before[-1].control == new.control:
        new = Stretch(before.pop().hours + hours, new.control)
    return write_shop(folder, until=story.until, days=story.days, seed=seed, stretches=[*before, new])


def read_shop(folder: Path) -> tuple[Played, int]:
    """The story in a folder with what was played after it, and the seed.

    Raises:
        ConfigurationError: the folder holds no shop, or its truth is damaged.
    """
    try:
        truth = json.loads((folder / _TRUTH).read_text(encoding="utf-8"))
        since, present = (datetime.fromisoformat(truth[name]) for name in ("since", "until"))
        stretches = tuple(Stretch(one["hours"], one["control"]) for one in truth.get("played", ()))
        until = present - timedelta(hours=sum(one.hours for one in stretches))
        return Played(Story.ending(until, (until - since).days), stretches), truth["seed"]
    except FileNotFoundError:
        raise ConfigurationError(f"{folder} holds no simulated shop; `feedback-control demo` makes one") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(f"{folder / _TRUTH} is damaged ({error}); start the demo over") from None


def _rows(played: Played, traffic: Traffic, feedback: list[Feedback]) -> dict[str, int]:
    story = played.story
    return {
        "feedback": len(feedback),
        "releases": len(story.releases) + len(played.deployments),
        "flag_changes": len(story.flags) + len(played.flag_changes),
        "service_metrics": traffic.services.height,
        "funnel_metrics": traffic.funnel.height,
        "orders": traffic.orders.height + traffic.refunds.height,
        "customers": traffic.customers.height,
        "campaigns": len(story.campaigns),
    }


def _replace(folder: Path, files: Files, truth: ShopTruth) -> None:
    """Write all files; delete files of an earlier shop that are no longer written, or a pattern would read them."""
    folder.mkdir(parents=True, exist_ok=True)
    earlier = folder / _TRUTH
    if earlier.exists():
        for name in json.loads(earlier.read_text(encoding="utf-8"))["files"]:
            (folder / name).unlink(missing_ok=True)
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    earlier.write_text(json.dumps(_as_json(truth, files), indent=1) + "\n", encoding="utf-8")


def _as_json(truth: ShopTruth, files: Files) -> dict[str, Any]:
    return {
        "product": PRODUCT,
        "since": truth.since.isoformat(),
        "until": truth.until.isoformat(),
        "seed": truth.seed,
        "planted": [event.as_json() | {"complaints": truth.complaints.get(event.name, 0)} for event in truth.planted],
        "innocent_releases": [
            release for release in truth.releases if release not in {event.release_id for event in truth.planted}
        ],
        **({"played": [asdict(stretch) for stretch in truth.stretches]} if truth.stretches else {}),
        "rows": truth.rows,
        "files": sorted(files),
    }
