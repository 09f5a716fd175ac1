"""What a config provider looked up, and the credentials in URLs, leave the worker nowhere: not in a validation's answer, an
error, a trace, the log, nor a dead letter's headers."""

from __future__ import annotations

import importlib
import json
import logging
import threading
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

import pytest

from penstock.config.disclosure import LookedUpValues, failed_lookup
from penstock.config.provider import ConfigData, ConfigProvider
from penstock.config.transformer import ConfigTransformer
from penstock.config.worker import WorkerConfig
from penstock.credentials import without_credentials
from penstock.errors import BadRequestError, ConfigError, ConnectError, DataError, java_class_of
from penstock.herder.plugin_listing import describe_plugins, plugin_settings
from penstock.herder.statuses import trace_of
from penstock.herder.validation import ConnectorValidator
from penstock.kafka import KafkaClients
from penstock.plugins import Plugins
from penstock.runtime.disclosure import DisclosingFilter, looked_up_values, remember_looked_up
from penstock.runtime.status import ConnectorTaskId, State, TargetState
from penstock.runtime.tolerance import ErrorPolicy, ErrorStage, RecordFailure
from penstock.runtime.worker import Worker
from penstock.storage import FileOffsetStore

JSON: Final = "org.apache.kafka.connect.json.JsonConverter"
SECRET: Final = "Sekret-Pl4nted"
VARIABLE: Final = "${p:s}"
#: What the provider may hold: one word, a list, a URL with a user, a path.
SECRETS: Final = (SECRET, f"{SECRET},{SECRET}2", f"ftp://{SECRET}:{SECRET}@h", f"/nowhere/{SECRET}/x")
PLUGINS: Final = Plugins.discover()
CLASSES: Final = [(found.type, found.class_name) for found in describe_plugins(PLUGINS, connectors_only=False)]
SOURCE: Final = {"connector.class": "FileStreamSource", "name": "c", "topic": "t", "file": "/nowhere/at/all"}
SINK: Final = {"connector.class": "FileStreamSink", "name": "c", "topics": "t", "file": "/nowhere/at/all"}
PLACES: Final = {
    "transformation": ({"transforms": "a"}, "transforms.a.type", "transforms.a."),
    "predicate": ({"predicates": "a"}, "predicates.a.type", "predicates.a."),
    "converter": ({}, "value.converter", "value.converter."),
    "header_converter": ({}, "header.converter", "header.converter."),
}


class Vault(ConfigProvider):
    def __init__(self, secret: str) -> None:
        self.secret = secret

    def get(self, path: str, keys: Iterable[str] | None = None) -> ConfigData:
        return ConfigData({"s": self.secret})


def every_place() -> Iterator[tuple[dict[str, str], str]]:
    """A configuration and the name of a setting in it, for each setting of each plugin and of the worker's own."""
    for kind, name in CLASSES:
        if kind in ("source", "sink"):
            base = {"connector.class": name, "name": "c", **({"topics": "t"} if kind == "sink" else {"topic": "t"})}
            yield from ((base, setting["name"]) for setting in plugin_settings(PLUGINS, name, None))
            yield from ((base, key) for key in ("connector.class", "name", "tasks.max", "transforms", "predicates"))
        elif kind in PLACES:
            more, class_key, prefix = PLACES[kind]
            base = {**SOURCE, **more, class_key: name}
            yield from ((base, prefix + setting["name"]) for setting in plugin_settings(PLUGINS, name, None))
            yield base, class_key
    for base in (SOURCE, {**SINK, "errors.deadletterqueue.topic.name": "d"}):
        yield from ((base, f"{c}.override.{key}") for c in ("producer", "consumer", "admin") for key in CLIENT_KEYS)
    topics = {"topic.creation.groups": "g", "topic.creation.g.include": "a.*"}
    topics |= {f"topic.creation.default.{key}": "1" for key in ("partitions", "replication.factor")}
    yield from (({**SOURCE, **topics}, key) for key in topics)


CLIENT_KEYS: Final = (
    "max.poll.records",
    "auto.offset.reset",
    "ssl.keystore.location",
    "sasl.jaas.config",
    "bootstrap.servers",
    "partition.assignment.strategy",
    "linger.ms",
    "group.id",
)


