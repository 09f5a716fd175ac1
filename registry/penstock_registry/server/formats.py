"""The schema languages a registry speaks: our own, imported when first used, and those it was given."""

from __future__ import annotations

import importlib
import importlib.util
import threading
from collections.abc import Mapping

from penstock.api.registry import SchemaFormat

__all__ = ["BUILT_IN", "Formats"]

#: In the order ``/schemas/types`` tells them.
BUILT_IN: Mapping[str, str] = {
    "JSON": "penstock_registry.formats.jsonschema:JsonSchemaFormat",
    "PROTOBUF": "penstock_registry.formats.protobuf:ProtobufFormat",
    "AVRO": "penstock_registry.formats.avro:AvroFormat",
}


class Formats:
    """Thread-safe. A format given in `extra` takes the place of a built-in one of its name."""

    def __init__(self, extra: Mapping[str, SchemaFormat] | None = None, built_in: Mapping[str, str] = BUILT_IN) -> None:
        self._lock = threading.Lock()
        self._loaded: dict[str, SchemaFormat] = dict(extra or {})
        self._targets = {name: target for name, target in built_in.items() if _is_installed(target)}

    def names(self) -> list[str]:
        with self._lock:
            return [*self._targets, *(name for name in self._loaded if name not in self._targets)]

    def find(self, name: str) -> SchemaFormat | None:
        """The format of that name, imported if need be; None if there is none."""
        with self._lock:
            found = self._loaded.get(name)
            if found is None and name in self._targets:
                module, _, attribute = self._targets[name].partition(":")
                found = self._loaded[name] = getattr(importlib.import_module(module), attribute)()
            return found


def _is_installed(target: str) -> bool:
    module = target.partition(":")[0]
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # the package around it is missing
        return False
