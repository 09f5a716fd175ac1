"""One suite over all stores, then what the lasting ones promise: nothing acknowledged is lost, no id is given twice."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import textwrap
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from penstock.errors import ConnectError, WorkerError
from penstock_registry.server.content import StoredSchema
from penstock_registry.server.formats import Formats
from penstock_registry.server.registry import Registry
from penstock_registry.server.requests import SchemaRequest
from penstock_registry.store import (
    ConfigKey,
    ContextKey,
    DeleteSubjectKey,
    MemoryStore,
    ModeKey,
    NoopKey,
    RegistryStore,
    SchemaKey,
    StoreRecord,
)
from penstock_registry.store.interface import Apply
from penstock_registry.store.kafka import KafkaStore
from penstock_registry.store.kafka_settings import KafkaStoreSettings
from penstock_registry.store.sqlite import SqliteStore

Open = Callable[[], RegistryStore]


class ClaimedStore(KafkaStore):
    """One that writes from the start, without an election."""

    def start(self, apply: Apply) -> None:
        super().start(apply)
        self.claim()


@pytest.fixture(params=["memory", "sqlite", pytest.param("kafka", marks=pytest.mark.broker)])
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Makes a store; each call makes another over the same log, where the kind lasts."""
    made: list[RegistryStore] = []
    topic = f"_schemas-{uuid.uuid4().hex[:8]}"

    def open_one() -> RegistryStore:
        if request.param == "kafka":
            connection = {"bootstrap.servers": request.getfixturevalue("kafka")}
            store: RegistryStore = ClaimedStore(KafkaStoreSettings(connection, topic))
        else:
            store = MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / "registry.db")
        made.append(store)
        return store

    yield open_one
    for store in made:
        store.close()


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "registry.db"


def collected(store: RegistryStore) -> list[StoreRecord]:
    seen: list[StoreRecord] = []
    store.start(seen.extend)
    return seen


def told(records: Sequence[StoreRecord]) -> list[tuple[object, object]]:
    """Without what a store writes for itself."""
    return [(key, value) for key, value, _ in records if not isinstance(key, NoopKey)]


def schema_value(subject: str, version: int, schema_id: int, text: str = '"int"') -> dict[str, object]:
    return {
        "subject": subject, "version": version, "id": schema_id, "schemaType": "AVRO", "schema": text, "deleted": False,
    }  # fmt: skip


RECORDS: list[tuple[object, object]] = [
    (ContextKey("default", ".c"), {"tenant": "default", "context": ".c"}),
    (SchemaKey("s", 1), schema_value("s", 1, 1)),
    (SchemaKey(":.c:ü", 1), schema_value(":.c:ü", 1, 1, '{"type":"fixed","name":"Ü","size":1}')),
    (ConfigKey(None), {"compatibilityLevel": "FULL"}),
    (ModeKey("s"), {"subject": "s", "mode": "READONLY"}),
    (DeleteSubjectKey("s"), {"subject": "s", "version": 1}),
    (SchemaKey("s", 1), None),
]


def test_what_is_appended_is_applied_in_order_before_append_returns(open_store: Open) -> None:
    store = open_store()
    seen = collected(store)
    for start in range(0, len(RECORDS), 3):
        store.append(RECORDS[start : start + 3])  # type: ignore[arg-type]  # a table of all kinds
        assert told(seen) == RECORDS[: start + 3]
    assert all(record.timestamp_ms > 1_600_000_000_000 for record in seen)


def test_a_closed_store_takes_nothing(open_store: Open) -> None:
    store = open_store()
    seen = collected(store)
    store.close()
    store.close()
    with pytest.raises(ConnectError, match="start the registry first"):
        store.append([(ModeKey(None), {"mode": "IMPORT"})])
    assert told(seen) == []


def test_a_registry_works_over_it(open_store: Open) -> None:
    registry = registry_over(open_store())
    assert [register(registry, "s", number).id for number in range(5)] == [1, 2, 3, 4, 5]
    registry.delete_subject("s")
    registry.delete_subject("s", permanent=True)
    assert register(registry, "s", 9).id == 6


# --- what lasts ------------------------------------------------------------------------------------------------------


def registry_over(store: RegistryStore) -> Registry:
    registry = Registry(store, Formats())
    registry.start()
    return registry


def register(registry: Registry, subject: str, size: int) -> StoredSchema:
    text = json.dumps({"type": "fixed", "name": "F", "size": size})
    if registry.settings.config(None)["compatibilityLevel"] != "NONE":
        registry.settings.update_config(None, {"compatibility": "NONE"})
    return registry.register(subject, SchemaRequest(text))


