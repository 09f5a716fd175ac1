"""Settings in a connector's configuration that nothing reads: often a slip of the pen, never an error (as in Kafka)."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Mapping
from typing import Any, Final

from penstock.config.client_def import client_config_def
from penstock.kafka.library import knows
from penstock.kafka.settings import ClientKind

__all__ = ["log_unknown_settings", "unknown_settings", "warning_header"]

_log: Final = logging.getLogger(__name__)

_CONVERTERS: Final = ("key.converter", "value.converter", "header.converter")
#: The prefixes of settings for a connector's Kafka clients.
_CLIENTS: Final = {f"{kind.value}.override.": kind for kind in ClientKind}
_MAX_IN_HEADER: Final = 10


def unknown_settings(infos: Mapping[str, Any], config: Mapping[str, str | None]) -> list[str]:
    """Return a sentence for each setting in `config` that nothing reads, given the answer to its validation."""
    known = {c["definition"]["name"] for c in infos["configs"] if c["definition"] is not None}
    broken = {c["value"]["name"] for c in infos["configs"] if c["value"] is not None and c["value"]["errors"]}
    found = []
    for key in config:
        client = next((prefix for prefix in _CLIENTS if key.startswith(prefix)), None)
        if client is not None and key not in known and key not in broken:
            found += _of_a_client(key, client)
        elif client is not None or key in known or key.startswith("config.providers") or _beside_an_error(key, broken):
            continue
        else:
            found.append(_sentence(key, known, config))
    return found


def _of_a_client(key: str, prefix: str) -> list[str]:
    """Return a sentence if neither Kafka's client nor the client library knows the setting."""
    kind, name = _CLIENTS[prefix], key.removeprefix(prefix)
    if knows(kind, name):
        return []
    near = difflib.get_close_matches(name, client_config_def(kind.value).names, n=1, cutoff=0.75)
    return [f"{key} is not a known setting and has no effect" + (f"; did you mean {prefix}{near[0]}?" if near else "")]


def _beside_an_error(key: str, broken: set[str]) -> bool:
    """Return whether a class is not known whose settings `key` may be one of: nobody can say then."""
    owners = [f"{name}." for name in _CONVERTERS if name in broken]
    owners += [name.removesuffix("type") for name in broken if name.endswith(".type")]
    owners += [f"{name}." for name in ("transforms", "predicates") if name in broken]
    if "topic.creation.groups" in broken:
        owners.append("topic.creation.")
    return key.startswith(tuple(owners))


def _sentence(key: str, known: set[str], config: Mapping[str, str | None]) -> str:
    converter = next((name for name in _CONVERTERS if key.startswith(f"{name}.")), None)
    if converter is not None and not config.get(converter):
        return f"{key} has no effect without {converter}: the worker's converter has the worker's settings"
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.75)
    return f"{key} is not a known setting and has no effect" + (f"; did you mean {near[0]}?" if near else "")


def log_unknown_settings(connector: str | None, infos: Mapping[str, Any], config: Mapping[str, str | None]) -> None:
    """Warn of each setting of `config` that nothing reads."""
    for sentence in unknown_settings(infos, config):
        _log.warning("[%s] %s", connector or "a connector without a name", sentence)


def warning_header(sentences: list[str]) -> dict[str, str]:
    """Return the HTTP header ``Warning`` (code 299, "miscellaneous persistent warning") that tells of `sentences`."""
    shown = sentences[:_MAX_IN_HEADER]
    if len(sentences) > len(shown):
        shown.append(f"and {len(sentences) - len(shown)} more")
    text = "; ".join(shown)
    safe = "".join(c if " " <= c <= "~" and c not in '"\\' else "?" for c in text)[:2000]
    return {"Warning": f'299 penstock "{safe}"'} if safe else {}
