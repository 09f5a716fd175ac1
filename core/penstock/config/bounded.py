"""A limit on the time that a config provider may take: it is code of others, and asks systems of others."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from typing import Final

from penstock.config.provider import ConfigData, ConfigProvider
from penstock.errors import ConfigError

__all__ = ["TIMEOUT_KEY", "BoundedProvider", "ProviderTimeoutError"]

TIMEOUT_KEY: Final = "config.provider.timeout.ms"
#: Unanswered requests of one provider, for different paths, beyond which it is not asked again until one of them ends.
_MAX_OVERDUE: Final = 16


class ProviderTimeoutError(ConfigError):
    """A config provider did not answer in time."""


class BoundedProvider(ConfigProvider):
    """Asks another provider, each time in a thread of its own, and waits for `seconds` at most.

    A request that does not come back keeps its thread, so nobody waits for the same path a second time: until it ends the
    path is refused at once.
    """

    def __init__(self, provider: ConfigProvider, seconds: float) -> None:
        self._provider, self._seconds = provider, seconds
        self._lock = threading.Lock()
        #: The paths whose requests were given up and still run.
        self._overdue: set[str] = set()

    def configure(self, configs: Mapping[str, str]) -> None:
        self._provider.configure(configs)

    def close(self) -> None:
        self._provider.close()

    def get(self, path: str, keys: Iterable[str] | None = None) -> ConfigData:
        with self._lock:
            if path in self._overdue or len(self._overdue) >= _MAX_OVERDUE:
                raise ProviderTimeoutError(
                    f"it has not answered earlier requests within {self._limit}, and is not asked again before they end"
                )
        answer: Future[ConfigData] = Future()
        threading.Thread(target=self._ask, args=(answer, path, keys), name="config-provider", daemon=True).start()
        try:
            return answer.result(self._seconds)
        except TimeoutError:
            if answer.done():
                raise  # the provider's own
        with self._lock:
            if answer.done():
                return answer.result()
            self._overdue.add(path)
        raise ProviderTimeoutError(f"it did not answer within {self._limit}")

    @property
    def _limit(self) -> str:
        return f"{TIMEOUT_KEY}={self._seconds * 1000:.0f}"

    def _ask(self, answer: Future[ConfigData], path: str, keys: Iterable[str] | None) -> None:
        outcome: ConfigData | None = None
        failure: BaseException | None = None
        try:
            outcome = self._provider.get(path, keys)
        except BaseException as error:
            failure = error
        with self._lock:
            self._overdue.discard(path)
            if outcome is not None:
                answer.set_result(outcome)
            else:
                answer.set_exception(failure or TypeError("a config provider returned nothing"))
