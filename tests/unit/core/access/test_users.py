"""Users with passwords, and the roles they grant."""

from __future__ import annotations

import os
from pathlib import Path

import bcrypt
import pytest

from penstock.access.principal import Grant, Principal, Role, parse_grants
from penstock.access.users import UserFile
from penstock.errors import ConfigError


def hashed(password: str) -> str:
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()


@pytest.fixture
def users_file(tmp_path: Path) -> Path:
    path = tmp_path / "users"
    path.write_text(f"# name:hash:roles\n\nroot:{hashed('root!')}:admin\nreader:{hashed('reader!')}\n")
    return path


def test_roles_include_the_lesser_ones() -> None:
    someone = Principal("p", parse_grants(["write@a", " admin@:.c:"]))
    assert someone.may(Role.READ, "ab")
    assert someone.may(Role.WRITE, "a")
    assert not someone.may(Role.ADMIN, "a")
    assert someone.may(Role.ADMIN, ":.c:x")
    assert not someone.may(Role.READ, ":.d:a")
    assert not someone.may(Role.READ, None)
    assert parse_grants(["READ"]) == (Grant(Role.READ, ""),)
    with pytest.raises(ValueError, match="no role is called 'owner'"):
        parse_grants(["owner@a"])


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("alice:secret", "line 1 is not user:bcrypt"), ("alice", "line 1 is not user:bcrypt"),
        (f"alice:{hashed('x')}:king", "no role is called 'king'"), (f":{hashed('x')}", "line 1 is not user:bcrypt"),
        (f"a:{hashed('x')}\na:{hashed('x')}", "line 2: a has a line already"), ("# none", "has no users"),
    ],
    ids=["no hash", "no colon", "no such role", "no name", "twice", "nobody"],  # the hashes differ from run to run
)  # fmt: skip
def test_a_wrong_users_file_is_told_without_what_stands_in_it(tmp_path: Path, line: str, problem: str) -> None:
    path = tmp_path / "users"
    path.write_text(line)
    with pytest.raises(ConfigError, match=problem) as refused:
        UserFile(path)
    assert "secret" not in str(refused.value)
    assert "$2" not in str(refused.value)


def test_a_changed_users_file_counts_at_once_and_a_broken_one_does_not(users_file: Path) -> None:
    users = UserFile(users_file)
    assert users.known("root", "root!") is None
    found = users.check("root", "root!")
    assert found is not None
    assert users.known("root", "root!") == found
    change(users_file, f"root:{hashed('other')}:read")
    assert users.known("root", "root!") is None
    assert users.check("root", "root!") is None
    assert users.check("root", "other") == Principal("root", (Grant(Role.READ),))
    change(users_file, "root:plain")
    assert users.check("root", "other") is not None
    assert users.check("reader", "reader!") is None


def change(path: Path, text: str) -> None:
    stamp = path.stat().st_mtime_ns
    path.write_text(text)
    os.utime(path, ns=(stamp + 10**9, stamp + 10**9))
