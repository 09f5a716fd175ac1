"""A transform for tests that asks for another try of each record that says ``busy``."""

from __future__ import annotations

from typing import Any

from penstock.api import Transform
from penstock.errors import RetriableError

__all__ = ["BusyOnce"]


class BusyOnce(Transform):
    """Raises a `RetriableError` for a record whose value is ``busy``: when it is met, and when it is first tried again."""

    version = "1"

    def __init__(self) -> None:
        self._tries = 0

    def apply(self, record: Any) -> Any:
        if record.value == "busy":
            self._tries += 1
            if self._tries <= 2:
                raise RetriableError("the service is busy")
        return record
