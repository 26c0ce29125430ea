"""AWS' own client library at a moto server, in an environment of its own: `make URL`, `weights URL LISTENER`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import boto3


def client(service: str, url: str) -> Any:
    """A client of one service, as a person uses it."""
    return boto3.client(
        service, endpoint_url=url, region_name="eu-central-1", aws_access_key_id="a", aws_secret_access_key="b"
    )


def make(url: str) -> dict[str, Any]:
    """A load balancer whose listener forwards 90 to 10, with two target groups that have a healthy target each."""
    there, network = client("elbv2", url), client("ec2", url)
    vpc = network.describe_vpcs()["Vpcs"][0]["VpcId"]
    subnets = [one["SubnetId"] for one in network.describe_subnets()["Subnets"]][:2]
    balancer = there.create_load_balancer(Name="edge", Subnets=subnets)["LoadBalancers"][0]["LoadBalancerArn"]
    groups = []
    for name, weight, address in (("stable", 90, "10.0.0.1"), ("canary", 10, "10.0.0.2")):
        group = there.create_target_group(Name=name, Protocol="HTTP", Port=80, VpcId=vpc, TargetType="ip")
        arn = group["TargetGroups"][0]["TargetGroupArn"]
        there.register_targets(TargetGroupArn=arn, Targets=[{"Id": address, "Port": 80}])
        groups.append({"TargetGroupArn": arn, "Weight": weight})
    action = {"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}
    listener = there.create_listener(LoadBalancerArn=balancer, Protocol="HTTP", Port=80, DefaultActions=[action])
    return {"listener": listener["Listeners"][0]["ListenerArn"], "action": action}


def change(url: str, listener: str, weight: str) -> dict[str, Any]:
    """Somebody sets the weight of the canary."""
    action = actions(url, listener)[0]
    action["ForwardConfig"]["TargetGroups"][1]["Weight"] = int(weight)
    client("elbv2", url).modify_listener(ListenerArn=listener, DefaultActions=[action])
    return weights(url, listener)


def weights(url: str, listener: str) -> dict[str, Any]:
    """The weights of the listener by target group, as AWS' own library reads them."""
    groups = actions(url, listener)[0]["ForwardConfig"]["TargetGroups"]
    return {one["TargetGroupArn"].split("/")[1]: one["Weight"] for one in groups}


def actions(url: str, listener: str) -> list[dict[str, Any]]:
    """The actions of the listener."""
    found = client("elbv2", url).describe_listeners(ListenerArns=[listener])["Listeners"][0]
    return list(found["DefaultActions"])


if __name__ == "__main__":
    what, *arguments = sys.argv[1:]
    asked: dict[str, Callable[..., Any]] = {"make": make, "change": change, "weights": weights}
    print(json.dumps(asked[what](*arguments)))
