"""AWS Elastic Load Balancing v2: weights of the target groups that a listener or a rule forwards to.

An item is the ARN of a listener or of a rule. A modification replaces the whole list of actions, so the list is read,
changed and written. There is no conditional write: it is read just before and after. The target groups that get traffic
must have a healthy target. Where stickiness is on, users stay with the group that they were sent to, for up to a week.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import urlencode
from xml.etree import ElementTree

from pydantic import Field

from dagster_project.automation.actuators.aws import AwsActuator, AwsSettings
from dagster_project.automation.actuators.base import Desired, Preflight, Reading, State
from dagster_project.automation.actuators.traffic import insist
from dagster_project.automation.outcomes import DeliveryError, NotSent, Rejected
from dagster_project.home import Home

_VERSION = "2015-12-01"
_ENTRY = "entry"
_FORM = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}


class TargetGroupState(Desired):
    """Weights by the name or the ARN of a target group; what is not named stays as it is."""

    weights: dict[str, Annotated[int, Field(ge=0, le=999)]] = Field(min_length=1)


class ElbV2Settings(AwsSettings):
    """A ``kind: elbv2`` target."""

    SERVICE: ClassVar[str] = "elasticloadbalancing"
    DESIRED: ClassVar[type[Desired]] = TargetGroupState

    kind: Literal["elbv2"] = "elbv2"

    def build(self, home: Home) -> ElbV2:
        """The actuator."""
        return ElbV2(self)


class ElbV2(AwsActuator):
    """The listeners and rules of one region."""

    SIGNED_AS = "elasticloadbalancing"

    def read(self, item: str) -> Reading:
        """The whole list of actions."""
        if not item.startswith("arn:"):
            raise DeliveryError(Rejected(f"'{item}' is no ARN of a listener or a rule"))
        if _is_rule(item):
            answer = self._described("DescribeRules", {"RuleArns": [item]})
            found, actions = answer.get("Rules") or [], "Actions"
        else:
            answer = self._described("DescribeListeners", {"ListenerArns": [item]})
            found, actions = answer.get("Listeners") or [], "DefaultActions"
        if not found:
            raise DeliveryError(Rejected(f"there is no {item}"))
        return Reading(item, {"actions": found[0].get(actions) or []})

    def shows(self, reading: Reading, desired: State) -> bool:
        """True if each named target group has its weight."""
        there = list(_groups(reading.state["actions"]))
        weights = desired["weights"]
        fits = all(int(one.get("Weight", 1)) == weights[name] for one in there if (name := _named(one, weights)))
        return fits and {*weights} <= {_named(one, weights) for one in there}

    def preflights(self, item: str, desired: State, reading: Reading) -> Sequence[Preflight]:
        """That traffic is left to somebody healthy, and whether users stick to where they are."""
        actions = self._with(reading.state, desired)["actions"]
        receivers = [one["TargetGroupArn"] for one in _groups(actions) if int(one.get("Weight", 1))]
        down = [_name(arn) for arn in receivers if not self._is_healthy(arn)]
        answer = f"no healthy target: {', '.join(down)}" if down else f"healthy: {', '.join(map(_name, receivers))}"
        rows = [Preflight("receiver_healthy", bool(receivers) and not down, answer if receivers else "nobody is left")]
        if seconds := _sticks(actions):
            stays = f"stickiness is on: users stay with their target group for up to {seconds} seconds"
            rows.append(Preflight("no_auto_sync", None, stays))
        return rows

    def _with(self, state: State, desired: State) -> dict[str, Any]:
        weights, there = desired["weights"], list(_groups(state["actions"]))
        known = {_named(one, weights) for one in there}
        if missing := sorted({*weights} - known):
            has = ", ".join(_name(one["TargetGroupArn"]) for one in there) or "none"
            raise DeliveryError(Rejected(f"it forwards to no target group {missing[0]}; to: {has}"))
        return {"actions": [_weighted(action, weights) for action in state["actions"]]}

    def _is_left(self, reading: Reading, before: Reading, desired: State) -> bool:
        return reading.state == self._with(before.state, desired)

    def _make(self, now: Reading, desired: State, note: str) -> None:
        wanted = self._with(now.state, desired)
        for row in self.preflights(now.item, desired, now):
            insist(row)
        self._write(now, wanted, note)

    def _write(self, now: Reading, wanted: State, note: str) -> None:
        actions = [_sendable(action) for action in wanted["actions"]]
        if _is_rule(now.item):
            self._send("ModifyRule", {"RuleArn": now.item, "Actions": actions})
        else:
            self._send("ModifyListener", {"ListenerArn": now.item, "DefaultActions": actions})

    def _is_healthy(self, target_group: str) -> bool:
        answer = self._described("DescribeTargetHealth", {"TargetGroupArn": target_group})
        targets = answer.get("TargetHealthDescriptions") or []
        return any(one["TargetHealth"]["State"] == "healthy" for one in targets)

    def _described(self, action: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        answer = self._ask(*self._request(action, parameters))
        try:
            result = _value(ElementTree.fromstring(answer)[0])
        except (ElementTree.ParseError, IndexError):
            raise DeliveryError(NotSent(f"answered to {action}, but not with XML; check base_url")) from None
        return result if isinstance(result, dict) else {}

    def _send(self, action: str, parameters: Mapping[str, Any]) -> None:
        self._tell(*self._request(action, parameters))

    def _request(self, action: str, parameters: Mapping[str, Any]) -> tuple[bytes, Mapping[str, str]]:
        pairs = [("Action", action), ("Version", _VERSION), *_flat(parameters)]
        content = urlencode(pairs).encode()
        return content, self._signed(_FORM, content, datetime.now(UTC))


def _is_rule(arn: str) -> bool:
    return ":listener-rule/" in arn


def _name(arn: str) -> str:
    """The name in a target group's ARN."""
    return arn.partition(":targetgroup/")[2].partition("/")[0] or arn


