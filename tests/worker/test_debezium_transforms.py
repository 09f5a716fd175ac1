"""Debezium's transforms by their class names in a worker's task: from a connector's events to what goes to Kafka."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

import pytest

from lab.change_events import KEY, event, event_schema
from penstock.api import SourceConnector, SourceTask
from penstock.config import ConfigDef
from penstock.data import ConnectRecord, SinkRecord, SourceRecord
from penstock.telemetry.tracing import SentHeaders, trace_tasks
from penstock.testing.harness import ConfigRefusedError, SinkHarness, SourceHarness, config_errors
from penstock_connectors.file_stream_sink import FileStreamSinkConnector

ENVELOPE = event_schema()
TOPIC = "srv.db.orders"
ADA, GRACE = {"id": 1, "note": "ada", "state": "paid"}, {"id": 2, "note": "grace", "state": None}
JSON = {
    f"{part}.converter{key}": value
    for part in ("key", "value")
    for key, value in (("", "org.apache.kafka.connect.json.JsonConverter"), (".schemas.enable", "false"))
}
UNWRAP = {"transforms": "unwrap", "transforms.unwrap.type": "io.debezium.transforms.ExtractNewRecordState"}


def change(number: int, value: dict[str, Any] | None) -> SourceRecord:
    row = None if value is None else value["after"] or value["before"]
    return SourceRecord(
        TOPIC, key_schema=KEY, key={"id": row["id"] if row else 1}, value_schema=ENVELOPE if value else None, value=value,
        source_partition={"server": "srv"}, source_offset={"lsn": number},
    )  # fmt: skip


class ChangesTask(SourceTask):
    version = "1"
    changes: ClassVar[Sequence[dict[str, Any] | None]] = (
        event("c", None, ADA),
        event("u", GRACE, GRACE),
        event("d", ADA),
        None,
        event("t"),
        event("c", None, GRACE),
    )

    def start(self, props: Mapping[str, str]) -> None:
        self.rest = [change(number, value) for number, value in enumerate(self.changes)]

    def poll(self) -> Sequence[SourceRecord] | None:
        rest, self.rest = self.rest, []
        return rest

    def stop(self) -> None:
        """Nothing to free."""


class Changes(SourceConnector):
    version = "1"

    @classmethod
    def config_def(cls) -> ConfigDef:
        return ConfigDef()

    def start(self, props: Mapping[str, str]) -> None:
        self.props = dict(props)

    @property
    def task_class(self) -> type[SourceTask]:
        return ChangesTask

    def task_configs(self, max_tasks: int) -> list[dict[str, str]]:
        return [self.props]

    def stop(self) -> None:
        """Nothing to free."""


class OutboxTask(ChangesTask):
    changes = (event("c", None, ADA), event("u", GRACE, GRACE), event("d", ADA), None, event("c", None, GRACE))


class Outbox(Changes):
    @property
    def task_class(self) -> type[SourceTask]:
        return OutboxTask


def sent(config: Mapping[str, str], connector: type[Changes] = Changes) -> list[tuple[str, Any, Any]]:
    with SourceHarness(connector, {**JSON, **config}) as source:
        polled = source.poll()
        assert source.commit()
        assert source.offsets == [({"server": "srv"}, polled[-1].source_offset)]
        return [(record.topic, read(record.key), read(record.value)) for record in source.sent]


def read(data: bytes | None) -> Any:
    return None if data is None else json.loads(data)


K1, K2 = {"id": 1}, {"id": 2}
GRACE_WRITTEN = {**GRACE, "state": "new"}  # the JSON converter writes a null that has a default as the default


@pytest.mark.parametrize(
    ("mode", "deleted"),
    [
        ("drop", []),
        ("tombstone", [(TOPIC, K1, None)]),
        ("delete-to-tombstone", [(TOPIC, K1, None)]),
        ("rewrite", [(TOPIC, K1, {**ADA, "__deleted": "true"})]),
        ("rewrite-with-tombstone", [(TOPIC, K1, {**ADA, "__deleted": "true"}), (TOPIC, K1, None)]),
    ],
)
def test_events_go_to_kafka_as_rows(mode: str, deleted: list[Any]) -> None:
    mark = {"__deleted": "false"} if mode.startswith("rewrite") else {}
    assert sent({**UNWRAP, "transforms.unwrap.delete.tombstone.handling.mode": mode}) == [
        (TOPIC, K1, {**ADA, **mark}),
        (TOPIC, K2, {**GRACE_WRITTEN, **mark}),
        *deleted,
        (TOPIC, K2, {**GRACE_WRITTEN, **mark}),
    ]


class InsertsTask(ChangesTask):
    changes = (event("c", None, ADA),) * 5


class Inserts(Changes):
    @property
    def task_class(self) -> type[SourceTask]:
        return InsertsTask


class Carrying:
    """A trace that gives every record the same header."""

    @contextmanager
    def sending(self, records: Sequence[ConnectRecord]) -> Iterator[None]:
        yield

    putting = sending

    def carry(self, headers: SentHeaders) -> SentHeaders:
        return [*(headers or ()), ("traceparent", b"here")]


@pytest.mark.parametrize(
    ("connector", "config", "records"),
    [(Inserts, {}, 5), (Inserts, UNWRAP, 5), (Changes, {}, 6), (Changes, UNWRAP, 4)],
    ids=["a run", "a run of rows", "all kinds", "rows of all kinds"],
)
def test_every_record_carries_its_batchs_trace_whichever_way_it_goes(
    connector: type[Changes], config: dict[str, str], records: int
) -> None:
    trace_tasks(lambda connector, task, show: Carrying())
    try:
        with SourceHarness(connector, {**JSON, **config}) as source:
            source.poll()
            sent = source.sent
        assert len(sent) == records
        carried = [[(header.key, header.value) for header in record.headers] for record in sent]
        assert carried == [[("traceparent", b"here")]] * len(sent)
    finally:
        trace_tasks(None)


def test_transforms_behind_it_work_on_the_rows() -> None:
    config = {
        **UNWRAP, "transforms": "unwrap,site", "transforms.unwrap.add.fields": "op,source.lsn:at",
        "transforms.site.type": "org.apache.kafka.connect.transforms.InsertField$Value", "transforms.site.static.field": "site",
        "transforms.site.static.value": "x",
    }  # fmt: skip
    assert [value for _, _, value in sent(config)] == [
        {**ADA, "__op": "c", "__at": 42, "site": "x"},
        {**GRACE_WRITTEN, "__op": "u", "__at": 42, "site": "x"},
        None,
        {**GRACE_WRITTEN, "__op": "c", "__at": 42, "site": "x"},
    ]


def test_events_are_routed_before_they_become_rows() -> None:
    config = {
        **UNWRAP, "transforms": "route,unwrap", "transforms.route.type": "io.debezium.transforms.ByLogicalTableRouter",
        "transforms.route.topic.regex": "(.*)orders", "transforms.route.topic.replacement": "$1all",
    }  # fmt: skip
    first = sent(config)[0]
    assert first == ("srv.db.all", {"id": 1, "__dbz__physicalTableIdentifier": TOPIC}, ADA)


def test_an_outbox_is_routed_row_by_row() -> None:
    config = {
        "transforms": "outbox", "transforms.outbox.type": "io.debezium.transforms.outbox.EventRouter",
        "transforms.outbox.table.field.event.id": "id", "transforms.outbox.table.field.event.key": "id",
        "transforms.outbox.table.field.event.payload": "state", "transforms.outbox.route.by.field": "note",
    }  # fmt: skip
    assert sent(config, Outbox) == [("outbox.event.ada", 1, "paid"), ("outbox.event.grace", 2, "new")]


def test_times_of_the_source_are_converted() -> None:
    config = {
        "transforms": "zone", "transforms.zone.type": "io.debezium.transforms.TimezoneConverter", "transforms.zone.converted.timezone": "+01:00",
        "transforms.zone.include.list": "source:orders:source.ts_ms",
    }  # fmt: skip
    assert sent(config)[0][2]["source"]["ts_ms"] == 1_700_003_600_000


def test_a_sink_gets_rows_of_events() -> None:
    with SinkHarness(FileStreamSinkConnector, {"topics": TOPIC, "file": "/dev/null", **UNWRAP}) as sink:
        sink.put(
            SinkRecord(TOPIC, 0, KEY, K1, ENVELOPE, event("c", None, ADA)),
            SinkRecord(TOPIC, 0, KEY, K1, ENVELOPE, event("d", ADA)),
        )
        assert [record.value for record in sink.taken] == [ADA, None]


def test_validation_names_the_setting_in_debeziums_words() -> None:
    errors = config_errors(Changes, {**UNWRAP, "transforms.unwrap.delete.tombstone.handling.mode": "x"})
    assert errors == {
        "transforms.unwrap.delete.tombstone.handling.mode": [
            "Invalid value x for configuration delete.tombstone.handling.mode: Value must be one of drop, tombstone, "
            "rewrite-with-tombstone, rewrite, delete-to-tombstone"
        ]
    }
    with pytest.raises(ConfigRefusedError, match=r"topic\.regex"):
        sent({"transforms": "r", "transforms.r.type": "ByLogicalTableRouter", "transforms.r.topic.replacement": "x"})


@pytest.mark.parametrize(
    ("kind", "setting", "value", "problem"),
    [
        ("ExtractNewRecordState", "add.fields", "a:b:c", "Unexpected field name: a:b:c"),
        (
            "EventRouter",
            "table.fields.additional.placement",
            "a:b",
            "The place is one of header, envelope, partition, found b",
        ),
        ("EventRouter", "route.topic.regex", "(", "A valid regular expressions is expected"),
        ("TimezoneConverter", "converted.timezone", "Mars/X", "Invalid timezone format"),
        ("TimezoneConverter", "include.list", "x", "Invalid include list format"),
        ("ByLogicalTableRouter", "topic.regex", "", "A value is required"),
        ("ByLogicalTableRouter", "key.enforce.uniqueness", "x", "Expected value to be either true or false"),
    ],
)
def test_a_wrong_setting_is_told_before_the_connector_is_made(
    kind: str, setting: str, value: str, problem: str
) -> None:
    required = {"converted.timezone": "UTC", "topic.regex": "a", "topic.replacement": "b"}
    config = {f"transforms.t.{name}": text for name, text in {**required, setting: value}.items()}
    errors = config_errors(
        Changes,
        {"transforms": "t", "transforms.t.type": f"io.debezium.transforms.{PACKAGES.get(kind, '')}{kind}", **config},
    )
    assert list(errors) == [f"transforms.t.{setting}"]
    assert problem in errors[f"transforms.t.{setting}"][0]


PACKAGES = {"EventRouter": "outbox."}


def test_a_setting_of_an_older_release_is_warned_about(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        sent({**UNWRAP, "transforms.unwrap.drop.tombstones": "false"})
    (message,) = {r.getMessage() for r in caplog.records if "drop.tombstones" in r.getMessage()}
    assert "has no effect" in message
