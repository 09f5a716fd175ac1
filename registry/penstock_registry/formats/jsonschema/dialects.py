"""The drafts of JSON Schema, and where references lead: to the text itself, to registered references, nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final
from urllib.parse import urljoin

import attrs
from jsonschema_specifications import REGISTRY as META_SCHEMAS  # type: ignore[import-untyped]  # has no type marker
from referencing import Registry, Resource, Specification
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT4, DRAFT6, DRAFT7, DRAFT201909, DRAFT202012

from penstock.api import InvalidSchemaError

__all__ = ["DEFAULT", "DIALECTS", "Dialect", "Scope", "dialect_of", "scope_of"]

#: The place of a text without an ``$id``, so that relative references have something to be relative to.
_NOWHERE: Final = "penstock-schema:///"


@dataclass(frozen=True)
class Dialect:
    """One draft. `year` orders them; draft 4 to 7 count as themselves."""

    year: int
    specification: Specification[Any]
    id_keyword: str = "$id"

    @property
    def modern(self) -> bool:
        """Return whether the draft is one of those with years: ``$defs``, ``dependentRequired``, siblings of ``$ref``."""
        return self.year >= 2019


def _lenient(specification: Specification[Any]) -> Specification[Any]:
    """Return `specification` with only schemas for subschemas.

    The library takes whatever stands in a keyword's place for one, an array among ``dependencies`` too, and fails over it.
    """
    find = specification.subresources_of

    def subschemas(contents: Any) -> list[Any]:
        return [found for found in find(contents) if isinstance(found, dict | bool)]

    return attrs.evolve(specification, subresources_of=subschemas)  # type: ignore[misc]  # an attrs class, untyped as one


DEFAULT: Final = Dialect(7, _lenient(DRAFT7))
DIALECTS: Final = {
    "json-schema.org/draft-04/schema": Dialect(4, _lenient(DRAFT4), "id"),
    "json-schema.org/draft-06/schema": Dialect(6, _lenient(DRAFT6)),
    "json-schema.org/draft-07/schema": DEFAULT,
    "json-schema.org/draft/2019-09/schema": Dialect(2019, _lenient(DRAFT201909)),
    "json-schema.org/draft/2020-12/schema": Dialect(2020, _lenient(DRAFT202012)),
}


def dialect_of(tree: Any, ignore_modern: bool = False) -> Dialect:
    """By ``$schema``; draft 7 where there is none, or an unknown one, as in Confluent's registry.

    With `ignore_modern` (``ignore.modern.dialects``) 2019-09 and 2020-12 are read as draft 7 too.
    """
    name = tree.get("$schema") if isinstance(tree, dict) else None
    if not isinstance(name, str):
        return DEFAULT
    found = DIALECTS.get(name.partition("://")[2].rstrip("#"), DEFAULT)
    return DEFAULT if ignore_modern and found.modern else found


class Scope:
    """A place in a text from which references are looked up.

    The text is searched for ids only once the first reference asks: most schemas have none, and what is wrong with a
    schema is told better by those who know its keywords.
    """

    def __init__(self, find_resolver: Callable[[], Any], specification: Specification[Any]) -> None:
        self._find_resolver = find_resolver
        self._specification = specification

    @cached_property
    def _resolver(self) -> Any:
        return self._find_resolver()

    def enter(self, tree: Any) -> Scope:
        """The scope inside a subschema, which may have an ``$id`` of its own."""
        if not isinstance(tree, dict) or not (isinstance(tree.get("$id"), str) or isinstance(tree.get("id"), str)):
            return self
        resource = self._specification.create_resource(tree)
        return Scope(lambda: self._resolver.in_subresource(resource), self._specification)

    def look_up(self, ref: str) -> tuple[Any, Scope]:
        """The tree `ref` names and its scope. Raises `InvalidSchemaError`."""
        try:
            found = self._resolver.lookup(ref)
        except (Unresolvable, ValueError, TypeError, KeyError, AttributeError) as error:
            raise InvalidSchemaError(
                f"Invalid JSON schema: the reference {ref} leads to nothing in the schema and to none of its"
                " registered references; schemas are never fetched"
            ) from error
        return found.contents, Scope(lambda: found.resolver, self._specification)


def scope_of(tree: Any, dialect: Dialect, referenced: Mapping[str, Any]) -> Scope:
    """The scope of a whole text, with the trees of its references by name."""
    return Scope(lambda: _resolver(tree, dialect, referenced), dialect.specification)


def _resolver(tree: Any, dialect: Dialect, referenced: Mapping[str, Any]) -> Any:
    root = dialect.specification.create_resource(tree)
    base = _base(root)
    resources = [(base, root)]
    for name, other in referenced.items():
        resource = dialect_of(other).specification.create_resource(other)
        resources += [(name, resource), (urljoin(base, name), resource)]
        own = _base(resource)
        if own != _NOWHERE:
            resources.append((own, resource))
    try:
        # The first of a name wins: the text itself, then references in their order.
        registry: Registry[Any] = META_SCHEMAS.with_resources(reversed(resources)).crawl()
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InvalidSchemaError(f"Invalid JSON schema: its ids cannot be read: {error}") from error
    return registry.resolver(base)


def _base(resource: Resource[Any]) -> str:
    try:
        return resource.id() or _NOWHERE
    except (ValueError, TypeError, KeyError, AttributeError) as error:  # an id that is no text
        raise InvalidSchemaError(f"Invalid JSON schema: {error}") from error
