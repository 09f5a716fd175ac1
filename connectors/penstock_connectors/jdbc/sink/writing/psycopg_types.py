"""The types that psycopg sends parameters with, as pgjdbc does.

psycopg leaves a text's type to its place, so that ``'5'`` goes into a column of integers; with pgjdbc it is a varchar,
which the server refuses there. Integers all have one type here, so that a statement is prepared once.
"""

from __future__ import annotations

from typing import Any

from psycopg.adapt import PyFormat
from psycopg.types.numeric import Float4Dumper, Int8Dumper
from psycopg.types.string import StrDumperUnknown, StrDumperVarchar

from penstock.data import Float32
from penstock_connectors.jdbc.sink.rows.values import Untyped

__all__ = ["use_java_types"]


def use_java_types(connection: Any, untyped_texts: bool) -> None:
    """Have psycopg's `connection` send parameters with pgjdbc's types from now on; `untyped_texts`: texts without one, as
    with its ``stringtype=unspecified``."""
    adapters = connection.adapters
    if adapters.get_dumper(Float32, PyFormat.AUTO).oid != Float4Dumper.oid:
        adapters.register_dumper(str, StrDumperUnknown if untyped_texts else StrDumperVarchar)
        adapters.register_dumper(Untyped, StrDumperUnknown)
        adapters.register_dumper(int, Int8Dumper)
        adapters.register_dumper(Float32, Float4Dumper)
