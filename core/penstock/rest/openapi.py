"""``GET /openapi.json``: the API described for tools, out of the routes themselves (Kafka publishes ``connect_rest.yaml``).

Also which methods a path has, for ``OPTIONS`` and the ``Allow`` of a 405.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from fastapi.routing import APIRoute
from starlette.routing import BaseRoute, Match
from starlette.types import Scope

import penstock

__all__ = ["allowed_methods", "describe"]

_PARAMETER: Final = re.compile(r"{(\w+)}")
_WITH_BODY: Final = frozenset({"post", "put", "patch"})
#: Query parameters by path: the handlers read them out of the query themselves.
_QUERIES: Final = {
    "/connectors": {"get": {"expand": "info, status, health (penstock's own); may be given several times"}},
    "/connectors/{name}/restart": {"post": {"includeTasks": "true, false", "onlyFailed": "true, false"}},
    "/connector-plugins": {"get": {"connectorsOnly": "true, false"}},
    "/connector-plugins/{name}/config": {"get": {"version": "a version, or a range of them"}},
    "/admin/loggers/{name}": {"put": {"scope": "worker, cluster"}},
}
#: Between workers only.
_INTERNAL: Final = frozenset({("/connectors/{name}/tasks", "post"), ("/connectors/{name}/fence", "put")})


def describe(routes: Iterable[BaseRoute]) -> dict[str, Any]:
    """An OpenAPI 3.1 document."""
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        if isinstance(route, APIRoute):
            for method in sorted(m.lower() for m in route.methods or ()):
                if (route.path, method) not in _INTERNAL:
                    paths.setdefault(route.path, {}).setdefault(method, _operation(route, method))
    error = {
        "type": "object",
        "required": ["error_code", "message"],
        "properties": {"error_code": {"type": "integer"}, "message": {"type": "string"}},
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "Kafka Connect REST API (penstock)", "version": penstock.KAFKA_VERSION},
        "paths": dict(sorted(paths.items())),
        "components": {"schemas": {"ErrorMessage": error}},
    }


def _operation(route: APIRoute, method: str) -> dict[str, Any]:
    text = (route.endpoint.__doc__ or "").strip().splitlines()
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "integer" if name == "task" else "string"}}
        for name in _PARAMETER.findall(route.path)
    ]
    parameters += [
        {"name": name, "in": "query", "required": False, "description": values, "schema": {"type": "string"}}
        for name, values in _QUERIES.get(route.path, {}).get(method, {}).items()
    ]
    problem = {"$ref": "#/components/schemas/ErrorMessage"}
    described: dict[str, Any] = {
        "operationId": method + re.sub(r"\W+", "_", route.path).rstrip("_"),
        "summary": text[0] if text else route.name.replace("_", " ").capitalize(),
        "parameters": parameters,
        "responses": {
            "2XX": {"description": "Done, or the answer."},
            "default": {"description": "An error.", "content": {"application/json": {"schema": problem}}},
        },
    }
    if method in _WITH_BODY and any(d.name == "body" for d in route.dependant.dependencies):
        described["requestBody"] = {"required": True, "content": {"application/json": {"schema": {}}}}
    return described


def allowed_methods(routes: Iterable[BaseRoute], scope: Scope) -> list[str]:
    """Return the methods that the scope's path has, HEAD and OPTIONS included; none if there is no such path."""
    methods: set[str] = set()
    for route in routes:
        if isinstance(route, APIRoute) and route.matches(scope)[0] is not Match.NONE:
            methods |= route.methods or set()
    if not methods:
        return []
    return sorted(methods | {"OPTIONS"} | ({"HEAD"} if "GET" in methods else set()))
