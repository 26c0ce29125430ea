"""Control system and playbook of a demo: the shop's flags and releases, and the one mitigation that is on.

The shop obeys ``HOME/control.json`` (``shop.played``). The demo's playbook is the packaged one with three changes: an
approver, and the halting and the rolling back of a release in mode ``approve``.
"""

from __future__ import annotations

from dagster_project.automation.actuators.base import canonical
from dagster_project.automation.actuators.local import LocalControl
from dagster_project.files import write_json, write_text
from dagster_project.home import PLAYBOOK, Home
from dagster_project.simulation.shop.played import Control, usual_control
from dagster_project.simulation.shop.story import Story

APPROVER = "dana"

_CHANGES = (
    ("approvers: {}", "approvers: {}", f"approvers:\n  {APPROVER}: {{accounts: {{local: {APPROVER}}}}}"),
    (
        "  rollout-halt:",
        "nobody else gets the suspect release; who has it keeps it",
        "the shop's apps ask at every start which version to run, so who has the suspect release leaves it, too",
    ),
    ("  rollout-halt:", "mode: shadow", "mode: approve"),
    ("  release-rollback:", "mode: shadow", "mode: approve"),
)
"""Changes to the packaged playbook: the text in whose block it is, what is replaced there, and by what."""


def playbook_text() -> str:
    """The demo's playbook."""
    text = PLAYBOOK.read_text(encoding="utf-8")
    for block, old, new in _CHANGES:
        head, middle, tail = text.partition(block)
        if old not in middle + tail:
            raise ValueError(f"the packaged playbook has no '{old}' in '{block}'; the demo has to change with it")
        text = head + (middle + tail).replace(old, new, 1)
    return text


def playbook_is_edited(home: Home) -> bool:
    """True if the demo's playbook is no longer as the demo wrote it."""
    return home.playbook != PLAYBOOK and home.playbook.read_text(encoding="utf-8") != playbook_text()


def set_up(home: Home, story: Story) -> None:
    """Write the control system as the shop's story leaves it, and the playbook, unless they are there."""
    if not home.control.exists():
        write_json(home.control, usual_control(story))
    if home.playbook == PLAYBOOK:
        write_text(home.root / "playbook.yml", playbook_text())


def state_of(home: Home, story: Story) -> Control:
    """State of the shop's flags and releases in the control system now, read as an application reads it.

    Raises:
        DeliveryError: the file is missing or damaged, or lacks one of them.
    """
    control = LocalControl(home.control, name="control")
    return {
        group: {name: dict(control.read(f"{group}/{name}").state) for name in names}
        for group, names in usual_control(story).items()
    }


def changes(story: Story, found: Control) -> list[str]:
    """What of a state is not as the story left it, one line each."""
    return [
        f"control: {group}/{name} is {canonical(state)}"
        for group, usual in usual_control(story).items()
        for name, state in found[group].items()
        if state != usual[name]
    ]
