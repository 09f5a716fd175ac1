"""JSON: the converter beside the standard library's ``json.dumps`` and ``json.loads`` of the same documents.

python benchmarks/json_codec.py [--records 2000] [--rounds 30]
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from codec_record import SCHEMA, Measured, by_turns, each, main, rows
from penstock_converters.json import JsonConverter


def converter(schemas_enable: str) -> JsonConverter:
    made = JsonConverter()
    made.configure({"schemas.enable": schemas_enable}, is_key=False)
    return made


def measure(records: int, rounds: int) -> Iterator[Measured]:
    data = rows(records)
    ours, plain = converter("true"), converter("false")
    write, read = ours.serializer("t", SCHEMA), ours.deserializer("t")
    messages = [write(row) for row in data]
    schema = json.loads(messages[0] or b"")["schema"]
    payloads = [json.dumps(row).encode() for row in data]
    assert [read(message).value for message in messages] == data
    cases = [
        ("json with schema, write", write, lambda r: json.dumps({"schema": schema, "payload": r}).encode(), data, 5.0),
        ("json with schema, read", read, json.loads, messages, 5.0),
        ("json, write", plain.serializer("t", None), lambda r: json.dumps(r).encode(), data, None),
        ("json, read", plain.deserializer("t"), json.loads, payloads, None),
    ]
    for name, mine, theirs, items, bar in cases:
        yield Measured(name, "stdlib", *by_turns(each(mine, items), each(theirs, items), records, rounds), at_least=bar)


if __name__ == "__main__":
    main(measure, __doc__)
