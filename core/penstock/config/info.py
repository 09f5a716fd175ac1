"""The answer of the validate endpoint: definitions and values of settings as JSON.

The shapes and the counting are those of ``AbstractHerder.generateResult``, ``convertConfigKey`` and
``convertConfigValue``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from penstock.config.definition import ConfigDef, ConfigKey, ConfigType, ConfigValue
from penstock.java.number_text import double_text

__all__ = ["config_infos", "config_text", "key_info", "merged", "value_info"]


def config_infos(
    name: str, keys: ConfigDef | Iterable[ConfigKey], values: Iterable[ConfigValue], groups: Sequence[str] | None = None
) -> dict[str, Any]:
    """Return ``{"name", "error_count", "groups", "configs"}``.

    A value whose key is not defined comes first, with ``"definition": null``; a key without a value has
    ``"value": null``. `groups` defaults to those of the definition.
    """
    known = {key.name: key for key in (keys.keys if isinstance(keys, ConfigDef) else keys)}
    by_name = {value.name: value for value in values}
    configs = [
        {"definition": None, "value": value_info(value, None)} for value in by_name.values() if value.name not in known
    ]
    for key in known.values():
        value = by_name.get(key.name)
        if key.internal and (value is None or (value.value == key.default and not value.errors)):
            continue
        configs.append({"definition": key_info(key), "value": None if value is None else value_info(value, key.type)})
    if groups is None:
        groups = keys.groups if isinstance(keys, ConfigDef) else []
    return {
        "name": name,
        "error_count": sum(len(value.errors) for value in by_name.values()),
        "groups": list(groups),
        "configs": configs,
    }


def merged(name: str, infos: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return several answers as one (``AbstractHerder.mergeConfigInfos``), counts added, groups without repetition."""
    parts = list(infos)
    return {
        "name": name,
        "error_count": sum(part["error_count"] for part in parts),
        "groups": list(dict.fromkeys(group for part in parts for group in part["groups"])),
        "configs": [config for part in parts for config in part["configs"]],
    }


def key_info(key: ConfigKey, prefix: str = "") -> dict[str, Any]:
    """Return one definition as ``GET /connector-plugins/{plugin}/config`` lists it."""
    return {
        "name": prefix + key.name,
        "type": key.type.name,
        "required": not key.has_default,
        "default_value": config_text(key.default, key.type) if key.has_default else None,
        "importance": key.importance.name,
        "documentation": key.doc,
        "group": key.group,
        "order_in_group": key.order,
        "width": key.width.name,
        "display_name": key.display_name,
        "dependents": list(key.dependents),
    }


def value_info(value: ConfigValue, of: ConfigType | None, prefix: str = "") -> dict[str, Any]:
    """Return one value; secrets are hidden."""
    item_type = ConfigType.STRING if of is ConfigType.LIST else of
    return {
        "name": prefix + value.name,
        "value": config_text(value.value, of),
        "recommended_values": [config_text(item, item_type) for item in value.recommended_values],
        "errors": list(value.errors),
        "visible": value.visible,
    }


def config_text(value: Any, of: ConfigType | None) -> str | None:
    """Return a parsed value as text (``ConfigDef.convertToString``)."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return double_text(value)
    if of is ConfigType.LIST and isinstance(value, list | tuple):
        return ",".join(map(str, value))
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(str, value))}]"
    if isinstance(value, type):
        return f"{value.__module__}.{value.__qualname__}"
    return str(value)  # a Password's text is [hidden]
