"""The limits of what one caller may see and do. What one may not see is not there."""

from __future__ import annotations

from dataclasses import dataclass

from penstock.access.principal import Principal, Role
from penstock_registry.server.errors import forbidden

__all__ = ["Sight"]


@dataclass(frozen=True, slots=True)
class Sight:
    """The rights of one caller; all rights for a `caller` of None: an open registry's clients, and the process itself."""

    caller: Principal | None = None

    @property
    def is_whole(self) -> bool:
        return self.caller is None or self.caller.reads_everything

    def shows(self, subject: str) -> bool:
        """Return whether there is such a subject for the caller. `subject` is in its stored form."""
        return self.caller is None or self.caller.reads(subject)

    def require(self, role: Role, subject: str) -> None:
        """Raise 40301 unless the caller has `role` for `subject`."""
        if self.caller is not None and not self.caller.may(role, subject):
            raise forbidden(role.name.capitalize(), f"Subject: {subject}")
