"""``penstock dev``: ports that are taken, and ``--once`` with a source that never ends."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from penstock.cli import main
from penstock.cli.dev_once import Patience

_MAIN = "import sys; from penstock.cli import main; sys.exit(main())"


@pytest.mark.parametrize("option", ["--rest-port", "--registry-port"])
def test_a_port_in_use_names_the_option_that_chooses_another(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    other = {"--rest-port": "--registry-port", "--registry-port": "--rest-port"}[option]
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        port = taken.getsockname()[1]
        assert main(["dev", "--once", option, str(port), other, "0"]) == 1
    said = capsys.readouterr().err
    assert f"Port {port} of 127.0.0.1 cannot be taken" in said
    assert f"choose another with {option} " in said


def test_a_wait_is_explained_once_after_nothing_has_moved_for_a_while() -> None:
    now = [0.0]
    patience = Patience(5.0, clock=lambda: now[0])
    assert not patience.explain(["a"], 0)
    now[0] = 4.9
    assert not patience.explain(["a"], 1)  # something moved: the five seconds begin anew
    now[0] = 9.0
    assert not patience.explain(["a"], 1)
    now[0] = 9.9
    assert patience.explain(["a"], 1)
    now[0] = 99.0
    assert not patience.explain(["a"], 1)
    assert not patience.explain(["b"], 1)
    now[0] = 104.0
    assert patience.explain(["b"], 1)
    assert not patience.explain([], 1)


def test_once_waits_for_every_sink_of_a_topic_and_takes_dead_letters_for_dealt_with(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "org.apache.kafka.connect.storage.StringConverter"
    (tmp_path / "in.txt").write_text('{"a":1}\nnot json\n{"b":2}\n')
    source = {"connector.class": "FileStreamSource", "file": str(tmp_path / "in.txt"), "topic": "lines"}
    sink = {"connector.class": "FileStreamSink", "topics": "lines", "tasks.max": "1"}
    connectors = {
        "source": source | {"value.converter": text},
        "plain": sink | {"file": str(tmp_path / "plain.txt"), "value.converter": text},
        "tolerant": sink
        | {"file": str(tmp_path / "tolerant.txt"), "errors.tolerance": "all"}
        | {"errors.deadletterqueue.topic.name": "dead", "errors.deadletterqueue.topic.replication.factor": "1"},
    }
    files = []
    for name, config in connectors.items():
        files.append(tmp_path / f"{name}.json")
        files[-1].write_text(json.dumps({"name": name, "config": config}))
    assert main(["dev", "--once", "--rest-port", "0", "--registry-port", "0", *map(str, files)]) == 0
    assert sorted((tmp_path / "plain.txt").read_text().split("\n")) == ["", "not json", '{"a":1}', '{"b":2}']
    assert sorted((tmp_path / "tolerant.txt").read_text().split()) == ["{a=1}", "{b=2}"]
    assert "6 from Kafka, 5 to the sinks" in capsys.readouterr().out


def test_the_log_of_a_run_tells_of_life_assignment_and_commits_and_nothing_of_dependencies(tmp_path: Path) -> None:
    text = "org.apache.kafka.connect.storage.StringConverter"
    (tmp_path / "in.txt").write_text("one\ntwo\n")
    source = {"connector.class": "FileStreamSource", "file": str(tmp_path / "in.txt"), "topic": "lines"}
    sink = {"connector.class": "FileStreamSink", "topics": "lines", "file": str(tmp_path / "out.txt")}
    broken = {"connector.class": "FileStreamSource", "file": str(tmp_path / "none.txt"), "topic": "lines"}
    files = []
    for name, config in {
        "src": source,
        "snk": sink,
        "bad": broken | {"transforms": "x", "transforms.x.type": "?"},
    }.items():
        files.append(tmp_path / f"{name}.json")
        files[-1].write_text(json.dumps({"name": name, "config": config | {"value.converter": text}}))
    arguments = ["dev", "--once", "--log-level", "DEBUG", "--rest-port", "0", "--registry-port", "0"]
    run = subprocess.run(
        [sys.executable, "-c", _MAIN, *arguments, *map(str, files[:2])],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    for said in (
        "INFO  [src|worker] is RUNNING",
        "[src|worker] has new task configurations: 1, before 0",
        "INFO  [src|task-0] is RUNNING",
        "INFO  [snk|task-0] is RUNNING",
        "INFO  [snk|task-0] assigned lines-0",
        "[src|task-0] committed offsets of ",
        "[snk|task-0] committed offsets lines-",
        "INFO  [src|task-0] is stopped here (was RUNNING)",
        "INFO  [snk|task-0] is stopped here (was RUNNING)",
    ):
        assert said in run.stderr, run.stderr
    names = set(re.findall(r"\(([a-z_0-9.]+)\)$", run.stderr, re.MULTILINE))
    assert {name for name in names if not name.startswith("penstock")} == set()
    assert "Traceback" not in run.stderr
    failed = subprocess.run(
        [sys.executable, "-c", _MAIN, *arguments, str(files[2])],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert failed.returncode == 1
    assert "transforms.x.type" in failed.stderr
    assert "Traceback" not in failed.stderr


def test_once_says_which_source_it_waits_for(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"a":1}\n')
    connector = tmp_path / "orders.json"
    settings = {"connector.class": "jsonlines-source", "file": str(tmp_path / "in.jsonl"), "topic": "orders"}
    connector.write_text(json.dumps({"name": "orders", "config": settings}))
    arguments = ["dev", "--once", "--rest-port", "0", "--registry-port", "0", str(connector)]
    process = subprocess.Popen(
        [sys.executable, "-c", _MAIN, *arguments],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ},
    )
    assert process.stderr is not None
    try:
        said = ""
        while "still waits" not in said:
            said = process.stderr.readline()
            assert said, "it ended without a word"
        assert "source task orders-0, which has not come to an end" in said
        assert "file.end=stop" in said
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
        assert process.returncode == 1
        assert "1 from the sources, 1 to Kafka" in out
    finally:
        process.kill()
        process.wait()
