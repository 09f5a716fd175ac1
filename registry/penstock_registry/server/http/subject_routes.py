"""``/subjects`` and ``/compatibility``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from penstock_registry.server.errors import RegistryError, missing_body
from penstock_registry.server.http.answers import lookup_answer, registered_answer, version_answer
from penstock_registry.server.http.described import SCHEMA, TAGS
from penstock_registry.server.http.parameters import Body, Count, Flag, Reply, Text, Word, page, parse_version
from penstock_registry.server.limits import Limits
from penstock_registry.server.requests import SchemaRequest
from penstock_registry.server.subjects import ANY_CONTEXT
from penstock_registry.server.tags import find_tags
from penstock_registry.server.view import View

__all__ = ["SubjectRoutes"]

Tags = Annotated[list[str], Query()]


class SubjectRoutes:
    """`seen` gives the registry as whoever asks sees it; the routes know of no other."""

    def __init__(self, seen: Callable[[], View], limits: Limits) -> None:
        self._seen = seen
        self._limits = limits

    def add_to(self, router: APIRouter) -> None:
        subject = "/subjects/{subject}"
        version = subject + "/versions/{version}"
        for method, path, endpoint in (
            ("GET", "/subjects", self.subjects),
            ("POST", subject, self.lookup),
            ("DELETE", subject, self.delete_subject),
            ("GET", subject + "/metadata", self.with_metadata),
            ("GET", subject + "/versions", self.versions),
            ("POST", subject + "/versions", self.register),
            ("GET", version, self.version),
            ("DELETE", version, self.delete_version),
            ("GET", version + "/schema", self.schema),
            ("GET", version + "/referencedby", self.referenced_by),
            ("POST", version + "/tags", self.change_tags),
            ("POST", "/compatibility/subjects/{subject}/versions", self.test_all),
            ("POST", "/compatibility/subjects/{subject}/versions/{version}", self.test_one),
        ):
            described = None
            if method == "POST":
                described = TAGS if path.endswith("/tags") else SCHEMA
            router.add_api_route(path, endpoint, methods=[method], response_class=Reply, openapi_extra=described)

    def subjects(
        self,
        subjectPrefix: Text = ANY_CONTEXT,  # noqa: N803 - the query parameter's name
        deleted: Flag = False,
        deletedOnly: Flag = False,  # noqa: N803 - the query parameter's name
        offset: Count = 0,
        limit: Count = -1,
    ) -> Response:
        found = self._seen().subjects(subjectPrefix, deleted, deletedOnly)
        return Reply(page(found, offset, limit, *self._limits.subjects))

    def lookup(
        self,
        subject: Word,
        body: Body,
        normalize: Flag = False,
        deleted: Flag = False,
        format: Text = "",  # noqa: A002 - the query parameter's name
    ) -> Response:
        view = self._seen()
        stored = view.lookup(subject, _request(body, "lookUpSchemaUnderSubject"), normalize, deleted)
        return Reply(lookup_answer(view, stored, format))

    def delete_subject(self, subject: Word, permanent: Flag = False) -> Response:
        return Reply(self._seen().delete_subject(subject, permanent))

    def with_metadata(
        self,
        subject: Word,
        key: Tags = [],  # noqa: B006 - FastAPI copies defaults
        value: Tags = [],  # noqa: B006 - FastAPI copies defaults
        deleted: Flag = False,
        format: Text = "",  # noqa: A002 - the query parameter's name
    ) -> Response:
        view = self._seen()
        found = view.latest_with_metadata(subject, dict(zip(key, value, strict=False)), deleted)
        return Reply(version_answer(view, found, format))

    def versions(
        self,
        subject: Word,
        deleted: Flag = False,
        deletedOnly: Flag = False,  # noqa: N803 - the query parameter's name
        deletedAsNegative: Flag = False,  # noqa: N803 - the query parameter's name
        offset: Count = 0,
        limit: Count = -1,
    ) -> Response:
        found = self._seen().versions(subject, deleted, deletedOnly, deletedAsNegative)
        numbers = [-one.version if one.deleted and deletedAsNegative else one.version for one in found]
        return Reply(page(numbers, offset, limit, *self._limits.versions))

    def register(
        self,
        subject: Word,
        body: Body,
        normalize: Flag = False,
        format: Text = "",  # noqa: A002 - the query parameter's name
    ) -> Response:
        view = self._seen()
        stored = view.register(subject, _request(body, "register"), normalize)
        return Reply(registered_answer(view, stored, format))

    def version(
        self,
        subject: Word,
        version: Word,
        deleted: Flag = False,
        format: Text = "",  # noqa: A002 - the query parameter's name
        findTags: Tags = [],  # noqa: B006, N803 - FastAPI copies defaults; the query parameter's name
    ) -> Response:
        view = self._seen()
        stored = view.version(subject, parse_version(version), deleted)
        answer = version_answer(view, stored, format)
        if findTags and (tags := find_tags(stored.content, findTags)):
            answer["schemaTags"] = tags
        return Reply(answer)

    def delete_version(self, subject: Word, version: Word, permanent: Flag = False) -> Response:
        return Reply(self._seen().delete_version(subject, parse_version(version), permanent))

    def schema(
        self,
        subject: Word,
        version: Word,
        deleted: Flag = False,
        format: Text = "",  # noqa: A002 - the query parameter's name
    ) -> Response:
        view = self._seen()
        stored = view.version(subject, parse_version(version), deleted)
        return Response(view.formatted(stored, format).encode(), media_type=Reply.media_type)

    def referenced_by(
        self, subject: Word, version: Word, deleted: Flag = False, offset: Count = 0, limit: Count = -1
    ) -> Response:
        found = self._seen().referenced_by(subject, parse_version(version), deleted)
        return Reply(page(found, offset, limit, *self._limits.versions))

    def change_tags(self, subject: Word, version: Word, body: Body) -> Response:
        if body is None:
            raise missing_body("tagSchema")
        renamed = {
            **body,
            "schemaTagsToAdd": body.get("tagsToAdd"),
            "schemaTagsToRemove": body.get("tagsToRemove"),
            "version": body.get("newVersion"),
        }
        request = SchemaRequest.from_json(renamed)
        view = self._seen()
        return Reply(registered_answer(view, view.change_tags(subject, parse_version(version), request)))

    def test_one(
        self, subject: Word, version: Word, body: Body, normalize: Flag = False, verbose: Flag = False
    ) -> Response:
        return self._test(subject, parse_version(version), body, "testCompatibilityBySubjectName", normalize, verbose)

    def test_all(self, subject: Word, body: Body, normalize: Flag = False, verbose: Flag = False) -> Response:
        return self._test(subject, None, body, "testCompatibilityForSubject", normalize, verbose)

    def _test(
        self, subject: str, version: int | None, body: Any, operation: str, normalize: bool, verbose: bool
    ) -> Response:
        request = _request(body, operation)
        try:
            problems = self._seen().test_compatibility(subject, request, version, normalize)
        except RegistryError as error:
            if error.code != 42201 or not verbose:
                raise
            problems = [error.message]
        answer: dict[str, Any] = {"is_compatible": not problems}
        if verbose:
            answer["messages"] = problems
        return Reply(answer)


def _request(body: Mapping[str, Any] | None, operation: str) -> SchemaRequest:
    if body is None:
        raise missing_body(operation)
    return SchemaRequest.from_json(body)