def test_a_restart_reads_back_every_record_and_its_time(database: Path) -> None:
    first = SqliteStore(database, now_ms=lambda: 1234)
    collected(first)
    first.append(RECORDS)  # type: ignore[arg-type]  # a table of all kinds
    first.close()
    assert collected(SqliteStore(database)) == [StoreRecord(key, value, 1234) for key, value in RECORDS]  # type: ignore[arg-type]  # the same


def test_an_id_that_was_deleted_for_good_is_not_given_again_after_a_restart(database: Path) -> None:
    registry = registry_over(SqliteStore(database))
    assert register(registry, "s", 1).id == 1
    registry.delete_subject("s")
    registry.delete_subject("s", permanent=True)
    registry.close()
    again = registry_over(SqliteStore(database))
    assert again.subjects(":*:", deleted=True) == []
    assert register(again, "s", 2).id == 2
    again.close()


def test_a_second_process_is_refused_and_told_which_file(database: Path) -> None:
    first = SqliteStore(database)
    collected(first)
    script = f"""
        from pathlib import Path
        from penstock.errors import WorkerError
        from penstock_registry.store.sqlite import SqliteStore
        try:
            SqliteStore(Path({str(database)!r})).start(print)
        except WorkerError as error:
            print(error)
    """
    second = run(script)
    assert f"{database} is in use by another process" in second.stdout, second.stderr
    first.append([(ModeKey(None), {"mode": "IMPORT"})])
    first.close()
    assert "in use" not in run(script).stdout


