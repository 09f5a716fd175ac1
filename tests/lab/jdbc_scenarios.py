"""Scenarios recorded from the JVM's JDBC connectors, run against any Connect worker.

A scenario is data (tests/vectors/jdbc/*.json): a connector's configuration, and steps that change a database, produce
records, call REST, and say what then has to be seen. `run` knows nothing of the worker but its REST API.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import sqlite3
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from lab.database_server import PostgresServer
from lab.jdbc_records import TopicReader, differences, grouped
from lab.jdbc_tables import postgres_table, sqlite_table

__all__ = ["Lab", "run"]

CLASSES = {
    "source": "io.confluent.connect.jdbc.JdbcSourceConnector",
    "sink": "io.confluent.connect.jdbc.JdbcSinkConnector",
}
_BUSY = re.compile("rebalanc|stale|momentarily|not ready|conflict", re.I)


class Lab:
    """The place where scenarios run: a worker's address, a broker's, a PostgreSQL server and a folder for SQLite's files."""

    def __init__(self, rest: str, bootstrap: str, postgres: PostgresServer, folder: Path) -> None:
        self.rest, self.bootstrap, self.postgres, self.folder = rest, bootstrap, postgres, folder
        self.tag = f"r{secrets.token_hex(2)}"
        self.patience = 60.0
        #: Seconds that a topic is watched for records which should not come.
        self.settle = 1.0


class Unmet(Exception):
    """A step could not be done."""


def run(lab: Lab, scenario: dict[str, Any]) -> list[str]:
    """Return what was seen that the scenario does not say; empty if all is as recorded."""
    made = _Run(lab, scenario)
    try:
        made.go()
    except Exception as error:  # the scenario's own outcome, reported with the others'
        made.found.append(f"{type(error).__name__}: {error}")
    finally:
        made.clear()
    return made.found


