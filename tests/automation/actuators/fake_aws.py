"""AWS' CodeDeploy and ELBv2 in this process: signatures are checked, and the protocols are those of AWS."""

from __future__ import annotations

import copy
import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

import httpx

from dagster_project.automation.actuators.aws import sign
from tests.automation.unreliable import Unreliable

ACCESS, SECRET = "AKIDPLANTED", "planted/SecretKey+0123456789"
GOOD, BAD = ({"revisionType": "S3", "s3Location": {"bucket": "b", "key": f"shop-{v}.zip"}} for v in ("5.1.0", "5.2.0"))
LISTENER = "arn:aws:elasticloadbalancing:eu-central-1:1:listener/app/shop/1/2"
RULE = "arn:aws:elasticloadbalancing:eu-central-1:1:listener-rule/app/shop/1/2/3"
STABLE, CANARY = (f"arn:aws:elasticloadbalancing:eu-central-1:1:targetgroup/{name}/9" for name in ("stable", "canary"))


def is_signed(request: httpx.Request, service: str) -> bool:
    """True if the signature is that of the planted keys over exactly what was sent."""
    given = request.headers.get("authorization", "")
    names = re.search("SignedHeaders=([^,]+)", given)
    stamp = datetime.strptime(request.headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    headers = {name: request.headers[name] for name in names[1].split(";") if name != "x-amz-date"} if names else {}
    return (
        bool(given)
        and given == sign(headers, request.content, ACCESS, SECRET, "eu-central-1", service, stamp)["Authorization"]
    )


@dataclass
class FakeCodeDeploy(Unreliable):
    """The deployment group ``shop/prod``: ``d-2`` deploys 5.2.0 over 5.1.0."""

    deployments: list[dict[str, Any]] = field(
        default_factory=lambda: [
            {"deploymentId": "d-1", "status": "Succeeded", "revision": GOOD},
            {"deploymentId": "d-2", "status": "InProgress", "revision": BAD},
        ]
    )
    alarms: list[str] = field(default_factory=list)
    rolls_back: bool = True

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer as CodeDeploy does."""
        self.requests.append(request)
        assert request.headers["content-type"] == "application/x-amz-json-1.1"
        action, body = request.headers["x-amz-target"].removeprefix("CodeDeploy_20141006."), json.loads(request.content)
        if not is_signed(request, "codedeploy"):
            return httpx.Response(400, json={"__type": "InvalidSignatureException", "message": "does not match"})
        match action:
            case "GetDeploymentGroup":
                if (body["applicationName"], body["deploymentGroupName"]) != ("shop", "prod"):
                    return httpx.Response(400, json={"__type": "DeploymentGroupDoesNotExistException"})
                return httpx.Response(200, json={"deploymentGroupInfo": self._group()})
            case "GetDeployment":
                (one,) = (one for one in self.deployments if one["deploymentId"] == body["deploymentId"])
                return httpx.Response(200, json={"deploymentInfo": one})
        return self.unreliably(request, lambda: self._change(action, body))

    def state(self) -> dict[str, Any]:
        """What is meant to run, and whether it was halted."""
        last = self.deployments[-1]
        halted = "rollbackInfo" in last or last["status"] == "Stopped"
        return copy.deepcopy({"revision": BAD if "rollbackInfo" in last else last["revision"], "halted": halted})

    def tamper(self) -> None:
        """A person deploys something else."""
        other = {"revisionType": "GitHub", "gitHubLocation": {"repository": "acme/shop", "commitId": "c3"}}
        self._deploy(other, "InProgress")

    def _group(self) -> dict[str, Any]:
        good = [one for one in self.deployments if one["status"] == "Succeeded"]
        alarms = {"enabled": bool(self.alarms), "alarms": [{"name": name} for name in self.alarms]}
        last = {"lastAttemptedDeployment": self.deployments[-1], "lastSuccessfulDeployment": good[-1]}
        return {"applicationName": "shop", "alarmConfiguration": alarms, **last}

    def _change(self, action: str, body: dict[str, Any]) -> httpx.Response:
        if action == "CreateDeployment":
            self._deploy(body["revision"], "InProgress")
            return httpx.Response(200, json={"deploymentId": self.deployments[-1]["deploymentId"]})
        assert action == "StopDeployment" and body["autoRollbackEnabled"] is True
        last = self.deployments[-1]
        if last["deploymentId"] != body["deploymentId"] or last["status"] != "InProgress":
            return httpx.Response(400, json={"__type": "DeploymentAlreadyCompletedException", "message": "is over"})
        last["status"] = "Stopped"
        if self.rolls_back:
            self._deploy(GOOD, "InProgress", rollbackInfo={"rollbackTriggeringDeploymentId": last["deploymentId"]})
        return httpx.Response(200, json={"status": "Pending", "statusMessage": "stopping"})

    def _deploy(self, revision: dict[str, Any], status: str, **more: Any) -> None:
        number = f"d-{len(self.deployments) + 1}"
        self.deployments.append({"deploymentId": number, "status": status, "revision": revision, **more})


def _actions() -> list[dict[str, Any]]:
    groups = [{"TargetGroupArn": STABLE, "Weight": "90"}, {"TargetGroupArn": CANARY, "Weight": "10"}]
    sticky = {"Enabled": "true", "DurationSeconds": "86400"}
    extra = [{"key": "prompt", "value": "a & b"}, {"key": "display", "value": "page"}]
    endpoints = {f"{name}Endpoint": "https://id.example" for name in ("Authorization", "Token", "UserInfo")}
    oidc = {"Issuer": "https://id.example", "ClientId": "c", "AuthenticationRequestExtraParams": {"entry": extra}}
    forward = {"TargetGroups": groups, "TargetGroupStickinessConfig": sticky}
    return [
        {"Type": "authenticate-oidc", "Order": "1", "AuthenticateOidcConfig": {**oidc, **endpoints}},
        {"Type": "forward", "Order": "2", "ForwardConfig": forward},
    ]


@dataclass
class FakeElbV2(Unreliable):
    """A listener and a rule with the same actions."""

    actions: dict[str, list[dict[str, Any]]] = field(
        default_factory=lambda: {LISTENER: _actions(), RULE: _actions()[1:]}
    )
    healthy: dict[str, bool] = field(default_factory=lambda: {STABLE: True, CANARY: True})

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer as ELBv2 does."""
        self.requests.append(request)
        if not is_signed(request, "elasticloadbalancing"):
            said = (
                "<ErrorResponse><Error><Code>SignatureDoesNotMatch</Code><Message>no</Message></Error></ErrorResponse>"
            )
            return httpx.Response(403, text=said)
        form = dict(parse_qsl(request.content.decode()))
        assert form["Version"] == "2015-12-01"
        match form["Action"]:
            case "DescribeListeners" | "DescribeRules":
                rules = form["Action"] == "DescribeRules"
                arn = form["RuleArns.member.1" if rules else "ListenerArns.member.1"]
                if arn not in self.actions:
                    return httpx.Response(
                        400, text="<ErrorResponse><Error><Code>NotFound</Code></Error></ErrorResponse>"
                    )
                found = {"Actions" if rules else "DefaultActions": self.actions[arn]}
                return self._answer(form["Action"], {"Rules" if rules else "Listeners": [found]})
            case "DescribeTargetHealth":
                health = "healthy" if self.healthy[form["TargetGroupArn"]] else "unhealthy"
                return self._answer(form["Action"], {"TargetHealthDescriptions": [{"TargetHealth": {"State": health}}]})
        return self.unreliably(request, lambda: self._modify(form))

    def state(self) -> dict[str, Any]:
        """All actions."""
        return copy.deepcopy(self.actions)

    def tamper(self) -> None:
        """A person shifts traffic."""
        for actions in self.actions.values():
            actions[-1]["ForwardConfig"]["TargetGroups"][0]["Weight"] = "50"

    def _modify(self, form: dict[str, str]) -> httpx.Response:
        rule = form["Action"] == "ModifyRule"
        arn, prefix = form["RuleArn" if rule else "ListenerArn"], "Actions" if rule else "DefaultActions"
        actions = _nested({name: value for name, value in form.items() if name.startswith(f"{prefix}.")})[prefix]
        for action in actions:
            oidc = action.get("AuthenticateOidcConfig", {"UseExistingClientSecret": "true"})
            if oidc.pop("UseExistingClientSecret", "") != "true":
                return httpx.Response(400, text="<Code>ValidationError</Code> a client secret is needed")
            for group in action.get("ForwardConfig", {}).get("TargetGroups", ()):
                assert 0 <= int(group["Weight"]) <= 999
        self.actions[arn] = actions
        return self._answer(form["Action"], {})

    def _answer(self, action: str, result: dict[str, Any]) -> httpx.Response:
        request_id = "<ResponseMetadata><RequestId>1</RequestId></ResponseMetadata>"
        inner = f"<{action}Result>{_xml(result)}</{action}Result>{request_id}"
        space = 'xmlns="http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/"'
        return httpx.Response(200, text=f"<{action}Response {space}>\n{inner}</{action}Response>")


def _xml(value: Any) -> str:
    if isinstance(value, dict) and set(value) == {"entry"}:
        return "".join(f"<entry>{_xml(inner)}</entry>" for inner in value["entry"])
    if isinstance(value, dict):
        return "".join(f"<{name}>{_xml(inner)}</{name}>\n" for name, inner in value.items())
    if isinstance(value, list):
        return "".join(f"<member>{_xml(inner)}</member>" for inner in value)
    return escape(value)


def _nested(form: dict[str, str]) -> Any:
    """The parameters of the query protocol as they were meant."""
    if "" in form:
        return form[""]
    names: dict[str, dict[str, str]] = {}
    for name, value in form.items():
        first, _, rest = name.partition(".")
        names.setdefault(first, {})[rest] = value
    inner = {name: _nested(values) for name, values in names.items()}
    for name in ("member", "entry"):
        if set(inner) == {name}:
            found = [inner[name][number] for number in sorted(inner[name], key=int)]
            return found if name == "member" else {name: found}
    return inner
