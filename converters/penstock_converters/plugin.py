"""What this package brings to penstock; nothing it needs at run time is imported here."""

from __future__ import annotations

from penstock.api import Plugin, hookimpl


@hookimpl
def penstock_register_converters() -> list[Plugin]:
    return []


@hookimpl
def penstock_register_header_converters() -> list[Plugin]:
    return []
