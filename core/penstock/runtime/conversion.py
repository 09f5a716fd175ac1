"""The errors between connector and bytes, on the way to Kafka and from it.

`penstock.runtime.source.conversion` and `penstock.runtime.sink.conversion` bind the chain and the converters to a shape.
What goes wrong there is raised as `StageError` or `ConversionError`, which name the stage; `locate` reads them. A
``try`` costs nothing while nothing is raised.
"""

from __future__ import annotations

from penstock.runtime.chain import StageError
from penstock.runtime.tolerance import ErrorStage

__all__ = ["ConversionError", "locate"]


class ConversionError(Exception):
    """A converter raised; the cause is what it raised."""

    def __init__(self, stage: ErrorStage, class_name: str) -> None:
        super().__init__(stage.value)
        self.stage = stage
        self.class_name = class_name


def locate(error: BaseException) -> tuple[ErrorStage, str, BaseException]:
    """(stage, class, cause) of what a bound function raised."""
    if isinstance(error, StageError):
        return ErrorStage.TRANSFORMATION, f"{error.stage.class_name} as {error.stage.alias}", error.__cause__ or error
    if isinstance(error, ConversionError):
        return error.stage, error.class_name, error.__cause__ or error
    return ErrorStage.KAFKA_PRODUCE, type(error).__name__, error
