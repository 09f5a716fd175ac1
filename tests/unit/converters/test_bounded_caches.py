"""A converter that meets ever new schemas keeps only as many bound as it was told to."""

import gc
import os
from decimal import Decimal
from pathlib import Path

import pytest

from penstock.api import Converter
from penstock.data import INT64, OPTIONAL_STRING, SchemaBuilder, decimal_schema
from penstock.plugins import PluginKind, Plugins

KEPT = 100
STATM = Path("/proc/self/statm")


def converter(name: str) -> Converter:
    made: Converter = Plugins.discover().new(PluginKind.CONVERTER, name)
    size = "schemas.cache.size" if name == "json" else "schemas.cache.config"
    registry = {} if name == "json" else {"schema.registry.url": f"mock://bounded-{name}"}
    made.configure({"converter.type": "value", size: str(KEPT), **registry}, False)
    return made


def live_after(made: Converter, first: int, last: int) -> int:
    """Objects that are alive once the schemas from `first` to `last` went through, both ways."""
    for number in range(first, last):
        schema = (
            SchemaBuilder.struct().name(f"a.R{number}")
            .field(f"f{number}", INT64).field("g", OPTIONAL_STRING).field("h", decimal_schema(2)).build()
        )  # fmt: skip
        data = made.serializer("t", schema)({f"f{number}": number, "g": "x", "h": Decimal("1.25")})
        assert made.deserializer("t")(data).value[f"f{number}"] == number
    gc.collect()
    return len(gc.get_objects())


def resident() -> float:
    """Megabytes of memory that the process has."""
    if not STATM.exists():
        return 0.0  # not Linux: the objects are counted nevertheless
    return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


@pytest.mark.parametrize("name", ["json", "avro", "jsonschema", "protobuf"])
def test_memory_stays_flat_once_the_cache_is_full(name: str, soak: bool) -> None:
    made = converter(name)
    many = 10_000 if soak else 400
    before = live_after(made, 0, 1)
    full = live_after(made, 1, KEPT)
    per_bound_schema = (full - before) / (KEPT - 1)
    warm = live_after(made, KEPT, 3 * KEPT)
    megabytes = resident()
    after = live_after(made, 3 * KEPT, 3 * KEPT + many)
    # The registry of the test itself keeps every schema it was given; that is little beside a bound one.
    assert (after - warm) / many < max(per_bound_schema / 4, 2)
    assert resident() - megabytes < 40
