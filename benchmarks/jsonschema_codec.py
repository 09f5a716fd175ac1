"""JSON behind a schema id: the converter beside Confluent's Python JSON serializers, with and without validation.

    python benchmarks/jsonschema_codec.py [--records 2000] [--rounds 30]

Both sides use one embedded registry over HTTP, whose answers they keep, and read the same bytes. Confluent's serializers
always validate what they have a schema for. They take a hundred times as long, so they are timed over a twentieth of the
records, and over a tenth of the rounds.
"""

from __future__ import annotations

from collections.abc import Iterator

from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.json_schema import JSONDeserializer, JSONSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from codec_record import SCHEMA, Measured, by_turns, each, main, rows
from penstock_converters.jsonschema.converter import JsonSchemaConverter
from penstock_registry.server.service import RegistryService


def converter(url: str, validate: bool) -> JsonSchemaConverter:
    made = JsonSchemaConverter()
    made.configure({"schema.registry.url": url, "json.fail.invalid.schema": str(validate).lower()}, is_key=False)
    return made


def measure(records: int, rounds: int) -> Iterator[Measured]:
    service = RegistryService()
    service.start({"listeners": "http://127.0.0.1:0"})
    try:
        yield from compare(service.urls[0], records, rounds)
    finally:
        service.stop()


def compare(url: str, records: int, rounds: int) -> Iterator[Measured]:
    data = rows(records)
    plain, checked = converter(url, False), converter(url, True)
    messages = [plain.from_connect("t", SCHEMA, row) for row in data]
    client = SchemaRegistryClient({"url": url})
    text = client.get_latest_version("t-value").schema.schema_str
    assert text is not None
    context = SerializationContext("t", MessageField.VALUE)
    write, read = JSONSerializer(text, client), JSONDeserializer(None, schema_registry_client=client)
    few = max(1, records // 20)
    writing = each(lambda r: write(r, context), data[:few])
    reading = each(lambda m: read(m, context), messages[:few])
    theirs_write, theirs_read = (
        by_turns(work, lambda: None, few, max(1, rounds // 10))[0] for work in (writing, reading)
    )
    cases = [
        ("jsonschema, write", plain.serializer("t", SCHEMA), data, theirs_write, None),
        ("jsonschema validated, write", checked.serializer("t", SCHEMA), data, theirs_write, 10.0),
        ("jsonschema, read", plain.deserializer("t"), messages, theirs_read, None),
        ("jsonschema validated, read", checked.deserializer("t"), messages, theirs_read, 10.0),
    ]
    for name, mine, items, theirs, bar in cases:
        ours, _ = by_turns(each(mine, items), lambda: None, records, rounds)
        yield Measured(name, "confluent-kafka", ours, theirs, within=bar)


if __name__ == "__main__":
    main(measure, __doc__)
