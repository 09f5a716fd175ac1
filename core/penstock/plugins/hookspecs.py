"""The hooks a plugin distribution may implement. Called at start or on a rare event, never per record.

A registering hook returns light `Plugin` descriptors; nothing a plugin needs at run time is imported for it.
"""

from __future__ import annotations

from collections.abc import Iterable

import pluggy

from penstock.api import Plugin

hookspec = pluggy.HookspecMarker("penstock")


@hookspec
def penstock_register_connectors() -> Iterable[Plugin]:  # type: ignore[empty-body]  # a hook specification
    """Source and sink connectors (`penstock.api.SourceConnector`, `SinkConnector`)."""


@hookspec
def penstock_register_converters() -> Iterable[Plugin]:  # type: ignore[empty-body]  # a hook specification
    """Converters of keys and values (`penstock.api.Converter`)."""


@hookspec
def penstock_register_header_converters() -> Iterable[Plugin]:  # type: ignore[empty-body]  # a hook specification
    """Converters of header values (`penstock.api.HeaderConverter`)."""


@hookspec
def penstock_register_transforms() -> Iterable[Plugin]:  # type: ignore[empty-body]  # a hook specification
    """Transforms (`penstock.api.Transform`)."""


@hookspec
def penstock_register_predicates() -> Iterable[Plugin]:  # type: ignore[empty-body]  # a hook specification
    """Predicates (`penstock.api.Predicate`)."""


@hookspec
def penstock_register_config_providers() -> Iterable[Plugin]:  # type: ignore[empty-body]  # a hook specification
    """Config providers (`penstock.api.ConfigProvider`)."""


@hookspec
def penstock_register_schema_formats() -> Iterable[Plugin]:  # type: ignore[empty-body]  # a hook specification
    """Schema languages of the registry (`penstock.api.SchemaFormat`)."""


@hookspec
def penstock_register_services() -> Iterable[Plugin]:  # type: ignore[empty-body]  # a hook specification
    """Long-lived services such as the embedded registry (`penstock.api.Service`)."""


@hookspec
def penstock_task_failed(connector: str, task: int, error: BaseException) -> None:
    """A task became FAILED. Called from the task's thread; exceptions are logged and go no further."""
