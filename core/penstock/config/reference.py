"""``docs/config.md``: the reference of worker settings, made from the table.

``python -m penstock.config.reference > docs/config.md`` writes it; a test holds the file against the table.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from penstock.config.table import PREFIXES, SECTIONS, Row, Treatment

__all__ = ["worker_reference"]

_INTRODUCTION = """\
# Worker settings

<!-- Made by `python -m penstock.config.reference > docs/config.md`. Change the table in core/penstock/config/table, not this page. -->

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


def worker_reference() -> str:
    """The whole page."""
    return "\n".join([_INTRODUCTION, *_tables(), *_prefixes()]).rstrip() + "\n"


def _tables() -> Iterator[str]:
    for title, rows in SECTIONS.items():
        yield f"## {title}\n"
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
    cells = (f"`{row.name}`", row.type.value, default, valid, row.importance.value, treatment + mode, row.doc)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _prefixes() -> Iterator[str]:
    yield "## Prefixes\n"
    yield "| prefix | |"
    yield "| --- | --- |"
    for prefix in PREFIXES:
        yield f"| `{prefix.name}` | {prefix.doc} |"


if __name__ == "__main__":
    sys.stdout.write(worker_reference())
