"""Key and trust stores: which kinds serve here, and how a Java one is converted."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

__all__ = ["JavaStores", "look_for_java_stores"]

#: The first bytes of JKS and JCEKS files.
_JAVA_MAGIC: Final = (bytes.fromhex("feedfeed"), bytes.fromhex("cececece"))
_JAVA_SUFFIXES: Final = (".jks", ".jceks", ".keystore", ".truststore")


#: The prefixes under which somebody here opens a store.
_READ_PREFIXES: Final = frozenset(
    ["", "producer.", "consumer.", "admin.", "listeners.https.", "admin.listeners.https."]
    + ["registry.", "registry.kafkastore.", "registry.listeners.https.", "schema.registry."]
    + [f"{which}.converter.{prefix}" for which in ("key", "value") for prefix in ("", "schema.registry.")]
)


class JavaStores(NamedTuple):
    """The problems and warnings about Java stores among a worker's settings."""

    #: Stores that would be opened here and cannot be, with the command that converts each.
    problems: list[str]
    #: Stores that nobody here opens.
    warnings: list[str]


def look_for_java_stores(props: Mapping[str, str]) -> JavaStores:
    """Look at every ``*ssl.keystore.location`` and ``*ssl.truststore.location``."""
    found = JavaStores([], [])
    for key, location in props.items():
        kind = next((k for k in ("keystore", "truststore") if key.endswith(f"ssl.{k}.location")), None)
        if kind is None or not location or not _is_java_store(Path(location)):
            continue
        if key.removesuffix(f"ssl.{kind}.location") in _READ_PREFIXES:
            found.problems.append(f"Invalid value {location} for configuration {key}: {_advice(kind, location)}")
        else:
            found.warnings.append(f"{key} has no effect here: nothing reads a store under that prefix")
    return found


def _is_java_store(file: Path) -> bool:
    try:
        with file.open("rb") as stream:
            return stream.read(4) in _JAVA_MAGIC
    except OSError:
        return file.suffix.lower() in _JAVA_SUFFIXES  # whoever opens it will say that it cannot be read


def _advice(kind: str, location: str) -> str:
    stem = str(Path(location).with_suffix(""))
    if kind == "keystore":
        command = f"keytool -importkeystore -srckeystore {location} -destkeystore {stem}.p12 -deststoretype PKCS12"
        return f"JKS files cannot be read here. Convert it and name the new file: {command}"
    return f"JKS files cannot be read here. Convert it and name the new file: keytool -list -rfc -keystore {location} > {stem}.pem"
