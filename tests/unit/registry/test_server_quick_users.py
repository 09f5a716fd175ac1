"""Quick answers where users are asked for: only to whoever may see everything, and only what they may do."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from pathlib import Path

import bcrypt
import pytest

from lab.registry_asked import Asking, avro, log
from penstock.access.authenticator import Authenticator
from penstock.access.settings import AccessConfig
from penstock_registry.server.http.quick import QuickAnswers

KNOWN = json.dumps({"schema": avro(1)}).encode()
NEW = json.dumps({"schema": avro(77)}).encode()
USERS = {"root": "admin", "reader": "read", "writer": "write", "some": "write@s0"}
GETS = ("/schemas/ids/1", "/subjects/s0/versions/1", "/subjects/s0/versions/latest", "/schemas/ids/99")


class Counting(QuickAnswers):
    """Quick answers, and how many there were."""

    given = 0

    def get(self, path: bytes, query: bytes) -> bytes | None:
        return self._counted(super().get(path, query))

    def post(self, asked: object) -> bytes | None:
        return self._counted(super().post(asked))  # type: ignore[arg-type]  # what the front read

    def post_waiting(self, asked: object) -> bytes | None:
        return self._counted(super().post_waiting(asked))  # type: ignore[arg-type]  # as above

    def _counted(self, answer: bytes | None) -> bytes | None:
        self.given += answer is not None
        return answer


def write_users(path: Path, **passwords: str) -> None:
    lines = [
        f"{name}:{bcrypt.hashpw(passwords.get(name, name).encode(), bcrypt.gensalt(4)).decode()}:{roles}"
        for name, roles in USERS.items()
    ]
    path.write_text("\n".join(lines))


def login(name: str, password: str | None = None) -> dict[str, str]:
    text = f"{name}:{name if password is None else password}"
    return {"authorization": f"Basic {base64.b64encode(text.encode()).decode()}"}


@pytest.fixture
def users(tmp_path: Path) -> Path:
    write_users(tmp_path / "users")
    return tmp_path / "users"


@pytest.fixture
def asking(users: Path) -> Iterator[Asking]:
    made = Asking(log(6), users)
    made.front.close()
    made.front._quick = Counting(made.registry, None)
    yield made
    made.front.close()


def given(asking: Asking) -> int:
    assert isinstance(asking.front._quick, Counting)
    return asking.front._quick.given


@pytest.mark.parametrize("name", ["root", "reader", "writer"])
@pytest.mark.parametrize("target", GETS)
def test_a_known_reader_of_everything_is_answered_quickly_and_as_by_the_routes(
    asking: Asking, name: str, target: str
) -> None:
    routed = asking.routed("GET", target, headers=login(name))
    assert asking.ask("GET", target, headers=login(name)) == routed
    assert given(asking) == (routed[0] == 200)


def test_the_first_request_waits_for_the_password_to_be_checked(asking: Asking) -> None:
    for quick in (0, 1, 2):
        assert asking.ask("GET", "/schemas/ids/1", headers=login("reader"))[0] == 200
        assert given(asking) == quick


@pytest.mark.parametrize("name", ["some", None])
def test_nobody_else_gets_a_quick_answer(asking: Asking, name: str | None) -> None:
    headers = {} if name is None else login(name)
    for target in GETS:
        for _ in range(2):
            status, _, _ = asking.ask("GET", target, headers=headers)
            assert status == (401 if name is None else 200 if "s0" in target or target.endswith("/1") else 404)
    assert given(asking) == 0


def test_lookups_are_quick_for_readers_and_registrations_for_writers_of_everything(asking: Asking) -> None:
    for name in ("reader", "writer"):
        asking.ask("GET", "/schemas/ids/1", headers=login(name))
    assert asking.ask("POST", "/subjects/s0", KNOWN, login("reader"))[0] == 200
    assert given(asking) == 1
    assert asking.ask("POST", "/subjects/s0/versions", KNOWN, login("reader"))[0] == 403
    assert asking.ask("POST", "/subjects/s0/versions", NEW, login("reader"))[0] == 403
    assert given(asking) == 1
    assert asking.ask("POST", "/subjects/s0/versions", KNOWN, login("writer"))[0] == 200
    assert given(asking) == 2


def test_a_changed_password_ends_quick_answers_at_once(asking: Asking, users: Path) -> None:
    for _ in range(2):
        assert asking.ask("GET", "/schemas/ids/1", headers=login("reader"))[0] == 200
    write_users(users, reader="another")
    os.utime(users, ns=(1, 1))  # the file's time may not have moved on otherwise
    assert asking.ask("GET", "/schemas/ids/1", headers=login("reader"))[0] == 401
    assert asking.ask("GET", "/schemas/ids/1", headers=login("reader", "another"))[0] == 200
    assert given(asking) == 1


@pytest.mark.parametrize(
    "header", ["", "Basic", "Basic !", "Basic Og==", "Bearer x", "x" * 20_000, "Basic " + "A" * 20_000]
)
def test_a_header_that_nobody_is_known_by_is_known_to_be_nobodys(users: Path, header: str) -> None:
    assert Authenticator(AccessConfig(users, None, "test", ())).known(header) is None
