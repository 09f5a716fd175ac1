"""The distributed herder over fakes of the worker, the topics and the group: what is asked of whom, and when."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import pytest

from lab.fake_worker import FakeWorker
from penstock.config.worker import WorkerConfig
from penstock.errors import ConflictError, ConnectError, NotFoundError, RetriableError
from penstock.herder.distributed import signatures
from penstock.herder.distributed.compose import Surroundings, compose_distributed
from penstock.herder.distributed.leading import configured_work
from penstock.herder.distributed.membership import GroupView, Membership, MembershipListener
from penstock.herder.distributed.protocol import ASSIGNMENT_CONFIG_MISMATCH, SESSIONED, Assignment
from penstock.herder.forwarding import WorkerAnswer, WorkerClient
from penstock.herder.interface import HealthStatus, InternalRequestError, RequestTargetError
from penstock.herder.restart import RestartRequest
from penstock.herder.validation import ConnectorValidator
from penstock.plugins import Plugins
from penstock.runtime.status import ConnectorTaskId, State, TargetState
from penstock.storage import config_records as records
from penstock.storage.cluster_state import ClusterConfigState, ConfigRecordReader, ConfigUpdateListener
from penstock.storage.config_store import ConfigStore
from penstock.storage.status_records import Status, StatusTable, connector_status_record, task_status_record
from penstock.storage.status_store import StatusStore

MOCK = "org.apache.kafka.connect.tools.MockSourceConnector"
JSON = "org.apache.kafka.connect.json.JsonConverter"
CONFIG = {"name": "c", "connector.class": MOCK}


class FakeConfigStore:
    """The config topic in memory."""

    def __init__(self, news: ConfigUpdateListener) -> None:
        self._news, self._reader, self._offset = news, ConfigRecordReader(), 0
        self.unreadable = False
        self.refreshed = 0

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def snapshot(self) -> ClusterConfigState:
        return self._reader.snapshot()

    def problems(self) -> list[str]:
        return self._reader.problems()

    def refresh(self, timeout: float) -> None:
        self.refreshed += 1
        if self.unreadable:
            raise RetriableError("the topic is out of reach")

    def write(self, *group: records.Record) -> None:
        for key, value in group:
            news = self._reader.read(key, value, self._offset)
            self._offset += 1
            if news is not None:
                news(self._news)

    def put_connector_config(
        self, connector: str, config: Mapping[str, str | None], target: TargetState | None = None
    ) -> None:
        self.write(*records.connector_records(connector, config, target))

    def remove_connector_config(self, connector: str) -> None:
        self.write(*records.connector_removal(connector))

    def put_task_configs(self, connector: str, configs: Sequence[Mapping[str, str | None]]) -> None:
        self.write(*records.task_records(connector, configs), records.commit_record(connector, len(configs)))

    def put_target_state(self, connector: str, state: TargetState) -> None:
        self.write(records.target_state_record(connector, state))

    def put_task_target_state(self, task: ConnectorTaskId, state: TargetState | None) -> None:
        self.write(records.task_target_record(task, state))

    def put_session_key(self, key: records.SessionKey) -> None:
        self.write(records.session_key_record(key))

    def put_restart_request(self, connector: str, only_failed: bool, include_tasks: bool) -> None:
        self.write(records.restart_record(connector, only_failed, include_tasks))

    def put_logger_level(self, namespace: str, level: str) -> None:
        self.write(records.logger_record(namespace, level))

    def claim_write_privileges(self) -> None:
        """Nobody else writes."""

    def relinquish_write_privileges(self) -> None:
        """Nobody else writes."""


class FakeStatusStore:
    """The status topic in memory."""

    def __init__(self) -> None:
        self._table = StatusTable()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._table, name)

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def last_worker(self, item: str | ConnectorTaskId) -> str | None:
        return None

    def flush(self, timeout: float = 5.0) -> None: ...

    def put_connector(self, connector: str, status: Status) -> None:
        self._table.read(*connector_status_record(connector, status))

    def put_task(self, task: ConnectorTaskId, status: Status) -> None:
        self._table.read(*task_status_record(task, status))

    put_connector_safe, put_task_safe = put_connector, put_task

    def remove_connector(self, connector: str, worker_id: str, generation: int) -> None:
        self.put_connector(connector, Status(State.DESTROYED, None, worker_id, generation))


class FakeGroup:
    """A group whose rounds a test may steer: this worker leads and gets everything, or follows and gets what `share`
    says. Rejoining makes a new round at once."""

    def __init__(self, store: FakeConfigStore) -> None:
        self.listener: Any = None
        self.stable, self.leads, self.automatic = True, True, True
        self.share: Callable[[ClusterConfigState], tuple[Sequence[str], Sequence[ConnectorTaskId]]] | None = None
        self.events: list[str] = []
        self._store, self._view, self._generations = store, GroupView(), itertools.count(1)

    def start(self, listener: MembershipListener) -> None:
        self.listener = listener
        self.round()

    def stop(self) -> None: ...

    def forget(self) -> None:
        self._view = replace(self._view, assignment=replace(self._view.assignment, connectors=(), tasks=()))

    def rejoin(self, reason: str) -> None:
        self.events.append(f"rejoin: {reason}")
        if self.automatic:
            self.round()

    def leave(self, reason: str) -> None:
        self.events.append("leave")

    def view(self) -> GroupView:
        return self._view

    def round(self, **fields: Any) -> None:
        state = self._store.snapshot()
        work = configured_work(state)
        connectors, tasks = (work.connectors, work.tasks) if self.share is None else self.share(state)
        me = "me" if self.leads else "other"
        whole = Assignment(
            leader=me, leader_url=f"http://{me}/", offset=state.offset, connectors=tuple(sorted(connectors)),
            tasks=tuple(sorted(tasks)),
        )  # fmt: skip
        self._view = GroupView(next(self._generations), "me", SESSIONED, replace(whole, **fields))
        self.listener.assigned(self._view.assignment, False)


class FakeClient:
    def __init__(self) -> None:
        self.sent: list[tuple[str, str, bytes | None, Mapping[str, str]]] = []
        self.status = 204

    def request(
        self, method: str, base: str, target: str, body: bytes | None, headers: Mapping[str, str], timeout: float = 0
    ) -> WorkerAnswer:
        self.sent.append((method, base.rstrip("/") + target, body, headers))
        return WorkerAnswer(self.status, {}, b'{"message": "busy"}')


class Setup:
    def __init__(self) -> None:
        config = WorkerConfig.parse(
            {
                "bootstrap.servers": "none:9092", "key.converter": JSON, "value.converter": JSON, "group.id": "g",
                "config.storage.topic": "c", "offset.storage.topic": "o", "status.storage.topic": "s",
                "scheduled.rebalance.max.delay.ms": "100", "worker.sync.timeout.ms": "100",
            },
            "distributed",
        )  # fmt: skip
        plugins = Plugins.discover()
        self.status_store, self.client = FakeStatusStore(), FakeClient()
        made = compose_distributed(
            Surroundings(
                config=config,
                plugins=plugins,
                worker_id="fake:8083",
                status_store=cast("StatusStore", self.status_store),
                client=cast("WorkerClient", self.client),
                make_store=lambda news: cast("ConfigStore", self._made_store(news)),
                make_membership=lambda store, leader: cast("Membership", self._made_group()),
                make_worker=lambda recorder, in_session, gates: FakeWorker(plugins, recorder),
                make_validator=lambda worker: ConnectorValidator(
                    plugins, {"key.converter": JSON, "value.converter": JSON}
                ),
            ),
            patience=0.3,
        )
        self.herder, self.worker = made.herder, made.worker

    def _made_store(self, news: ConfigUpdateListener) -> FakeConfigStore:
        self.store = FakeConfigStore(news)
        return self.store

    def _made_group(self) -> FakeGroup:
        self.group = FakeGroup(self.store)
        return self.group

    def until(self, check: Callable[[], bool]) -> None:
        self.until_within(10, check)

    def until_within(self, seconds: float, check: Callable[[], bool]) -> None:
        deadline = time.monotonic() + seconds
        while not check():
            assert time.monotonic() < deadline, (self.group.events, self.worker.calls)
            time.sleep(0.005)

    def follow(self, share: Any = None) -> None:
        """From now on another worker leads."""
        self.group.leads, self.group.share = False, share or (lambda state: ((), ()))
        self.group.round()

    def running(self, *tasks: int) -> bool:
        return self.worker.task_ids() == {ConnectorTaskId("c", i) for i in tasks}


@pytest.fixture
def setup() -> Iterator[Setup]:
    made = Setup()
    made.herder.start()
    made.until(lambda: made.herder.cluster()["group"]["state"] == "stable")
    yield made
    made.herder.stop()


def test_a_new_connector_goes_through_a_round_and_so_do_its_tasks(setup: Setup) -> None:
    created, info = setup.herder.put_connector_config("c", CONFIG)
    assert (created, info.tasks) == (True, [])
    setup.until(lambda: setup.running(0))
    assert setup.group.events == ["rejoin: connector c is new", "rejoin: task configurations have changed"]
    status = setup.herder.connector_status("c")
    assert (status.connector.state, [t.state for t in status.tasks]) == (State.RUNNING, [State.RUNNING])


def test_a_change_of_configuration_restarts_the_connector_without_a_round_of_its_own(setup: Setup) -> None:
    setup.herder.put_connector_config("c", CONFIG)
    setup.until(lambda: setup.running(0))
    setup.worker.calls.clear()
    setup.group.events.clear()
    setup.herder.put_connector_config("c", {**CONFIG, "x": "1"})
    setup.until(lambda: ("start_task", "c-0") in setup.worker.calls)
    assert setup.worker.calls[0] == ("stop_connector", "c")
    assert setup.group.events == ["rejoin: task configurations have changed"]


def test_stopping_takes_the_tasks_away_and_keeps_the_connector(setup: Setup) -> None:
    setup.herder.put_connector_config("c", CONFIG)
    setup.until(lambda: setup.running(0))
    setup.herder.stop_connector("c")
    setup.until(lambda: setup.running() and setup.herder.connector_status("c").connector.state is State.STOPPED)
    setup.until(lambda: not setup.herder.connector_status("c").tasks)
    assert setup.herder.reset_connector_offsets("c").startswith("The ")
    setup.herder.resume_connector("c")
    setup.until(lambda: setup.running(0))


def test_a_deleted_connector_leaves_nothing(setup: Setup) -> None:
    setup.herder.put_connector_config("c", CONFIG)
    setup.until(lambda: setup.running(0))
    setup.herder.delete_connector("c")
    setup.until(lambda: setup.running() and setup.status_store.connectors() == set())
    with pytest.raises(NotFoundError):
        setup.herder.connector_info("c")


def test_a_tasks_own_target_state_holds_while_its_connector_is_resumed(setup: Setup) -> None:
    setup.herder.put_connector_config("c", CONFIG)
    setup.until(lambda: setup.running(0))
    task = ConnectorTaskId("c", 0)
    setup.herder.put_task_target_state(task, TargetState.PAUSED)
    setup.until(lambda: setup.herder.task_status(task).state is State.PAUSED)
    setup.herder.pause_connector("c")
    setup.herder.resume_connector("c")
    setup.until(lambda: setup.herder.connector_status("c").connector.state is State.RUNNING)
    assert setup.herder.task_status(task).state is State.PAUSED
    setup.herder.put_task_target_state(task, TargetState.STARTED)
    setup.until(lambda: setup.herder.task_status(task).state is State.RUNNING)


def test_a_restart_request_reaches_every_worker_over_the_topic(setup: Setup) -> None:
    setup.herder.put_connector_config("c", CONFIG)
    setup.until(lambda: setup.running(0))
    setup.worker.calls.clear()
    answer = setup.herder.restart_connector_and_tasks(RestartRequest("c", include_tasks=True))
    assert [t.state for t in answer.tasks] == [State.RESTARTING]
    setup.until(lambda: ("start_task", "c-0") in setup.worker.calls)
    assert ("start_connector", "c") in setup.worker.calls


def test_a_restart_keeps_the_old_trace_in_its_answer_and_not_in_the_new_state(setup: Setup) -> None:
    setup.herder.put_connector_config("c", CONFIG)
    setup.until(lambda: setup.running(0))
    task = ConnectorTaskId("c", 0)
    setup.worker.fail_task(task, ConnectError("broken"))
    setup.herder.pause_connector("c")
    setup.until(lambda: setup.herder.connector_status("c").connector.state is State.PAUSED)
    assert setup.herder.task_status(task).state is State.FAILED
    setup.herder.resume_connector("c")
    answer = setup.herder.restart_connector_and_tasks(RestartRequest("c", only_failed=True, include_tasks=True))
    assert [t.state for t in answer.tasks] == [State.RESTARTING]
    assert "broken" in (answer.tasks[0].trace or "")
    setup.until(lambda: setup.herder.task_status(task).state is State.RUNNING)
    assert setup.herder.task_status(task).trace is None


def test_a_poisoned_record_shows_its_connector_as_unknown_and_leaves_the_others_alone(setup: Setup) -> None:
    setup.store.write(("connector-g1", b'{"properties":{"a":1}}'), ("connector-g2", b"{"), ("nobody", b"{}"))
    setup.herder.put_connector_config("c", CONFIG)
    setup.until(lambda: setup.running(0))
    assert setup.herder.connector_info("g1").type == "unknown"
    setup.until(lambda: setup.herder.connector_status("g1").connector.state is State.FAILED)
    assert setup.herder.connector_status("c").connector.state is State.RUNNING
    health = setup.herder.health(10)
    assert health.status is HealthStatus.HEALTHY
    assert "connector-g1" in (health.problems or "")
    assert "connector-g2" in (health.problems or "")
    setup.herder.delete_connector("g1")
    setup.until(lambda: setup.herder.connectors() == ["c"])


def test_a_follower_names_the_leader_for_what_it_may_not_do(setup: Setup) -> None:
    setup.herder.put_connector_config("c", CONFIG)
    setup.until(lambda: setup.running(0))
    setup.follow()
    setup.until(lambda: setup.running())
    for refused in (
        lambda: setup.herder.put_connector_config("d", {**CONFIG, "name": "d"}),
        lambda: setup.herder.patch_connector_config("c", {"x": "1"}),
        lambda: setup.herder.delete_connector("c"),
        lambda: setup.herder.stop_connector("c"),
        lambda: setup.herder.restart_connector("c"),
        lambda: setup.herder.restart_task(ConnectorTaskId("c", 0)),
        lambda: setup.herder.restart_connector_and_tasks(RestartRequest("c", include_tasks=True)),
        lambda: setup.herder.reset_connector_offsets("c"),
    ):
        with pytest.raises(RequestTargetError) as caught:
            refused()
        assert caught.value.forward_url == "http://other/"
    setup.herder.pause_connector("c")  # any worker may
    assert setup.store.snapshot().target_state("c") is TargetState.PAUSED


def test_a_follower_hands_task_configurations_to_the_leader_signed(setup: Setup) -> None:
    key = signatures.new_key("HmacSHA256", None, int(time.time() * 1000))
    setup.store.put_session_key(key)
    setup.follow(lambda state: (list(state.connectors), ()))
    setup.store.put_connector_config("c", CONFIG)
    setup.until(lambda: bool(setup.client.sent))
    method, url, body, headers = setup.client.sent[0]
    assert (method, url) == ("POST", "http://other/connectors/c/tasks")
    assert body is not None
    signatures.check(signatures.signature_of(headers, body), key, ["HmacSHA256"])


def test_what_the_leader_refuses_is_handed_over_again(setup: Setup) -> None:
    setup.store.put_session_key(signatures.new_key("HmacSHA256", None, int(time.time() * 1000)))
    setup.client.status = 409
    setup.follow(lambda state: (list(state.connectors), ()))
    setup.store.put_connector_config("c", CONFIG)
    setup.until(lambda: len(setup.client.sent) >= 2)


def test_signed_task_configurations_are_written_by_the_leader_and_passed_on_by_others(setup: Setup) -> None:
    key = signatures.new_key("HmacSHA256", None, int(time.time() * 1000))
    setup.store.put_session_key(key)
    setup.group.share = lambda state: ((), ())
    setup.herder.put_connector_config("c", CONFIG)
    signature = signatures.signature_of(signatures.sign(key.key, "HmacSHA256", b"[]"), b"[]")
    setup.herder.put_task_configs("c", [{"a": "1"}], signature)
    assert [task.config for task in setup.herder.task_configs("c")] == [{"a": "1"}]
    with pytest.raises(NotFoundError):
        setup.herder.put_task_configs("other", [], signature)
    setup.follow()
    with pytest.raises(RequestTargetError):
        setup.herder.put_task_configs("c", [], signature)


def test_unsigned_task_configurations_are_refused(setup: Setup) -> None:
    with pytest.raises(InternalRequestError) as caught:
        setup.herder.put_task_configs("c", [], None)
    assert caught.value.status == 400


def test_a_write_waits_for_a_rebalance_and_says_when_to_come_again(setup: Setup) -> None:
    setup.group.stable = False
    began = time.monotonic()
    with pytest.raises(ConflictError, match="conflicting operation") as caught:
        setup.herder.put_connector_config("c", CONFIG)
    assert time.monotonic() - began >= 0.3
    assert caught.value.retry_after
    setup.group.stable = True
    assert setup.herder.put_connector_config("c", CONFIG)[0]


def test_a_worker_behind_with_the_topic_starts_nothing_and_leaves_until_it_has_read_on(setup: Setup) -> None:
    setup.store.unreadable, setup.group.automatic = True, False
    setup.group.events.clear()
    setup.group.round(offset=99, connectors=("c",), tasks=(ConnectorTaskId("c", 0),))
    setup.until(lambda: "leave" in setup.group.events)
    assert setup.running()
    # The offset is reached, and the worker comes back.
    setup.store.write(*[records.logger_record("x", "INFO")] * 99)
    setup.until(lambda: "rejoin: this worker has caught up with the config topic" in setup.group.events)


def test_a_worker_that_never_catches_up_stops_what_it_runs(setup: Setup) -> None:
    setup.herder.put_connector_config("c", CONFIG)
    setup.until(lambda: setup.running(0))
    setup.store.unreadable, setup.group.automatic = True, False
    setup.group.round(offset=99)
    setup.until(lambda: setup.running() and setup.group.view().assignment.tasks == ())
    assert setup.group.events.count("leave") >= 6


def test_a_topic_that_moved_on_makes_another_round(setup: Setup) -> None:
    setup.group.events.clear()
    setup.group.round(offset=setup.store.snapshot().offset - 1)
    setup.until(lambda: bool(setup.group.events))
    assert "moved on" in setup.group.events[0]
    setup.group.round(error=ASSIGNMENT_CONFIG_MISMATCH)
    setup.until(lambda: len(setup.group.events) > 1)
    assert "behind" in setup.group.events[1]


def test_a_worker_cut_off_stops_everything_at_once_and_begins_again(setup: Setup) -> None:
    setup.herder.put_connector_config("c", CONFIG)
    setup.until(lambda: setup.running(0))
    setup.group.listener.lost("the coordinator is out of reach")
    assert setup.running()
    assert setup.worker.connector_names() == set()
    setup.group.forget()
    setup.group.round()
    setup.until(lambda: setup.running(0))


def test_the_leader_makes_a_key_when_there_is_none(setup: Setup) -> None:
    setup.until(lambda: setup.store.snapshot().session_key is not None)
    key = setup.store.snapshot().session_key
    assert key is not None
    assert (key.algorithm, len(key.key)) == ("HmacSHA256", 32)


def test_the_leader_replaces_a_key_that_is_too_old_and_keeps_one_that_is_not(setup: Setup) -> None:
    now = int(time.time() * 1000)
    hour = 3_600_000  # inter.worker.key.ttl.ms
    old = signatures.new_key("HmacSHA256", None, now - hour - 1)
    setup.store.put_session_key(old)
    setup.until(lambda: setup.store.snapshot().session_key != old)
    young = signatures.new_key("HmacSHA256", None, now - hour + 600_000)
    setup.store.put_session_key(young)
    setup.herder._requests.rotate_key()
    assert setup.store.snapshot().session_key == young
    setup.follow()
    setup.store.put_session_key(old)
    setup.herder._requests.rotate_key()
    assert setup.store.snapshot().session_key == old  # the leader's business


def test_levels_for_the_cluster_reach_this_worker(setup: Setup) -> None:
    setup.herder.set_cluster_logger_level("penstock.test.cluster", "DEBUG")
    level = setup.herder.logger("penstock.test.cluster")
    assert level is not None
    assert level.level == "DEBUG"


def test_a_connector_starts_anew_when_a_looked_up_value_runs_out(setup: Setup) -> None:
    setup.worker.lifetime = 0.2
    setup.herder.put_connector_config("c", {**CONFIG, "secret": "${vault:path:key}"})
    setup.until(lambda: setup.worker.calls.count(("start_connector", "c")) == 2)
    setup.until(lambda: setup.worker.calls.count(("start_task", "c-0")) == 2)
    setup.herder.put_connector_config("c", {**CONFIG, "secret": "${vault:path:key}", "config.action.reload": "none"})
    setup.until(lambda: setup.running(0) and setup.worker.calls[-1][0] == "start_task")
    before = list(setup.worker.calls)
    with pytest.raises(AssertionError):  # nothing comes any more
        setup.until_within(0.5, lambda: setup.worker.calls != before)


def test_late_words_of_a_worker_that_lost_its_work_are_put_right(setup: Setup) -> None:
    setup.herder.put_connector_config("c", CONFIG)
    setup.until(lambda: setup.running(0))
    late = Status(State.UNASSIGNED, None, "sleeper:8083", 0)
    setup.status_store.put_task(ConnectorTaskId("c", 0), late)
    setup.status_store.put_connector("c", late)
    setup.until(lambda: setup.herder.task_status(ConnectorTaskId("c", 0)).state is State.RUNNING)
    setup.until(lambda: setup.herder.connector_status("c").connector.state is State.RUNNING)
