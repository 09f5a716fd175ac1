"""The parts of the OpenAPI document that FastAPI cannot see.

Bodies are read by Jackson's rules, not by a model, and answers are made by hand, so both are described here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from fastapi import FastAPI

from penstock_registry.server.http.media import DEFAULT_TYPE, JSON_TYPE

__all__ = ["CONFIG", "EMPTY", "MODE", "SCHEMA", "TAGS", "complete"]

_TEXT: Final = {"type": "string"}
_FLAG: Final = {"type": "boolean"}
_NUMBER: Final = {"type": "integer", "format": "int32"}
_FREE: Final = {"type": "object"}
_LEVELS: Final = ("NONE", "BACKWARD", "BACKWARD_TRANSITIVE", "FORWARD", "FORWARD_TRANSITIVE", "FULL", "FULL_TRANSITIVE")
_MODES: Final = ("READWRITE", "READONLY", "READONLY_OVERRIDE", "IMPORT", "FORWARD")


def _one_of(*words: str) -> dict[str, Any]:
    return {"type": "string", "enum": list(words)}


def _list(items: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


def _map(values: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": values}


def _object(*required: str, **members: Any) -> dict[str, Any]:
    made: dict[str, Any] = {"type": "object", "properties": members}
    return {**made, "required": list(required)} if required else made


def _or_null(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


_REFERENCE: Final = _object("name", "subject", "version", name=_TEXT, subject=_TEXT, version=_NUMBER)
_METADATA: Final = _object(tags=_map(_list(_TEXT)), properties=_map(_TEXT), sensitive=_list(_TEXT))
_RULE: Final = _object(
    name=_TEXT,
    doc=_TEXT,
    kind=_one_of("CONDITION", "TRANSFORM"),
    mode=_one_of("UPGRADE", "DOWNGRADE", "UPDOWN", "WRITE", "READ", "WRITEREAD"),
    type=_TEXT,
    tags=_list(_TEXT),
    params=_map(_TEXT),
    expr=_TEXT,
    onSuccess=_TEXT,
    onFailure=_TEXT,
    disabled=_FLAG,
)
_RULE_SET: Final = _object(
    migrationRules=_list(_ref("Rule")),
    domainRules=_list(_ref("Rule")),
    encodingRules=_list(_ref("Rule")),
    enableAt=_TEXT,
)
_ENTITY: Final = _object(entityPath=_TEXT, entityType=_one_of("sr_field", "sr_record"))
_TAG: Final = _object("schemaEntity", "tags", schemaEntity=_ENTITY, tags=_list(_TEXT))
_CONTENT: Final = {
    "schema": _TEXT,
    "schemaType": _TEXT,
    "references": _list(_ref("Reference")),
    "metadata": _ref("Metadata"),
    "ruleSet": _ref("RuleSet"),
}
_SETTINGS: Final = {
    "alias": _TEXT,
    "aliasForDeks": _TEXT,
    "normalize": _FLAG,
    "validateFields": _FLAG,
    "validateNewSchemas": _FLAG,
    "validateRules": _FLAG,
    "compatibilityPolicy": _one_of("STRICT", "LENIENT"),
    "compatibilityGroup": _TEXT,
    "defaultMetadata": _ref("Metadata"),
    "overrideMetadata": _ref("Metadata"),
    "defaultRuleSet": _ref("RuleSet"),
    "overrideRuleSet": _ref("RuleSet"),
}
_PLACE: Final = {"subject": _TEXT, "version": _NUMBER}
_KEPT: Final = {"ts": _or_null({"type": "integer", "format": "int64"}), "deleted": _FLAG}
_COMPONENTS: Final = {
    "Error": _object("error_code", "message", error_code={"type": "integer"}, message=_TEXT),
    "Reference": _REFERENCE,
    "Metadata": _METADATA,
    "Rule": _RULE,
    "RuleSet": _RULE_SET,
    "SchemaTags": _TAG,
    "Registered": _object("id", "version", "schema", **_PLACE, **_CONTENT, id=_NUMBER, guid=_TEXT),
    "Version": _object(
        *("subject", "id", "version", "schema"), **_PLACE, **_CONTENT, **_KEPT, id=_NUMBER, guid=_TEXT,
        aliases=_list(_TEXT), schemaTags=_list(_ref("SchemaTags")),
    ),
    "ById": _object(
        "schema", **_PLACE, **_CONTENT, **_KEPT, guid=_TEXT, maxId=_NUMBER, schemaTags=_list(_ref("SchemaTags"))
    ),
    "Compatible": _object("is_compatible", is_compatible=_FLAG, messages=_list(_TEXT)),
    "Config": _object(**_SETTINGS, compatibilityLevel=_one_of(*_LEVELS)),
    "ConfigUpdate": _object(**_SETTINGS, compatibility=_one_of(*_LEVELS)),
    "Mode": _object("mode", mode=_or_null(_TEXT)),
}  # fmt: skip


def _body(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "requestBody": {"required": True, "content": {kind: {"schema": schema} for kind in (DEFAULT_TYPE, JSON_TYPE)}}
    }


SCHEMA: Final = _body(
    _object(
        **{**_CONTENT, "schemaType": {**_one_of("AVRO", "PROTOBUF", "JSON"), "default": "AVRO"}},
        id=_NUMBER,
        version=_NUMBER,
        schemaTagsToAdd=_list(_ref("SchemaTags")),
        schemaTagsToRemove=_list(_ref("SchemaTags")),
        propagateSchemaTags=_FLAG,
    )
)
TAGS: Final = _body(
    _object(
        tagsToAdd=_list(_ref("SchemaTags")),
        tagsToRemove=_list(_ref("SchemaTags")),
        metadata=_ref("Metadata"),
        ruleSet=_ref("RuleSet"),
        rulesToMerge=_ref("RuleSet"),
        rulesToRemove=_list(_TEXT),
        newVersion=_NUMBER,
    )
)
CONFIG: Final = _body(_object(**_SETTINGS, compatibility=_one_of(*_LEVELS), compatibilityLevel=_one_of(*_LEVELS)))
MODE: Final = _body(_object("mode", mode=_or_null(_one_of(*_MODES))))
EMPTY: Final = _body(_FREE)

_TEXT_ANSWER: Final = {"description": "The schema's text alone; it need not be JSON."}
_METRICS: Final = {"text/plain": {"schema": _TEXT}}
_PAIR: Final = _object("subject", "version", **_PLACE)
#: The answers of each operation where it succeeds.
_ANSWERS: Final[Mapping[str, Mapping[str, Any]]] = {
    "GET /": _FREE,
    "POST /": _FREE,
    "GET /subjects": _list(_TEXT),
    "POST /subjects/{subject}": _ref("Registered"),
    "DELETE /subjects/{subject}": _list(_NUMBER),
    "GET /subjects/{subject}/metadata": _ref("Version"),
    "GET /subjects/{subject}/versions": _list(_NUMBER),
    "POST /subjects/{subject}/versions": _ref("Registered"),
    "GET /subjects/{subject}/versions/{version}": _ref("Version"),
    "DELETE /subjects/{subject}/versions/{version}": _NUMBER,
    "GET /subjects/{subject}/versions/{version}/schema": _TEXT_ANSWER,
    "GET /subjects/{subject}/versions/{version}/referencedby": _list(_NUMBER),
    "POST /subjects/{subject}/versions/{version}/tags": _ref("Registered"),
    "POST /compatibility/subjects/{subject}/versions": _ref("Compatible"),
    "POST /compatibility/subjects/{subject}/versions/{version}": _ref("Compatible"),
    "GET /schemas": _list(_ref("Version")),
    "GET /schemas/types": _list(_TEXT),
    "GET /schemas/ids/{id}": _ref("ById"),
    "GET /schemas/ids/{id}/schema": _TEXT_ANSWER,
    "GET /schemas/ids/{id}/subjects": _list(_TEXT),
    "GET /schemas/ids/{id}/versions": _list(_PAIR),
    "GET /schemas/guids/{guid}": _ref("ById"),
    "GET /schemas/guids/{guid}/ids": _list(_object("context", "id", context=_TEXT, id=_NUMBER)),
    **{f"{method} /config{rest}": _ref("Config") for method in ("GET", "DELETE") for rest in ("", "/{subject}")},
    **{f"PUT /config{rest}": _ref("ConfigUpdate") for rest in ("", "/{subject}")},
    **{f"{method} /mode{rest}": _ref("Mode") for method in ("GET", "PUT", "DELETE") for rest in ("", "/{subject}")},
    "GET /contexts": _list(_TEXT),
    "GET /master_available": _object("master_available", master_available=_FLAG),
    "GET /health": _object("status", status=_TEXT, reason=_TEXT),
    "GET /health/ready": _object("status", status=_TEXT, reason=_TEXT),
    "GET /health/live": _object("status", status=_TEXT),
    "GET /v1/metadata/id": _FREE,
    "GET /v1/metadata/version": _object("version", version=_TEXT, commitId=_TEXT),
    "GET /v1/metadata/deployment": _object("attributes", attributes=_list(_TEXT)),
}
#: Values that parameters take, beside the free ones.
_PARAMETERS: Final[Mapping[str, Mapping[str, Any]]] = {
    "format": {"examples": ["", "resolved", "serialized", "ignore_extensions"]},
    "version": {"description": 'A number from 1 on, "latest" or "-1".', "examples": ["1", "latest", "-1"]},
    "id": _NUMBER,
    "offset": _NUMBER,
    "limit": _NUMBER,
}


def complete(app: FastAPI) -> None:
    """Let `app` tell the whole: components, answers, and the one form of every error."""
    made = app.openapi

    def openapi() -> dict[str, Any]:
        document = made()
        if "Error" in document.get("components", {}).get("schemas", {}):
            return document  # FastAPI keeps what it made
        document["components"] = {"schemas": dict(_COMPONENTS)}
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                _describe(f"{method.upper()} {path}", operation)
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend the document


def _describe(name: str, operation: dict[str, Any]) -> None:
    error = {"description": "Why not.", "content": _content(_ref("Error"))}
    if name == "GET /metrics":
        operation["responses"] = {"200": {"description": "Metrics.", "content": _METRICS}, "default": error}
        return
    answer = _ANSWERS.get(name)
    if answer is None:
        operation["responses"] = {"204": {"description": "Done."}, "default": error}
    else:
        operation["responses"] = {"200": {"description": "Done.", "content": _content(answer)}, "default": error}
        if name.startswith("GET /health"):
            operation["responses"]["503"] = {"description": "Not ready.", "content": _content(answer)}
    for parameter in operation.get("parameters", ()):
        parameter["schema"].update(_PARAMETERS.get(parameter["name"], {}))


def _content(schema: Mapping[str, Any]) -> dict[str, Any]:
    shown = {} if schema is _TEXT_ANSWER else {"schema": schema}
    return dict.fromkeys((DEFAULT_TYPE, "application/vnd.schemaregistry+json", JSON_TYPE), shown)
