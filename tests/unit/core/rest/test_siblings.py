"""``GET /metrics?all=true``: the metrics of all workers that one command started."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import bcrypt
import httpx
import pytest

from lab.fake_worker import standalone_over_fakes
from lab.measured import Scrape, parse
from penstock.config.worker import WorkerConfig
from penstock.herder.standalone import StandaloneHerder
from penstock.http.prometheus import gathered
from penstock.measurements import Measurement
from penstock.plugins import Plugins
from penstock.rest.server import RestServer
from penstock.rest.siblings import Siblings

JSON = "org.apache.kafka.connect.json.JsonConverter"
UP, MEMORY = "kafka_connect_worker_process_up", "process_resident_memory_bytes"
#: One for all: each would read the certificates of authorities anew.
CLIENT = httpx.Client(timeout=60)
Started = Callable[..., RestServer]


@pytest.fixture(scope="module")
def herder() -> Iterator[StandaloneHerder]:
    made = standalone_over_fakes(
        Plugins.discover(), worker_defaults={"key.converter": JSON, "value.converter": JSON}
    ).herder
    made.start()
    yield made
    made.stop()


@pytest.fixture
def started(herder: StandaloneHerder, tmp_path: Path) -> Iterator[Started]:
    servers: list[RestServer] = []

    def start(number: int | None, **settings: str) -> RestServer:
        base = {
            "bootstrap.servers": "none:9092", "key.converter": JSON, "value.converter": JSON,
            "listeners": "http://127.0.0.1:0", "offset.storage.file.filename": "unused",
        }  # fmt: skip
        server = RestServer(WorkerConfig.parse({**base, **settings}, "standalone"))
        server.siblings = None if number is None else Siblings(tmp_path / str(number))
        server.start(herder)
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.stop()


def url_of(server: RestServer) -> str:
    return server.advertised.url.rstrip("/")


def scrape(server: RestServer, query: str = "?all=true", auth: tuple[str, str] | None = None) -> Scrape:
    answer = CLIENT.get(f"{url_of(server)}/metrics{query}", auth=auth)
    assert answer.status_code == 200
    return parse(answer.text)


def test_any_worker_gathers_the_metrics_of_all_with_a_label_that_says_whose_they_are(started: Started) -> None:
    servers = [started(number) for number in range(3)]
    names = {server.advertised.worker_id for server in servers}
    for server in servers:
        found = scrape(server)
        assert {dict(labels)["worker"] for _, labels in found.samples} == names
        for name in names:
            assert found.value(UP, worker=name) == 1
            assert found.value(MEMORY, worker=name) > 0


def test_without_all_a_worker_answers_for_itself(started: Started) -> None:
    servers = [started(number) for number in range(2)]
    for query in ("", "?all=false"):
        found = scrape(servers[0], query)
        assert not any("worker" in dict(labels) for _, labels in found.samples)
        assert found.value(MEMORY) > 0


def test_a_worker_that_is_down_is_told_and_costs_the_others_nothing(started: Started) -> None:
    one, other = started(0), started(1)
    gone = other.advertised.worker_id
    other.stop()
    found = scrape(one)
    assert (found.value(UP, worker=gone), found.value(UP, worker=one.advertised.worker_id)) == (0, 1)
    assert found.values(MEMORY, worker=gone) == []


def test_a_worker_that_comes_again_takes_its_own_place(started: Started) -> None:
    one, other = started(0), started(1)
    other.stop()
    again = started(1)
    found = scrape(one)
    assert {labels["worker"] for name, key in found.samples if name == UP and (labels := dict(key))} == {
        one.advertised.worker_id,
        again.advertised.worker_id,
    }


def test_a_worker_by_itself_is_all_there_is(started: Started) -> None:
    server = started(None)
    assert scrape(server).value(UP, worker=server.advertised.worker_id) == 1


def test_whoever_may_see_one_workers_metrics_sees_those_of_all(started: Started, tmp_path: Path) -> None:
    file = tmp_path / "users"
    hashed = bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()
    file.write_text(f"prometheus:{hashed}:read\npart:{hashed}:read@orders-*\n")
    users = {"authentication.method": "BASIC", "authentication.basic.users.file": str(file)}
    servers = [started(number, **users) for number in range(2)]
    found = scrape(servers[0], auth=("prometheus", "secret"))
    assert [found.value(UP, worker=server.advertised.worker_id) for server in servers] == [1, 1]
    url = f"{url_of(servers[0])}/metrics?all=true"
    assert CLIENT.get(url).status_code == 401
    assert CLIENT.get(url, auth=("part", "secret")).status_code == 403


def test_each_metric_stands_once_with_the_samples_of_all() -> None:
    texts = {
        "a:1": '# HELP x_total X.\n# TYPE x_total counter\nx_total{task="0"} 1.0\n',
        "b:2": '# HELP x_total X.\n# TYPE x_total counter\nx_total{task="0",worker="own"} 2.0\n# TYPE y gauge\ny NaN\n',
    }
    text = gathered("worker", texts, [Measurement("worker-process", "up", 1, {"worker": "a:1"})]).decode()
    assert text.count("# TYPE x_total counter") == 1
    found = parse(text)
    assert found.value("x_total", task="0", worker="a:1") == 1
    assert found.value("x_total", task="0", worker="b:2", exported_worker="own") == 2
    assert len(found.values("y", worker="b:2")) == 1
    assert found.value(UP, worker="a:1") == 1
