"""``GET /metrics`` of the registry: Confluent's metrics are there, and move as what they count moves."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from lab.measured import Scrape, parse
from penstock.api import HasMeasurements
from penstock.cli.services import start_registry
from penstock.cli.wiring import embedded_registry
from penstock.config.worker import WorkerConfig
from penstock.measurements import Windows
from penstock.plugins import Plugins
from penstock_registry.server.http.answer_meter import AnswerMeter
from penstock_registry.server.http.endpoints import ENDPOINTS, endpoint_of
from penstock_registry.server.service import RegistryService

#: One for all: each would read the certificates of authorities anew.
CLIENT = httpx.Client(timeout=60)
LOCAL = {"listeners": "http://127.0.0.1:0"}
P = "kafka_schema_registry_"
RECORD = '{"type":"record","name":"R","fields":[{"name":"a","type":"int"}]}'
OTHER = '{"type":"record","name":"R","fields":[{"name":"b","type":"int"}]}'
#: The list of the reference that is the registry's own: associations it does not have.
LISTED = {
    "master_slave_role", "node_count", "custom_schema_provider_count", "api_success_count", "api_failure_count",
    "registered_count", "deleted_count", "schemas_created", "schemas_deleted", "leader_initialization_latency",
    "certificate_expiration_keystore", "certificate_expiration_truststore",
}  # fmt: skip
PER_ENDPOINT = (
    "request_total", "request_count", "request_rate", "request_latency_avg", "request_latency_max", "request_latency_95",
    "request_latency_99", "request_error_total", "request_error_rate",
)  # fmt: skip


class Asking:
    """A registry that is asked over HTTP."""

    def __init__(self, settings: dict[str, str]) -> None:
        self.service = RegistryService()
        self.service.start({**LOCAL, **settings})
        self.auth: tuple[str, str] | None = None

    def ask(self, method: str, path: str, body: Any = None, **more: Any) -> httpx.Response:
        return CLIENT.request(method, self.service.urls[0] + path, json=body, **{"auth": self.auth, **more})

    def __call__(self, method: str, path: str, body: Any = None) -> int:
        return self.ask(method, path, body).status_code

    def scrape(self) -> Scrape:
        answer = self.ask("GET", "/metrics")
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
        return parse(answer.text)

    def moved(self, name: str, act: Callable[[], object], **labels: str) -> float:
        """Return by how much a metric moves while `act` is done."""
        before = self.scrape().value(P + name, **labels)
        act()
        return self.scrape().value(P + name, **labels) - before


@pytest.fixture
def asking() -> Iterator[Callable[..., Asking]]:
    made: list[Asking] = []

    def ask(**settings: str) -> Asking:
        made.append(Asking({"registry.name": f"metered-{len(made)}", **settings}))
        return made[-1]

    yield ask
    for one in made:
        one.service.stop()


def named(endpoint: str, name: str) -> str:
    """Return a metric's name by the exporter's rule ``kafka_schema_registry_jersey_metrics_$1``."""
    return f"jersey_metrics_{endpoint}_{name}".replace(".", "_").replace("-", "_").lower()


def test_every_metric_of_the_list_is_there_from_the_start(asking: Callable[..., Asking]) -> None:
    names = asking().scrape().names()
    assert {P + name for name in LISTED} <= names
    assert {P + named(endpoint, name) for endpoint in ENDPOINTS for name in PER_ENDPOINT} <= names
    assert {f"{P}jersey_metrics_{name}" for name in PER_ENDPOINT} <= names
    assert {"process_resident_memory_bytes", "python_info"} <= names


@pytest.mark.parametrize(
    ("kind", "schema"),
    [
        ("AVRO", '"int"'),
        ("JSON", '{"type":"object"}'),
        ("PROTOBUF", 'syntax = "proto3"; message M { int32 a = 1; }'),
    ],
)
def test_what_is_registered_and_deleted_counts_for_its_language(
    asking: Callable[..., Asking], kind: str, schema: str
) -> None:
    ask = asking()
    body, label = {"schema": schema, "schemaType": kind}, {"schema_type": kind.lower()}
    register = lambda: ask("POST", "/subjects/s/versions", body)  # noqa: E731 - the same three times
    assert ask.moved("schemas_created", register, **label) == 1
    assert ask.moved("registered_count", register) == 0, "it is registered already"
    assert ask.moved("schemas_deleted", lambda: ask("DELETE", "/subjects/s"), **label) == 1
    assert ask.moved("deleted_count", lambda: ask("DELETE", "/subjects/s?permanent=true")) == 0, "it was deleted before"
    assert ask.moved("registered_count", register) == 1
    assert ask.moved("deleted_count", lambda: ask("DELETE", "/subjects/s/versions/1")) == 1
    found = ask.scrape()
    others = [value for value in found.values(f"{P}schemas_created") if value]
    assert (found.value(f"{P}registered_count"), found.value(f"{P}deleted_count"), others) == (2, 2, [2])


def test_answers_and_refusals_count_for_all_and_for_their_endpoint(asking: Callable[..., Asking]) -> None:
    ask = asking()
    good, bad = {"schema": RECORD}, {"schema": "nonsense"}
    ask("POST", "/subjects/s/versions", good)
    register = named("subjects.versions.register", "request_total")
    refused = named("subjects.versions.register", "request_error_total")
    assert ask.moved("api_failure_count", lambda: ask("POST", "/subjects/s/versions", bad)) == 1
    assert ask.moved("api_success_count", lambda: ask("POST", "/subjects/s/versions", good)) == 1
    assert ask.moved(register, lambda: ask("POST", "/subjects/s/versions", good)) == 1
    assert ask.moved(refused, lambda: ask("POST", "/subjects/s/versions", bad), http_status_code="4xx") == 1
    assert (
        ask.moved(refused, lambda: ask("POST", "/subjects/s/versions", {"schema": OTHER}), http_status_code="4xx") == 1
    )
    check = named("compatibility.subjects.versions.verify", "request_total")
    paths = [f"/compatibility/subjects/s/versions{rest}" for rest in ("", "/latest", "/1")]
    assert ask.moved(check, lambda: [ask("POST", path, good) for path in paths]) == 3
    assert ask.moved("api_failure_count", lambda: ask("GET", "/no/such/path")) == 1
    assert ask.moved("jersey_metrics_request_total", lambda: ask("GET", "/no/such/path")) == 1
    found = ask.scrape()
    assert found.value(P + named("subjects.versions.register", "request_latency_max")) > 0
    assert found.value(P + named("subjects.versions.register", "request_rate")) > 0
    assert found.value(P + named("subjects.versions.register", "request_error_rate"), http_status_code="4xx") > 0


#: The requests that are answered without the routes, if the registry is open to everybody.
QUICK = [
    ("GET", "/schemas/ids/1", None, "schemas.ids.get-schema"),
    ("GET", "/schemas/ids/1?fetchMaxId=false&subject=s", None, "schemas.ids.get-schema"),
    ("GET", "/subjects/s/versions/latest", None, "subjects.versions.get-schema"),
    ("POST", "/subjects/s/versions", {"schema": RECORD}, "subjects.versions.register"),
    ("POST", "/subjects/s", {"schema": RECORD}, "subjects.get-schema"),
    ("POST", "/subjects/versions", {"schema": RECORD}, "subjects.get-schema"),
    ("GET", "/schemas/ids/9", None, "schemas.ids.get-schema"),
    ("POST", "/subjects/s/versions", {"schema": "no"}, "subjects.versions.register"),
]


@pytest.mark.parametrize("guarded", [False, True])
@pytest.mark.parametrize(("method", "path", "body", "endpoint"), QUICK)
def test_a_quick_answer_counts_as_one_of_the_routes_does(
    asking: Callable[..., Asking], users: str, guarded: bool, method: str, path: str, body: Any, endpoint: str
) -> None:
    ask = asking(**guards(users)) if guarded else asking()
    ask.auth = ("root", "root!")
    assert ask("POST", "/subjects/s/versions", {"schema": RECORD}) == 200
    totals = {name: ask.scrape().value(P + named(name, "request_total")) for name in ENDPOINTS}
    success = ask.scrape().value(f"{P}api_success_count")
    failed = ask(method, path, body) >= 400
    after = ask.scrape()
    assert {name: after.value(P + named(name, "request_total")) for name in ENDPOINTS} == {
        **totals,
        endpoint: totals[endpoint] + 1,
    }
    assert after.value(f"{P}api_success_count") - success == (not failed)
    assert after.value(P + named(endpoint, "request_error_total"), http_status_code="4xx") == failed


def test_probes_and_scrapes_count_nothing(asking: Callable[..., Asking]) -> None:
    ask = asking()
    asked = lambda: [ask("GET", path) for path in ("/health", "/health/live", "/master_available", "/metrics")]  # noqa: E731
    assert ask.moved("jersey_metrics_request_total", asked) == 0


def test_a_registry_by_itself_leads_a_group_of_one(asking: Callable[..., Asking]) -> None:
    found = asking().scrape()
    assert (found.value(f"{P}master_slave_role"), found.value(f"{P}node_count")) == (1, 1)
    assert math.isnan(found.value(f"{P}leader_initialization_latency"))
    assert math.isnan(found.value(f"{P}certificate_expiration_keystore"))


def test_a_registry_counts_what_its_store_had(asking: Callable[..., Asking], tmp_path: Path) -> None:
    store = {"store": f"sqlite:{tmp_path}/schemas.db"}
    one = asking(**store)
    for subject in ("a", "b"):
        one("POST", f"/subjects/{subject}/versions", {"schema": RECORD})
    one("DELETE", "/subjects/a")
    one.service.stop()
    found = asking(**store).scrape()
    assert (found.value(f"{P}registered_count"), found.value(f"{P}deleted_count")) == (2, 1)


def test_a_scraper_that_takes_text_alone_is_answered(asking: Callable[..., Asking]) -> None:
    answer = asking().ask("GET", "/metrics", headers={"Accept": "text/plain;version=0.0.4"})
    assert (answer.status_code, answer.headers["content-type"][:10]) == (200, "text/plain")


def test_the_metrics_that_the_manual_names_are_there(asking: Callable[..., Asking]) -> None:
    page = (Path(__file__).parents[3] / "docs" / "operating.md").read_text(encoding="utf-8")
    named_there = set(re.findall(r"`(kafka_schema_registry_[a-z_]+)", page.partition("### The registry's")[2]))
    prefix = f"{P}jersey_metrics_"
    assert LISTED - {"certificate_expiration_truststore"} <= {name.removeprefix(P) for name in named_there}
    assert {name for name in named_there if name != prefix} <= asking().scrape().names()


def test_a_service_is_measured_between_start_and_stop() -> None:
    service = RegistryService()
    assert isinstance(service, HasMeasurements)
    assert list(service.measurements()) == []
    service.start({**LOCAL, "registry.name": "measured"})
    assert "registered-count" in {measured.name for measured in service.measurements()}
    service.stop()
    assert list(service.measurements()) == []


# --- who may see them


@pytest.fixture
def users(tmp_path: Path) -> str:
    import bcrypt

    path = tmp_path / "users"
    roles = {"root": "admin", "reader": "read", "orders": "write@orders-"}
    hashes = {name: bcrypt.hashpw(f"{name}!".encode(), bcrypt.gensalt(4)).decode() for name in roles}
    path.write_text("".join(f"{name}:{hashes[name]}:{role}\n" for name, role in roles.items()))
    return str(path)


def guards(users: str) -> dict[str, str]:
    return {"authentication.method": "BASIC", "authentication.basic.users.file": users}


@pytest.mark.parametrize(
    ("user", "status"), [(None, 401), ("nobody", 401), ("orders", 403), ("reader", 200), ("root", 200)]
)
def test_whoever_may_read_every_subject_may_see_the_metrics(
    asking: Callable[..., Asking], users: str, user: str | None, status: int
) -> None:
    ask = asking(**guards(users))
    answer = ask.ask("GET", "/metrics", auth=None if user is None else (user, f"{user}!"))
    assert answer.status_code == status
    assert (P in answer.text) == (status == 200)


def test_a_scraper_without_a_password_needs_the_path_opened(asking: Callable[..., Asking], users: str) -> None:
    ask = asking(**guards(users), **{"authentication.skip.paths": "/metrics"})
    assert ask("GET", "/subjects") == 401
    assert ask.scrape().value(f"{P}api_failure_count") == 1


# --- names and numbers


def test_every_operation_but_the_probes_has_an_endpoints_name(asking: Callable[..., Asking]) -> None:
    document = asking().ask("GET", "/openapi.json").json()
    operations = [(method.upper(), path) for path, found in document["paths"].items() for method in found]
    named_so = {(method, path): endpoint_of(method, path.split("/")[1:]) for method, path in operations}
    probes = {path for (_, path), name in named_so.items() if name is None}
    assert probes == {"/health", "/health/ready", "/health/live", "/master_available", "/metrics"}
    assert {path for (_, path), name in named_so.items() if name == ""} == {"/"}
    assert {name for name in named_so.values() if name} == set(ENDPOINTS)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_times_look_back_as_far_as_the_windows_and_totals_for_ever() -> None:
    clock = Clock()
    meter = AnswerMeter(Windows(30, 2, clock))

    def look() -> dict[str, Any]:
        return {m.name: m.value for m in meter.measurements() if not m.tags}

    def answer(endpoint: str, status: int, milliseconds: float) -> None:
        meter.answered(endpoint, status, clock.now - milliseconds / 1000)

    for milliseconds in range(1, 101):
        answer("subjects.list", 200, milliseconds)
    answer("mode.get-global", 200, 500)
    one, all_ = "jersey-metrics.subjects.list.", "jersey-metrics."
    found = look()
    assert found[f"{one}request-latency-95"] == pytest.approx(95)
    assert found[f"{one}request-latency-99"] == pytest.approx(99)
    assert found[f"{one}request-latency-avg"] == pytest.approx(50.5)
    assert found[f"{all_}request-latency-max"] == pytest.approx(500)
    assert found[f"{all_}request-latency-avg"] == pytest.approx(5550 / 101)
    assert (found[f"{all_}request-count"], found["api-success-count"]) == (101, 101)
    clock.now += 61
    answer("subjects.list", 500, 7)
    found = look()
    assert (found[f"{one}request-count"], found[f"{one}request-total"]) == (1, 101)
    assert found[f"{one}request-latency-99"] == pytest.approx(7), "of the answers that are in the windows alone"
    assert math.isnan(found["jersey-metrics.mode.get-global.request-latency-avg"])
    assert (found["api-success-count"], found["api-failure-count"]) == (101, 1)


def test_the_built_in_registry_of_a_worker_has_its_metrics_at_its_own_port() -> None:
    worker = {
        "bootstrap.servers": "b:9092", "key.converter": "string", "value.converter": "string",
        "offset.storage.file.filename": "/tmp/offsets", "schema.registry.embedded": "true",
        "registry.store": "memory", "registry.listeners": "http://127.0.0.1:0", "registry.metrics.num.samples": "3",
    }  # fmt: skip
    settings = embedded_registry(WorkerConfig.parse(worker, "standalone"))
    service = start_registry(Plugins.discover(), {**settings, "registry.name": "metered-worker"})
    try:
        url = service.urls[0]
        CLIENT.post(f"{url}/subjects/s/versions", content=json.dumps({"schema": RECORD}))
        assert parse(CLIENT.get(f"{url}/metrics").text).value(f"{P}registered_count") == 1
    finally:
        service.stop()
