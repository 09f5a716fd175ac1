"""``EventRouter``: events that applications write into an outbox table, each to the topic it is meant for.

Followed are the settings and results of ``io.debezium.transforms.outbox.EventRouter`` of Debezium 3.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final, NoReturn

from penstock import __version__
from penstock.api import NOTHING, BoundTransform, Shape, Transform
from penstock.config import ConfigDef
from penstock.data import Schema, Type
from penstock.data.javatext import java_text
from penstock.errors import ConnectError, DataError
from penstock.java.regex import compile_regex
from penstock_transforms.blame import MISFITS, blame_part
from penstock_transforms.debezium.envelope import (
    AFTER,
    OP,
    field_missing,
    is_envelope,
    plain_struct,
    refusing,
    typed_field_of,
)
from penstock_transforms.debezium.json_payload import JsonPayloads
from penstock_transforms.debezium.names import field_adjuster
from penstock_transforms.debezium.outbox_row import PURPOSE, OutboxRow, Routing
from penstock_transforms.debezium.outbox_settings import OUTBOX, UNUSED, additional_fields
from penstock_transforms.debezium.settings import parse_each, warn_of_unused, word
from penstock_transforms.requirements import not_a_struct

__all__ = ["EventRouter"]

log = logging.getLogger(__name__)

_WHO: Final = "EventRouter"


class EventRouter(Transform):
    """Rows of the outbox become records of their own; deletes and tombstones are dropped, updates too unless they are fatal.

    What is no change event goes through.
    """

    version = __version__

    @classmethod
    def config_def(cls) -> ConfigDef:
        return OUTBOX

    def configure(self, configs: Mapping[str, Any]) -> None:
        config = parse_each(OUTBOX, configs)
        warn_of_unused(_WHO, configs, UNUSED)
        self._invalid = word(config["table.op.invalid.behavior"])
        self._routing = Routing(
            id_field=config["table.field.event.id"],
            key_field=config["table.field.event.key"],
            payload_field=config["table.field.event.payload"],
            timestamp_field=config["table.field.event.timestamp"],
            version_field=config["table.field.event.schema.version"],
            route_field=config["route.by.field"],
            pattern=compile_regex(config["route.topic.regex"]),
            replacement=config["route.topic.replacement"],
            empty_is_tombstone=config["route.tombstone.on.empty.payload"],
            additional=additional_fields(config),
            skips_missing=word(config["table.field.additional.missing"]) == "ignore",
            payloads=_payloads(config),
        )

    def bind(self, shape: Shape) -> BoundTransform:
        schema = shape.value_schema
        if schema is None or not is_envelope(schema):
            return BoundTransform(lambda record: None if record.value is None else record, shape, NOTHING)
        route = self._bound_row(schema)
        misplaced = self._misplaced
        no_op = None if schema.type is not Type.STRUCT or schema.field(OP) is not None else field_missing(OP)

        def apply(record: Any) -> Any:
            event = record.value
            if event is None:
                return None
            if not isinstance(event, dict):
                raise not_a_struct("Detect Debezium Operation", event, schema)
            if no_op is not None:
                no_op()
            op = event.get(OP)
            if op == "d":
                return None
            if op == "u":
                return misplaced(record)
            try:
                return route(record, event)
            except MISFITS as error:
                raise blame_part(error, "value") from error

        return BoundTransform(
            apply, None, writes=frozenset({"record", "headers"}), replaces=frozenset({"key", "value"})
        )

    def _bound_row(self, envelope: Schema) -> Any:
        try:
            typed_field_of(envelope, OP, Type.STRING)
            after = envelope.field(AFTER)
            if after is None:
                raise DataError(f"Unknown field: {AFTER}")
            return OutboxRow(self._routing, envelope, after.schema).route
        except ConnectError as error:
            refuse = refusing(error)

            def refuse_row(record: Any, event: dict[str, Any]) -> NoReturn:
                plain_struct(
                    event.get(AFTER), PURPOSE, None
                )  # an event without a row is the first thing to complain about
                refuse()

            return refuse_row

    def _misplaced(self, record: Any) -> None:
        """An update: rows of an outbox are only ever inserted and deleted."""
        if self._invalid == "fatal":
            key = java_text(record.key, record.key_schema)
            raise DataError(f"Unexpected update message received {key}, fail.")
        level = logging.ERROR if self._invalid == "error" else logging.WARNING
        log.log(
            level, "%s: a row of the outbox was updated; its change from the topic %s is ignored", _WHO, record.topic
        )


def _payloads(config: Mapping[str, Any]) -> JsonPayloads | None:
    if not config["table.expand.json.payload"]:
        return None
    return JsonPayloads(
        word(config["table.json.payload.null.behavior"]) == "optional_bytes",
        word(config["table.json.payload.empty.array.behavior"]) == "optional_string",
        field_adjuster(config["field.name.adjustment.mode"]),
    )
