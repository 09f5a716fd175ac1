"""Every error penstock raises on purpose.

::

    ConnectError                      something failed; trying again the same way will not help
    ├── RetriableError                the same call may succeed later
    ├── DataError                     a record or a value is not what its schema or its format says
    │   ├── SchemaBuilderError        a schema that cannot exist was asked for
    │   ├── SchemaProjectorError      a value cannot be carried from one schema to another
    │   └── SerializationError        bytes that cannot be read, or a value that cannot be written
    ├── ConfigError                   a setting is wrong; the message names key, value and expectation
    ├── PluginError                   a plugin cannot be found, imported or instantiated
    ├── NotFoundError                 the named connector or task does not exist
    ├── AlreadyExistsError            the named connector exists
    ├── BadRequestError               a request that cannot be answered as it stands
    ├── ConflictError                 not now: a rebalance, a stale view, a state that forbids it
    ├── WorkerError                   this worker's own surroundings fail it (disk, port, broker at start)
    └── TaskStopped                   control flow: the task was asked to stop while it waited

``java_class`` is the name the JVM worker puts on the same failure: it goes into dead-letter headers and wherever
else a user's tooling may match on it.
"""

from __future__ import annotations

from typing import ClassVar

from penstock.credentials import without_credentials

__all__ = [
    "AlreadyExistsError",
    "BadRequestError",
    "ConfigError",
    "ConflictError",
    "ConnectError",
    "DataError",
    "NotFoundError",
    "PluginError",
    "RetriableError",
    "SchemaBuilderError",
    "SchemaProjectorError",
    "SerializationError",
    "TaskStopped",
    "WorkerError",
    "java_class_of",
]


class ConnectError(Exception):
    """Root of the tree. Not retriable unless it is a `RetriableError`."""

    java_class: ClassVar[str] = "org.apache.kafka.connect.errors.ConnectException"

    def __init__(self, message: str = "") -> None:
        super().__init__(message)

    @property
    def message(self) -> str:
        return str(self.args[0]) if self.args else ""


class RetriableError(ConnectError):
    """The operation may be tried again. From ``SinkTask.put`` it means: the same batch again, after a pause."""

    java_class = "org.apache.kafka.connect.errors.RetriableException"


class DataError(ConnectError):
    """A record is at fault. Tolerated with ``errors.tolerance=all``, otherwise it fails the task."""

    java_class = "org.apache.kafka.connect.errors.DataException"


class SchemaBuilderError(DataError):
    java_class = "org.apache.kafka.connect.errors.SchemaBuilderException"


class SchemaProjectorError(DataError):
    java_class = "org.apache.kafka.connect.errors.SchemaProjectorException"


class SerializationError(DataError):
    java_class = "org.apache.kafka.common.errors.SerializationException"


class ConfigError(ConnectError):
    """A setting is wrong.

    The three-argument form words the message as Kafka's ``ConfigException`` does, so that scripts which match on it
    keep working: ``Invalid value <value> for configuration <name>: <problem>``. The message shows URLs without their
    credentials.
    """

    java_class = "org.apache.kafka.common.config.ConfigException"

    def __init__(self, name_or_message: str, value: object = ..., problem: str | None = None) -> None:
        #: The setting at fault and the value met, where the error was made from them; whoever shows the error decides
        #: by them whether the value may be seen.
        self.setting: str | None = None
        self.value: object = None
        if value is ...:
            super().__init__(name_or_message)
            return
        self.setting, self.value = name_or_message, value
        shown = without_credentials(_java_text(value))
        tail = "" if problem is None else f": {problem}"
        super().__init__(f"Invalid value {shown} for configuration {name_or_message}{tail}")


def _java_text(value: object) -> str:
    """A setting's value in the words of Java's ``toString``."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(_java_text(item) for item in value)}]"
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)


class PluginError(ConnectError):
    """A plugin cannot be found, imported or instantiated; the message says by whose fault."""


class NotFoundError(ConnectError):
    java_class = "org.apache.kafka.connect.errors.NotFoundException"


class AlreadyExistsError(ConnectError):
    java_class = "org.apache.kafka.connect.errors.AlreadyExistsException"


class BadRequestError(ConnectError):
    java_class = "org.apache.kafka.connect.runtime.rest.errors.BadRequestException"


class ConflictError(ConnectError):
    """Refused for now; ``retry_after`` is a hint in seconds for the client."""

    java_class = "org.apache.kafka.connect.runtime.rest.errors.ConnectRestException"

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class WorkerError(ConnectError):
    """The worker cannot do its work here: a port in use, a full disk, no broker."""


class TaskStopped(ConnectError):
    """Raised out of a blocking wait in a task thread when the task was asked to stop. Never reported as a failure."""


def java_class_of(error: BaseException) -> str:
    """The class name to report for `error` where the JVM worker reports one."""
    if isinstance(error, ConnectError):
        return error.java_class
    kind = type(error)
    return f"{kind.__module__}.{kind.__qualname__}" if kind.__module__ != "builtins" else kind.__qualname__
