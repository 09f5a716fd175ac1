"""The messages of registries to each other in Kafka's group protocol: Confluent's JSON (``SchemaRegistryProtocol``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import orjson

from penstock.errors import SerializationError

__all__ = ["PROTOCOL_TYPE", "SUBPROTOCOL", "Assignment", "MemberIdentity", "choose"]

PROTOCOL_TYPE: Final = "sr"
SUBPROTOCOL: Final = "v0"
_VERSION: Final = 1
_NO_ERROR: Final = 0
_DUPLICATE_URLS: Final = 1


class MemberIdentity(NamedTuple):
    """A registry: where the others reach it, and whether it may lead. `leader` says that it did when it joined."""

    host: str
    port: int
    scheme: str = "http"
    eligible: bool = True
    leader: bool = False

    @property
    def url(self) -> str:
        return (
            f"{self.scheme}://[{self.host}]:{self.port}"
            if ":" in self.host
            else f"{self.scheme}://{self.host}:{self.port}"
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "version": _VERSION,
            "host": self.host,
            "port": self.port,
            "master_eligibility": self.eligible,
            "scheme": self.scheme,
            "leader": self.leader,
        }

    def encode(self) -> bytes:
        return orjson.dumps(self.to_json())

    @classmethod
    def from_json(cls, members: Mapping[str, Any]) -> MemberIdentity:
        """Older registries know no scheme and no leader flag; newer ones may know more."""
        return cls(
            str(members["host"]),
            int(members["port"]),
            str(members.get("scheme") or "http"),
            bool(members.get("master_eligibility", True)),
            bool(members.get("leader", False)),
        )

    @classmethod
    def decode(cls, data: bytes) -> MemberIdentity:
        try:
            return cls.from_json(orjson.loads(data))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise SerializationError(f"Not the identity of a schema registry: {data[:200]!r} ({error})") from error


class Assignment(NamedTuple):
    """The leader: the group's name for that member, and its address. Both are None if nobody may lead."""

    member: str | None
    identity: MemberIdentity | None
    error: int = _NO_ERROR

    @property
    def problem(self) -> str | None:
        if self.error == _DUPLICATE_URLS:
            return "two registries of the group give the same URL; set host.name or listeners so that each has its own"
        return None if self.error == _NO_ERROR else f"the group's leader reports error {self.error}"

    def encode(self) -> bytes:
        identity = None if self.identity is None else self.identity.to_json()
        return orjson.dumps(
            {"version": _VERSION, "error": self.error, "master": self.member, "master_identity": identity}
        )

    @classmethod
    def decode(cls, data: bytes) -> Assignment:
        try:
            members = orjson.loads(data)
            identity = members.get("master_identity")
            return cls(
                members.get("master"),
                None if identity is None else MemberIdentity.from_json(identity),
                int(members.get("error") or 0),
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise SerializationError(f"Not an assignment of a schema registry: {data[:200]!r} ({error})") from error


def choose(members: Mapping[str, MemberIdentity]) -> Assignment:
    """The eligible member with the smallest URL leads (``SchemaRegistryCoordinator``)."""
    urls = [identity.url for identity in members.values()]
    if len(set(urls)) < len(urls):
        return Assignment(None, None, _DUPLICATE_URLS)
    eligible = sorted((identity.url, member) for member, identity in members.items() if identity.eligible)
    if not eligible:
        return Assignment(None, None)
    leader = eligible[0][1]
    return Assignment(leader, members[leader])
