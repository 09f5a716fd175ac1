"""A config provider that hangs holds up nobody for longer than its time."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from lab.fake_worker import standalone_over_fakes
from penstock.cli.services import config_transformer
from penstock.config.bounded import BoundedProvider, ProviderTimeoutError
from penstock.config.provider import ConfigData, ConfigProvider
from penstock.config.transformer import ConfigTransformer
from penstock.config.worker import WorkerConfig
from penstock.errors import ConfigError
from penstock.plugins import Plugins
from penstock.rest.server import RestServer

JSON = "org.apache.kafka.connect.json.JsonConverter"


class Hanging(ConfigProvider):
    """Answers for paths that begin with ``quick``, and for the others once it may."""

    def __init__(self) -> None:
        self.may_answer = threading.Event()
        self.asked: list[str] = []
        self.answered = threading.Semaphore(0)
        self.closed = False

    def get(self, path: str, keys: Iterable[str] | None = None) -> ConfigData:
        self.asked.append(path)
        if not path.startswith("quick"):
            self.may_answer.wait(60)
        self.answered.release()
        return ConfigData({"k": f"v of {path}"}, 7)

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def hanging() -> Hanging:
    return Hanging()


def test_an_answer_in_time_is_the_providers(hanging: Hanging) -> None:
    bounded = BoundedProvider(hanging, 60)
    assert bounded.get("quick", {"k"}) == ConfigData({"k": "v of quick"}, 7)
    bounded.close()
    assert hanging.closed


def test_a_provider_that_hangs_is_named_with_its_path_and_the_limit(hanging: Hanging) -> None:
    transformer = ConfigTransformer({"vault": BoundedProvider(hanging, 0.01)})
    with pytest.raises(ConfigError) as caught:
        transformer.transform({"password": "${vault:db:k}"})
    assert caught.value.message == (
        "config provider 'vault', path 'db': it did not answer within config.provider.timeout.ms=10"
    )
    assert isinstance(caught.value.__cause__, ProviderTimeoutError)
    hanging.may_answer.set()


def test_nobody_waits_for_the_same_path_twice_and_others_are_still_answered(hanging: Hanging) -> None:
    bounded = BoundedProvider(hanging, 0.01)
    with pytest.raises(ProviderTimeoutError, match="did not answer within"):
        bounded.get("db")
    patient = BoundedProvider(hanging, 60)
    patient._overdue = bounded._overdue  # a minute would pass if it waited
    with pytest.raises(ProviderTimeoutError, match="has not answered earlier requests"):
        patient.get("db")
    assert bounded.get("quick") == ConfigData({"k": "v of quick"}, 7)
    assert hanging.asked == ["db", "quick"]


def test_a_path_is_asked_again_once_its_request_has_ended(hanging: Hanging) -> None:
    bounded = BoundedProvider(hanging, 0.01)
    with pytest.raises(ProviderTimeoutError):
        bounded.get("db")
    hanging.may_answer.set()
    assert hanging.answered.acquire(timeout=60)
    while bounded._overdue:
        threading.Event().wait(0.001)
    assert bounded.get("db") == ConfigData({"k": "v of db"}, 7)


def test_requests_that_never_end_are_few(hanging: Hanging) -> None:
    bounded = BoundedProvider(hanging, 0.001)
    for number in range(40):
        with pytest.raises(ProviderTimeoutError):
            bounded.get(f"db{number}")
    assert len(hanging.asked) == 16
    hanging.may_answer.set()


def test_the_providers_own_errors_come_through(hanging: Hanging) -> None:
    class Failing(ConfigProvider):
        def get(self, path: str, keys: Iterable[str] | None = None) -> ConfigData:
            raise TimeoutError("its own")

    with pytest.raises(TimeoutError, match="its own"):
        BoundedProvider(Failing(), 60).get("p")


def test_the_workers_settings_say_how_long() -> None:
    props = {
        "config.providers": "file",
        "config.providers.file.class": "org.apache.kafka.common.config.provider.FileConfigProvider",
    }
    assert config_transformer(props, Plugins.discover()).transform({"a": "b"}).data == {"a": "b"}
    for wrong in ("0", "soon"):
        with pytest.raises(ConfigError, match=r"config\.provider\.timeout\.ms"):
            config_transformer({**props, "config.provider.timeout.ms": wrong}, Plugins.discover())


def test_requests_of_rest_that_wait_for_a_provider_are_answered_and_give_their_threads_back(hanging: Hanging) -> None:
    transformer = ConfigTransformer({"vault": BoundedProvider(hanging, 0.05)})
    herder = standalone_over_fakes(
        Plugins.discover(),
        resolve=lambda config: transformer.transform(config).data,
        worker_defaults={"key.converter": JSON, "value.converter": JSON},
    ).herder
    herder.start()
    props = {
        "bootstrap.servers": "none:9092", "key.converter": JSON, "value.converter": JSON,
        "listeners": "http://127.0.0.1:0", "offset.storage.file.filename": "unused",
    }  # fmt: skip
    server = RestServer(WorkerConfig.parse(props, "standalone"))
    server.start(herder)
    url = f"{server.listeners[0].url}/connector-plugins/MockSource/config/validate"
    try:
        with httpx.Client(timeout=60) as client, ThreadPoolExecutor(40) as pool:  # more than there are threads to wait

            def ask(path: str) -> httpx.Response:
                config = {"connector.class": "MockSource", "name": "c", "x": f"${{vault:{path}:k}}"}
                return client.put(url, json=config)

            answers = list(pool.map(ask, ["db"] * 40))
            assert {answer.status_code for answer in answers} == {400}
            for answer in answers:
                assert answer.json()["message"].startswith("config provider 'vault', path 'db': it ")
            assert ask("quick").status_code == 200
    finally:
        hanging.may_answer.set()
        server.stop()
        herder.stop()