def shows(text: str) -> bool:
    """Whether `text` gives the planted secret away, in any letter case."""
    return SECRET.casefold() in text.casefold()


def test_validation_shows_no_looked_up_value_of_any_setting() -> None:
    vault = Vault("")
    transformer = ConfigTransformer({"p": vault})
    validator = ConnectorValidator(
        PLUGINS, {"key.converter": JSON, "value.converter": JSON}, resolve=lambda c: transformer.transform(c).data
    )
    checked = 0
    for number, (base, setting) in enumerate(every_place()):
        vault.secret = SECRETS[number % len(SECRETS)]
        config = {**base, setting: VARIABLE}
        for ask in (validator.validate, validator.check):
            try:
                answer = json.dumps(ask(config))
            except ConnectError as error:
                answer = trace_of(error)
            assert not shows(answer), (setting, config, answer)
            checked += 1
    assert checked > 300


def test_a_looked_up_list_of_aliases_makes_no_groups_and_is_an_error_of_its_own() -> None:
    validator = ConnectorValidator(
        PLUGINS, {"key.converter": JSON, "value.converter": JSON}, resolve=lambda c: {**c, "transforms": f"a,{SECRET}"}
    )
    hoist = {"transforms.a.type": "org.apache.kafka.connect.transforms.HoistField$Value", "transforms.a.field": "f"}
    answer = validator.validate({**SOURCE, "transforms": VARIABLE, **hoist})
    values = {c["value"]["name"]: c["value"] for c in answer["configs"]}
    assert "Transforms: a" in answer["groups"]
    assert values["transforms"]["value"] == VARIABLE
    assert values["transforms"]["errors"] == [failed_lookup("transforms")]
    assert values["transforms.a.field"]["value"] == "f"
    assert answer["error_count"] == 1


def test_a_looked_up_class_of_a_connector_is_used_but_never_named() -> None:
    vault = {"s": "FileStreamSource"}
    validator = ConnectorValidator(
        PLUGINS,
        {"key.converter": JSON, "value.converter": JSON},
        resolve=lambda c: {**c, "connector.class": vault["s"]},
    )
    config = {**SOURCE, "connector.class": VARIABLE}
    assert validator.validate(config)["error_count"] == 0
    vault["s"] = SECRET
    with pytest.raises(BadRequestError, match="^" + failed_lookup("connector.class").replace("'", "'") + "$"):
        validator.validate(config)


@pytest.fixture(autouse=True)
def _folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sinks whose file's name was looked up write into the working folder."""
    monkeypatch.chdir(tmp_path)


class Listener:
    """Keeps what was told of a task, and says when it has failed or runs."""

    def __init__(self) -> None:
        self.traces: list[str] = []
        self.told = threading.Event()

    def on_connector(
        self, connector: str, state: State, error: BaseException | None = None, version: str | None = None
    ) -> None:
        self._keep(state, error)

    def on_task(
        self, task: ConnectorTaskId, state: State, error: BaseException | None = None, version: str | None = None
    ) -> None:
        self._keep(state, error)

    def _keep(self, state: State, error: BaseException | None) -> None:
        if error is not None:
            self.traces.append(trace_of(error))
        if state in (State.FAILED, State.RUNNING, State.UNASSIGNED):
            self.told.set()

    def on_topic(self, task: ConnectorTaskId, topic: str) -> None: ...


