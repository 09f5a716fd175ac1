"""The promises that source and sink connectors have in common, as tests; sources and sinks have more of their own."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from penstock.api import Task
from penstock.config import ConfigType
from penstock.testing.fakes import FakeConnectorContext
from penstock.testing.harness import config_errors
from penstock.testing.suites.checks import SuiteOfPlugin, check

__all__ = ["ConnectorSuite", "Settings", "fill", "is_among", "no_thread_left", "patience_s", "same_in_any_order"]

#: A connector's configuration is either given, or made anew for each test: a file of its own, an empty table.
Settings = Mapping[str, str] | Callable[[], Mapping[str, str]]
#: How long a `poll` may go on after `stop`, and a thread after its task, in seconds.
_PATIENCE: Final = 10
_TASKS: Final = (1, 2, 3, 8, 100)
#: Types of which not every text is a value.
_NARROW_TYPES: Final = {
    ConfigType.BOOLEAN, ConfigType.INT, ConfigType.LONG, ConfigType.SHORT, ConfigType.DOUBLE,
}  # fmt: skip


def patience_s() -> float:
    """Return how long something may take that should be over at once."""
    return _PATIENCE


@contextmanager
def no_thread_left() -> Iterator[None]:
    """Check that the threads that start meanwhile end soon after."""
    before = set(threading.enumerate())
    yield
    left = [thread for thread in threading.enumerate() if thread not in before]
    for thread in left:
        thread.join(_PATIENCE / max(1, len(left)))
    alive = sorted(thread.name for thread in left if thread.is_alive())
    check(not alive, f"threads are left over after stop(): {', '.join(alive)}")


def same_in_any_order(found: Any, expected: Any) -> bool:
    """Return whether both are equal, or lists that differ in their order only."""
    if isinstance(found, list) and isinstance(expected, list):
        return Counter(map(repr, found)) == Counter(map(repr, expected))
    return bool(found == expected)


def is_among(expected: Any, found: Any) -> bool:
    """Return whether `found` has all that is `expected`, and at most some of it more than once."""
    if isinstance(found, list) and isinstance(expected, list):
        wanted, there = Counter(map(repr, expected)), Counter(map(repr, found))
        return not wanted - there and not set(there) - set(wanted)
    return bool(found == expected)


def fill(
    suite: type[ConnectorSuite],
    connector: type[Any],
    settings: Settings,
    refused: Sequence[Mapping[str, str]],
    wrong: Mapping[str, str | None],
    prepare: Callable[[Any], None] | None,
) -> None:
    """Give a suite the connector that it tests."""
    suite.plugin, suite.refused_settings, suite.wrong_settings = connector, refused, wrong
    suite.make_settings = staticmethod(settings if callable(settings) else lambda: settings)
    suite.prepare = None if prepare is None else staticmethod(prepare)
    suite.__name__ = suite.__qualname__ = f"{connector.__name__}Suite"


class ConnectorSuite(SuiteOfPlugin):
    """The promises of `penstock.api.Connector` and `Task`."""

    make_settings: Callable[[], Mapping[str, str]]
    prepare: Callable[[Any], None] | None
    wrong_settings: Mapping[str, str | None]
    common_settings = frozenset({"name", "tasks.max", "topics", "topics.regex"})

    @property
    def settings(self) -> Mapping[str, str]:  # type: ignore[override]  # made anew, for files and the like
        return dict(self.make_settings())

    def complete(self, settings: Mapping[str, str]) -> dict[str, str]:
        """Return `settings` with what every connector of the kind needs."""
        return dict(settings)

    def configured(self, settings: Mapping[str, Any] | None = None) -> Any:
        made = self.plugin()
        made.initialize(FakeConnectorContext())
        if self.prepare is not None:
            self.prepare(made)
        made.start(dict(self.settings if settings is None else settings))
        return made

    def made_task(self) -> Any:
        connector = self.configured()
        made = connector.task_class()
        connector.stop()
        return made

    # ---- settings

    def test_settings_that_are_wrong_are_config_errors(self) -> None:
        for settings in self.refused_settings:
            found = self.plugin().validate(dict(settings))
            errors = [error for value in found.values for error in value.errors]
            check(bool(errors), f"validate() finds nothing wrong with {settings}: REST would take them")

    def test_its_settings_are_valid(self) -> None:
        errors = config_errors(self.plugin, self.complete(self.settings))
        check(not errors, f"a worker would refuse the suite's settings: {errors}")

    def test_a_wrong_value_is_refused_by_the_name_of_its_setting(self) -> None:
        for name, value in [*self.wrong_settings.items(), *self._values_of_wrong_types()]:
            settings = {**self.complete(self.settings), name: value}
            errors = config_errors(self.plugin, {k: v for k, v in settings.items() if v is not None})
            shown = f"{name} left out" if value is None else f"{name}={value}"
            check(name in errors, f"with {shown} a worker finds errors in {sorted(errors)}, expected one in {name}")
            check(all(errors[name]), f"with {shown} there is an error without a text")

    def _values_of_wrong_types(self) -> list[tuple[str, str | None]]:
        keys = self.plugin.config_def().keys
        narrow: list[tuple[str, str | None]] = [
            (key.name, "neither number nor truth") for key in keys if key.type in _NARROW_TYPES
        ]
        return narrow + [(key.name, None) for key in keys if not key.has_default]

    def test_validation_changes_nothing_and_may_be_repeated(self) -> None:
        settings = self.complete(self.settings)
        connector = self.plugin()
        given = dict(settings)
        verdicts = [[(v.name, list(v.errors)) for v in connector.validate(given).values] for _ in range(2)]
        check(given == settings, "validate() changed the settings that it was given")
        check(verdicts[0] == verdicts[1], f"validate() says {verdicts[0]} first, and then {verdicts[1]}")
        connector.close()

    # ---- tasks

    def test_there_are_at_most_as_many_tasks_as_allowed(self) -> None:
        connector = self.configured(self.complete(self.settings))
        for limit in _TASKS:
            configs = connector.task_configs(limit)
            check(0 < len(configs) <= limit, f"task_configs({limit}) returned {len(configs)} configurations")
            for config in configs:
                texts = all(isinstance(part, str) for pair in config.items() for part in pair)
                check(isinstance(config, dict) and texts, f"a task's configuration is a dict of texts, not {config!r}")
                check(json.loads(json.dumps(config)) == config, f"a task's configuration has to be JSON: {config!r}")
        connector.stop()

    def test_the_same_settings_make_the_same_tasks(self) -> None:
        connector = self.configured(self.complete(self.settings))
        first, again = connector.task_configs(3), connector.task_configs(3)
        check(first == again, f"asked twice, it made {first} and {again}: each difference would restart the tasks")
        connector.stop()

    # ---- life

    def test_it_stops_and_closes_without_having_been_started(self) -> None:
        connector = self.plugin()
        connector.stop()  # as after a start() that failed
        connector.close()
        task = self.made_task()
        check(isinstance(task, Task), f"task_class has to be a Task, not {type(task).__name__}")
        task.stop()

    def test_it_can_be_made_many_times_and_closed_without_having_been_used(self) -> None:
        first, second = self.configured(), self.configured()
        for connector in (first, second):
            connector.stop()
            connector.close()
