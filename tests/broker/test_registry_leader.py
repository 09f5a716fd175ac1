"""Several registries on one topic: one leads, all answer. Killing and stopping the leader under load: test_registry_takeover."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from lab.measured import scrape
from lab.patience import PATIENCE_S
from lab.worker_process import WorkerProcess, free_port
from penstock_registry.client import local_client
from penstock_registry.server.service import RegistryService

FAST = {
    "kafkagroup.session.timeout.ms": "3000",
    "kafkagroup.heartbeat.interval.ms": "500",
    "kafkastore.init.timeout.ms": "60000",
}


@pytest.fixture
def settings(kafka: str) -> dict[str, str]:
    mark = uuid.uuid4().hex[:8]
    return {
        "kafkastore.bootstrap.servers": f"PLAINTEXT://{kafka}",
        "kafkastore.topic": f"_schemas-{mark}",
        "schema.registry.group.id": f"sr-{mark}",
        "host.name": "127.0.0.1",
        "kafkastore.topic.replication.factor": "1",
        **FAST,
    }


@pytest.fixture
def start(settings: dict[str, str]) -> Iterator[Callable[..., RegistryService]]:
    services: list[RegistryService] = []

    def start_one(**more: str) -> RegistryService:
        service = RegistryService()
        own = {"listeners": "http://127.0.0.1:0", "registry.name": uuid.uuid4().hex[:8]}
        service.start({**settings, **own, **more})
        services.append(service)
        return service

    yield start_one
    for service in services:
        service.stop()


def schema(number: int) -> dict[str, Any]:
    return {"schema": json.dumps({"type": "fixed", "name": "F", "size": number + 1})}


def wait_for(check: Callable[[], bool], seconds: float = PATIENCE_S) -> None:
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def leads(service: RegistryService) -> bool:
    assert service._forwarder is not None
    return service._forwarder.election.leads


def test_every_registry_takes_changes_and_all_see_them(start: Callable[..., RegistryService]) -> None:
    services = [start() for _ in range(3)]
    wait_for(lambda: sum(map(leads, services)) == 1)
    for number in range(9):
        service = services[number % 3]
        made = httpx.post(f"{service.urls[0]}/subjects/s{number}/versions", json=schema(number), timeout=30)
        assert (made.status_code, made.json()["id"]) == (200, number + 1)
        assert made.headers["content-type"] == "application/vnd.schemaregistry.v1+json"
        # Whoever was asked knows it at once.
        assert httpx.get(f"{service.urls[0]}/subjects/s{number}/versions/1").json()["id"] == number + 1
    follower = next(service for service in services if not leads(service))
    refused = httpx.post(f"{follower.urls[0]}/subjects/s0/versions", json={"schema": "nope"})
    assert refused.json()["error_code"] == 42201
    context = httpx.post(f"{follower.urls[0]}/contexts/c/subjects/a%2Fb/versions?normalize=true", json=schema(1))
    assert context.status_code == 200
    assert httpx.get(f"{follower.urls[0]}/subjects/:.c:a%2Fb/versions").json() == [1]
    assert httpx.put(f"{follower.urls[0]}/config", json={"compatibility": "FULL"}).status_code == 200
    assert httpx.delete(f"{follower.urls[0]}/subjects/s1").json() == [1]
    found = [scrape(service.urls[0]) for service in services]
    roles = [int(one.value("kafka_schema_registry_master_slave_role")) for one in found]
    assert roles == [int(leads(service)) for service in services]
    assert [value for one in found for value in one.values("kafka_schema_registry_node_count")] == [3]
    for service in services:
        wait_for(lambda service=service: "s1" not in httpx.get(f"{service.urls[0]}/subjects").json())
        assert httpx.get(f"{service.urls[0]}/config").json()["compatibilityLevel"] == "FULL"
        assert httpx.get(f"{service.urls[0]}/master_available").json() == {"master_available": True}


def test_the_client_beside_a_follower_registers_through_the_leader(start: Callable[..., RegistryService]) -> None:
    services = [start(**{"registry.name": f"beside-{number}"}) for number in range(2)]
    wait_for(lambda: sum(map(leads, services)) == 1)
    for number in range(2):
        client = local_client(f"beside-{number}")
        made = client.register(f"s{number}", schema(number)["schema"])
        assert (made.id, made.version, made.subject) == (number + 1, 1, f"s{number}")
        assert client.schema_by_id(made.id).schema == made.schema


def test_the_smallest_url_leads_and_one_that_stops_hands_over(start: Callable[..., RegistryService]) -> None:
    ports = sorted(free_port() for _ in range(2))
    large = start(listeners=f"http://127.0.0.1:{ports[1]}")
    small = start(listeners=f"http://127.0.0.1:{ports[0]}")
    expected, other = sorted((small, large), key=lambda service: service.urls[0])
    wait_for(lambda: leads(expected) and not leads(other))
    assert httpx.post(f"{other.urls[0]}/subjects/a/versions", json=schema(1), timeout=30).json()["id"] == 1
    role = "kafka_schema_registry_master_slave_role"
    assert (scrape(expected.urls[0]).value(role), scrape(other.urls[0]).value(role)) == (1, 0)
    expected.stop()
    made = httpx.post(f"{other.urls[0]}/subjects/b/versions", json=schema(2), timeout=30)
    assert (made.status_code, made.json().get("id")) == (200, 2), made.text
    assert scrape(other.urls[0]).value(role) == 1
    assert scrape(other.urls[0]).value("kafka_schema_registry_leader_initialization_latency") > 0


def test_where_nobody_may_lead_reads_are_answered_and_changes_are_not(start: Callable[..., RegistryService]) -> None:
    service = start(**{"leader.eligibility": "false"})
    url = service.urls[0]
    assert httpx.get(f"{url}/subjects").json() == []
    refused = httpx.post(f"{url}/subjects/s/versions", json=schema(1), timeout=30)
    assert (refused.status_code, refused.json()["error_code"]) == (500, 50004)
    assert httpx.get(f"{url}/health/ready").status_code == 503
    # A change that was passed on is not passed on again.
    leader = start()
    wait_for(lambda: leads(leader))
    wait_for(lambda: httpx.get(f"{url}/health/ready").status_code == 200)
    circled = httpx.post(f"{url}/subjects/s/versions", json=schema(1), headers={"X-Forward": "true"}, timeout=30)
    assert circled.json()["error_code"] == 50004
    assert httpx.post(f"{url}/subjects/s/versions", json=schema(1), timeout=30).status_code == 200


def test_a_leader_that_sleeps_through_its_replacement_writes_nothing_when_it_wakes(
    settings: dict[str, str], tmp_path: Path
) -> None:
    urls = sorted(f"http://127.0.0.1:{free_port()}" for _ in range(2))
    processes = []
    try:
        for number, url in enumerate(urls):
            properties = tmp_path / f"{number}.properties"
            properties.write_text("".join(f"{k}={v}\n" for k, v in {**settings, "listeners": url}.items()))
            processes.append(WorkerProcess(["registry", properties], tmp_path / f"{number}.log"))
        wait_for(lambda: all(map(is_ready, urls)), 120)
        assert httpx.post(f"{urls[1]}/subjects/s0/versions", json=schema(0), timeout=60).json()["id"] == 1
        os.kill(processes[0].pid, signal.SIGSTOP)
        # Asked of the sleeper: the request waits in its socket until it wakes, and believes that it leads.
        late: list[Any] = []
        asked = threading.Thread(
            target=lambda: late.append(httpx.post(f"{urls[0]}/subjects/late/versions", json=schema(7), timeout=120))
        )
        asked.start()
        made: dict[int, int] = {}
        deadline = time.monotonic() + 120
        while len(made) < 3:  # the follower's first tries still go to the sleeper
            assert time.monotonic() < deadline
            number = len(made) + 1
            answer = post(f"{urls[1]}/subjects/s{number}/versions", schema(number))
            if answer is not None and answer.status_code == 200:
                made[number] = answer.json()["id"]
        os.kill(processes[0].pid, signal.SIGCONT)
        asked.join(120)
        wait_for(lambda: all(map(is_ready, urls)), 120)
        assert post(f"{urls[0]}/subjects/s9/versions", schema(9)).status_code == 200  # type: ignore[union-attr]  # it answers
        known = [{one["subject"]: one["id"] for one in httpx.get(f"{url}/schemas").json()} for url in urls]
        wait_for(lambda: "s9" in {one["subject"] for one in httpx.get(f"{urls[1]}/schemas").json()})
        assert {number: known[0][f"s{number}"] for number in made} == made
        assert len(set(known[0].values())) == len(known[0])
        if late and late[0].status_code == 200:  # passed on to the new leader after it woke
            assert known[0]["late"] == late[0].json()["id"]
    finally:
        for process in processes:
            process.kill()


def post(url: str, body: Any) -> httpx.Response | None:
    try:
        return httpx.post(url, json=body, timeout=10)
    except httpx.HTTPError:
        return None


def is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health/ready", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False
