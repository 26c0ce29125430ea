"""Vendors' own descriptions of their APIs, where they are at hand: every request of a test is held against them."""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest

_SHARED = Path(os.environ.get("FEEDBACK_CONTROL_SHARED") or Path(__file__).parents[3] / "shared")


def path_of(name: str) -> Path:
    """The description of that name."""
    return _SHARED / "openapi" / f"{name}.json"


def needs(name: str) -> pytest.MarkDecorator:
    """Skip a test, saying so, where the description is not at hand."""
    return pytest.mark.skipif(
        not path_of(name).exists(), reason=f"the API description {name} is not at hand (FEEDBACK_CONTROL_SHARED)"
    )


@cache
def _loaded(name: str) -> Any:
    from openapi_core import OpenAPI

    return OpenAPI.from_dict(json.loads(path_of(name).read_text(encoding="utf-8")))


def check(name: str, server: str, request: httpx.Request) -> None:
    """Hold a request to a server, as the description spells its address, against the description."""
    if not path_of(name).exists():
        return
    from openapi_core.testing import MockRequest

    _loaded(name).validate_request(
        MockRequest(
            server,
            request.method.lower(),
            request.url.path,
            args=dict(request.url.params),
            data=request.content or None,
            headers=dict(request.headers),
            content_type=request.headers.get("content-type", "application/json"),
        )
    )
