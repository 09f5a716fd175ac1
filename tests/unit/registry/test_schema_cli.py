"""``penstock schema`` against a registry: every action, and an export that comes back as it was."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bcrypt
import httpx
import pytest

from penstock.cli import main
from penstock_registry.server.service import RegistryService

INT, LONG = '"int"', '"long"'


@pytest.fixture
def start(request: pytest.FixtureRequest) -> Iterator[Callable[..., str]]:
    """Starts a registry and gives its URL."""
    services: list[RegistryService] = []

    def start_one(**settings: str) -> str:
        service = RegistryService()
        name = f"{request.node.name}-{len(services)}"
        service.start({"listeners": "http://127.0.0.1:0", "registry.name": name} | settings)
        services.append(service)
        return service.urls[0]

    yield start_one
    for service in services:
        service.stop()


@pytest.fixture
def url(start: Callable[..., str]) -> str:
    return start()


@pytest.fixture
def schema_file(tmp_path: Path) -> Callable[..., str]:
    def write(text: Any, suffix: str = ".avsc") -> str:
        path = tmp_path / f"schema{suffix}"
        path.write_text(text if isinstance(text, str) else json.dumps(text))
        return str(path)

    return write


class Shell:
    def __init__(self, url: str, capture: pytest.CaptureFixture[str]) -> None:
        self._url, self._capture = url, capture

    def __call__(self, *words: str, options: tuple[str, ...] = ()) -> tuple[int, str]:
        self._capture.readouterr()
        status = main(["schema", "--url", self._url, *options, *words])
        captured = self._capture.readouterr()
        return status, captured.out + captured.err


@pytest.fixture
def shell(url: str, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(url, capsys)


def record(*fields: dict[str, Any]) -> dict[str, Any]:
    return {"type": "record", "name": "R", "fields": list(fields)}


A, B = {"name": "a", "type": "int"}, {"name": "b", "type": "string"}
B_DEFAULT = {**B, "default": ""}


def test_register_list_and_get(shell: Shell, schema_file: Callable[..., str], url: str) -> None:
    assert shell("register", "a/b", schema_file(INT)) == (0, "id 1, version 1\n")
    assert shell("register", "p", schema_file('syntax="proto3"; message M {}', ".proto")) == (0, "id 2, version 1\n")
    assert shell("register", "j", schema_file("{}", ".json"))[0] == 0
    assert shell("list") == (0, "a/b\t1\nj\t1\np\t1\n")
    assert shell("list", "p") == (0, "p\t1\n")
    assert shell("get", "a/b") == (0, '"int"\n')
    assert shell("get", "--id", "2")[1].startswith('syntax = "proto3";')
    assert json.loads(shell("get", "j", "--version", "1", "--json")[1])["schemaType"] == "JSON"
    assert httpx.get(f"{url}/schemas/types").status_code == 200


def test_a_schema_from_standard_input_with_references(
    shell: Shell, schema_file: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shell("register", "r", schema_file(record(A)))
    monkeypatch.setattr("sys.stdin", io.StringIO('{"type":"array","items":"R"}'))
    assert shell("register", "list", "-", "--reference", "R=r:1") == (0, "id 2, version 1\n")
    status, said = shell("register", "list", "-", "--reference", "R=r")
    assert (status, "--reference: expected NAME=SUBJECT:VERSION" in said) == (1, True)


def test_check_says_what_is_wrong(shell: Shell, schema_file: Callable[..., str]) -> None:
    shell("register", "s", schema_file(record(A)))
    assert shell("check", "s", schema_file(record(A, B_DEFAULT))) == (0, "compatible\n")
    status, said = shell("check", "s", schema_file(record(A, B)), "--version", "1")
    assert status == 1
    assert "not compatible\n  {errorType:'READER_FIELD_MISSING_DEFAULT_VALUE'" in said


def test_diff_shows_what_changed(shell: Shell, schema_file: Callable[..., str]) -> None:
    shell("register", "s", schema_file(record(A)))
    shell("register", "s", schema_file(record(A, B_DEFAULT)))
    assert shell("diff", "s", "1", "1") == (0, "")
    status, said = shell("diff", "s", "1")
    assert status == 1
    assert said.startswith("--- s version 1\n+++ s version 2\n")
    assert '+      "name": "b",' in said


def test_delete_softly_then_for_good(shell: Shell, schema_file: Callable[..., str]) -> None:
    shell("register", "s", schema_file(INT))
    assert shell("delete", "s", "--permanent")[0] == 1
    assert shell("delete", "s", "--version", "1") == (0, "deleted softly: s 1\n")
    assert shell("list") == (0, "")
    assert shell("list", "--deleted") == (0, "s\t1\n")
    assert shell("delete", "s", "--permanent") == (0, "deleted for good: s 1\n")
    assert shell("list", "--deleted") == (0, "")


def test_a_refusal_is_told_with_code(shell: Shell) -> None:
    status, said = shell("get", "none")
    assert status == 1
    assert "refused: Subject 'none' not found. (40401)" in said
    assert shell("get")[0] == 1


def test_nobody_there_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", "--url", "http://127.0.0.1:1", "list"]) == 1
    assert "http://127.0.0.1:1 does not answer" in capsys.readouterr().err
    assert main(["schema", "--url", "http://u:secret@:x", "list"]) == 1
    assert "secret" not in capsys.readouterr().err


def test_credentials_from_option_url_and_environment(
    start: Callable[..., str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    users = tmp_path / "users"
    users.write_text(f"ann:{bcrypt.hashpw(b'p:w', bcrypt.gensalt(4)).decode()}:read\n")
    url = start(**{"authentication.method": "BASIC", "authentication.basic.users.file": str(users)})
    shell = Shell(url, capsys)
    status, said = shell("list")
    assert (status, "give --user NAME:PASSWORD" in said) == (1, True)
    assert shell("list", options=("--user", "ann:p:w")) == (0, "")
    assert Shell(url.replace("http://", "http://ann:p%3Aw@"), capsys)("list") == (0, "")
    monkeypatch.setenv("SCHEMA_REGISTRY_USER", "ann:p:w")
    assert shell("list") == (0, "")


# --- export and import -----------------------------------------------------------------------------------------------


def fill(url: str) -> None:
    client = httpx.Client(base_url=url)

    def ask(method: str, path: str, body: Any = None) -> Any:
        answer = client.request(method, path, json=body)
        assert answer.status_code < 300, answer.text
        return answer.json()

    for text in (INT, '"string"', LONG):
        ask("PUT", "/config/z", {"compatibility": "NONE", "normalize": True})
        ask("POST", "/subjects/z/versions", {"schema": text})
    ask("DELETE", "/subjects/z/versions/2")
    ask("POST", "/subjects/types/versions", {"schema": json.dumps(record(A))})
    reference = {"name": "R", "subject": "types", "version": 1}
    body = {"schema": '{"type":"array","items":"R"}', "references": [reference]}
    ask("POST", "/subjects/a-uses/versions", body)
    ask("DELETE", "/subjects/a-uses")
    ask("DELETE", "/subjects/types")
    ask("POST", "/subjects/:.c:p/versions", {"schema": 'syntax="proto3"; message M {}', "schemaType": "PROTOBUF"})
    ask("PUT", "/config/:.c:", {"compatibility": "FULL"})
    ask("PUT", "/mode/:.c:p", {"mode": "READONLY"})
    metadata = {"properties": {"owner": "me"}, "tags": {"a": ["PII"]}}
    rules = {"domainRules": [{"name": "r", "kind": "CONDITION", "mode": "WRITE", "type": "CEL", "expr": "true"}]}
    ask("POST", "/subjects/m/versions", {"schema": INT, "metadata": metadata, "ruleSet": rules})
    ask("PUT", "/config", {"compatibility": "FORWARD"})


def everything(url: str) -> Any:
    client = httpx.Client(base_url=url)
    schemas = client.get("/schemas", params={"deleted": "true"}).json()
    names = client.get("/subjects", params={"deleted": "true"}).json()
    settings = [client.get(f"/{kind}/{name}").json() for kind in ("config", "mode") for name in [*names, ":.c:"]]
    return [{k: v for k, v in one.items() if k != "ts"} for one in schemas], settings, client.get("/config").json()


def test_an_export_comes_back_as_it_was(
    start: Callable[..., str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = start(), start(store=f"sqlite:{tmp_path / 'new.db'}")
    fill(old)
    file = str(tmp_path / "all.json")
    told = "7 versions of 5 subjects (3 softly deleted)"
    assert Shell(old, capsys)("export", file) == (0, f"exported {told} to {file}\n")
    for _ in range(2):  # a second time changes nothing
        assert Shell(new, capsys)("import", file) == (0, f"imported {told} into {new}\n")
        assert everything(new) == everything(old)
    # No subject was left in import mode, and ids go on above those that came.
    answer = httpx.post(f"{new}/subjects/fresh/versions", json={"schema": '"bytes"'})
    assert answer.json()["id"] == max(one["id"] for one in everything(old)[0] if not one["subject"].startswith(":")) + 1


def test_an_id_that_is_taken_stops_the_import_and_leaves_no_import_mode(
    start: Callable[..., str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = start(), start()
    fill(old)
    file = str(tmp_path / "all.json")
    Shell(old, capsys)("export", file)
    httpx.post(f"{new}/subjects/other/versions", json={"schema": '"bytes"'})
    status, said = Shell(new, capsys)("import", file)
    assert status == 1
    assert "Overwrite new schema with id 1 " in said
    assert httpx.get(f"{new}/mode/z").json()["error_code"] == 40409
    httpx.post(f"{new}/subjects/z/versions", json={"schema": '"bytes"'})
    assert "is there already with another" in Shell(new, capsys)("import", file)[1]


def test_a_part_may_be_exported_and_settings_left_out(
    start: Callable[..., str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = start(), start()
    fill(old)
    file = str(tmp_path / "part.json")
    assert "1 versions of 1 subjects" in Shell(old, capsys)("export", file, "--prefix", ":.c:")[1]
    assert Shell(new, capsys)("import", file, "--no-settings")[0] == 0
    assert httpx.get(f"{new}/config").json()["compatibilityLevel"] == "BACKWARD"
    assert httpx.get(f"{new}/subjects").json() == [":.c:p"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [("{", "is not JSON"), ("[]", "was not written by"), ('{"format":"penstock-schemas","formatVersion":9}', "newer")],
)
def test_a_file_that_is_no_export_is_refused(shell: Shell, tmp_path: Path, text: str, problem: str) -> None:
    file = tmp_path / "x.json"
    file.write_text(text)
    status, said = shell("import", str(file))
    assert (status, problem in said) == (1, True)
