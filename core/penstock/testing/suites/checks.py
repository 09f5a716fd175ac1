"""The checks that all suites make of a plugin, and the words for what is wrong."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from penstock.config import ConfigDef
from penstock.errors import ConfigError, ConnectError

__all__ = ["SuiteOfPlugin", "check", "refusal_of", "unchanged"]


def check(holds: bool, problem: str) -> None:
    """Fail the test with `problem` unless `holds`."""
    if not holds:
        raise AssertionError(problem)


def refusal_of(what: str, call: Callable[..., Any], *arguments: Any) -> BaseException | None:
    """Call `call`, and return the error that a plugin may answer a record with; None if it took the record.

    Such an error is a `ConnectError` with a message. Anything else would fail the task with a traceback.
    """
    try:
        call(*arguments)
    except ConnectError as error:
        check(bool(str(error)), f"{what} is refused without a word: {type(error).__name__} has no message")
        return error
    except Exception as error:
        raise AssertionError(
            f"{what} raised {type(error).__name__}: {error}. Raise DataError for a record that cannot be handled, so that it"
            " can be skipped or go to the dead letter queue"
        ) from error
    return None


def unchanged(what: str, value: Any, call: Callable[..., Any], *arguments: Any) -> Any:
    """Call `call`, check that `value` is what it was before, and return what the call returned."""
    before = copy.deepcopy(value)
    try:
        return call(*arguments)
    finally:
        check(value == before, f"{what} was changed in place: it was {before!r} and is {value!r} now")


class SuiteOfPlugin:
    """The part that does not depend on the kind of plugin: its settings, its version, how it is made and closed."""

    plugin: type[Any]
    settings: Mapping[str, Any]
    refused_settings: Sequence[Mapping[str, Any]]
    #: Settings that have no doc text on purpose.
    undocumented: Collection[str] = ()
    #: Settings that the worker defines for all plugins of the kind.
    common_settings: frozenset[str] = frozenset()

    def configured(self, settings: Mapping[str, Any] | None = None) -> Any:
        """Return a new instance, configured; a subclass says how."""
        raise NotImplementedError

    def test_it_says_its_version_and_its_settings(self) -> None:
        name = self.plugin.__name__
        check(isinstance(self.plugin.version, str), f"{name}.version has to be a text")
        check(self.plugin.version != "undefined", f"{name} has no version: set the class attribute `version`")
        definition = self.plugin.config_def()
        check(isinstance(definition, ConfigDef), f"{name}.config_def() has to return a ConfigDef")
        for key in definition.keys:
            check(bool(key.doc) or key.name in self.undocumented, f"the setting {key.name} of {name} has no doc text")

    def test_every_setting_given_is_a_setting_it_knows(self) -> None:
        known = set(self.plugin.config_def().names)
        # A plugin that defines nothing at all takes what it is given, as Kafka's connectors for tests do.
        unknown = sorted(set(self.settings) - known - self.common_settings) if known else []
        check(not unknown, f"{self.plugin.__name__} does not define {unknown}: config_def() has to name all settings")

    def test_settings_that_are_wrong_are_config_errors(self) -> None:
        for settings in self.refused_settings:
            try:
                self.configured(settings)
            except ConfigError:
                continue
            raise AssertionError(f"{self.plugin.__name__} took the settings {settings}: expected a ConfigError")

    def test_it_can_be_made_many_times_and_closed_without_having_been_used(self) -> None:
        first, second = self.configured(), self.configured()
        first.close()
        second.close()
        self.plugin().close()  # as after a configure() that failed
