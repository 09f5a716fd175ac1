"""Who may do what over REST: the role that a request needs, for which connector, and the guard that asks for it."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from starlette.requests import Request

from penstock.access.authenticator import Authenticator
from penstock.access.principal import Grant, NotRecognizedError, Principal
from penstock.access.settings import AccessConfig
from penstock.config.worker import WorkerConfig
from penstock.errors import ConfigError
from penstock.herder.distributed.signatures import SIGNATURE_HEADER
from penstock.http.asgi import App, Receive, Scope, Send, header_values
from penstock.rest.errors import RestError, error_response
from penstock.rest.paths import decoded

__all__ = [
    "CALLER",
    "UNSIGNED",
    "Guard",
    "Need",
    "WorkerRole",
    "access_of",
    "need_of",
    "parse_worker_grants",
    "require",
    "sees_everything",
    "visible",
]

#: The scope's key for the `Principal` that sent the request; absent where everybody may do everything.
CALLER: Final = "penstock.caller"
#: The scope's key for the `RestError` that answers a request whose signature turns out to be wrong; absent where nobody
#: asks for users.
UNSIGNED: Final = "penstock.unsigned"
#: The text of Kafka's own extension (``JaasBasicAuthFilter``).
_UNKNOWN: Final = "User cannot access the resource."
_EXTENSION: Final = "org.apache.kafka.connect.rest.basic.auth.extension.BasicAuthSecurityRestExtension"
_SIGNATURE: Final = SIGNATURE_HEADER.lower().encode()
_GRANT: Final = re.compile(r"\s*([A-Za-z]+)\s*(?:@(.+))?", re.DOTALL)


class WorkerRole(enum.IntEnum):
    """Each includes those before it."""

    #: See connectors, their configurations, states and offsets.
    READ = 1
    #: Pause, resume, stop and restart.
    OPERATE = 2
    #: Create, change and delete connectors, and change their offsets.
    EDIT = 3
    #: Change the levels of loggers.
    ADMIN = 4


def parse_worker_grants(texts: Iterable[str]) -> tuple[Grant, ...]:
    """Read ``read``, ``operate@orders``, ``edit@orders-*``: a role, for the connectors whose name is, or fits a pattern with
    ``*``. Raises ValueError for a role nobody knows."""
    grants = []
    for text in texts:
        found = _GRANT.fullmatch(text)
        role = WorkerRole.__members__.get(found[1].upper()) if found else None
        if found is None or role is None:
            name = text.partition("@")[0].strip()
            raise ValueError(f"no role is called {name!r}; expected read, operate, edit or admin, or role@connector")
        grants.append(Grant(role, (found[2] or "").strip(), is_pattern=True))
    return tuple(grants)


class Need(NamedTuple):
    """`connector` None stands for the worker with all connectors. `anywhere`: it is enough to have the role for some
    connectors; the answer then shows these alone."""

    role: WorkerRole
    connector: str | None = None
    anywhere: bool = False

    def granted(self, caller: Principal) -> bool:
        return caller.may_somewhere(self.role) if self.anywhere else caller.may(self.role, self.connector)

    def refusal(self, caller: Principal) -> str:
        what = "some connector" if self.anywhere else "this worker and all its connectors"
        what = what if self.connector is None else f"connector {self.connector}"
        return f"User {caller.name} needs the role {self.role.name.lower()} for {what}"


_ANY_READER: Final = Need(WorkerRole.READ, anywhere=True)
#: The requests about one connector that leave its configuration as it is: by what follows the name in the path.
_OPERATIONS: Final = frozenset({"pause", "resume", "stop", "restart"})


def need_of(method: str, segments: Sequence[str]) -> Need:
    """Return what a request needs. `segments` are the path's, decoded. A path that is not known needs the most that its
    method could do."""
    changes = method not in ("GET", "HEAD", "OPTIONS")
    match segments:
        case ["connectors"] | ["connectors", ""]:
            # The connector is named in the body: see `require`.
            return Need(WorkerRole.EDIT, anywhere=True) if changes else _ANY_READER
        case ["connectors", name, *rest]:
            return Need(_role(rest, changes), name)
        case ["connector-plugins", *_]:
            # A validation runs the connector's code, which may reach out to other systems.
            return Need(WorkerRole.EDIT, anywhere=True) if changes else _ANY_READER
        case ["metrics"] | ["cluster"] | ["admin", *_]:
            return Need(WorkerRole.ADMIN if changes else WorkerRole.READ)
        case _:
            return Need(WorkerRole.ADMIN) if changes else _ANY_READER


def _role(rest: Sequence[str], changes: bool) -> WorkerRole:
    """Return the role for a request about one connector; `rest` follows its name in the path."""
    if rest and (rest[-1] in _OPERATIONS or rest == ["topics", "reset"]):
        return WorkerRole.OPERATE  # with GET too, see ``rest.get.actions``
    if not changes:
        return WorkerRole.READ
    is_task = len(rest) == 3 and rest[0] == "tasks" and rest[2] == "status"
    return WorkerRole.OPERATE if is_task else WorkerRole.EDIT


def _is_internal(method: str, segments: Sequence[str]) -> bool:
    """Return whether workers of a group make this request: these are signed, and have no user (``JaasBasicAuthFilter``)."""
    match method, segments:
        case ("POST", ["connectors", _, "tasks"]) | ("PUT", ["connectors", _, "fence"]) | ("GET", ["cluster"]):
            return True
        case _:
            return False


def access_of(config: WorkerConfig) -> AccessConfig:
    """Return who may use the worker's REST. Raises `ConfigError`, also for a REST extension that is not Kafka's own."""
    props: Mapping[str, str] = config.raw
    for name in config["rest.extension.classes"] or ():
        if name not in (_EXTENSION, _EXTENSION.rpartition(".")[2]):
            raise ConfigError(
                "rest.extension.classes", name, f"Java REST extensions cannot be loaded; {_EXTENSION} is known here"
            )
        props = {"authentication.method": "BASIC", **props}
    access = AccessConfig.parse(props, "the worker", "connect", parse_worker_grants)
    if not access.is_open and config.mode == "distributed" and config["connect.protocol"] != "sessioned":
        raise ConfigError(
            "connect.protocol", config["connect.protocol"],
            "workers do not sign their requests to each other with it, so that anybody could send such requests; "
            "authentication.method needs connect.protocol=sessioned",
        )  # fmt: skip
    return access


class Guard:
    """Lets a request through once its sender is known and has the role; plain ASGI, behind `RawPaths`."""

    def __init__(self, app: App, config: AccessConfig, in_group: bool) -> None:
        """`in_group`: other workers send signed requests, whose signature the routes check."""
        self._app = app
        self._authenticator = Authenticator(config)
        self._skipped = config.skip_paths
        self._in_group = in_group

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path: str = scope["path"]
        segments = [decoded(segment) for segment in path.split("/")[1:]]
        is_open = any(path == skipped or path.startswith(f"{skipped}/") for skipped in self._skipped)
        if is_open:
            await self._app(scope, receive, send)
            return
        if self._is_signed(scope, segments):
            challenges = ", ".join(self._authenticator.challenges)
            refusal = RestError(401, _UNKNOWN, {"WWW-Authenticate": challenges})
            await self._app({**scope, UNSIGNED: refusal}, receive, send)
            return
        authorization = b", ".join(header_values(scope, b"authorization")).decode("latin-1")
        try:
            caller = await self._authenticator.recognize(authorization)
        except NotRecognizedError:
            answer = error_response(401, _UNKNOWN)
            for challenge in self._authenticator.challenges:
                answer.raw_headers.append((b"www-authenticate", challenge.encode("latin-1", "replace")))
            await answer(scope, receive, send)
            return
        need = need_of(scope["method"], segments)
        if not need.granted(caller):
            await error_response(403, need.refusal(caller))(scope, receive, send)
            return
        await self._app({**scope, CALLER: caller}, receive, send)

    def _is_signed(self, scope: Scope, segments: Sequence[str]) -> bool:
        """Return whether the request claims to come from another worker; without that claim it is anybody's."""
        return self._in_group and _is_internal(scope["method"], segments) and bool(header_values(scope, _SIGNATURE))


def require(request: Request, need: Need) -> None:
    """Raise a 403 unless the request's sender has what it needs: for what the body names."""
    caller: Principal | None = request.scope.get(CALLER)
    if caller is not None and not need.granted(caller):
        raise RestError(403, need.refusal(caller))


def sees_everything(request: Request) -> bool:
    """Return whether the request's sender may see all connectors."""
    caller: Principal | None = request.scope.get(CALLER)
    return caller is None or caller.reads_everything


def visible(request: Request, names: Iterable[str]) -> list[str]:
    """Return the connectors that the request's sender may see."""
    caller: Principal | None = request.scope.get(CALLER)
    return list(names) if caller is None else [name for name in names if caller.reads(name)]
