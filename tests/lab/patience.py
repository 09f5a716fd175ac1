"""The time that tests wait for what must come, however slow the machine is: they end as soon as it has."""

from __future__ import annotations

from typing import Final

__all__ = ["PATIENCE_S"]

#: A machine with two busy cores has made tests wait for more than a minute; nothing that works takes four.
PATIENCE_S: Final = 240.0
