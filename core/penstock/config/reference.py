"""``docs/config.md``: the reference of worker and connector settings, made from the table and the definitions.

``python -m penstock.config.reference > docs/config.md`` writes it; a test holds the file against the table.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

from penstock.config.connector import connector_config_def, sink_connector_config_def, source_connector_config_def
from penstock.config.definition import NO_DEFAULT, ConfigKey, ConfigType, Importance
from penstock.config.enrich import topic_group_config_def, transform_config_def
from penstock.config.info import config_text
from penstock.config.table import PREFIXES, SECTIONS, Row, Treatment

__all__ = ["settings_reference"]

_INTRODUCTION = """\
# Settings

- [Worker settings](#worker-settings)
- [Connector settings](#connector-settings)

<!-- Made by `python -m penstock.config.reference > docs/config.md`. Change core/penstock/config, not this page. -->

## Worker settings

A worker takes Kafka Connect's settings, from a Java `.properties` file, a TOML file (whole keys in quotes) or the
environment (`CONNECT_OFFSET_FLUSH_INTERVAL_MS` is `offset.flush.interval.ms`; `__` stands for `_`, `___` for `-`).

Every setting is one of three things:

- **used**: it does what Kafka Connect's documentation says.
- **no effect here**: there is nothing for it to act on; the worker says so once and goes on.
- **refused**: it would change security or delivery in a way that is not supported; the worker does not start with it.

A setting that is not listed gets a warning with the nearest name that is. A value that is not valid stops the worker,
with the key, the value and what was expected. Key and trust stores are PEM or PKCS12 files; a JKS file is refused with
the `keytool` command that converts it.
"""


def settings_reference() -> str:
    """Return the whole page: workers' settings first, then connectors'."""
    return "\n".join([_INTRODUCTION, *_tables(), *_prefixes(), *_connectors()]).rstrip() + "\n"


def _tables() -> Iterator[str]:
    for title, rows in SECTIONS.items():
        yield f"### {title}\n"
        yield "| setting | type | default | valid | importance | here | |"
        yield "| --- | --- | --- | --- | --- | --- | --- |"
        for row in rows:
            yield _line(row)
        yield ""


def _line(row: Row) -> str:
    default = "**required**" if row.required else f"`{row.default_text}`" if row.default_text else ""
    valid = str(row.validator) if row.validator is not None else ""
    mode = f" ({row.mode} only)" if row.mode and row.mode != "distributed" else ""
    treatment = row.treatment.value if row.treatment is Treatment.USED else f"**{row.treatment.value}**"
    return _cells(f"`{row.name}`", row.type.value, default, valid, row.importance.value, treatment + mode, row.doc)


def _cells(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _prefixes() -> Iterator[str]:
    yield "### Prefixes\n"
    yield "| prefix | |"
    yield "| --- | --- |"
    for prefix in PREFIXES:
        yield f"| `{prefix.name}` | {prefix.doc} |"


_CONNECTORS = """\

## Connector settings

These are every connector's; its own are shown by `penstock plugins describe NAME`. Settings under
`producer.override.`, `consumer.override.` and `admin.override.` go to the connector's Kafka clients, those under
`key.converter.`, `value.converter.` and `header.converter.` to its converters.
"""


def _connectors() -> Iterator[str]:
    yield _CONNECTORS
    common = connector_config_def()
    yield from _definition("All connectors", common.keys)
    for title, definition in (("Sources", source_connector_config_def()), ("Sinks", sink_connector_config_def())):
        yield from _definition(title, [key for key in definition.keys if key.name not in common.names])
    transform = transform_config_def([])
    yield from _definition("Each transform, under `transforms.ALIAS.`", [_TYPE, *transform.keys])
    yield from _definition("Each predicate, under `predicates.ALIAS.`", [_TYPE])
    yield from _definition("Each topic creation group, under `topic.creation.GROUP.`", topic_group_config_def().keys)


_TYPE = ConfigKey(
    "type",
    ConfigType.CLASS,
    NO_DEFAULT,
    Importance.HIGH,
    "Which class the alias stands for. Its own settings follow under the same prefix.",
)


def _definition(title: str, keys: Iterable[ConfigKey]) -> Iterator[str]:
    yield f"### {title}\n"
    yield "| setting | type | default | valid | importance | |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for key in keys:
        default = config_text(key.default, key.type) if key.has_default else None
        shown = "**required**" if not key.has_default else f"`{default}`" if default else ""
        valid = "" if key.validator is None else str(key.validator)
        yield _cells(f"`{key.name}`", key.type.value, shown, valid, key.importance.value, key.doc)
    yield ""


if __name__ == "__main__":
    sys.stdout.write(settings_reference())
