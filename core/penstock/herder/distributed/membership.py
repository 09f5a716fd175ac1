"""`Membership`: the worker's part in the group, in the herder's words (``WorkerGroupMember``, ``WorkerCoordinator``).

Keeps what this worker was given over the rounds, tells the leader of it at each join, and, while this worker leads, deals
the work out. Its methods may be called from any thread.
"""

from __future__ import annotations

import logging
from typing import Final

__all__ = ["GroupView", "Membership", "MembershipListener", "Worker"]

_log: Final = logging.getLogger(__name__)