class Lines(logging.Handler):
    """What the log would hold."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []
        self.addFilter(DisclosingFilter())

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@pytest.fixture
def log() -> Iterator[Lines]:
    handler, root = Lines(), logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield handler
    root.setLevel(before)
    root.removeHandler(handler)


def worker(folder: Path, listener: Listener, secret: str) -> Worker:
    settings = {
        "bootstrap.servers": "127.0.0.1:1", "key.converter": JSON, "value.converter": JSON,
        "offset.storage.file.filename": str(folder / "offsets"), "task.shutdown.graceful.timeout.ms": "1",
    }  # fmt: skip
    return Worker(
        WorkerConfig.parse(settings, "standalone"),
        PLUGINS,
        FileOffsetStore(folder / "offsets"),
        listener,
        worker_id="w:1",
        clients=KafkaClients({"bootstrap.servers": "127.0.0.1:1"}),
        transformer=ConfigTransformer({"p": Vault(secret)}),
    )


def test_the_client_librarys_lines_show_no_looked_up_value_whichever_thread_has_them(log: Lines) -> None:
    values = LookedUpValues({"topic": "${p::topic}"}, {"topic": "hunter2-of-a-topic"})
    remember_looked_up("of-the-library", values)
    try:
        logging.getLogger("penstock.kafka.librdkafka").warning("Topic %s is not there", "hunter2-of-a-topic")
        logging.getLogger("penstock.other").warning("a line of nobody's")
    finally:
        remember_looked_up("of-the-library", LookedUpValues({}, {}))
    assert log.lines == ["Topic ${p::topic} is not there", "a line of nobody's"]


def test_the_logins_of_the_groups_client_are_in_no_line(log: Lines) -> None:
    importlib.import_module("penstock.kafka.group")
    for name in ("kafka.net.connection", "kafka.protocol.parser"):
        logging.getLogger(name).debug("SaslAuthenticateRequest(auth_bytes=%r)", b"worker\0hunter2")
    assert not log.lines


def test_neither_trace_nor_log_of_a_start_shows_a_looked_up_value(tmp_path: Path, log: Lines) -> None:
    traces = 0
    for number, (base, setting) in enumerate(every_place()):
        if setting == "connector.class" or "errors.deadletterqueue.topic.name" in base:
            continue  # a task needs its connector's class, and there is no broker for dead letters
        listener = Listener()
        here = worker(tmp_path, listener, SECRETS[number % len(SECRETS)])
        config = {**base, "errors.log.enable": "true", setting: VARIABLE}
        task = ConnectorTaskId(f"c{number}", 0)
        here.start_task(task, config, config, TargetState.STARTED)
        listener.told.wait(1)
        here.stop_tasks([task])
        assert not any(shows(trace) for trace in listener.traces), (setting, base, listener.traces)
        traces += len(listener.traces)
    assert traces > 20
    assert not [line for line in log.lines if shows(line)]


def test_what_was_looked_up_for_the_worker_itself_is_not_shown_either(tmp_path: Path, log: Lines) -> None:
    written = {
        "bootstrap.servers": "127.0.0.1:1", "key.converter": JSON,
        "value.converter": "io.confluent.connect.avro.AvroConverter", "value.converter.schema.registry.url": VARIABLE,
        "offset.storage.file.filename": str(tmp_path / "offsets"),
    }  # fmt: skip
    transformer = ConfigTransformer({"p": Vault(f"ftp://{SECRET}:{SECRET}@h")})
    config = WorkerConfig.parse(transformer.transform(written).data, "standalone", written)
    listener = Listener()
    clients = KafkaClients({"bootstrap.servers": "127.0.0.1:1"})
    offsets = FileOffsetStore(tmp_path / "offsets")
    here = Worker(config, PLUGINS, offsets, listener, worker_id="w:1", clients=clients, transformer=transformer)
    task = ConnectorTaskId("c-of-worker", 0)
    here.start_task(task, SOURCE, SOURCE, TargetState.STARTED)
    assert listener.traces
    assert not any(map(shows, listener.traces))
    assert not [line for line in log.lines if shows(line)]
    for key in ("offset.flush.interval.ms", "security.protocol", "listeners"):
        with pytest.raises(ConfigError) as refused:
            WorkerConfig.parse(
                transformer.transform({**written, key: VARIABLE}).data, "standalone", {**written, key: VARIABLE}
            )
        assert str(refused.value) == failed_lookup(key)


def test_a_connectors_trace_and_its_own_log_lines_show_no_looked_up_value(tmp_path: Path, log: Lines) -> None:
    listener = Listener()
    here = worker(tmp_path, listener, SECRET)
    here.start_connector("c", {**SOURCE, "connector.class": VARIABLE}, TargetState.STARTED, print, lambda error: None)
    assert listener.traces
    assert not any(map(shows, listener.traces))
    logging.getLogger("somebody.else").warning("[c|task-0] opening %s", SECRET.upper())
    assert log.lines[-1] == f"[c|task-0] opening {VARIABLE}"


@pytest.fixture
def looked_up() -> Iterator[LookedUpValues]:
    values = LookedUpValues({"k": "x-${p:s}-y", "name": "plain"}, {"k": f"x-{SECRET}-y", "name": "plain"})
    remember_looked_up("c", values)
    yield values
    remember_looked_up("c", LookedUpValues({}, {}))


def test_a_dead_letter_gets_an_error_that_shows_no_looked_up_value(looked_up: LookedUpValues) -> None:
    seen: list[RecordFailure] = []

    class Reporter:
        def prepare(self) -> None: ...
        def report(self, failure: RecordFailure) -> None:
            seen.append(failure)

        def flush(self, timeout: float) -> None: ...
        def close(self) -> None: ...

    cause = ValueError(f"bad format {SECRET}")
    error = DataError(f"cannot format with {SECRET.lower()}")
    error.__cause__ = cause
    task = ConnectorTaskId("c", 0)
    ErrorPolicy(task, tolerate_all=True, reporters=[Reporter()]).failed(
        RecordFailure(task, ErrorStage.TRANSFORMATION, "T", error, "here")
    )
    shown = seen[0].error
    assert str(shown) == "cannot format with x-${p:s}-y"
    assert java_class_of(shown) == java_class_of(error)
    assert isinstance(shown, DataError)
    assert not shows(trace_of(shown))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text", "plain text"),
        (f"No enum constant {SECRET.upper()}", "No enum constant x-${p:s}-y"),
        (f"'x-{SECRET}-y'", "'x-${p:s}-y'"),
        (f"cut off: {SECRET[:12]}...", "the message holds a value that a config provider looked up, and is not shown"),
    ],
)
def test_a_text_has_the_users_words_in_place_of_a_looked_up_value(
    text: str, shown: str, looked_up: LookedUpValues
) -> None:
    assert looked_up.shown(text) == shown


def test_an_error_of_a_looked_up_setting_is_kafkas_one_sentence(looked_up: LookedUpValues) -> None:
    error = ConfigError("k", f"x-{SECRET}-y", "expected a number")
    assert str(looked_up.disclosed(error)) == failed_lookup("k")
    assert isinstance(looked_up.disclosed(error), ConfigError)


def test_what_the_user_wrote_elsewhere_and_harmless_words_are_shown() -> None:
    raw: Mapping[str, str] = {"a": "${p:s}", "b": "orders", "c": "${p:t}", "d": "${p:n}"}
    values = LookedUpValues(raw, {"a": "orders", "b": "orders", "c": "true", "d": "1"})
    assert values.shown("topic orders is true 1 time") == "topic orders is true 1 time"


def test_an_error_without_a_looked_up_value_stays_the_same_object(looked_up: LookedUpValues) -> None:
    error = ConnectError("plain")
    assert looked_up.disclosed(error) is error
    assert looked_up_values("another connector").disclosed(error) is error


def test_a_tasks_configuration_keeps_what_the_user_wrote_whatever_its_keys_are(looked_up: LookedUpValues) -> None:
    made = {"k": f"x-{SECRET}-y", "connector.copy": f"x-{SECRET}-y", "task.id": "0"}
    assert looked_up.as_written(made) == {"k": "x-${p:s}-y", "connector.copy": "x-${p:s}-y", "task.id": "0"}


def test_a_circle_of_causes_is_disclosed_once(looked_up: LookedUpValues) -> None:
    one, other = ValueError(SECRET), KeyError(SECRET)
    one.__cause__, other.__context__ = other, one
    assert not shows(trace_of(looked_up.disclosed(one)))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("ftp://u:p@h", "ftp://h"),
        ("http://h:8081/a,https://u:p/w@h2/b", "http://h:8081/a,https://h2/b"),
        ("jdbc:postgresql://h/db?user=u&password=p&ssl=true", "jdbc:postgresql://h/db?user=[hidden]&password=[hidden]&ssl=true"),
        ("jdbc:mysql://u:p@h:3306/db", "jdbc:mysql://h:3306/db"),
        ("http://h:8081", "http://h:8081"),
        ("a@b.c", "a@b.c"),
    ],
)  # fmt: skip
def test_urls_are_shown_without_credentials(text: str, shown: str) -> None:
    assert without_credentials(text) == shown
    assert str(ConfigError("k", text, "no")) == f"Invalid value {shown} for configuration k: no"
