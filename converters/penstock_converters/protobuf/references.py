"""References to the files a schema imports, where those are to be registered too (``skip.known.types=false``)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from penstock.api import SchemaReference
from penstock.errors import ConfigError
from penstock_converters.subject import plugged
from penstock_registry.client import RegisteredSchema
from penstock_registry.formats.protobuf import ProtoFile, to_text
from penstock_registry.formats.protobuf.wellknown import known_file

__all__ = ["DEFAULT_STRATEGY", "ReferenceStrategy", "reference_strategy", "registered_imports"]

_PACKAGE: Final = "io.confluent.kafka.serializers.subject."
DEFAULT_STRATEGY: Final = _PACKAGE + "DefaultReferenceSubjectNameStrategy"


class ReferenceStrategy(Protocol):
    """Names the subject of an imported file. A user's own class has a constructor without arguments and this method."""

    def reference_subject_name(self, import_name: str, topic: str, is_key: bool) -> str: ...


class DefaultReferenceSubjectNameStrategy:
    """The import's name as it is."""

    def reference_subject_name(self, import_name: str, topic: str, is_key: bool) -> str:
        return import_name


class QualifiedReferenceSubjectNameStrategy:
    """The import's name without ``.proto``, dots for slashes."""

    def reference_subject_name(self, import_name: str, topic: str, is_key: bool) -> str:
        return import_name.removesuffix(".proto").replace("/", ".")


_BUILT_IN: Final = {
    "DefaultReferenceSubjectNameStrategy": DefaultReferenceSubjectNameStrategy,
    "QualifiedReferenceSubjectNameStrategy": QualifiedReferenceSubjectNameStrategy,
}


def reference_strategy(value: Any) -> ReferenceStrategy:
    """The strategy the setting names: a built-in by its JVM class or short name, or ``package.module:Class``."""
    made: ReferenceStrategy = plugged(
        "reference.subject.name.strategy", value, _PACKAGE, _BUILT_IN, "reference_subject_name"
    )
    return made


Register = Callable[[str, str, Sequence[SchemaReference]], RegisteredSchema]


def registered_imports(
    file: ProtoFile, subject_of: Callable[[str], str], register: Register
) -> tuple[SchemaReference, ...]:
    """Registers the known files that `file` imports, and those they import; the references to them.

    `register` takes subject, text and references, and its answer has a version.
    """
    references: list[SchemaReference] = []
    for name in file.all_imports:
        imported = known_file(name)
        if imported is None:
            raise ConfigError(f"The import {name} is no known type and cannot be registered")
        inner = registered_imports(imported, subject_of, register)
        subject = subject_of(name)
        found = register(subject, to_text(imported), inner)
        assert found.version is not None
        references.append(SchemaReference(name, subject, found.version))
    return tuple(references)
