"""The choice of a database's tables that a connector reads: by the old lists of names or the new ones of patterns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from penstock.errors import ConnectError
from penstock.java.regex import compile_regex
from penstock_connectors.jdbc.dialects import Dialect
from penstock_connectors.jdbc.source import names
from penstock_connectors.jdbc.tables import TableId

__all__ = ["check_names", "column_by_pattern", "table_filter"]

_DUPLICATES = (
    "The connector uses the unqualified table name as the topic name and has detected duplicate unqualified table names. "
    "This could lead to mixed data types in the topic and downstream processing errors. To prevent such processing errors, "
    "the JDBC Source connector fails to start when it detects duplicate table name configurations. Update the connector's "
    "{setting} config to include exactly one table in each of the tables listed below.\n\t{tables}"
)


def table_filter(config: Mapping[str, Any], dialect: Dialect) -> Callable[[TableId], bool]:
    """Return the test that tables must pass. Patterns win over names, as in ``TableMonitorThread``."""
    include, exclude = config[names.INCLUDE_LIST], config[names.EXCLUDE_LIST]
    if include or exclude:
        wanted, unwanted = ([compile_regex(pattern) for pattern in patterns] for patterns in (include, exclude))
        return lambda table: (
            any(pattern.matches(table.fqn) for pattern in wanted)
            and not any(pattern.matches(table.fqn) for pattern in unwanted)
        )
    whitelist, blacklist = set(config[names.WHITELIST]), set(config[names.BLACKLIST])

    def spellings(table: TableId) -> set[str]:
        return {table.fqn, ".".join(map(dialect.quoting.quoted, table.parts)), table.name}

    if whitelist:
        return lambda table: not whitelist.isdisjoint(spellings(table))
    return lambda table: blacklist.isdisjoint(spellings(table))


def check_names(tables: Sequence[TableId], config: Mapping[str, Any]) -> None:
    """Raise `ConnectError` if two tables have one name, since they would share a topic."""
    by_name: dict[str, list[TableId]] = {}
    for table in tables:
        by_name.setdefault(table.name, []).append(table)
    twice = [alike for alike in by_name.values() if len(alike) > 1]
    if not twice:
        return
    if config[names.WHITELIST]:
        setting = f"'{names.WHITELIST}'"
    elif config[names.BLACKLIST]:
        setting = f"'{names.BLACKLIST}'"
    else:
        setting = f"'{names.WHITELIST}' or '{names.BLACKLIST}'"
    shown = ", ".join(f"[{', '.join(map(str, alike))}]" for alike in twice)
    raise ConnectError(_DUPLICATES.format(setting=setting, tables=f"[{shown}]"))


def column_by_pattern(mappings: Sequence[str], table: TableId, what: str) -> str:
    """Return the right side of the one mapping ``regex:columns`` that matches `table`; `what` names the kind in errors."""
    pairs = [mapping.split(":", 1) for mapping in mappings]
    found = [columns.strip() for pattern, columns in pairs if compile_regex(pattern.strip()).matches(table.fqn)]
    if len(found) != 1:
        problem = (
            "does not match any of the provided regexes"
            if not found
            else "matches more than one of the provided regexes"
        )
        raise ConnectError(f"Error while validating {what} column mappings: Included table '{table}' {problem}")
    return found[0]
