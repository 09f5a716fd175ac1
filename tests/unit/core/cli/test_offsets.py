"""``penstock offsets`` against a worker that keeps KIP-875's rules: what is asked, shown, changed, refused and brought back."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from penstock.cli import main

AT = "failed for the record at topic t, partition 1, offset 41: no JSON"


class FakeWorker(ThreadingHTTPServer):
    """One connector ``c``: its state, tasks, offsets, and the requests that changed something."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.kind, self.state = "sink", "STOPPED"
        self.tasks: list[dict[str, Any]] = []
        self.offsets: list[dict[str, Any]] = [_sink_entry(0, 7), _sink_entry(1, 41)]
        self.changes: list[tuple[str, str]] = []
        self.refusals: list[tuple[int, str]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        if not path.startswith("/connectors/c/"):
            return 404, {"error_code": 404, "message": f"Connector {path.split('/')[2]} not found"}
        if method != "GET":
            self.changes.append((method, path.rpartition("/")[2]))
        match method, path.rpartition("/")[2]:
            case "GET", "status":
                return 200, {"name": "c", "type": self.kind, "connector": {"state": self.state}, "tasks": self.tasks}
            case "GET", "offsets":
                return 200, {"offsets": self.offsets}
            case "PUT", verb:
                self.state = {"stop": "STOPPED", "resume": "RUNNING", "pause": "PAUSED"}[verb]
                self.tasks = [] if verb == "stop" else self.tasks
                return 204, None
            case _ if self.refusals:
                code, message = self.refusals.pop(0)
                return code, {"error_code": code, "message": message}
            case _ if self.state != "STOPPED":
                return 400, {"error_code": 400, "message": "Connectors must be in the STOPPED state"}
            case "DELETE", "offsets":
                self.offsets = []
            case "PATCH", "offsets":
                self._patch(body["offsets"])
        return 200, {"message": "The offsets were altered"}

    def _patch(self, entries: list[dict[str, Any]]) -> None:
        known = {json.dumps(entry["partition"]): entry for entry in self.offsets}
        known |= {json.dumps(entry["partition"]): entry for entry in entries}
        self.offsets = [entry for entry in known.values() if entry["offset"] is not None]


class _Handler(BaseHTTPRequestHandler):
    server: FakeWorker

    def _serve(self) -> None:
        text = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        code, answer = self.server.answer(self.command, self.path, json.loads(text) if text else None)
        data = b"" if answer is None else json.dumps(answer).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_PUT = do_PATCH = do_DELETE = _serve

    def log_message(self, *_: object) -> None:
        """Nothing is logged."""


def _sink_entry(partition: int, offset: int | None) -> dict[str, Any]:
    position = None if offset is None else {"kafka_offset": offset}
    return {"partition": {"kafka_topic": "t", "kafka_partition": partition}, "offset": position}


@pytest.fixture
def worker() -> Iterator[FakeWorker]:
    with FakeWorker() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def offsets(worker: FakeWorker, action: str, *arguments: str, connector: str = "c") -> int:
    return main(["offsets", action, connector, "--url", worker.url, *arguments])


def held(worker: FakeWorker) -> dict[int, int]:
    return {entry["partition"]["kafka_partition"]: entry["offset"]["kafka_offset"] for entry in worker.offsets}


def test_show_prints_a_table_and_json_that_set_takes(
    worker: FakeWorker, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert offsets(worker, "show") == 0
    assert capsys.readouterr().out.splitlines() == ["PARTITION  OFFSET", "t-0        7", "t-1        41"]
    assert offsets(worker, "show", "--json") == 0
    file = tmp_path / "offsets.json"
    file.write_text(capsys.readouterr().out)
    before, worker.offsets = worker.offsets, []
    assert offsets(worker, "set", "--file", str(file), "--yes") == 0
    assert worker.offsets == before


SOURCE = [{"partition": {"file": "a"}, "offset": {"position": 3}}]
#: Kind and offsets before, arguments of ``set``, printed lines, offsets afterwards.
SETS: list[tuple[str, list[Any], list[str], list[str], list[Any]]] = [
    ("sink", [_sink_entry(0, 7)], ["--partition", "t-0", "--offset", "9"], ["t-0  7 -> 9"], [_sink_entry(0, 9)]),
    ("sink", [_sink_entry(0, 7)], ["--partition", "t-0", "--offset", "null"], ["t-0  7 -> none"], []),
    ("sink", [], ["--json", json.dumps({"offsets": [_sink_entry(2, 1)]})], ["t-2  none -> 1"], [_sink_entry(2, 1)]),
    ("source", SOURCE, ["--partition", '{"file": "a"}', "--offset", '{"position": 0}'],
     ['{"file": "a"}  {"position": 3} -> {"position": 0}'], [{"partition": {"file": "a"}, "offset": {"position": 0}}]),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "before", "arguments", "shown", "after"), SETS)
def test_a_change_is_shown_first_and_made_only_without_dry_run(
    worker: FakeWorker, capsys: pytest.CaptureFixture[str],
    kind: str, before: list[Any], arguments: list[str], shown: list[str], after: list[Any],
) -> None:  # fmt: skip
    worker.kind, worker.offsets = kind, before
    assert offsets(worker, "set", *arguments, "--dry-run") == 0
    assert capsys.readouterr().out.splitlines()[:-1] == shown
    assert worker.changes == []
    assert offsets(worker, "set", *arguments, "--yes") == 0
    assert worker.offsets == after


def test_reset_forgets_all(worker: FakeWorker, capsys: pytest.CaptureFixture[str]) -> None:
    assert offsets(worker, "reset", "--yes") == 0
    assert "t-1  41 -> none" in capsys.readouterr().out
    assert worker.offsets == []


@pytest.mark.parametrize(
    ("answer", "status", "left"), [("y\n", 0, {}), ("n\n", 1, {0: 7, 1: 41}), ("", 1, {0: 7, 1: 41})]
)
def test_without_yes_the_user_is_asked(
    worker: FakeWorker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, answer: str, status: int, left: dict[int, int]
) -> None:
    (tmp_path / "stdin").write_text(answer)
    with (tmp_path / "stdin").open() as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        assert offsets(worker, "reset") == status
    assert held(worker) == left


def test_a_connector_that_is_not_stopped_is_left_alone_and_its_user_told(
    worker: FakeWorker, capsys: pytest.CaptureFixture[str]
) -> None:
    worker.state = "RUNNING"
    assert offsets(worker, "reset", "--yes") == 1
    assert "is RUNNING" in (said := capsys.readouterr().err)
    assert "--stop" in said
    assert worker.changes == []


@pytest.mark.parametrize(("state", "back"), [("RUNNING", "resume"), ("PAUSED", "pause"), ("FAILED", "resume")])
@pytest.mark.parametrize("refusal", [None, (400, "no such partition"), (409, "a rebalance goes on")])
def test_with_stop_the_connector_has_its_state_back_whatever_comes_of_the_change(
    worker: FakeWorker, state: str, back: str, refusal: tuple[int, str] | None
) -> None:
    worker.state, worker.refusals = state, [refusal] if refusal else []
    status = offsets(worker, "set", "--partition", "t-0", "--offset", "9", "--yes", "--stop")
    assert (status, held(worker)[0]) == ((1, 7) if refusal and refusal[0] == 400 else (0, 9))
    assert (worker.changes[0], worker.changes[-1]) == (("PUT", "stop"), ("PUT", back))


#: Kind, trace of the failed task, exit status, a text that is printed, the changed offset.
SKIPS: list[tuple[str, str, int, str, Any]] = [
    ("sink", f"ToleranceExceeded: [c|task-0] VALUE_CONVERTER (Json) {AT}", 0, "Skipping the record at topic t, partition 1, offset 41", _sink_entry(1, 42)),
    ("sink", "ConnectError: put() of Sink failed for 1 records (t-1 from offset 41): boom", 0, "topic t, partition 1, offset 41", _sink_entry(1, 42)),
    ("sink", f"put() of Sink failed for 9 records (t-1 from offset 41): {AT}", 1, "consumer.override.max.poll.records=1", None),
    ("sink", AT.replace("41", "44"), 1, "the records from there to 43 were not delivered", None),
    ("sink", AT.replace("41", "40"), 1, "past that record already", None),
    ("sink", "org.apache.kafka.connect.errors.ConnectException: Tolerance exceeded", 1, "penstock offsets set c", None),
    ("source", "failed for the record at source partition {'file': \"it's\"}, source offset {'n': 4}, topic a b: no", 0, "source offset {'n': 4}",
     {"partition": {"file": "it's"}, "offset": {"n": 4}}),
    ("source", "failed for the record at source partition {'file': 'a'}, source offset {'n': 4}, in a transaction, topic t: no", 1, "errors.tolerance=all", None),
    ("source", "poll() raised: line 7 is no JSON", 1, "names no record (poll() raised: line 7 is no JSON)", None),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "trace", "status", "said", "entry"), SKIPS)
