"""Dagster's side of the door (``outgoing.py``): metadata, check results, failures and output of every step and sensor.

Dagster keeps for ever what a step reports, and its UI renders Markdown: a customer's image would be fetched by whoever
opens the asset. So every function that Dagster calls is ``guarded``, and Markdown is made by ``markdown`` alone.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from dagster import (
    AssetCheckResult,
    AssetMaterialization,
    AssetObservation,
    Failure,
    JsonMetadataValue,
    MarkdownMetadataValue,
    MaterializeResult,
    MetadataValue,
    Output,
    SkipReason,
    TextMetadataValue,
    UrlMetadataValue,
)

from dagster_project import outgoing

F = TypeVar("F", bound=Callable[..., Any])


def markdown(text: str) -> MarkdownMetadataValue:
    """Markdown of our own making, such as a table of ``display.py``; images and HTML in it have no effect."""
    return MetadataValue.md(outgoing.quiet_markdown(text))


def guarded(function: F) -> F:
    """Let all that the function reports, raises or prints go through the door; the innermost decorator of a step."""

    @functools.wraps(function)
    def once(*args: Any, **more: Any) -> Any:
        with _at_the_door():
            return _cleaned(function(*args, **more))

    @functools.wraps(function)
    def stream(*args: Any, **more: Any) -> Iterator[Any]:
        events = function(*args, **more)
        try:
            while True:  # Dagster works between two events: what it prints itself is not ours to hold up
                with _at_the_door():
                    try:
                        event = _cleaned(next(events))
                    except StopIteration:
                        return
                yield event
        finally:
            events.close()

    chosen: Any = stream if inspect.isgeneratorfunction(function) else once
    chosen.is_guarded = True
    guard: F = chosen
    return guard


@contextmanager
def _at_the_door() -> Iterator[None]:
    """Context in which output goes through the door, and no exception leaves with more than it may say."""
    with outgoing.terminal(), outgoing.redacted_errors():
        try:
            yield
        except Failure as failure:
            raise _cleaned_failure(failure) from None


def _cleaned(event: Any) -> Any:
    match event:
        case MaterializeResult():
            checks = [_cleaned(one) for one in event.check_results]
            return event._replace(metadata=_metadata(event.metadata), check_results=checks)
        case AssetCheckResult() | AssetMaterialization() | AssetObservation():
            described = event.description and outgoing.clean(event.description)
            return event._replace(metadata=_metadata(event.metadata), description=described)
        case Output() if event.metadata:
            return event.with_metadata(_metadata(event.metadata))
        case SkipReason():
            return SkipReason(outgoing.clean(event.skip_message or ""))
    return event


def _metadata(metadata: Mapping[str, Any] | None) -> dict[str, Any]:
    return {outgoing.clean(name): _value(value) for name, value in (metadata or {}).items()}


def _value(value: Any) -> Any:
    match value:
        case MarkdownMetadataValue():
            return markdown(value.md_str or "")
        case TextMetadataValue():
            return MetadataValue.text(outgoing.clean(value.text or ""))
        case JsonMetadataValue():
            return MetadataValue.json(outgoing.cleaned(value.data))
        case UrlMetadataValue():
            return MetadataValue.url(outgoing.clean(value.url or ""))
        case MetadataValue():
            return value  # a number, a path of ours
        case str() | dict() | list():
            return outgoing.cleaned(value)
    return value


def _cleaned_failure(failure: Failure) -> Failure:
    clean = Failure(
        description=failure.description and outgoing.clean(failure.description),
        metadata=_metadata(failure.metadata),
        allow_retries=failure.allow_retries,
    )
    return clean.with_traceback(failure.__traceback__)
