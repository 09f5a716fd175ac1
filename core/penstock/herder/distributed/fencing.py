"""`ZombieFencing`: the leader's part in keeping older tasks of a source from writing (KIP-618).

Nothing of it is needed while `exactly.once.source.support` is ``disabled``, which is all that a worker takes so far.
"""

from __future__ import annotations

from penstock.errors import BadRequestError

__all__ = ["ZombieFencing"]


class ZombieFencing:
    """Fences older tasks of sources. For the leader's herder thread."""

    def fence(self, name: str) -> None:
        """Fence the tasks of earlier generations of connector `name`. Raises `BadRequestError` where there are none."""
        raise BadRequestError(
            "This worker does not deliver source records exactly once (exactly.once.source.support=disabled), so there "
            f"is nothing to fence for connector {name}"
        )
