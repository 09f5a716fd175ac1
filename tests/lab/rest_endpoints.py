"""The endpoints of a worker's REST API: the role that each needs, and its answer to a request that is right."""

from __future__ import annotations

from typing import Any, NamedTuple

from penstock.rest.access import WorkerRole

__all__ = ["INTERNAL", "MOCK", "TABLE", "Row"]

MOCK = "org.apache.kafka.connect.tools.MockSourceConnector"
READ, OPERATE, EDIT, ADMIN = WorkerRole.READ, WorkerRole.OPERATE, WorkerRole.EDIT, WorkerRole.ADMIN


class Row(NamedTuple):
    """An endpoint. `status` is the answer for who may ask, `outsider` the one for somebody whose role is for other
    connectors alone. Changes are asked of the connector orders-b, all else of orders-a."""

    method: str
    template: str
    role: WorkerRole
    status: int
    outsider: int = 403
    body: Any = None
    #: The path to ask for, if it is not one of an existing connector.
    path: str | None = None

    @property
    def changes(self) -> bool:
        return self.method != "GET" or self.template.rpartition("/")[2] in ("pause", "resume", "restart")

    @property
    def url(self) -> str:
        name = "orders-b" if self.changes else "orders-a"
        if not self.template.startswith("/connectors/"):
            name = "root" if "loggers" in self.template else "MockSourceConnector"
        return self.path or self.template.replace("{name}", name).replace("{task}", "0")

    def __str__(self) -> str:
        return f"{self.method} {self.template}"


C, T = "/connectors/{name}", "/connectors/{name}/tasks/{task}"
WRONG = {"connector.class": "none.such"}
TABLE = (
    Row("GET", "/", READ, 200, 200),
    Row("GET", "/health", READ, 200, 200),
    Row("GET", "/openapi.json", READ, 200, 200),
    Row("GET", "/cluster", READ, 200),
    Row("GET", "/metrics", READ, 200),
    Row("GET", "/connectors", READ, 200, 200),
    Row("POST", "/connectors", EDIT, 400, body={"name": "orders-c", "config": WRONG}),
    Row("GET", C, READ, 200),
    Row("PUT", C, EDIT, 400, body=WRONG),
    Row("DELETE", C, EDIT, 404, path="/connectors/orders-gone"),
    Row("GET", f"{C}/config", READ, 200),
    Row("PUT", f"{C}/config", EDIT, 400, body=WRONG),
    Row("PATCH", f"{C}/config", EDIT, 400, body=WRONG),
    Row("GET", f"{C}/status", READ, 200),
    Row("GET", f"{C}/health", READ, 200),
    Row("PUT", f"{C}/pause", OPERATE, 202),
    Row("GET", f"{C}/pause", OPERATE, 202),
    Row("PUT", f"{C}/resume", OPERATE, 202),
    Row("GET", f"{C}/resume", OPERATE, 202),
    Row("PUT", f"{C}/stop", OPERATE, 404, path="/connectors/orders-gone/stop"),
    Row("POST", f"{C}/restart", OPERATE, 204),
    Row("GET", f"{C}/tasks", READ, 200),
    Row("GET", T, READ, 200),
    Row("GET", f"{T}/status", READ, 200),
    Row("PUT", f"{T}/status", OPERATE, 202, body={"state": "RUNNING"}),
    Row("POST", f"{T}/restart", OPERATE, 204),
    Row("GET", f"{T}/restart", OPERATE, 204),
    Row("GET", f"{C}/topics", READ, 200),
    Row("PUT", f"{C}/topics/reset", OPERATE, 202),
    Row("GET", f"{C}/offsets", READ, 200),
    Row("PATCH", f"{C}/offsets", EDIT, 400, body={"offsets": [{"partition": {"a": 1}, "offset": None}]}),
    Row("DELETE", f"{C}/offsets", EDIT, 400),
    Row("GET", "/connector-plugins", READ, 200, 200),
    Row("GET", "/connector-plugins/{name}/config", READ, 200, 200),
    Row("PUT", "/connector-plugins/{name}/config/validate", EDIT, 200, 200, {"connector.class": MOCK, "name": "c"}),
    Row("GET", "/admin/loggers", READ, 200),
    Row("GET", "/admin/loggers/{name}", READ, 200),
    Row("PUT", "/admin/loggers/{name}", ADMIN, 200, body={"level": "INFO"}, path="/admin/loggers/penstock.none"),
    # Requests between workers of a group: a worker that stands by itself knows no such thing.
    Row("POST", f"{C}/tasks", EDIT, 405, body=[]),
    Row("PUT", f"{C}/fence", EDIT, 405),
)
#: The endpoints that the description leaves out: users have no business there.
INTERNAL = {("POST", f"{C}/tasks"), ("PUT", f"{C}/fence")}
