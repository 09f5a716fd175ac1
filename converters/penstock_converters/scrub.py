"""Names that a schema language takes, made of names it does not take (``scrub.invalid.names``)."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote_plus

__all__ = ["scrub", "scrub_full"]

_INVALID: Final = re.compile(r"[^A-Za-z0-9_]")
_START: Final = re.compile(r"[A-Za-z_]")


def scrub(name: str) -> str:
    """Percent-encoded as ``URLEncoder`` does, then every other character a ``_``."""
    scrubbed = _INVALID.sub("_", quote_plus(name, safe="*").replace("~", "%7E"))
    return scrubbed if _START.match(scrubbed) else "x" + scrubbed


def scrub_full(name: str) -> str:
    """The last part of a full name scrubbed; a namespace stays as it is (release 7.6)."""
    namespace, dot, simple = name.rpartition(".")
    return namespace + dot + scrub(simple)
