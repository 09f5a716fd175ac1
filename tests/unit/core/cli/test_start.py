"""A command imports what it stands on and no more: that is most of its start, and of its memory when idle."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap

import pytest

from penstock.cli import main

#: What costs tens of milliseconds or megabytes to import.
FORMATS = {
    "fastavro",
    "google",
    "grpc_tools",
    "jsonschema",
    "jsonschema_rs",
    "referencing",
    "celpy",
    "bcrypt",
    "joserfc",
}
HTTP = {"fastapi", "pydantic", "uvicorn", "uvloop", "httptools", "httpx", "requests"}
KAFKA = {"confluent_kafka", "kafka"}
SCRIPT = """
    import json, sys
    from penstock.cli import main
    try:
        main([sys.argv[1], "--help"])
    except SystemExit:
        pass
    print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


@pytest.mark.parametrize(
    ("command", "without"),
    [
        ("--version", FORMATS | HTTP | KAFKA), ("registry", FORMATS | HTTP | KAFKA), ("schema", FORMATS | HTTP | KAFKA),
        ("plugins", FORMATS | HTTP | KAFKA), ("transform", FORMATS | HTTP | {"kafka"}),
        ("standalone", FORMATS | {"kafka", "httpx", "requests"}), ("dev", FORMATS | {"kafka", "httpx", "requests"}),
        ("worker", FORMATS | {"httpx", "requests"}),
    ],
)  # fmt: skip
def test_a_command_imports_nothing_it_does_not_use(command: str, without: set[str]) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SCRIPT), command], capture_output=True, text=True, timeout=60, check=True
    )
    assert set(json.loads(ran.stdout.splitlines()[-1])) & without == set()


@pytest.mark.parametrize("arguments", [[], ["--help"], ["nonsense"]])
def test_who_names_no_command_is_told_all(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    try:
        status = main(arguments)
    except SystemExit as ended:
        status = int(ended.code or 0)
    told = capsys.readouterr()
    assert status == (0 if arguments == ["--help"] else 2)
    for command in ("standalone", "worker", "dev", "registry", "schema", "plugins", "transform"):
        assert command in told.out + told.err
