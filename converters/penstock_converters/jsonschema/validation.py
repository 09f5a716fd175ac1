"""Payloads against their schema (``json.fail.invalid.schema``), with a validator made once per schema."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import jsonschema_rs
import orjson

from penstock.errors import DataError, SerializationError
from penstock_converters.jsonschema.patterns import MAX_LENGTH, bounded, has_long, tries_names
from penstock_registry.formats.jsonschema import JsonParsedSchema
from penstock_registry.formats.jsonschema.dialects import dialect_of
from penstock_registry.formats.jsonschema.text import write

__all__ = ["make_validator"]

_VALIDATORS: Final[dict[int, Any]] = {
    4: (jsonschema_rs.Draft4Validator, jsonschema_rs.Draft4),
    6: (jsonschema_rs.Draft6Validator, jsonschema_rs.Draft6),
    7: (jsonschema_rs.Draft7Validator, jsonschema_rs.Draft7),
    2019: (jsonschema_rs.Draft201909Validator, jsonschema_rs.Draft201909),
    2020: (jsonschema_rs.Draft202012Validator, jsonschema_rs.Draft202012),
}
#: Only patterns that look around or back can backtrack at all; a pattern that exceeds this does not match. It bounds a try at
#: one place of a text, and `patterns` bounds the text.
_BACKTRACKS: Final = 100_000
_TOO_LONG: Final = f"Patterns that look around or back are tried on texts of at most {MAX_LENGTH} characters"
_NOWHERE: Final = "penstock-schema:///"


def make_validator(parsed: JsonParsedSchema, ignore_modern: bool) -> Callable[[Any], None]:
    """A function that raises `SerializationError` for a document that the schema does not allow."""
    dialect = dialect_of(parsed.tree, ignore_modern)
    make, draft = _VALIDATORS[dialect.year]
    whole = _plain(parsed.tree)
    others = {name: _plain(other) for name, other in parsed.referenced.items()}
    tree = bounded(whole)
    is_bounded = tree != whole or any(bounded(other) != other for other in others.values())
    tries_any_names = any(map(tries_names, (whole, *others.values())))
    base = tree.get(dialect.id_keyword) if isinstance(tree, dict) else None
    try:
        resources = [(_absolute(name), bounded(other)) for name, other in others.items()]
        validator = make(
            tree,
            registry=jsonschema_rs.Registry(resources, draft=draft, retriever=_refuse) if resources else None,
            retriever=_refuse,
            base_uri=None if base else _NOWHERE,
            pattern_options=jsonschema_rs.FancyRegexOptions(backtrack_limit=_BACKTRACKS),
            validate_formats=True,
        )
    except (ValueError, jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError) as error:
        first = str(error).partition("\n")[0]
        raise DataError(f"Payloads cannot be validated with the schema {parsed.canonical}: {first}") from error
    is_valid, shown = validator.is_valid, parsed.canonical

    def validate(document: Any) -> None:
        if tries_any_names and has_long(document, names_only=True):
            raise SerializationError(f"{_TOO_LONG}, and a member of the document has a longer name: {shown}")
        try:
            if is_valid(document):
                return
            if is_bounded and has_long(document):
                raise SerializationError(
                    f"{_TOO_LONG}; the document has a longer one and does not match the schema {shown}"
                )
            first = next(iter(validator.iter_errors(document)))
            reason = f"#{_pointer(first.instance_path)}: {first.message}"
        except (ValueError, OverflowError, RecursionError) as error:
            # An empty payload, text with lone surrogates, more than 255 levels.
            raise SerializationError(f"The document cannot be validated with the schema {shown}: {error}") from error
        raise SerializationError(f"The JSON document does not match the schema {shown}: {reason}")

    return validate


def _plain(tree: Any) -> Any:
    """Return the tree with floats in the place of exact numbers, which the validator does not take."""
    return orjson.loads(write(tree))


def _absolute(name: str) -> str:
    return name if "://" in name else _NOWHERE + name


def _pointer(path: list[str | int]) -> str:
    return "".join(f"/{part}" for part in path)


def _refuse(uri: str) -> Any:
    raise ValueError(f"{uri} is no registered reference; schemas are never fetched")
