"""penstock's acceptance suites, run against these plugins: the promises that a worker relies on."""

from penstock_acme.pipes import PipeConverter
from penstock_acme.tenant import AddTenant
from penstock_acme.ticks import TickSource
from penstock_acme.uppercase import Uppercase

from penstock.data import INT64, STRING, SchemaBuilder, SourceRecord
from penstock.testing.suites import Sample, converter_suite, source_suite, transform_suite

SCHEMA = SchemaBuilder.struct().field("id", INT64).field("name", STRING).build()
RECORDS = [
    SourceRecord(
        "t", value_schema=SCHEMA, value={"id": 1, "name": "x"}, source_partition={"p": 1}, source_offset={"o": 1}
    ),
    SourceRecord("t", value={"id": 1, "name": "x"}),
]

TestPipes = converter_suite(
    PipeConverter,
    {"fields": "id:int64,name:string"},
    samples=[Sample(SCHEMA, {"id": 1, "name": "a|b\n"})],
    malformed=[b"1", b"x|y"],
    refused_settings=[{"fields": "id"}],
)
TestUppercase = transform_suite(Uppercase, {"field": "name"}, records=RECORDS, refused_settings=[{}])
TestAddTenant = transform_suite(AddTenant, {"tenant": "acme"}, records=RECORDS, refused_settings=[{}])
TestTicks = source_suite(
    TickSource, {"topic": "t", "ticks": "5", "interval.ms": "0"}, records=5, facts=lambda record: record.value["tick"]
)