class _Place:
    """A scenario's own names, its database and its connector. Each step of kind ``x`` is done by a subclass's ``do_x``."""

    def __init__(self, lab: Lab, scenario: dict[str, Any]) -> None:
        self.lab, self.scenario = lab, scenario
        self.kind, self.database = scenario["kind"], scenario.get("database")
        name = scenario["id"]
        tag = f"{lab.tag}_{''.join(filter(str.isalnum, name.lower()))[:20]}{hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest()[:4]}"
        self.tag, self.name = tag, f"jdbc-{tag}"
        self.file = lab.folder / f"{tag}.db"
        postgres = self.database == "postgresql"
        self.words = {
            "{{url}}": lab.postgres.url(tag) if postgres else f"jdbc:sqlite:{self.file}",
            "{{user}}": lab.postgres.user, "{{password}}": lab.postgres.password, "{{name}}": self.name,
            "{{topic}}": f"{tag}_t", "{{prefix}}": f"{tag}_p_", "{{db}}": tag if postgres else str(self.file),
            "{{dir}}": str(lab.folder), "{{dlq}}": f"{tag}_dlq",
        }  # fmt: skip
        self.found: list[str] = []
        self.held: dict[str, Any] = {}
        self.readers: dict[str, TopicReader] = {}
        self.config: dict[str, str] = {}

    def go(self) -> None:
        if self.database == "postgresql":
            self.lab.postgres.execute(f"CREATE DATABASE {self.tag} TEMPLATE template0 ENCODING 'UTF8'")
        elif self.database == "sqlite":
            self.connect().close()
        for number, step in enumerate(self.scenario["steps"]):
            kind = next(key for key in step if hasattr(self, f"do_{key}"))
            before = len(self.found)
            try:
                getattr(self, f"do_{kind}")(step)
            except Unmet as error:
                self.found.append(str(error))
            self.found[before:] = [f"step {number} ({kind}): {text}" for text in self.found[before:]]
            if self.found and kind in ("start", "sql", "produce", "config"):
                return

    def clear(self) -> None:
        for reader in self.readers.values():
            reader.close()
        for connection in self.held.values():
            connection.close()
        self.call("DELETE", f"/connectors/{self.name}", expect=(204, 404))
        if self.database == "postgresql":
            self.lab.postgres.drop(self.tag)

    # --- texts and calls

    def fill(self, value: Any) -> Any:
        """Return `value` with the run's own names in the places of the scenario's."""
        if isinstance(value, str):
            for word, text in self.words.items():
                value = value.replace(word, text)
            return value
        if isinstance(value, list):
            return [self.fill(item) for item in value]
        if isinstance(value, dict) and set(value) == {"$re"}:
            pattern = value["$re"]
            for word, text in self.words.items():
                pattern = pattern.replace(word, re.escape(text))
            return {"$re": pattern}
        return {self.fill(k): self.fill(v) for k, v in value.items()} if isinstance(value, dict) else value

    def call(
        self, method: str, path: str, body: Any = None, expect: tuple[int, ...] | None = (200, 201, 202, 204)
    ) -> tuple[int, Any]:
        """Return status and answer; a worker that is busy with its own is asked again."""
        end = time.monotonic() + self.lab.patience
        while True:
            status, answer = self._ask(method, path, body)
            if status in (409, 500) and _BUSY.search(json.dumps(answer)) and time.monotonic() < end:
                time.sleep(0.2)
                continue
            if expect and status not in expect:
                raise Unmet(f"{method} {path} answered {status}: {answer!r:.500}")
            return status, answer

    def _ask(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self.lab.rest + path, data, {"Content-Type": "application/json"}, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=90) as response:
                status, text = response.status, response.read()
        except urllib.error.HTTPError as error:
            status, text = error.code, error.read()
        return status, json.loads(text) if text else None

    def status(self) -> Any:
        code, answer = self.call("GET", f"/connectors/{self.name}/status", expect=None)
        return answer if code == 200 else None

    def wait(self, probe: Callable[[Any], bool], what: str) -> Any:
        """Return the first status that `probe` holds of."""
        end = time.monotonic() + self.lab.patience
        while True:
            status = self.status()
            if status and probe(status):
                return status
            if time.monotonic() > end:
                raise Unmet(f"not {what}: {status!r:.900}")
            time.sleep(0.1)

    def until(self, step: dict[str, Any], expected: Any, look: Callable[[], Any], what: str) -> None:
        """Look until what is seen is as `expected`."""
        expected = self.fill(expected)
        end = time.monotonic() + step.get("timeout", self.lab.patience)
        while True:
            found = differences(expected, look())
            if not found or time.monotonic() > end:
                self.found += [f"{what}: {text}" for text in found]
                return
            time.sleep(0.15)

    def connect(self, **options: Any) -> Any:
        if self.database == "sqlite":
            return sqlite3.connect(self.file, timeout=20, isolation_level=None, check_same_thread=False)
        return self.lab.postgres.connect(self.tag, **options)


