"""The plugins driven directly, with penstock's fakes for what a worker gives them."""

import pytest
from penstock_acme.pipes import PipeConverter
from penstock_acme.tenant import AddTenant
from penstock_acme.ticks import PARTITION, TickSource, TickTask
from penstock_acme.uppercase import Uppercase

from penstock.api import Shape, apply_bound
from penstock.data import INT64, OPTIONAL_INT64, STRING, SchemaBuilder, SourceRecord
from penstock.errors import ConfigError, DataError
from penstock.testing.fakes import FakeSourceTaskContext

SCHEMA = SchemaBuilder.struct().field("id", INT64).field("name", STRING).build()


def pipes(fields="id:int64,name:string"):
    converter = PipeConverter()
    converter.configure({"fields": fields}, is_key=False)
    return converter


@pytest.mark.parametrize(
    ("value", "data"),
    [
        ({"id": 1, "name": "road runner"}, b"1|road runner"),
        ({"id": 1, "name": "a|b\\c\nd"}, rb"1|a\pb\\c\nd"),
        ({"id": 1, "name": ""}, rb"1|\e"),
        ({"id": None, "name": None}, b"|"),
        (None, None),
    ],
)
def test_pipes_there_and_back(value, data):
    assert pipes().from_connect("t", SCHEMA, value) == data
    assert pipes().to_connect("t", data).value == value


def test_every_type_of_pipes_there_and_back():
    converter = pipes("i:int64,f:float64,b:boolean,s:string")
    value = {"i": -5, "f": 0.1, "b": False, "s": "x"}
    data = converter.from_connect("t", None, value)
    assert data == b"-5|0.1|false|x"
    back = converter.to_connect("t", data)
    assert back.value == value
    assert back.schema.field("i").schema == OPTIONAL_INT64


def test_pipes_say_what_is_wrong():
    with pytest.raises(ConfigError, match="Expected name:type"):
        pipes("id")
    with pytest.raises(DataError, match="expects the field name of type string"):
        pipes().serializer("t", SchemaBuilder.struct().field("id", INT64).build())
    with pytest.raises(DataError, match="expects 2 fields, met 1"):
        pipes().to_connect("t", b"1")
    with pytest.raises(DataError, match="expects int64 in the field id, met 'x'"):
        pipes().to_connect("t", b"x|y")


def test_uppercase_changes_a_copy():
    transform = Uppercase()
    transform.configure({"field": "name"})
    record = SourceRecord("t", value_schema=SCHEMA, value={"id": 1, "name": "coyote"})
    assert transform.apply(record).value == {"id": 1, "name": "COYOTE"}
    assert record.value["name"] == "coyote"
    assert transform.apply(SourceRecord("t", value=None)).value is None
    with pytest.raises(DataError, match="expects a string"):
        transform.apply(SourceRecord("t", value={"name": 5}))


def test_tenant_is_bound_once_and_leaves_the_original_alone():
    transform = AddTenant()
    transform.configure({"tenant": "acme"})
    bound = transform.bind(Shape("t", None, SCHEMA))
    record = SourceRecord("t", value_schema=SCHEMA, value={"id": 1, "name": "x"})
    changed = apply_bound(bound, record)
    assert changed.value == {"id": 1, "name": "x", "tenant": "acme"}
    assert changed.value_schema is bound.shape.value_schema
    assert [f.name for f in changed.value_schema.fields] == ["id", "name", "tenant"]
    assert record.value == {"id": 1, "name": "x"}
    with pytest.raises(DataError, match="would overwrite"):
        transform.bind(bound.shape)


def test_ticks_resume_and_end():
    connector = TickSource()
    connector.start({"topic": "t", "ticks": "5", "interval.ms": "0"})
    (config,) = connector.task_configs(10)
    task = TickTask()
    task.initialize(FakeSourceTaskContext(config, [(PARTITION, {"tick": 3})]))
    task.start(config)
    assert [task.poll()[0].value["tick"] for _ in range(2)] == [4, 5]
    task.stop()
    assert task.poll() is None
    assert task.exhausted


def test_a_stopped_tick_task_does_not_wait():
    task = TickTask()
    task.initialize(FakeSourceTaskContext())
    task.start({"topic": "t", "interval.ms": "60000"})
    task.stop()
    assert task.poll() is None


def test_penstock_finds_the_plugins_by_their_entry_point():
    from importlib.metadata import entry_points

    hooks = entry_points(group="penstock")["penstock_acme"].load()
    plugins = [
        *hooks.penstock_register_converters(),
        *hooks.penstock_register_transforms(),
        *hooks.penstock_register_connectors(),
    ]
    assert [p.name for p in plugins] == ["pipes", "acme-uppercase", "acme-tenant", "acme-ticks"]
    for plugin in plugins:
        module, _, name = plugin.target.partition(":")
        assert hasattr(__import__(module, fromlist=[name]), name)
