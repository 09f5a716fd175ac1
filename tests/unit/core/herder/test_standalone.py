"""The standalone herder over a fake worker: order of things, target states, restarts, reconfiguration, offsets."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pytest

from lab.fake_worker import standalone_over_fakes
from penstock.api import Plugin, SinkConnector, SinkTask, SourceConnector, SourceTask, TopicPartition, hookimpl
from penstock.config import ConfigDef, ConfigType, Importance
from penstock.data import SinkRecord, SourceRecord
from penstock.errors import AlreadyExistsError, BadRequestError, ConnectError, NotFoundError
from penstock.herder.interface import HealthStatus
from penstock.herder.restart import RestartRequest
from penstock.herder.standalone import StandaloneHerder
from penstock.plugins import Plugins
from penstock.runtime.status import ConnectorTaskId, State, TargetState


class CountingTask(SourceTask):
    version = "7"

    def start(self, props: Mapping[str, str]) -> None: ...

    def poll(self) -> Sequence[SourceRecord] | None:
        return None

    def stop(self) -> None: ...


class CountingConnector(SourceConnector):
    """As many tasks as ``count`` says, or as many as a test sets; fails where it is told to."""

    version = "7"

    @classmethod
    def config_def(cls) -> ConfigDef:
        return (
            ConfigDef()
            .define("count", ConfigType.INT, 1, importance=Importance.HIGH, doc="How many tasks.")
            .define("secret", ConfigType.PASSWORD, None, importance=Importance.LOW, doc="A secret.")
            .define("fail", ConfigType.STRING, "", importance=Importance.LOW, doc="Where to fail.")
        )

    def start(self, props: Mapping[str, str]) -> None:
        self.props, self.count, self.failing = props, int(props.get("count", "1")), False
        if props.get("fail") == "start":
            raise ConnectError("no luck")

    @property
    def task_class(self) -> type[SourceTask]:
        return CountingTask

    def task_configs(self, max_tasks: int) -> list[dict[str, str]]:
        if self.failing:
            raise ConnectError("the table list cannot be read")
        return [{**self.props, "number": str(i)} for i in range(self.count)]

    def stop(self) -> None: ...

    def alter_offsets(self, props: Mapping[str, str], offsets: Mapping[Any, Mapping[str, Any] | None]) -> bool:
        if any(offset is not None and "position" not in offset for offset in offsets.values()):
            raise ConnectError("Offset objects should contain the key 'position'")
        return props.get("fail") != "unmanaged"


class NullTask(SinkTask):
    def start(self, props: Mapping[str, str]) -> None: ...

    def put(self, records: Sequence[SinkRecord]) -> None: ...

    def stop(self) -> None: ...


class NullSink(SinkConnector):
    @classmethod
    def config_def(cls) -> ConfigDef:
        return ConfigDef()

    def start(self, props: Mapping[str, str]) -> None: ...

    @property
    def task_class(self) -> type[SinkTask]:
        return NullTask

    def task_configs(self, max_tasks: int) -> list[dict[str, str]]:
        return [{}]

    def stop(self) -> None: ...

    def alter_offsets(self, props: Mapping[str, str], offsets: Mapping[TopicPartition, int | None]) -> bool:
        return True


class Hooks:
    def __init__(self) -> None:
        self.failures: list[tuple[str, int, str]] = []

    @hookimpl
    def penstock_task_failed(self, connector: str, task: int, error: BaseException) -> None:
        self.failures.append((connector, task, str(error)))

    @hookimpl
    def penstock_register_connectors(self) -> list[Plugin]:
        return [
            Plugin("counting", f"{__name__}:CountingConnector", connector_type="source", version="7"),
            Plugin("null", f"{__name__}:NullSink", connector_type="sink"),
        ]


class Setup:
    """A started herder over a fake worker."""

    def __init__(self) -> None:
        self.hooks = Hooks()
        self.plugins = Plugins.of(self.hooks)
        resolve = lambda config: {k: v.replace("${file:s:pw}", "hunter2") for k, v in config.items()}  # noqa: E731 - short, and used twice
        made = standalone_over_fakes(self.plugins, resolve=resolve, request_timeout=10)
        self.worker, self.recorder, self.herder, self.configs = made.worker, made.recorder, made.herder, made.configs

    def create(self, name: str = "c", target: TargetState | None = None, **settings: str) -> None:
        config = {"name": name, "connector.class": "counting", "tasks.max": "10", **settings}
        self.herder.put_connector_config(name, config, target)

    def states(self, name: str = "c") -> tuple[str, list[str]]:
        found = self.herder.connector_status(name)
        return found.connector.state.value, [t.state.value for t in found.tasks]

    def await_states(self, connector: str, tasks: list[str], name: str = "c") -> None:
        until(lambda: self.states(name) == (connector, tasks), lambda: f"still {self.states(name)}")


def until(holds: Callable[[], bool], say: Callable[[], str] = lambda: "", seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, say()
        threading.Event().wait(0.005)


@pytest.fixture
def setup() -> Iterator[Setup]:
    made = Setup()
    made.herder.start()
    yield made
    made.herder.stop()


def test_a_created_connector_runs_with_as_many_tasks_as_it_asks_for(setup: Setup) -> None:
    setup.create(count="3")
    setup.await_states("RUNNING", ["RUNNING"] * 3)
    assert setup.herder.connectors() == ["c"]
    assert [t.id for t in setup.herder.task_configs("c")] == [ConnectorTaskId("c", i) for i in range(3)]
    assert setup.herder.connector_status("c").connector.version == "7"
    assert setup.herder.connector_info("c").type == "source"


def test_creating_twice_is_refused_unless_it_may_replace(setup: Setup) -> None:
    setup.create()
    with pytest.raises(AlreadyExistsError, match="Connector c already exists"):
        setup.herder.put_connector_config("c", {"name": "c", "connector.class": "counting"}, allow_replace=False)
    created, _ = setup.herder.put_connector_config("c", {"name": "c", "connector.class": "counting"})
    assert not created


def test_everything_wrong_with_a_configuration_is_listed_and_nothing_starts(setup: Setup) -> None:
    with pytest.raises(BadRequestError) as error:
        setup.create(count="many", **{"tasks.max": "0"})
    assert "contains the following 2 error(s):" in error.value.message
    assert "Invalid value many for configuration count: Not a number of type INT" in error.value.message
    assert setup.herder.connectors() == []
    assert ("start_connector", "c") not in setup.worker.calls


def test_a_connector_that_fails_to_start_is_kept_with_its_trace(setup: Setup) -> None:
    with pytest.raises(ConnectError, match="no luck"):
        setup.create(fail="start")
    status = setup.herder.connector_status("c").connector
    assert status.state is State.FAILED
    assert status.trace is not None
    assert status.trace.startswith("org.apache.kafka.connect.errors.ConnectException: no luck\n\tat start (")


def test_a_changed_configuration_restarts_the_tasks_even_if_theirs_are_the_same(setup: Setup) -> None:
    setup.create()
    setup.await_states("RUNNING", ["RUNNING"])
    setup.worker.calls.clear()
    setup.create(**{"errors.tolerance": "all"})
    until(lambda: ("start_task", "c-0") in setup.worker.calls)
    assert [c for c in setup.worker.calls if "task" in c[0]] == [("stop_task", "c-0"), ("start_task", "c-0")]


def test_an_unchanged_configuration_leaves_the_tasks_alone(setup: Setup) -> None:
    setup.create()
    setup.await_states("RUNNING", ["RUNNING"])
    setup.worker.calls.clear()
    setup.create()
    setup.await_states("RUNNING", ["RUNNING"])
    setup.herder.health(10)
    assert not [c for c in setup.worker.calls if "task" in c[0]]


def test_a_connector_that_asks_for_it_gets_its_tasks_configured_again(setup: Setup) -> None:
    setup.create(count="1")
    setup.await_states("RUNNING", ["RUNNING"])
    connector = setup.worker.connector("c")
    connector.count = 2
    connector.context.request_task_reconfiguration()
    setup.await_states("RUNNING", ["RUNNING", "RUNNING"])


def test_tasks_go_on_while_their_connector_cannot_say_what_it_wants(setup: Setup) -> None:
    setup.create()
    setup.await_states("RUNNING", ["RUNNING"])
    connector = setup.worker.connector("c")
    connector.failing = True
    connector.context.request_task_reconfiguration()
    setup.await_states("FAILED", ["RUNNING"])
    assert "the table list cannot be read" in (setup.herder.connector_status("c").connector.trace or "")
    connector.failing = False  # it is asked again by itself
    setup.await_states("RUNNING", ["RUNNING"])
    assert setup.herder.connector_status("c").connector.trace is None


def test_a_slow_connector_does_not_hold_up_the_others(setup: Setup) -> None:
    answering = threading.Event()
    setup.create("slow")
    setup.await_states("RUNNING", ["RUNNING"], "slow")
    slow = setup.worker.connector("slow")
    slow.task_configs = lambda max_tasks: [{"n": str(answering.wait(10))}]
    slow.context.request_task_reconfiguration()
    setup.create("quick")
    setup.await_states("RUNNING", ["RUNNING"], "quick")
    answering.set()


def test_pause_resume_and_stop(setup: Setup) -> None:
    setup.create(count="2")
    setup.await_states("RUNNING", ["RUNNING", "RUNNING"])
    setup.herder.pause_connector("c")
    setup.await_states("PAUSED", ["PAUSED", "PAUSED"])
    setup.herder.resume_connector("c")
    setup.await_states("RUNNING", ["RUNNING", "RUNNING"])
    setup.herder.stop_connector("c")
    setup.await_states("STOPPED", [])
    assert setup.herder.connector_config("c")["count"] == "2"
    setup.herder.resume_connector("c")
    setup.await_states("RUNNING", ["RUNNING", "RUNNING"])
    with pytest.raises(NotFoundError, match="Unknown connector nobody"):
        setup.herder.pause_connector("nobody")


@pytest.mark.parametrize("target", [TargetState.STOPPED, TargetState.PAUSED])
def test_a_connector_may_begin_in_another_state(setup: Setup, target: TargetState) -> None:
    setup.create(target=target)
    setup.await_states(target.value, [])
    setup.create()  # a new configuration leaves the state
    setup.await_states(target.value, [])


def test_deleting_leaves_nothing_and_late_news_brings_nothing_back(setup: Setup) -> None:
    setup.create()
    setup.await_states("RUNNING", ["RUNNING"])
    setup.herder.delete_connector("c")
    setup.recorder.on_connector("c", State.RUNNING)
    setup.recorder.on_task(ConnectorTaskId("c", 0), State.RUNNING)
    with pytest.raises(NotFoundError, match="No status found for connector c"):
        setup.herder.connector_status("c")
    with pytest.raises(NotFoundError, match="No status found for task c-0"):
        setup.herder.task_status(ConnectorTaskId("c", 0))
    with pytest.raises(NotFoundError, match="Connector c not found"):
        setup.herder.delete_connector("c")


def test_restarting_what_failed_leaves_the_rest_alone(setup: Setup) -> None:
    setup.create(count="2")
    setup.await_states("RUNNING", ["RUNNING", "RUNNING"])
    setup.worker.fail_task(ConnectorTaskId("c", 1), ConnectError("broken"))
    setup.await_states("RUNNING", ["RUNNING", "FAILED"])
    assert setup.hooks.failures == [("c", 1, "broken")]
    setup.worker.calls.clear()
    answer = setup.herder.restart_connector_and_tasks(RestartRequest("c", only_failed=True, include_tasks=True))
    assert answer.connector.state is State.RUNNING
    assert [t.state for t in answer.tasks] == [State.RUNNING, State.RESTARTING]
    assert answer.tasks[0].trace is None
    assert "broken" in (answer.tasks[1].trace or "")  # the new state is not there yet
    setup.await_states("RUNNING", ["RUNNING", "RUNNING"])
    assert setup.worker.calls == [("stop_task", "c-1"), ("start_task", "c-1")]


def test_restarting_a_connector_leaves_its_tasks_alone(setup: Setup) -> None:
    setup.create()
    setup.await_states("RUNNING", ["RUNNING"])
    setup.worker.calls.clear()
    setup.herder.restart_connector("c")
    setup.await_states("RUNNING", ["RUNNING"])
    setup.herder.health(10)
    assert setup.worker.calls == [("stop_connector", "c"), ("start_connector", "c")]


def test_the_life_of_connectors_and_tasks_is_in_the_log_at_info(setup: Setup, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "penstock")
    setup.create(count="1")
    setup.await_states("RUNNING", ["RUNNING"])
    setup.herder.pause_connector("c")
    setup.await_states("PAUSED", ["PAUSED"])
    setup.worker.fail_task(ConnectorTaskId("c", 0), ConnectError("broken"))
    setup.await_states("PAUSED", ["FAILED"])
    setup.herder.delete_connector("c")
    said = [line.getMessage() for line in caplog.records if line.name.startswith("penstock.herder")]
    assert [line for line in said if line.startswith("[c|worker]")] == [
        "[c|worker] is RUNNING",
        "[c|worker] has new task configurations: 1, before 0",
        "[c|worker] is PAUSED (was RUNNING)",
        "[c|worker] is stopped here (was PAUSED)",
    ]
    assert [line for line in said if line.startswith("[c|task-0]")] == [
        "[c|task-0] is RUNNING",
        "[c|task-0] is PAUSED (was RUNNING)",
        "[c|task-0] is FAILED (was PAUSED)",
    ]


#: What is done to a connector whose instance failed and whose second task failed, and the states that follow.
AFTER_FAILURE: list[tuple[str, Callable[[StandaloneHerder], object], str, list[str]]] = [
    ("pause", lambda h: h.pause_connector("c"), "FAILED", ["PAUSED", "FAILED"]),
    ("resume", lambda h: h.resume_connector("c"), "FAILED", ["RUNNING", "FAILED"]),
    ("stop", lambda h: h.stop_connector("c"), "STOPPED", []),
    ("stop, resume", lambda h: (h.stop_connector("c"), h.resume_connector("c")), "RUNNING", ["RUNNING", "RUNNING"]),
    ("restart", lambda h: h.restart_connector("c"), "RUNNING", ["RUNNING", "FAILED"]),
    ("pause, restart", lambda h: (h.pause_connector("c"), h.restart_connector("c")), "PAUSED", ["PAUSED", "FAILED"]),
    ("restart failed", lambda h: h.restart_connector_and_tasks(RestartRequest("c", True, True)), "RUNNING", ["RUNNING", "RUNNING"]),
    ("restart task", lambda h: h.restart_task(ConnectorTaskId("c", 1)), "FAILED", ["RUNNING", "RUNNING"]),
    ("pause, restart task", lambda h: (h.pause_connector("c"), h.restart_task(ConnectorTaskId("c", 1))), "FAILED", ["PAUSED", "PAUSED"]),
    ("pause a task", lambda h: h.put_task_target_state(ConnectorTaskId("c", 1), TargetState.PAUSED), "FAILED", ["RUNNING", "FAILED"]),
]  # fmt: skip


@pytest.mark.parametrize(("_what", "act", "connector", "tasks"), AFTER_FAILURE, ids=[case[0] for case in AFTER_FAILURE])
def test_a_failure_stays_until_a_restart_or_a_stop(
    setup: Setup, _what: str, act: Callable[[StandaloneHerder], object], connector: str, tasks: list[str]
) -> None:
    setup.create(count="2")
    setup.await_states("RUNNING", ["RUNNING", "RUNNING"])
    setup.worker.connector("c").context.raise_error(ConnectError("the database went away"))
    setup.worker.fail_task(ConnectorTaskId("c", 1), ConnectError("broken"))
    setup.await_states("FAILED", ["RUNNING", "FAILED"])
    act(setup.herder)
    setup.await_states(connector, tasks)
    setup.herder.health(10)
    assert setup.states() == (connector, tasks)
    status = setup.herder.connector_status("c")
    assert ("the database went away" in (status.connector.trace or "")) == (connector == "FAILED")
    assert [bool(t.trace) for t in status.tasks] == [state == "FAILED" for state in tasks]


def test_a_tasks_own_state_does_not_restart_what_has_failed_when_its_connector_pauses(setup: Setup) -> None:
    setup.create(count="1")
    setup.await_states("RUNNING", ["RUNNING"])
    task = ConnectorTaskId("c", 0)
    setup.herder.put_task_target_state(task, TargetState.PAUSED)
    setup.await_states("RUNNING", ["PAUSED"])
    setup.worker.fail_task(task, ConnectError("broken"))
    setup.await_states("RUNNING", ["FAILED"])
    setup.herder.pause_connector("c")
    setup.herder.resume_connector("c")
    setup.herder.health(10)
    assert setup.states() == ("RUNNING", ["FAILED"])


def test_a_connector_without_a_class_is_shown_as_unknown_and_failed_and_can_be_mended(setup: Setup) -> None:
    setup.configs.put_config("g", {"name": "g", "a": "1"}, None)
    info = setup.herder.connector_info("g")
    assert (info.type, info.config["a"]) == ("unknown", "1")
    with pytest.raises(ConnectError, match=r"Connector g has no connector\.class"):
        setup.herder.restart_connector("g")
    assert setup.herder.connector_status("g").connector.state is State.FAILED
    with pytest.raises(ConnectError, match=r"Connector g has no connector\.class"):
        setup.herder.connector_offsets("g")
    setup.create("g")
    setup.await_states("RUNNING", ["RUNNING"], "g")
    setup.herder.delete_connector("g")
    assert setup.herder.connectors() == []


def test_a_task_keeps_its_own_target_state_across_resume_and_restart(setup: Setup) -> None:
    setup.create(count="2")
    setup.await_states("RUNNING", ["RUNNING", "RUNNING"])
    setup.herder.put_task_target_state(ConnectorTaskId("c", 1), TargetState.PAUSED)
    setup.await_states("RUNNING", ["RUNNING", "PAUSED"])
    setup.herder.put_task_target_state(ConnectorTaskId("c", 0), TargetState.STOPPED)
    setup.await_states("RUNNING", ["STOPPED", "PAUSED"])
    setup.herder.pause_connector("c")
    setup.await_states("PAUSED", ["STOPPED", "PAUSED"])
    setup.herder.resume_connector("c")
    setup.await_states("RUNNING", ["STOPPED", "PAUSED"])
    setup.herder.restart_task(ConnectorTaskId("c", 1))
    setup.await_states("RUNNING", ["STOPPED", "PAUSED"])
    setup.herder.put_task_target_state(ConnectorTaskId("c", 0), TargetState.STARTED)
    setup.await_states("RUNNING", ["RUNNING", "PAUSED"])


def test_a_tasks_target_state_goes_with_the_task(setup: Setup) -> None:
    setup.create(count="2")
    setup.await_states("RUNNING", ["RUNNING", "RUNNING"])
    setup.herder.put_task_target_state(ConnectorTaskId("c", 1), TargetState.PAUSED)
    setup.create(count="1")
    setup.await_states("RUNNING", ["RUNNING"])
    setup.create(count="2")
    setup.await_states("RUNNING", ["RUNNING", "RUNNING"])


def test_unknown_tasks_are_said_to_be(setup: Setup) -> None:
    setup.create()
    setup.await_states("RUNNING", ["RUNNING"])
    for act in (setup.herder.restart_task, lambda t: setup.herder.put_task_target_state(t, TargetState.PAUSED)):
        with pytest.raises(NotFoundError, match="Unknown task: c-5"):
            act(ConnectorTaskId("c", 5))
        with pytest.raises(NotFoundError, match="Unknown connector: nobody"):
            act(ConnectorTaskId("nobody", 0))


def test_looked_up_secrets_are_neither_kept_nor_shown(setup: Setup) -> None:
    setup.create(secret="${file:s:pw}")
    setup.await_states("RUNNING", ["RUNNING"])
    assert setup.worker.connector("c").props["secret"] == "hunter2"
    assert setup.herder.connector_config("c")["secret"] == "${file:s:pw}"
    assert setup.herder.task_configs("c")[0].config["secret"] == "${file:s:pw}"
    infos = setup.herder.validate_connector_config(
        {"connector.class": "counting", "name": "c", "count": "${file:s:pw}", "fail": "${file:s:pw}"}
    )
    assert "hunter2" not in str(infos)
    values = {c["value"]["name"]: c["value"] for c in infos["configs"]}
    assert values["fail"]["value"] == "${file:s:pw}"
    assert values["count"]["errors"] == [
        "Invalid value for configuration 'count': the value resolved from the config provider reference failed validation"
    ]


def test_offsets_may_be_changed_only_while_stopped(setup: Setup) -> None:
    setup.create()
    setup.await_states("RUNNING", ["RUNNING"])
    with pytest.raises(BadRequestError, match="Connectors must be in the STOPPED state"):
        setup.herder.alter_connector_offsets("c", [({"f": "a"}, {"position": 1})])
    setup.herder.stop_connector("c")
    assert setup.herder.alter_connector_offsets(
        "c", [({"f": "a"}, {"position": 1}), ({"f": "b"}, {"position": 2})]
    ) == ("The offsets for this connector have been altered successfully")
    assert setup.herder.connector_offsets("c") == [({"f": "a"}, {"position": 1}), ({"f": "b"}, {"position": 2})]
    with pytest.raises(ConnectError, match="should contain the key 'position'"):
        setup.herder.alter_connector_offsets("c", [({"f": "a"}, {"x": 1})])
    setup.herder.alter_connector_offsets("c", [({"f": "a"}, None)])
    assert setup.herder.connector_offsets("c") == [({"f": "b"}, {"position": 2})]
    assert "have been reset successfully" in setup.herder.reset_connector_offsets("c")
    assert setup.herder.connector_offsets("c") == []


def test_a_connector_that_manages_no_offsets_is_told_apart(setup: Setup) -> None:
    setup.create(target=TargetState.STOPPED, fail="unmanaged")
    message = setup.herder.alter_connector_offsets("c", [({"f": "a"}, {"position": 1})])
    assert message.startswith(
        "The Connect framework-managed offsets for this connector have been altered successfully. However"
    )


def test_sink_offsets_are_a_consumer_groups(setup: Setup) -> None:
    setup.herder.put_connector_config("s", {"name": "s", "connector.class": "null", "topics": "t"}, TargetState.STOPPED)
    partition = {"kafka_topic": "t", "kafka_partition": 0}
    setup.herder.alter_connector_offsets("s", [(partition, {"kafka_offset": 7})])
    assert setup.worker.stored_sink_offsets["s"] == {TopicPartition("t", 0): 7}
    assert setup.herder.connector_offsets("s") == [(partition, {"kafka_offset": 7})]
    for wrong, said in (
        ((None, None), "cannot be null or missing"),
        (({"kafka_topic": "t"}, None), "must contain the keys 'kafka_topic' and 'kafka_partition'"),
        (({"kafka_topic": "t", "kafka_partition": "x"}, None), "Failed to parse the following Kafka partition value"),
        ((partition, {"offset": 1}), "should either be null or contain the key 'kafka_offset'"),
        ((partition, {"kafka_offset": "x"}), "Failed to parse the following Kafka offset value"),
    ):
        with pytest.raises(BadRequestError, match=said):
            setup.herder.alter_connector_offsets("s", [wrong])


def test_what_a_task_tries_in_vain_is_told_of_its_connector_alone(setup: Setup) -> None:
    setup.create()
    setup.worker.troubles["c"] = {0: "poll() failed: the table is locked (3 times in 2 s; it is tried again)"}
    assert setup.herder.task_troubles("c") == setup.worker.troubles["c"]
    assert setup.herder.task_troubles("other") == {}


def test_topics_are_remembered_until_reset_or_deleted(setup: Setup) -> None:
    setup.create()
    setup.recorder.on_topic(ConnectorTaskId("c", 0), "b")
    setup.recorder.on_topic(ConnectorTaskId("c", 0), "a")
    setup.recorder.on_topic(ConnectorTaskId("nobody", 0), "a")
    assert setup.herder.connector_topics("c") == ["a", "b"]
    assert setup.herder.connector_topics("nobody") == []
    setup.herder.reset_connector_topics("c")
    assert ("forget_topics", "c") in setup.worker.calls  # running tasks will tell of them again
    assert setup.herder.connector_topics("c") == []


def test_health_tells_whether_the_herder_answers() -> None:
    made = Setup()
    assert made.herder.health(0.01).status is HealthStatus.STARTING
    made.herder.start()
    until(lambda: made.herder.health(10).status is HealthStatus.HEALTHY)
    blocked = threading.Event()
    made.create()
    made.worker.stop_connector = lambda name: blocked.wait(10)  # type: ignore[method-assign,assignment]  # a worker that hangs
    deleting = threading.Thread(target=made.herder.delete_connector, args=("c",))
    deleting.start()
    until(lambda: made.herder.health(0.01).status is HealthStatus.UNHEALTHY)
    blocked.set()
    deleting.join()
    made.herder.stop()
