"""What one may not see is not there: every route answers as a registry does that does not have it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import bcrypt
import httpx
import pytest

from penstock_registry.server.service import RegistryService

USERS = {
    "root": "admin",
    "nothing": "read@nowhere-",
    "orders": "write@orders-",
    "lead": "admin@orders-",
    "team": "admin@orders-,write@:.team:orders-pub",
}

SECRET = '{"type":"record","name":"SECRET","fields":[{"name":"a","type":"string"}]}'
Asked = tuple[int, Any]


class Guarded:
    """A registry with users, each of whom has the name with an exclamation mark for a password."""

    def __init__(self, folder: Any) -> None:
        path = folder / "users"
        lines = [
            f"{name}:{bcrypt.hashpw(f'{name}!'.encode(), bcrypt.gensalt(4)).decode()}:{roles}"
            for name, roles in USERS.items()
        ]
        path.write_text("\n".join(lines))
        self.service = RegistryService()
        settings = {"authentication.method": "BASIC", "authentication.basic.users.file": str(path)}
        self.service.start({"listeners": "http://127.0.0.1:0", "registry.name": str(folder), **settings})
        self._client = httpx.Client(base_url=self.service.urls[0])

    def ask(self, user: str, method: str, path: str, body: Any = None) -> Asked:
        answer = self._client.request(method, path, json=body, auth=(user, f"{user}!"))
        try:
            return answer.status_code, answer.json()
        except ValueError:
            return answer.status_code, answer.text

    def register(self, subject: str, schema: str, user: str = "root", **members: Any) -> Asked:
        return self.ask(user, "POST", f"/subjects/{subject}/versions", {"schema": schema, **members})


@pytest.fixture
def make(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Guarded]]:
    made: list[Guarded] = []

    def one() -> Guarded:
        made.append(Guarded(tmp_path_factory.mktemp("registry")))
        return made[-1]

    yield one
    for guarded in made:
        guarded.service.stop()


@pytest.fixture
def guarded(make: Callable[[], Guarded]) -> Guarded:
    return make()


def fill(guarded: Guarded) -> dict[str, str]:
    """Give the registry something to hide, and return what the parts of a path may be to reach it."""
    for subject in ("hidden", ":.hid:hidden", ":.hid:other"):
        assert guarded.register(subject, SECRET)[0] == 200
    reference = {"name": "SECRET", "subject": "hidden", "version": 1}
    assert guarded.register("user", '{"type":"array","items":"SECRET"}', references=[reference])[0] == 200
    assert guarded.register("gone", '"int"')[0] == 200
    assert guarded.ask("root", "DELETE", "/subjects/gone")[0] == 200
    assert guarded.ask("root", "PUT", "/config/hidden", {"compatibility": "FULL"})[0] == 200
    assert guarded.ask("root", "PUT", "/config/door", {"alias": "hidden"})[0] == 200
    assert guarded.ask("root", "PUT", "/mode/hidden", {"mode": "READONLY"})[0] == 200
    found = guarded.ask("root", "GET", "/subjects/hidden/versions/1")[1]
    return {"guid": found["guid"], "id": str(found["id"])}


BODIES = [
    {"schema": SECRET},
    {"schema": '"int"', "references": [{"name": "SECRET", "subject": "hidden", "version": 1}]},
]
QUERIES = [
    "", "deleted=true&aliases=true&subjectPrefix=:*:", "deletedOnly=true", "subject=hidden", "subject=door&fetchMaxId=true",
    "subject=:.hid:hidden&deleted=true", "format=resolved&findTags=*", "defaultToGlobal=true&contextPrefix=.h",
]  # fmt: skip


def routes(guarded: Guarded) -> list[tuple[str, str]]:
    """Every method and path there is, out of the application itself."""
    described = guarded.ask("root", "GET", "/openapi.json")[1]
    found = [(method.upper(), path) for path, methods in described["paths"].items() for method in methods]
    assert len(found) > 40
    return found


def requests(guarded: Guarded, parts: dict[str, str]) -> Iterator[tuple[str, str, Any]]:
    for method, template in routes(guarded):
        for subject in ("hidden", ":.hid:hidden", "other", "gone", "door"):
            if subject != "hidden" and "{subject}" not in template:
                continue
            path = template.replace("{subject}", subject).replace("{version}", "1").replace("{context}", ".hid")
            for name, value in parts.items():
                path = path.replace(f"{{{name}}}", value)
            for query in QUERIES if method == "GET" else ["", "permanent=true", "verbose=true"]:
                for body in BODIES if method in ("POST", "PUT") else [None]:
                    yield method, f"{path}?{query}" if query else path, body
                    if not query and template.startswith(("/subjects", "/schemas", "/config", "/mode", "/compat")):
                        yield method, f"/contexts/.hid{path}", body


def test_who_may_see_nothing_cannot_tell_the_registry_from_one_that_has_nothing(make: Callable[[], Guarded]) -> None:
    full, empty = make(), make()
    parts = fill(full)
    asked = 0
    for method, path, body in requests(full, parts):
        answers = [guarded.ask("nothing", method, path, body) for guarded in (full, empty)]
        asked += 1
        assert answers[0] == answers[1], (method, path, body)
        assert "SECRET" not in json.dumps(answers[0]) or "SECRET" in json.dumps(body), (method, path)
        assert answers[0][0] < 500, (method, path, answers[0])
    assert asked > 500


def test_tags_do_not_reach_into_a_closed_context(guarded: Guarded) -> None:
    guarded.register(":.hid:orders-a2", SECRET)
    missing = (404, {"error_code": 40401, "message": "Subject 'orders-a2' not found."})
    assert guarded.ask("orders", "POST", "/subjects/orders-a2/versions/1/tags", {}) == missing
    change = {"schemaEntity": {"entityPath": "NOPE", "entityType": "sr_record"}, "tags": ["x"]}
    body = {"tagsToAdd": [change]}
    assert guarded.ask("orders", "POST", "/subjects/orders-a2/versions/1/tags", body) == missing
    assert guarded.ask("orders", "GET", "/subjects/orders-a2/versions/1/referencedby") == missing
    assert guarded.ask("orders", "GET", "/subjects/orders-a2/versions/1/schema") == missing
    assert guarded.ask("orders", "POST", "/subjects/orders-a2", {"schema": SECRET})[0] == 404
    assert guarded.ask("root", "GET", "/subjects?subjectPrefix=:*:")[1] == [":.hid:orders-a2"]


def test_a_reference_is_checked_by_the_name_behind_an_alias(guarded: Guarded) -> None:
    guarded.register(":.team:orders-secret", SECRET.replace("SECRET", "TEAMSECRET"))
    guarded.register(":.team:orders-pub", '"int"')
    assert guarded.ask("team", "GET", "/subjects/:.team:orders-secret/versions/1")[0] == 403
    assert guarded.ask("team", "PUT", "/config/orders-alx", {"alias": ":.team:orders-pub"})[0] == 200
    assert guarded.ask("team", "PUT", "/config/:.team:orders-pub", {"compatibility": "NONE"})[0] == 403
    guarded.ask("root", "PUT", "/config", {"compatibility": "NONE"})
    reference = {"name": "TEAMSECRET", "subject": "orders-secret", "version": 1}
    text = '{"type":"array","items":"TEAMSECRET"}'
    denied = "User is denied operation Read on Subject: :.team:orders-secret"
    for path in (
        "/subjects/orders-alx/versions",
        "/subjects/orders-alx",
        "/compatibility/subjects/orders-alx/versions",
    ):
        status, answer = guarded.ask("team", "POST", path, {"schema": text, "references": [reference]})
        assert (status, answer) == (403, {"error_code": 40301, "message": denied}), path
    assert guarded.ask("root", "GET", "/subjects/:.team:orders-pub/versions")[1] == [1]


def test_what_a_visible_schema_references_is_written_out_for_those_alone_who_may_read_it(guarded: Guarded) -> None:
    guarded.register("secret", SECRET)
    reference = {"name": "SECRET", "subject": "secret", "version": 1}
    guarded.register("orders-r", '{"type":"array","items":"SECRET"}', references=[reference])
    assert guarded.ask("orders", "GET", "/subjects/orders-r/versions/1")[0] == 200
    for path in (
        "/subjects/orders-r/versions/1?format=resolved", "/schemas/ids/2?format=resolved",
        "/subjects/orders-r/versions/1/schema?format=resolved", "/subjects/orders-r/metadata?format=resolved",
    ):  # fmt: skip
        assert guarded.ask("orders", "GET", path)[0] == 403, path
        assert guarded.ask("root", "GET", path)[0] == 200, path


def test_what_may_be_seen_is_shown_without_the_rest(guarded: Guarded) -> None:
    secret = guarded.register("secret", SECRET)[1]
    guarded.register("orders-b", '"int"')
    guarded.register("last", '"long"')
    guarded.register(":.hid:x", '"int"')
    guarded.register(":.team:orders-pub", '"int"')
    reference = {"name": "I", "subject": "orders-i", "version": 1}
    guarded.register("orders-i", '{"type":"fixed","name":"I","size":1}')
    guarded.register("hidden-user", '{"type":"array","items":"I"}', references=[reference])
    guarded.ask("root", "PUT", "/config/other-name", {"alias": "orders-b"})
    guarded.ask("root", "PUT", "/config/orders-name", {"alias": "orders-b"})
    ask = lambda path: guarded.ask("orders", "GET", path)  # noqa: E731 - one short name for a long test
    assert ask("/schemas/ids/1/subjects") == (404, {"error_code": 40403, "message": "Schema not found"})
    assert ask("/schemas/ids/1/versions")[0] == 404
    assert ask(f"/schemas/guids/{secret['guid']}/ids") == (200, [])
    assert ask("/schemas/ids/2?fetchMaxId=true")[1]["maxId"] == 4
    assert guarded.ask("root", "GET", "/schemas/ids/2?fetchMaxId=true")[1]["maxId"] == 5
    assert ask("/contexts") == (200, ["."])
    assert guarded.ask("team", "GET", "/contexts") == (200, [".", ".team"])
    assert ask("/subjects/orders-i/versions/1/referencedby") == (200, [])
    assert guarded.ask("root", "GET", "/subjects/orders-i/versions/1/referencedby") == (200, [5])
    assert [one.get("aliases") for one in ask("/schemas?aliases=true")[1]] == [["orders-name"], None]
    assert ask("/schemas?aliases=true&subjectPrefix=other") == (200, [])
    shown = guarded.ask("root", "GET", "/schemas?aliases=true&subjectPrefix=other")[1]
    assert [one["aliases"] for one in shown] == [["orders-name", "other-name"]]


def test_who_has_the_last_id_is_named_to_those_alone_who_may_see_it(guarded: Guarded) -> None:
    guarded.ask("root", "PUT", "/mode/hidden", {"mode": "IMPORT"})
    assert guarded.register("hidden", SECRET, id=2_000_000_000)[0] == 200
    guarded.service.registry.catalog._contexts["."].max_id = 2**31 - 1
    guarded.service.registry.catalog._contexts["."].entries[2**31 - 1] = guarded.service.registry.catalog._contexts[
        "."
    ].entries[2_000_000_000]
    assert "given to hidden version 1" in guarded.register("orders-a", '"int"')[1]["message"]
    assert "given to another subject" in guarded.register("orders-a", '"int"', user="orders")[1]["message"]
