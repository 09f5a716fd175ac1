"""``jdbc:sqlite:`` URLs and the parameters of sqlite-jdbc, which are pragmas for the most part."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from urllib.parse import unquote

from penstock_connectors.jdbc.urls.target import NO_EFFECT, DatabaseUrl, Handler, Parameters, UrlError, translate

__all__ = ["apply", "parse"]


def parse(rest: str, properties: Iterable[tuple[str, str]]) -> DatabaseUrl:
    """Return the database of ``path?parameters``, ``:memory:``, or ``file:path?mode=ro`` (SQLite's own kind of URI).

    No path means a database in memory, as in sqlite-jdbc.
    """
    target = DatabaseUrl("sqlite", "sqlite+pysqlite", connect_args={"check_same_thread": False})
    if rest.startswith(":resource:"):
        raise UrlError(f"jdbc:sqlite:{rest} names a resource of a Java class path; expected the path of a file")
    if rest.startswith("file:"):
        target.database = rest
        target.query["uri"] = "true"
    else:
        path, _, query = rest.partition("?")
        target.database = path or ":memory:"
        given = [pair.partition("=") for pair in query.split("&") if pair]
        apply(target, [(unquote(name), unquote(value)) for name, _, value in given])
    apply(target, properties)
    return target


def apply(target: DatabaseUrl, given: Iterable[tuple[str, str]]) -> None:
    """Put sqlite-jdbc's parameters into `target`."""
    target.connect_args.setdefault("check_same_thread", False)
    translate(target, given, _PARAMETERS, "SQLite")


def _pragma(name: str) -> Handler:
    def put(target: DatabaseUrl, value: str) -> None:
        if not value or not all(c.isalnum() or c in "_-+." for c in value):
            met = "holds other characters" if name == "hexkey" else f"is '{value}'"
            raise UrlError(f"Connection parameter '{name}' {met}; expected a word or a number")
        target.statements.append(f"PRAGMA {name} = {value}")

    return put


def _busy_timeout(target: DatabaseUrl, value: str) -> None:
    if not value.isdigit():
        raise UrlError(f"Connection parameter 'busy_timeout' is '{value}'; expected a number of milliseconds")
    target.connect_args["timeout"] = int(value) / 1000


_PRAGMAS: Final = (
    "auto_vacuum automatic_index cache_size case_sensitive_like cell_size_check default_cache_size defer_foreign_keys "
    "encoding foreign_keys fullfsync hexkey ignore_check_constraints journal_mode journal_size_limit "
    "legacy_alter_table legacy_file_format locking_mode max_page_count mmap_size page_size query_only "
    "read_uncommitted recursive_triggers reverse_unordered_selects secure_delete synchronous temp_store threads "
    "user_version application_id"
)
#: Parameters that tell sqlite-jdbc how to read and write dates, and when to begin transactions: here the connector decides.
_TUNING: Final = (
    "date_class date_precision date_string_format shared_cache transaction_mode jdbc.explicit_readonly "
    "jdbc.get_generated_keys open_mode enable_load_extension"
)

_PARAMETERS: Final[Parameters] = {
    "busy_timeout": _busy_timeout,
    **{name: _pragma(name) for name in _PRAGMAS.split()},
    **dict.fromkeys(_TUNING.split(), NO_EFFECT),
}