def _named(group: Mapping[str, Any], weights: Mapping[str, int]) -> str:
    """What the weights call the group; empty if they do not."""
    arn = group["TargetGroupArn"]
    return next((name for name in (arn, _name(arn)) if name in weights), "")


def _groups(actions: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    for action in actions:
        yield from (action.get("ForwardConfig") or {}).get("TargetGroups") or ()


def _weighted(action: dict[str, Any], weights: Mapping[str, int]) -> dict[str, Any]:
    if not (config := action.get("ForwardConfig")):
        return action
    groups = [
        {**one, "Weight": str(weights[name])} if (name := _named(one, weights)) else one
        for one in config.get("TargetGroups") or ()
    ]
    return {**action, "ForwardConfig": {**config, "TargetGroups": groups}}


def _sendable(action: dict[str, Any]) -> dict[str, Any]:
    """The action as it may be written: the secret of an identity provider is never told, and has to be kept."""
    if oidc := action.get("AuthenticateOidcConfig"):
        return {**action, "AuthenticateOidcConfig": {**oidc, "UseExistingClientSecret": "true"}}
    return action


def _sticks(actions: Sequence[Mapping[str, Any]]) -> int:
    """The longest stickiness of the actions, in seconds; 0 where there is none."""
    configs = [(one.get("ForwardConfig") or {}).get("TargetGroupStickinessConfig") or {} for one in actions]
    return max((int(one.get("DurationSeconds", 0)) for one in configs if one.get("Enabled") == "true"), default=0)


def _value(element: ElementTree.Element) -> Any:
    """An element as text, a list (of ``member``), a map (of ``entry``) or an object; an empty one is None."""
    children = list(element)
    if not children:
        return element.text.strip() if element.text and element.text.strip() else None
    names = [child.tag.rpartition("}")[2] for child in children]
    if set(names) == {"member"}:
        return [_value(child) for child in children]
    if set(names) == {_ENTRY}:
        return {_ENTRY: [_value(child) for child in children]}
    values = ((name, _value(child)) for name, child in zip(names, children, strict=True))
    return {name: value for name, value in values if value is not None}


def _flat(value: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Parameters of the query protocol: ``A.B.member.1=...``, and ``A.entry.1.key=...`` of a map."""
    if isinstance(value, Mapping) and set(value) == {_ENTRY}:
        for number, inner in enumerate(value[_ENTRY], 1):
            yield from _flat(inner, f"{prefix}.{_ENTRY}.{number}")
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _flat(inner, f"{prefix}.{name}" if prefix else name)
    elif isinstance(value, list):
        for number, inner in enumerate(value, 1):
            yield from _flat(inner, f"{prefix}.member.{number}")
    else:
        yield prefix, str(value)
