"""Compatibility levels and modes, in the words of requests, answers and records."""

from __future__ import annotations

import enum

__all__ = ["CompatibilityLevel", "Mode"]


class CompatibilityLevel(enum.Enum):
    NONE = "NONE"
    BACKWARD = "BACKWARD"
    BACKWARD_TRANSITIVE = "BACKWARD_TRANSITIVE"
    FORWARD = "FORWARD"
    FORWARD_TRANSITIVE = "FORWARD_TRANSITIVE"
    FULL = "FULL"
    FULL_TRANSITIVE = "FULL_TRANSITIVE"


class Mode(enum.Enum):
    READWRITE = "READWRITE"
    READONLY = "READONLY"
    #: Read-only whatever a subject's own mode says.
    READONLY_OVERRIDE = "READONLY_OVERRIDE"
    #: Schemas come with their ids; nothing is checked for compatibility.
    IMPORT = "IMPORT"
    #: Writes belong to another registry (global only).
    FORWARD = "FORWARD"
