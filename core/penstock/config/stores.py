"""Key and trust stores: which kinds serve here, and how a Java one is converted."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

__all__ = ["java_store_problems"]

#: The first bytes of JKS and JCEKS files.
_JAVA_MAGIC: Final = (bytes.fromhex("feedfeed"), bytes.fromhex("cececece"))
_JAVA_SUFFIXES: Final = (".jks", ".jceks", ".keystore", ".truststore")


def java_store_problems(props: Mapping[str, str]) -> list[str]:
    """For every ``*ssl.keystore.location`` and ``*ssl.truststore.location`` that is a Java store: what to do about it."""
    problems = []
    for key, location in props.items():
        kind = next((k for k in ("keystore", "truststore") if key.endswith(f"ssl.{k}.location")), None)
        if kind is not None and location and _is_java_store(Path(location)):
            problems.append(f"Invalid value {location} for configuration {key}: {_advice(kind, location)}")
    return problems


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
