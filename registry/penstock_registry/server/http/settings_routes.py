"""``/config`` and ``/mode``."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response

from penstock_registry.server.errors import invalid_mode, missing_body
from penstock_registry.server.http.described import CONFIG, MODE
from penstock_registry.server.http.parameters import Body, Flag, Reply, Word
from penstock_registry.server.requests import optional_text
from penstock_registry.server.settings import Settings
from penstock_registry.server.subjects import Subject

__all__ = ["SettingsRoutes"]


class SettingsRoutes:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def add_to(self, router: APIRouter) -> None:
        for method, path, endpoint in (
            ("GET", "/config", self.config),
            ("PUT", "/config", self.update_config),
            ("DELETE", "/config", self.delete_config),
            ("GET", "/config/{subject}", self.subject_config),
            ("PUT", "/config/{subject}", self.update_subject_config),
            ("DELETE", "/config/{subject}", self.delete_subject_config),
            ("GET", "/mode", self.mode),
            ("PUT", "/mode", self.update_mode),
            ("DELETE", "/mode", self.delete_mode),
            ("GET", "/mode/{subject}", self.subject_mode),
            ("PUT", "/mode/{subject}", self.update_subject_mode),
            ("DELETE", "/mode/{subject}", self.delete_subject_mode),
        ):
            described = None
            if method == "PUT":
                described = CONFIG if path.startswith("/config") else MODE
            router.add_api_route(path, endpoint, methods=[method], response_class=Reply, openapi_extra=described)

    def config(self) -> Response:
        return Reply(self._settings.config(None))

    def subject_config(self, subject: Word, defaultToGlobal: Flag = False) -> Response:  # noqa: N803 - as it is called
        return Reply(self._settings.config(_scope(subject), defaultToGlobal))

    def update_config(self, body: Body) -> Response:
        return self._update_config(None, body, "updateTopLevelConfig")

    def update_subject_config(self, subject: Word, body: Body) -> Response:
        return self._update_config(_scope(subject), body, "updateSubjectLevelConfig")

    def _update_config(self, subject: str | None, body: Any, operation: str) -> Response:
        if body is None:
            raise missing_body(operation)
        return Reply(self._settings.update_config(subject, body))

    def delete_config(self) -> Response:
        return Reply(self._settings.delete_config(None))

    def delete_subject_config(self, subject: Word) -> Response:
        return Reply(self._settings.delete_config(_scope(subject)))

    def mode(self) -> Response:
        return Reply({"mode": self._settings.mode(None, default_to_global=True)})

    def subject_mode(self, subject: Word, defaultToGlobal: Flag = False) -> Response:  # noqa: N803 - as it is called
        return Reply({"mode": self._settings.mode(_scope(subject), defaultToGlobal)})

    def update_mode(self, body: Body, force: Flag = False) -> Response:
        return self._update_mode(None, body, force, "updateTopLevelMode")

    def update_subject_mode(self, subject: Word, body: Body, force: Flag = False) -> Response:
        return self._update_mode(_scope(subject), body, force, "updateMode")

    def _update_mode(self, subject: str | None, body: Any, force: bool, operation: str) -> Response:
        if body is None:
            raise missing_body(operation)
        if "mode" not in body:
            raise invalid_mode()
        mode = optional_text(body, "mode")
        self._settings.update_mode(subject, mode, force)
        return Reply({"mode": mode})

    def delete_mode(self, recursive: Flag = False) -> Response:
        return Reply({"mode": self._settings.delete_mode(None, recursive)})

    def delete_subject_mode(self, subject: Word, recursive: Flag = False) -> Response:
        return Reply({"mode": self._settings.delete_mode(_scope(subject), recursive)})


def _scope(subject: str) -> str | None:
    """Return the stored form of a subject or context; the default context's own name stands for everything."""
    return str(Subject.parse(subject)) or None