def test_skip_steps_over_the_record_that_the_trace_names_and_over_no_other(
    worker: FakeWorker, capsys: pytest.CaptureFixture[str], kind: str, trace: str, status: int, said: str, entry: Any
) -> None:
    worker.kind, worker.state = kind, "RUNNING"
    worker.tasks = [{"id": 0, "state": "FAILED", "trace": trace}, {"id": 1, "state": "RUNNING"}]
    assert offsets(worker, "skip", "--stop", "--yes") == status
    printed = "".join(capsys.readouterr())
    assert said in printed
    assert [e for e in worker.offsets if e == entry] == ([] if entry is None else [entry])
    assert worker.state == "RUNNING"


def test_skip_says_what_to_do_where_no_task_or_more_than_one_has_failed(
    worker: FakeWorker, capsys: pytest.CaptureFixture[str]
) -> None:
    assert offsets(worker, "skip", "--yes") == 1
    assert "A stop takes the trace away" in capsys.readouterr().err
    worker.state = "RUNNING"
    worker.tasks = [
        {"id": number, "state": "FAILED", "trace": AT.replace("41", str(41 + 7 * number))} for number in (0, 1)
    ]
    assert offsets(worker, "skip", "--yes", "--stop") == 1
    assert "Tasks 0, 1 of connector c are FAILED: choose one with --task" in capsys.readouterr().err
    assert offsets(worker, "skip", "--yes", "--stop", "--task", "0") == 0
    assert held(worker)[1] == 42


