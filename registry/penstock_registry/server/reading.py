"""From a request's or a record's text to a parsed schema, with its references resolved."""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from penstock.api.registry import InvalidSchemaError, ParsedSchema, ReadsRegistered, SchemaReference
from penstock_registry.guid import content_digest
from penstock_registry.server.catalog import Catalog
from penstock_registry.server.content import Identity, SchemaContent, StoredSchema
from penstock_registry.server.errors import RegistryError, invalid_schema, schema_too_deep, schema_too_large
from penstock_registry.server.formats import Formats
from penstock_registry.server.requests import ReferenceRequest, SchemaRequest
from penstock_registry.server.subjects import Subject, context_of
from penstock_registry.server.weighed import WeighedCache
from penstock_registry.store import SchemaKey

__all__ = ["Candidate", "SchemaReader"]

_CACHE_SIZE = 1000
#: Bounds of the texts that were read, with what they were read as: clients send the same ones again.
_READ_COUNT = 5000
_READ_CHARACTERS = 10_000_000
#: A string, or the rest of the text where it does not end: a search that always succeeds looks at no character twice.
_STRINGS = re.compile(r'"(?:[^"\\]|\\.)*+"?', re.S)
_BRACKETS = re.compile(r"[\[\]{}]")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A schema from outside that parsed: in canonical form, references at fixed versions."""

    parsed: ParsedSchema
    content: SchemaContent
    #: Whether it was parsed from the very text that would be stored.
    is_as_stored: bool = False


class SchemaReader:
    """Thread-safe. Parses what it is given, remembers the parsed form of what is stored."""

    def __init__(self, formats: Formats, catalog: Catalog, max_size: int, max_nesting: int) -> None:
        self._max_size = max_size
        self._max_nesting = max_nesting
        self._formats = formats
        self._catalog = catalog
        self._lock = threading.Lock()
        self._cache: OrderedDict[tuple[str, Identity], ParsedSchema] = OrderedDict()
        self._read: WeighedCache[tuple[str, str, bool], SchemaContent] = WeighedCache(_READ_COUNT, _READ_CHARACTERS)

    def candidate(self, subject: str, request: SchemaRequest, normalize: bool = False) -> Candidate | None:
        """Return what `request` means under `subject`; None if it has no schema at all. Raises 42201, 42209."""
        if request.is_empty or request.text is None:
            return None
        if (size := len(request.text.encode("utf-8", "surrogatepass"))) > self._max_size:
            raise schema_too_large(size, self._max_size)
        if _nested_deeper_than(request.text, self._max_nesting):
            raise schema_too_deep(self._max_nesting)
        schema_type = "AVRO" if request.schema_type is None else request.schema_type
        schema_format = self._formats.find(schema_type)
        if schema_format is None:
            raise invalid_schema(f"Invalid schema type {schema_type}")
        try:
            references = self._fixed(subject, request.references)
            parsed = schema_format.parse(request.text, references, self._resolve(subject, references))
            as_stored = parsed.canonical == request.text and tuple(parsed.references) == references
            if normalize:
                parsed = parsed.normalized()
        except InvalidSchemaError as error:
            raise _unreadable(subject, schema_type, request, str(error)) from error
        content = SchemaContent(
            schema_type, parsed.canonical, tuple(parsed.references), request.metadata, request.rule_set
        )
        if _is_plain(request):
            self._read.put((schema_type, request.text, normalize), content, len(request.text) + len(content.text))
        as_stored = as_stored and content.text == request.text and content.references == references
        return Candidate(parsed, content, as_stored)

    def remembered(self, request: SchemaRequest, normalize: bool) -> SchemaContent | None:
        """Return the content of what `candidate` makes of `request`, if it was read before; None if that is undecided."""
        if request.text is None or not _is_plain(request):
            return None
        schema_type = "AVRO" if request.schema_type is None else request.schema_type
        return self._read.get((schema_type, request.text, normalize))

    def parsed(self, stored: StoredSchema) -> ParsedSchema:
        """Return the parsed form of a stored schema. Raises 42201 if the log has one that cannot be read."""
        key = context_of(stored.subject), stored.content.identity
        with self._lock:
            found = self._cache.get(key)
            if found is not None:
                self._cache.move_to_end(key)
                return found
        try:
            parsed = self._parse_stored(stored.subject, stored.content)
        except InvalidSchemaError as error:
            raise invalid_schema(
                f"The stored schema {stored.id} ({stored.subject} version {stored.version}) cannot be read: "
                f"{error.message}"
            ) from error
        self._keep(key, parsed)
        return parsed

    def check_readable(self, subject: str, candidate: Candidate) -> None:
        """Raise 42201 unless `candidate`, once stored under `subject`, reads back as an equal schema.

        This parses the text a second time, unless it was sent as it would be stored: call it for schemas that are new,
        before they are written.
        """
        content, parsed = candidate.content, candidate.parsed
        try:
            content.text.encode()
            again = parsed if candidate.is_as_stored else self._parse_stored(subject, content)
        except UnicodeEncodeError as error:
            shown = (
                content.text[max(0, error.start - 20) : error.start + 20].encode("ascii", "backslashreplace").decode()
            )
            raise _unkeepable(content, f"it has no form in UTF-8: a lone surrogate in {shown}") from None
        except InvalidSchemaError as error:
            raise _unkeepable(content, f"its text does not read back: {error.message}") from error
        if (again.canonical, tuple(again.references), again.name) != (content.text, content.references, parsed.name):
            raise _unkeepable(content, f"its text reads back as another schema: {again.canonical}")
        if not content.references:  # what references lead to may change as long as nothing stored names it
            self._keep((context_of(subject), content.identity), again)

    def _keep(self, key: tuple[str, Identity], parsed: ParsedSchema) -> None:
        with self._lock:
            self._cache[key] = parsed
            if len(self._cache) > _CACHE_SIZE:
                self._cache.popitem(last=False)

    def _parse_stored(self, subject: str, content: SchemaContent) -> ParsedSchema:
        schema_format = self._formats.find(content.schema_type)
        if schema_format is None:
            raise InvalidSchemaError(f"Invalid schema type {content.schema_type}")
        parse = schema_format.parse_registered if isinstance(schema_format, ReadsRegistered) else schema_format.parse
        return parse(content.text, content.references, self._resolve(subject, content.references))

    def _fixed(self, subject: str, references: Sequence[ReferenceRequest]) -> tuple[SchemaReference, ...]:
        """Return references with every part there, and the latest version as a number."""
        parent = Subject.parse(subject)
        fixed = []
        for reference in references:
            if reference.name is None or reference.subject is None or reference.version is None:
                raise InvalidSchemaError(f"Invalid reference: {reference}")
            version = reference.version
            if version == -1:
                latest = self._catalog.version(parent.qualify(reference.subject), -1)
                version = latest.version if latest is not None else -1
            fixed.append(SchemaReference(reference.name, reference.subject, version))
        return tuple(fixed)

    def _resolve(self, subject: str, references: Sequence[SchemaReference]) -> dict[str, str]:
        """Return name and text of every reference, each after those it needs itself. Soft-deleted ones still serve.

        The references of a log that somebody else wrote may be as long a chain as they like, or a circle: this neither
        recurses nor goes on for ever.
        """
        return {reference.name: stored.content.text for reference, stored in self.references_of(subject, references)}

    def references_of(
        self, subject: str, references: Sequence[SchemaReference]
    ) -> list[tuple[SchemaReference, StoredSchema]]:
        """Return every reference, direct or not, with the version it leads to, each after those it needs itself.

        Raises `InvalidSchemaError` for one that leads nowhere or back to itself.
        """
        found: dict[str, tuple[SchemaReference, StoredSchema]] = {}
        begun: set[SchemaKey] = set()
        todo: list[tuple[SchemaReference, str, StoredSchema | None]] = [
            (reference, subject, None) for reference in reversed(references)
        ]
        while todo:
            reference, parent, stored = todo.pop()
            if stored is not None:  # what it needs is there by now
                begun.discard(SchemaKey(stored.subject, stored.version))
                found.setdefault(reference.name, (reference, stored))
                continue
            if reference.name in found:
                continue
            stored = self._referenced(parent, reference)
            key = SchemaKey(stored.subject, stored.version)
            if key in begun:
                raise InvalidSchemaError(f'The reference "{reference.name}" leads back to itself')
            begun.add(key)
            todo.append((reference, parent, stored))
            todo += [(inner, stored.subject, None) for inner in reversed(stored.content.references)]
        return list(found.values())

    def _referenced(self, parent: str, reference: SchemaReference) -> StoredSchema:
        target = Subject.parse(parent).qualify(reference.subject)
        stored = self._catalog.version(target, reference.version, deleted=True)
        if stored is None:
            raise InvalidSchemaError(
                f'No schema reference found for subject "{reference.subject}" and version {reference.version}'
            )
        return stored


def _is_plain(request: SchemaRequest) -> bool:
    """Return whether its text and type alone say what it means, whatever else is in the registry."""
    return not request.references and request.metadata is None and request.rule_set is None


def _nested_deeper_than(text: str, limit: int) -> bool:
    """Parsers recurse; what is nested without measure would end them and not the request."""
    if text.count("{") + text.count("[") <= limit:
        return False
    depth = 0
    for bracket in _BRACKETS.findall(_STRINGS.sub("", text)):
        depth += 1 if bracket in "{[" else -1
        if depth > limit:
            return True
    return False


def _unkeepable(content: SchemaContent, problem: str) -> RegistryError:
    return invalid_schema(f"Invalid schema of type {content.schema_type}: it cannot be kept, since {problem}")


def _unreadable(subject: str, schema_type: str, request: SchemaRequest, problem: str) -> RegistryError:
    """Confluent's message, which repeats the whole request: clients show it, and it names what was sent."""
    shown = f"[{', '.join(map(str, request.references))}]"
    known = tuple(
        SchemaReference(part.name, part.subject, part.version)  # type: ignore[arg-type]  # a part may be missing: hashed as Confluent does
        for part in request.references
    )
    digest = content_digest(request.text or "", known, request.metadata, request.rule_set).hex()
    guid = "-".join((digest[:8], digest[8:12], digest[12:16], digest[16:20], digest[20:]))
    whole = (
        f"{{subject={subject},version=null,id=null,guid={guid},schemaType={schema_type},references={shown},"
        f"metadata={_shown(request.metadata)},ruleSet={_shown(request.rule_set)},schema={request.text},"
        "schemaTags=null,ts=null,deleted=null}"
    )
    return invalid_schema(
        f"Invalid schema of type {schema_type}, details: Invalid schema {whole} with refs {shown} "
        f"of type {schema_type}, details: {problem}"
    )


def _shown(value: object) -> str:
    return "null" if value is None else str(value)