class _Run(_Place):
    """The steps of a scenario: those that do something first, then those that look."""

    def do_sql(self, step: dict[str, Any]) -> None:
        hold = step.get("hold")
        connection = self.connect(autocommit=not hold) if self.database == "postgresql" else self.connect()
        if hold and self.database == "sqlite":
            connection.execute("BEGIN IMMEDIATE")
        for statement in self.fill(step["sql"]):
            connection.execute(statement)
        if hold:
            self.held[hold] = connection
        else:
            connection.close()

    def do_release(self, step: dict[str, Any]) -> None:
        connection = self.held.pop(step["release"])
        connection.execute("COMMIT")
        connection.close()

    def full_config(self, changes: dict[str, Any]) -> dict[str, str]:
        config: dict[str, Any] = {"connector.class": CLASSES[self.kind], "tasks.max": "1", "connection.url": "{{url}}"}
        if self.database == "postgresql":
            config |= {"connection.user": "{{user}}", "connection.password": "{{password}}"}
        if self.kind == "source":
            config["poll.linger.ms"] = "50"
        for side in ("key", "value"):
            config |= {
                f"{side}.converter": "org.apache.kafka.connect.json.JsonConverter",
                f"{side}.converter.schemas.enable": "true",
            }
        return {key: value for key, value in self.fill(config | changes).items() if value is not None}

    def do_start(self, step: dict[str, Any]) -> None:
        self.config = self.full_config(self.scenario["connector"])
        self.call("PUT", f"/connectors/{self.name}/config", self.config)

    def do_config(self, step: dict[str, Any]) -> None:
        self.config = {k: v for k, v in (self.config | self.fill(step["config"])).items() if v is not None}
        self.call("PUT", f"/connectors/{self.name}/config", self.config)

    def do_delete(self, step: dict[str, Any]) -> None:
        self.call("DELETE", f"/connectors/{self.name}")
        time.sleep(0.5)

    def do_restart(self, step: dict[str, Any]) -> None:
        self.wait(
            lambda s: s["connector"]["state"] in ("RUNNING", "FAILED") and bool(s["tasks"]), "up before the restart"
        )
        self.call("POST", f"/connectors/{self.name}/restart?includeTasks=true")
        time.sleep(1.5)

    def do_pause(self, step: dict[str, Any]) -> None:
        self.call("PUT", f"/connectors/{self.name}/pause")
        self.wait(lambda s: {p["state"] for p in (s["connector"], *s["tasks"])} == {"PAUSED"}, "paused")

    def do_resume(self, step: dict[str, Any]) -> None:
        self.call("PUT", f"/connectors/{self.name}/resume")

    def do_stop(self, step: dict[str, Any]) -> None:
        self.call("PUT", f"/connectors/{self.name}/stop")
        self.wait(lambda s: not s["tasks"] and s["connector"]["state"] == "STOPPED", "stopped")

    def do_running(self, step: dict[str, Any]) -> None:
        count = step["running"]
        self.wait(
            lambda s: len(s["tasks"]) == count and {p["state"] for p in (s["connector"], *s["tasks"])} == {"RUNNING"},
            f"running with {count} tasks",
        )

    def do_set_offsets(self, step: dict[str, Any]) -> None:
        self.call("PATCH", f"/connectors/{self.name}/offsets", {"offsets": self.fill(step["set_offsets"])})

    def do_wait(self, step: dict[str, Any]) -> None:
        time.sleep(step["wait"])

    def do_create_topic(self, step: dict[str, Any]) -> None:
        admin = AdminClient({"bootstrap.servers": self.lab.bootstrap})
        for future in admin.create_topics(
            [NewTopic(self.fill(t), n, 1) for t, n in step["create_topic"].items()]
        ).values():
            future.result(20)
        time.sleep(0.3)

    def do_produce(self, step: dict[str, Any]) -> None:
        # Some records bear times of years ago, which the broker's retention would remove at its next look.
        admin = AdminClient({"bootstrap.servers": self.lab.bootstrap})
        names = {self.fill(record.get("topic", "{{topic}}")) for record in step["produce"]}
        missing = names - admin.list_topics(timeout=20).topics.keys()
        kept = [NewTopic(name, 1, 1, config={"retention.ms": "-1"}) for name in missing]
        for future in admin.create_topics(kept).values() if kept else ():
            future.result(20)
        producer = Producer({"bootstrap.servers": self.lab.bootstrap, "linger.ms": 0})
        refused: list[str] = []

        def delivered(error: Any, message: Any) -> None:
            if error:
                refused.append(str(error))

        for record in step["produce"]:
            options = {"timestamp": record["timestamp"]} if "timestamp" in record else {}
            if "headers" in record:
                options["headers"] = [(k, None if v is None else v.encode()) for k, v in record["headers"].items()]
            producer.produce(
                self.fill(record.get("topic", "{{topic}}")), key=self._side(record, "key"), value=self._side(record, "value"),
                partition=record.get("partition", 0), on_delivery=delivered, **options,
            )  # fmt: skip
        if producer.flush(30) or refused:
            raise Unmet(f"not produced: {refused}")

    def _side(self, record: dict[str, Any], side: str) -> bytes | None:
        if f"{side}_raw" in record:
            return str(self.fill(record[f"{side}_raw"])).encode()
        value = record.get(side)
        if isinstance(value, dict) and isinstance(value.get("schema"), str):
            value = {"schema": self.scenario["schemas"][value["schema"]], "payload": value["payload"]}
        return None if value is None else json.dumps(value).encode()

    def do_expect_records(self, step: dict[str, Any]) -> None:
        names = step.get("headers", ())
        for topic, groups in step["expect_records"].items():
            if topic not in self.readers:
                self.readers[topic] = TopicReader(self.lab.bootstrap, self.fill(topic))
            count = sum(len(group["payloads"]) for group in groups)
            least = step.get("atleast")
            seen = self.readers[topic].take(
                count, step.get("timeout", self.lab.patience), 0 if least else self.lab.settle, bool(least)
            )
            self.found += [
                f"records of {topic}: {text}" for text in differences(self.fill(groups), grouped(seen, names))
            ]

    def do_expect_table(self, step: dict[str, Any]) -> None:
        expected = step["expect_table"]
        table, with_columns = self.fill(expected["table"]), "columns" in expected

        def look() -> dict[str, Any]:
            connection = self.connect()
            try:
                found = (
                    sqlite_table(connection, table)
                    if self.database == "sqlite"
                    else postgres_table(connection, table, bool(expected.get("dotted")))
                )
            finally:
                connection.close()
            return {key: value for key, value in found.items() if with_columns or key != "columns"}

        self.until(step, {key: value for key, value in expected.items() if key != "dotted"}, look, f"table {table}")

    def do_expect_offsets(self, step: dict[str, Any]) -> None:
        def look() -> Any:
            code, answer = self.call("GET", f"/connectors/{self.name}/offsets", expect=None)
            return _by_partition(answer["offsets"]) if code == 200 else answer

        self.until(step, _by_partition(self.fill(step["expect_offsets"])), look, "offsets")

    def do_expect_tasks(self, step: dict[str, Any]) -> None:
        def look() -> Any:
            code, answer = self.call("GET", f"/connectors/{self.name}/tasks", expect=None)
            return [task["config"].get("tables") for task in answer] if code == 200 else answer

        self.until(step, step["expect_tasks"], look, "tasks")

    def do_expect_status(self, step: dict[str, Any]) -> None:
        def look() -> Any:
            status = self.status()
            return status and {
                "connector": status["connector"]["state"],
                "tasks": [t["state"] for t in status["tasks"]],
            }

        self.until(step, step["expect_status"], look, "status")

    def do_expect_failed(self, step: dict[str, Any]) -> None:
        expected, who = step["expect_failed"], step["expect_failed"].get("who", "task")
        parts: Callable[[Any], list[Any]] = lambda s: [s["connector"]] if who == "connector" else s["tasks"]  # noqa: E731 - one line of two
        status = self.wait(lambda s: any(part["state"] == "FAILED" for part in parts(s)), f"failed ({who})")
        trace = next(part for part in parts(status) if part["state"] == "FAILED").get("trace") or ""
        for text in self.fill(expected["says"]):
            if not (re.search(text["$re"], trace, re.S) if isinstance(text, dict) else text in trace):
                self.found.append(f"the trace lacks {text!r}: {trace:.900}")

    def do_expect_validate(self, step: dict[str, Any]) -> None:
        own = {} if step.get("only_these") else self.scenario.get("connector", {})
        config = {"name": self.name} | self.full_config({**own, **step.get("with", {})})
        kind = CLASSES[self.kind].rpartition(".")[2]
        _, answer = self.call("PUT", f"/connector-plugins/{kind}/config/validate", config)
        seen = {c["value"]["name"]: c["value"]["errors"] for c in answer["configs"] if c["value"]["errors"]}
        self.found += differences(self.fill(step["expect_validate"]), seen)

    def do_expect_create_refused(self, step: dict[str, Any]) -> None:
        config = self.full_config({**self.scenario.get("connector", {}), **step.get("with", {})})
        code, answer = self.call("PUT", f"/connectors/{self.name}/config", config, expect=None)
        seen = {"status": code, "message": answer.get("message") if isinstance(answer, dict) else answer}
        self.found += differences(self.fill(step["expect_create_refused"]), seen)


def _by_partition(offsets: list[Any]) -> list[Any]:
    return sorted(offsets, key=lambda entry: json.dumps(entry["partition"], sort_keys=True))