#: Arguments of ``set``, what the error says.
WRONG = [
    ([], "Give the offsets in one way"),
    (["--to-end", "--json", "[]"], "Give the offsets in one way"),
    (["--partition", "t-0"], "Each --partition needs an --offset"),
    (["--partition", "t0", "--offset", "1"], "TOPIC-NUMBER"),
    (["--partition", "t-0", "--offset", "-1"], "a number from 0 up"),
    (["--json", "{"], "no JSON"),
    (["--json", "{}"], "No offsets there"),
    (["--json", '[{"partition": {}}]'], "Entry 1 is no partition with its offset"),
    (["--file", "no such file"], "Cannot read no such file"),
    (["--to-end"], "Which Kafka cluster?"),
]


@pytest.mark.parametrize(("arguments", "said"), WRONG)
def test_wrong_arguments_are_refused_with_what_is_expected(
    worker: FakeWorker, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert offsets(worker, "set", *arguments, "--yes") == 1
    assert said in capsys.readouterr().err
    assert worker.changes == []


def test_who_does_not_answer_or_is_not_known_is_named_without_the_password(
    worker: FakeWorker, capsys: pytest.CaptureFixture[str]
) -> None:
    assert offsets(worker, "show", connector="other") == 1
    assert re.search(r"refused: Connector other not found \(404\)", capsys.readouterr().err)
    assert main(["offsets", "show", "c", "--url", "http://me:hush@127.0.0.1:1"]) == 1
    said = capsys.readouterr().err
    assert "The worker at http://127.0.0.1:1 does not answer" in said
    assert "hush" not in said
