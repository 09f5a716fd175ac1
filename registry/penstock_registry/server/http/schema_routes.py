"""``/schemas``, ``/contexts``, ``/v1/metadata`` and ``/``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from penstock_registry.server.content import StoredSchema
from penstock_registry.server.errors import schema_not_found
from penstock_registry.server.http.answers import guid_answer, id_answer, version_answer
from penstock_registry.server.http.described import EMPTY
from penstock_registry.server.http.parameters import Body, Count, Flag, Id, Reply, Text, Word, page
from penstock_registry.server.id_view import Found
from penstock_registry.server.limits import Limits
from penstock_registry.server.subjects import ANY_CONTEXT, normalize_context
from penstock_registry.server.tags import find_tags
from penstock_registry.server.view import View

__all__ = ["ContextRoutes", "SchemaRoutes"]

Tags = Annotated[list[str], Query()]


class SchemaRoutes:
    """`seen` gives the registry as whoever asks sees it; the routes know of no other."""

    def __init__(self, seen: Callable[[], View], limits: Limits) -> None:
        self._seen = seen
        self._limits = limits

    def add_to(self, router: APIRouter) -> None:
        for path, endpoint in (
            ("/schemas", self.schemas),
            ("/schemas/types", self.types),
            ("/schemas/ids/{id}", self.by_id),
            ("/schemas/ids/{id}/schema", self.text_by_id),
            ("/schemas/ids/{id}/subjects", self.subjects),
            ("/schemas/ids/{id}/versions", self.versions),
            ("/schemas/guids/{guid}", self.by_guid),
            ("/schemas/guids/{guid}/ids", self.ids_of_guid),
        ):
            router.add_api_route(path, endpoint, methods=["GET"], response_class=Reply)

    def schemas(
        self,
        subjectPrefix: Text = ANY_CONTEXT,  # noqa: N803 - the query parameter's name
        aliases: Flag = False,
        deleted: Flag = False,
        latestOnly: Flag = False,  # noqa: N803 - the query parameter's name
        ruleType: Text = "",  # noqa: N803 - the query parameter's name
        offset: Count = 0,
        limit: Count = -1,
    ) -> Response:
        view = self._seen()
        found = view.schemas(subjectPrefix, deleted, latestOnly, aliases)
        if ruleType:
            found = [stored for stored in found if _has_rule(stored, ruleType)]
        found = page(found, offset, limit, *self._limits.schemas)
        answers = [version_answer(view, stored) for stored in found]
        if aliases:
            names = view.aliases()
            for answer in answers:
                if answer["subject"] in names:
                    answer["aliases"] = names[answer["subject"]]
        return Reply(answers)

    def types(self) -> Response:
        return Reply(self._seen().formats.names())

    def by_id(
        self,
        id: Id,  # noqa: A002 - the path parameter's name
        subject: Text = "",
        format: Text = "",  # noqa: A002 - the query parameter's name
        findTags: Tags = [],  # noqa: B006, N803 - FastAPI copies defaults; the query parameter's name
        fetchMaxId: Flag = False,  # noqa: N803 - the query parameter's name
    ) -> Response:
        view = self._seen()
        found = _found(view, id, subject)
        answer = id_answer(view, found, format)
        if fetchMaxId:
            answer["maxId"] = view.max_id(found.context)
        if findTags and (tags := find_tags(found.content, findTags)):
            answer["schemaTags"] = tags
        return Reply(answer)

    def text_by_id(
        self,
        id: Id,  # noqa: A002 - the path parameter's name
        subject: Text = "",
        format: Text = "",  # noqa: A002 - the query parameter's name
    ) -> Response:
        view = self._seen()
        text = id_answer(view, _found(view, id, subject), format)["schema"]
        return Response(text.encode(), media_type=Reply.media_type)

    def subjects(
        self,
        id: Id,  # noqa: A002 - the path parameter's name
        subject: Text = "",
        deleted: Flag = False,
        offset: Count = 0,
        limit: Count = -1,
    ) -> Response:
        names = sorted({key.subject for key in self._seen().versions_of_id(id, subject, deleted)})
        return Reply(page(names, offset, limit, *self._limits.subjects))

    def versions(
        self,
        id: Id,  # noqa: A002 - the path parameter's name
        subject: Text = "",
        deleted: Flag = False,
        offset: Count = 0,
        limit: Count = -1,
    ) -> Response:
        keys = sorted(self._seen().versions_of_id(id, subject, deleted))
        answers = [{"subject": key.subject, "version": key.version} for key in keys]
        return Reply(page(answers, offset, limit, *self._limits.versions))

    def by_guid(
        self,
        guid: Word,
        format: Text = "",  # noqa: A002 - the query parameter's name
        findTags: Tags = [],  # noqa: B006, N803 - FastAPI copies defaults; the query parameter's name
    ) -> Response:
        view = self._seen()
        found = view.by_guid(guid)
        if found is None:
            raise schema_not_found(guid)
        answer = guid_answer(view, found, format)
        if findTags and (tags := find_tags(found.content, findTags)):
            answer["schemaTags"] = tags
        return Reply(answer)

    def ids_of_guid(self, guid: Word) -> Response:
        places = self._seen().ids_of_guid(guid)
        return Reply([{"context": context, "id": schema_id} for context, schema_id in places])


def _found(view: View, schema_id: int, subject: str) -> Found:
    found = view.by_id(schema_id, subject)
    if found is None:
        raise schema_not_found(schema_id)
    return found


class ContextRoutes:
    """Contexts, and what the registry says of itself. `problem` tells why changes cannot be made now; `identity` is the
    answer of ``/v1/metadata/id``."""

    def __init__(
        self,
        seen: Callable[[], View],
        problem: Callable[[], str | None],
        limits: Limits,
        identity: Mapping[str, Any],
        version: str,
    ) -> None:
        self._seen = seen
        self._problem = problem
        self._limits = limits
        self._identity = identity
        self._version = version

    def add_to(self, router: APIRouter) -> None:
        for method, path, endpoint in (
            ("GET", "/", self.root),
            ("POST", "/", self.root_post),
            ("GET", "/contexts", self.contexts),
            ("DELETE", "/contexts/{context}", self.delete_context),
            ("GET", "/master_available", self.master_available),
            ("GET", "/health", self.ready),
            ("GET", "/health/ready", self.ready),
            ("GET", "/health/live", self.live),
            ("GET", "/v1/metadata/id", self.id),
            ("GET", "/v1/metadata/version", self.version),
            ("GET", "/v1/metadata/deployment", self.deployment),
        ):
            described = EMPTY if method == "POST" else None
            router.add_api_route(path, endpoint, methods=[method], response_class=Reply, openapi_extra=described)

    def root(self) -> Response:
        return Reply({})

    def root_post(self, body: Body) -> Response:
        return Reply({})

    def contexts(
        self,
        contextPrefix: Text = "",  # noqa: N803 - the query parameter's name
        offset: Count = 0,
        limit: Count = -1,
    ) -> Response:
        found = [name for name in self._seen().contexts() if name.startswith(contextPrefix)]
        return Reply(page(found, offset, limit, *self._limits.contexts))

    def delete_context(self, context: Word) -> Response:
        self._seen().delete_context(normalize_context(context))
        return Response(status_code=204)

    def master_available(self) -> Response:
        """Return whether changes can be made now, as Karapace tells it."""
        return Reply({"master_available": self._problem() is None}, headers={"Cache-Control": "no-store"})

    def ready(self) -> Response:
        """200 if reads and changes can be served, else 503 with the reason."""
        problem = self._problem()
        answer = {"status": "ready"} if problem is None else {"status": "not ready", "reason": problem}
        return Reply(answer, status_code=200 if problem is None else 503)

    def live(self) -> Response:
        """200 as long as the process answers."""
        return Reply({"status": "live"})

    def id(self) -> Response:
        return Reply(self._identity)

    def version(self) -> Response:
        return Reply({"version": self._version, "commitId": "unknown"})

    def deployment(self) -> Response:
        return Reply({"attributes": []})


def _has_rule(stored: StoredSchema, rule_type: str) -> bool:
    rule_set = stored.content.rule_set or {}
    names = ("migrationRules", "domainRules", "encodingRules")
    return any(rule.get("type") == rule_type for name in names for rule in rule_set.get(name) or ())
