"""Vendors' own API descriptions, where available: every request of a test is validated against them."""

from __future__ import annotations

import json
import os
import re
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

    return OpenAPI.from_dict(_document(name))


@cache
def _document(name: str) -> Any:
    return json.loads(path_of(name).read_text(encoding="utf-8"))


def check(name: str, server: str, request: httpx.Request) -> None:
    """Hold a request to a server, as the description spells its address, against the description."""
    if not path_of(name).exists():
        return
    if "swagger" in _document(name):
        _check_swagger(_document(name), request)
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


def _check_swagger(document: dict[str, Any], request: httpx.Request) -> None:
    """Validate by Swagger 2.0, which openapi-core does not read: paths, query parameters and JSON bodies."""
    from jsonschema import Draft4Validator  # type: ignore[import-untyped]

    path = request.url.path.removeprefix(document.get("basePath", ""))
    fitting = [one for one in document["paths"] if re.fullmatch(re.sub(r"{\w+}", "[^/]+", one), path)]
    assert fitting, f"{path} is not described"
    operation = document["paths"][min(fitting, key=lambda one: one.count("{"))].get(request.method.lower())
    assert operation, f"{request.method} {path} is not described"
    parameters = [_resolved(document, one) for one in operation.get("parameters", ())]
    queries = {one["name"]: one for one in parameters if one["in"] == "query"}
    assert set(request.url.params) <= set(queries), f"{set(request.url.params) - set(queries)} is not described"
    for name, value in request.url.params.items():
        Draft4Validator({key: queries[name][key] for key in ("enum", "pattern") if key in queries[name]}).validate(
            value
        )
    for body in (one for one in parameters if one["in"] == "body"):
        schema = {**body["schema"], "definitions": document["definitions"]}
        Draft4Validator(schema).validate(json.loads(request.content))


def _resolved(document: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    found: Any = document
    for name in part["$ref"].removeprefix("#/").split("/") if "$ref" in part else ():
        found = found[name]
    return found if "$ref" in part else part
