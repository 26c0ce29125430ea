"""Weights and counted requests, as every actuator of traffic judges them. No I/O."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from dagster_project.automation.actuators.base import Preflight
from dagster_project.automation.outcomes import DeliveryError, Rejected

ENOUGH = 50
"""Requests below which counted traffic proves nothing: of so many, one in ten is missed once in 200 times."""
_DEVIATIONS = 4.0


def split_seen(weights: Mapping[str, int], counted: Mapping[str, int]) -> bool | None:
    """True if requests were split by the weights, within chance; None below ``ENOUGH`` requests.

    A request to a backend without weight contradicts it, however few there are.
    """
    total, weight = sum(counted.values()), sum(weights.values())
    if any(count > 0 and not weights.get(name) for name, count in counted.items()):
        return False
    if total < ENOUGH or not weight:
        return None
    shares = {name: share / weight for name, share in weights.items()}
    return all(
        abs(counted.get(name, 0) - total * share) <= _DEVIATIONS * (total * share * (1 - share)) ** 0.5 + 1
        for name, share in shares.items()
    )


def receiver_healthy(receivers: Collection[str], down: Collection[str], passed: bool) -> Preflight:
    """The pre-flight about those that would receive the traffic, with the names of those that are down."""
    if not receivers:
        return Preflight("receiver_healthy", False, "no backend would receive traffic")
    named = ", ".join(sorted(receivers))
    if down:
        return Preflight("receiver_healthy", passed, f"of {named}, not up: {', '.join(sorted(down))}")
    return Preflight("receiver_healthy", passed, f"up: {named}")


def insist(preflight: Preflight) -> None:
    """Refuse an act whose pre-flight failed: what was up when it was planned may be down when it is made."""
    if preflight.passed is False:
        raise DeliveryError(Rejected(f"{preflight.name}: {preflight.answer}"))


def refuse_unknown(item: str, named: Collection[str], known: Collection[str]) -> None:
    """Refuse weights for a backend that is not there: some systems would accept them without a word."""
    if unknown := sorted(set(named) - set(known)):
        raise DeliveryError(Rejected(f"{item} has no {', '.join(unknown)}; it has {', '.join(sorted(known))}"))
