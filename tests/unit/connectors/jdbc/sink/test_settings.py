"""The sink's settings are those that the JVM's connector lists, and go together as there."""

import json
from pathlib import Path

import pytest

from penstock.config.info import key_info
from penstock.errors import ConfigError
from penstock_connectors.jdbc.sink.config import CONFIG_DEF, SinkConfig
from penstock_connectors.jdbc.sink.connector import JdbcSinkConnector

RECORDED = json.loads((Path(__file__).parents[4] / "vectors" / "jdbc" / "config_sink.json").read_text())
OF_THE_CONNECTOR = RECORDED[: next(i for i, key in enumerate(RECORDED) if key["name"] == "name")]
GOOD = {"name": "s", "connection.url": "jdbc:sqlite::memory:", "topics": "t"}


def test_the_settings_are_the_recorded_ones_in_their_order() -> None:
    shown = [key_info(key) for key in CONFIG_DEF.keys if not key.internal]
    assert [{**info, "documentation": bool(info["documentation"])} for info in shown] == OF_THE_CONNECTOR


def test_settings_of_its_own_come_last_and_are_documented() -> None:
    own = [key for key in CONFIG_DEF.keys if key.internal]
    assert CONFIG_DEF.keys[-len(own) :] == own
    assert all(key.doc for key in own)


@pytest.mark.parametrize(
    ("changes", "errors"),
    [
        ({}, {}),
        ({"insert.mode": "Upsert"}, {"insert.mode": ["Invalid value Upsert for configuration insert.mode: Invalid enumerator"]}),
        ({"table.types": "TABLE,SYNONYM"}, {"table.types": ["Invalid value SYNONYM for configuration table.types: Invalid enumerator"]}),
        (
            {"delete.enabled": "true"},
            {key: ["Deletes are only supported for pk.mode record_key"] for key in ("delete.enabled", "pk.mode")},
        ),
        ({"delete.enabled": "true", "pk.mode": "RECORD_KEY"}, {}),
        ({"dialect.name": "X"}, {"dialect.name": ["Invalid value X for configuration dialect.name: Invalid enumerator"]}),
        (
            {"quote.sql.identifiers": "x"},
            {"connection.url": ["Could not connect to database. No matching QuoteMethod found for 'x'"]},
        ),
        ({"connection.url": "jdbc:nope:x", "batch.size": "x"}, {"batch.size": [
            "Invalid value x for configuration batch.size: Not a number of type INT",
            "Invalid value null for configuration batch.size: Value must be non-null",
        ]}),
    ],
)  # fmt: skip
def test_validation_answers_with_kafkas_texts(changes: dict[str, str], errors: dict[str, list[str]]) -> None:
    answer = JdbcSinkConnector().validate({**GOOD, **changes})
    assert {value.name: value.errors for value in answer.values if value.errors} == errors


def test_a_database_that_is_not_there_is_said_at_its_url(tmp_path: Path) -> None:
    answer = JdbcSinkConnector().validate({**GOOD, "connection.url": f"jdbc:sqlite:{tmp_path}/no/folder.db"})
    (text,) = answer.value("connection.url").errors
    assert text.startswith("Could not connect to database. ")


def test_deletes_need_keys_also_where_nobody_validated() -> None:
    with pytest.raises(ConfigError, match="Primary key mode must be 'record_key' when delete support is enabled"):
        SinkConfig.parse({**GOOD, "delete.enabled": "true"})
