"""The ladder played over worlds: it acts where something broke, and its benchmark counts what it did."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from benchmarks.mitigation import COLUMNS, OURS, page, row, score, ticks
from dagster_project.decisioning.playbook import load_playbook
from dagster_project.home import Home
from dagster_project.simulation.worlds import policy
from dagster_project.simulation.worlds.catalogue import build_world, build_worlds
from dagster_project.simulation.worlds.policy import Treated, roll_back_at_errors
from dagster_project.simulation.worlds.reactions import Act, react
from dagster_project.simulation.worlds.scenario import Flag, Rollout
from dagster_project.simulation.worlds.simulate import Simulation

pytestmark = pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <_io.FileIO:pytest.PytestUnraisableExceptionWarning"
)


def world(scenario: str, seed: int = 3) -> Simulation:
    return Simulation(replace(build_world(scenario, seed), per_day=100.0))


def with_acts(simulation: Simulation, *acts: Act) -> Treated:
    treated: Simulation = simulation
    for act in acts:
        treated = react(treated, act)
    return Treated(simulation, acts, treated)


def test_a_right_act_and_a_false_one_are_told_apart() -> None:
    simulation = world("bad_release_on_one_platform")
    release = simulation.world.plot.culprit
    assert isinstance(release, Rollout)
    done = score(with_acts(simulation, Act("flag off", 4, "dark_mode"), Act("halt", 6, simulation.version_of(release))))
    assert (done.false_tiers, done.tier, done.right_tier) == ((1,), 2, 3)
    assert done.minutes == pytest.approx(60 * (6 - simulation.complained[0]))
    assert done.harm.complaints < done.harm_without.complaints
    nothing = score(with_acts(simulation))
    assert (nothing.false_tiers, nothing.tier, nothing.minutes) == ((), None, None)
    assert nothing.harm == nothing.harm_without


def test_whatever_is_done_in_a_quiet_world_is_false() -> None:
    simulation = world("sale")
    done = score(with_acts(simulation, Act("fallback", 4), Act("roll back", 9, simulation.releases[-1][0])))
    assert (done.must_fire, done.false_tiers, done.tier) == (False, (1, 3), None)


def test_the_rival_rolls_back_what_went_out_last() -> None:
    simulation = world("bad_release_on_one_platform")
    early = simulation.instant(-6)
    done = roll_back_at_errors(simulation, 3.0, early)
    assert done.acts and all(act.kind == "roll back" and act.hour >= -6 for act in done.acts)
    assert len({act.change for act in done.acts}) == len(done.acts)
    assert roll_back_at_errors(simulation, 1e9, early).acts == ()
    assert roll_back_at_errors(world("sale"), 3.0, early).acts == ()


def test_ticks_are_dense_at_the_onset_and_go_to_the_end() -> None:
    looks = ticks(2)
    gaps = {(later - look) / timedelta(hours=1) for look, later in pairwise(looks)}
    assert gaps == {2, 6}
    onset = world("sale").onset_at()
    assert looks[0] < onset and looks[-1] > onset + timedelta(days=5)


def test_the_page_has_a_cell_for_every_column() -> None:
    scores = {OURS: [score(with_acts(world(name))) for name in ("bad_flag", "sale")]}
    assert row(OURS, scores[OURS]).count("|") == len(COLUMNS) + 1
    said = page(scores, 1, 1, 3, 2)
    assert "--must-fire 1 --must-not 1 --seed 3 --every-hours 2" in said
    assert "| bad flag | 1 | 0 | 0 + 0 + 0 | 0 |" in said


@pytest.mark.long
def test_the_policy_acts_where_something_broke_and_nowhere_else(tmp_path: Path) -> None:
    wanted = ("bad_flag", "sale", "brigading", "tiny_product")
    simulations = [Simulation(one) for one in build_worlds(10, 14, 5) if one.scenario in wanted]
    looks = ticks(6)[1:8]
    played = policy.play(Home(tmp_path), simulations, looks)
    by_scenario = {one.untreated.world.scenario: one for one in played}
    flag = by_scenario["bad_flag"].untreated.world.plot.culprit
    assert isinstance(flag, Flag)
    first = by_scenario["bad_flag"].acts[0]
    assert (first.kind, first.change) == ("flag off", flag.key)
    done = score(by_scenario["bad_flag"])
    assert done.harm.complaints < 0.5 * done.harm_without.complaints
    assert {name for name, one in by_scenario.items() if one.acts} == {"bad_flag"}
    assert {one.mode for one in load_playbook(tmp_path / "playbook.yml").mitigations.values()} == {"auto", "approve"}