def run(script: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", textwrap.dedent(script)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


WRITER = """
    import sys
    from pathlib import Path
    from penstock_registry.server.formats import Formats
    from penstock_registry.server.registry import Registry
    from penstock_registry.server.requests import SchemaRequest
    from penstock_registry.store.sqlite import SqliteStore
    registry = Registry(SqliteStore(Path(sys.argv[1])), Formats())
    registry.start()
    number = int(sys.argv[2])
    while True:
        subject = f"s{number}"
        made = registry.register(subject, SchemaRequest('{"type":"fixed","name":"F","size":%d}' % (number + 1)))
        print(subject, made.id, flush=True)
        if number % 3 == 0:
            registry.delete_subject(subject)
            registry.delete_subject(subject, permanent=True)
            print(subject, -1, flush=True)
        number += 1
"""


def test_kill_9_loses_nothing_that_was_acknowledged_and_gives_no_id_twice(database: Path) -> None:
    given: dict[int, str] = {}
    there: dict[str, int] = {}
    number = 0
    for lines in (5, 40, 20):
        command = [sys.executable, "-c", textwrap.dedent(WRITER), str(database), str(number)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            told = [writer.stdout.readline().split() for _ in range(lines)]
            writer.kill()
            told += [line.split() for line in writer.stdout if line.endswith("\n")]
        for subject, schema_id in ((subject, int(schema_id)) for subject, schema_id in told):
            number = max(number, int(subject[1:]) + 10)
            if schema_id < 0:
                del there[subject]
                continue
            assert given.setdefault(schema_id, subject) == subject
            there[subject] = schema_id
        registry = registry_over(SqliteStore(database))
        last = told[-1][0]  # what it was doing when it was killed may be done or not
        for subject, schema_id in there.items():
            if subject != last:
                assert registry.version(subject, -1).id == schema_id
        there.pop(last, None)  # nor is it known in the rounds to come
        made = register(registry, f"between{lines}", 100_000 + lines)
        assert made.id not in given
        given[made.id] = made.subject
        registry.close()
    assert len(given) > 40


def test_a_database_of_somebody_elses_is_left_alone(database: Path) -> None:
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE log (x)")
    connection.close()
    before = database.read_bytes()
    with pytest.raises(WorkerError, match=r"not a registry's: set store=sqlite:PATH"):
        SqliteStore(database).start(print)
    assert database.read_bytes() == before


def test_a_file_that_is_no_database_is_told(database: Path) -> None:
    database.write_text("hello " * 1000)
    with pytest.raises(WorkerError, match=r"registry\.db cannot be opened: file is not a database"):
        SqliteStore(database).start(print)


def test_a_file_of_a_newer_registry_is_told(database: Path) -> None:
    store = SqliteStore(database)
    collected(store)
    store.close()
    with sqlite3.connect(database) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(WorkerError, match="newer registry \\(format 99"):
        SqliteStore(database).start(print)


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(WorkerError, match="no folder"):
        SqliteStore(tmp_path / "none" / "registry.db").start(print)


def test_a_log_that_cannot_be_read_stops_the_start(database: Path) -> None:
    store = SqliteStore(database)
    collected(store)
    store.close()
    with sqlite3.connect(database) as connection:
        connection.execute("ALTER TABLE log DROP COLUMN value")
    connection.close()
    with pytest.raises(WorkerError, match="cannot be read"):
        SqliteStore(database).start(print)
    # It gave the lock back.
    sqlite3.connect(database, timeout=0).execute("DELETE FROM log")


def test_rows_that_cannot_be_read_are_reported_and_passed_over(
    database: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = SqliteStore(database)
    collected(store)
    store.append([(ModeKey("a"), {"subject": "a", "mode": "READONLY"})])
    store.close()
    config = '{"keytype":"CONFIG","subject":"s","magic":0}'
    with sqlite3.connect(database) as connection:
        for key, value in (
            (b"\0", None), (b'{"keytype":"SCHEMA","subject":5,"version":1}', b"{}"), (config.encode(), b'"\\ud800"'),
            (config.encode(), b"[]"), (b'{"keytype":"SCHEMA","subject":"s","version":"1"}', b"{}"), (b"[]", None),
        ):  # fmt: skip
            connection.execute("INSERT INTO log (key, value, timestamp_ms) VALUES (?, ?, 0)", (key, value))
    connection.close()
    store = SqliteStore(database)
    store_again = told(collected(store))
    store.append([(ModeKey("b"), {"subject": "b", "mode": "READONLY"})])
    store.close()
    assert store_again == [(ModeKey("a"), {"subject": "a", "mode": "READONLY"})]
    assert [record.message.partition(" of the log is passed over")[1] != "" for record in caplog.records] == [True] * 6
    assert f"{database}: row 2 of the log" in caplog.text


def test_a_store_that_failed_to_write_is_not_ready_until_it_can(database: Path) -> None:
    store = SqliteStore(database)
    assert store.problem() == "the store is not open"
    seen = collected(store)
    assert store.problem() is None
    connection = store._connection
    assert connection is not None
    store.append([(ModeKey(None), {"mode": "IMPORT"})])
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(ConnectError, match="did not take the change: database or disk is full"):
        store.append([(ConfigKey(None), {"compatibilityGroup": "x" * 20_000})])
    connection.execute("PRAGMA query_only = 1")
    assert "disk is full" in str(store.problem())
    connection.execute("PRAGMA query_only = 0")
    connection.execute("PRAGMA max_page_count = 1000000")
    assert store.problem() is None
    store.append([(ConfigKey(None), {"compatibilityGroup": "x" * 20_000})])
    assert len(seen) == 2
    store.close()


def test_a_write_that_failed_is_not_applied(database: Path) -> None:
    store = SqliteStore(database)
    seen = collected(store)
    connection = store._connection
    assert connection is not None
    connection.execute(
        "CREATE TRIGGER full BEFORE INSERT ON log WHEN instr(NEW.key, CAST('MODE' AS BLOB)) BEGIN SELECT RAISE(ABORT, 'disk full'); END"
    )
    with pytest.raises(ConnectError, match="did not take the change: disk full"):
        store.append([(ConfigKey(None), {"compatibilityLevel": "FULL"}), (ModeKey(None), {"mode": "IMPORT"})])
    assert seen == []
    store.append([(ConfigKey(None), {"compatibilityLevel": "FULL"})])
    assert len(seen) == 1
    store.close()


CROWD = """
    import sys, threading
    from pathlib import Path
    from penstock_registry.server.formats import Formats
    from penstock_registry.server.registry import Registry
    from penstock_registry.server.requests import SchemaRequest
    from penstock_registry.store.sqlite import SqliteStore
    registry = Registry(SqliteStore(Path(sys.argv[1])), Formats())
    registry.start()
    start = int(sys.argv[2])
    telling = threading.Lock()
    def write(which):
        for number in range(start + which, start + 100_000, 6):
            made = registry.register(f"s{number}", SchemaRequest('{"type":"fixed","name":"F","size":%d}' % (number + 1)))
            with telling:
                print(number, made.id, flush=True)
    for which in range(6):
        threading.Thread(target=write, args=(which,), daemon=True).start()
    threading.Event().wait(120)
"""


def test_kill_9_in_the_middle_of_shared_writes_loses_nothing_that_was_acknowledged(database: Path) -> None:
    given: dict[int, int] = {}
    for start in (0, 100_000):
        command = [sys.executable, "-c", textwrap.dedent(CROWD), str(database), str(start)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            told = [writer.stdout.readline() for _ in range(150)]
            writer.kill()
            told += [line for line in writer.stdout if line.endswith("\n")]
        for number, schema_id in (map(int, line.split()) for line in told):
            assert given.setdefault(schema_id, number) == number
    registry = registry_over(SqliteStore(database))
    for schema_id, number in given.items():
        stored = registry.version(f"s{number}", -1)
        assert stored.id == schema_id
        assert f'"size":{number + 1}}}' in stored.content.text
    registry.close()
    assert len(given) >= 300
