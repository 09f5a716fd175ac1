"""Stand-ins for stores of secrets: the parts of Vault's and of Google Cloud's HTTP API that the providers use."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from joserfc import jwt
from joserfc.jwk import RSAKey

__all__ = ["GoogleServer", "VaultServer"]


class _Server:
    """An HTTP server that answers with what `answer` returns: a status and JSON. `stalled` is set while it answers nobody."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str]] = []
        #: Statuses for the next requests, before any is answered again.
        self.failures: list[int] = []
        self.stalled = False
        self._go_on = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._serve(b"")

            def do_POST(self) -> None:
                self._serve(self.rfile.read(int(self.headers.get("Content-Length", "0"))))

            def _serve(self, body: bytes) -> None:
                outer.requests.append((self.command, self.path))
                if outer.stalled:
                    outer._go_on.wait(60)
                    return
                failure = outer.failures.pop(0) if outer.failures else None
                answered = (
                    (failure, {})
                    if failure is not None
                    else outer.answer(self.command, self.path, dict(self.headers), body)
                )
                status, content = answered[0], json.dumps(answered[1]).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        threading.Thread(target=self._http.serve_forever, name="stand-in", daemon=True).start()

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Any]:
        raise NotImplementedError

    def close(self) -> None:
        self._go_on.set()
        self._http.shutdown()
        self._http.server_close()


class VaultServer(_Server):
    """Secrets of KV version 2 at ``secret/``, of version 1 at ``kv/``, and leased values at ``database/creds/``."""

    def __init__(self, token: str = "root-token") -> None:
        self.token = token
        #: By path: the versions of a secret, the last being the latest.
        self.secrets: dict[str, list[dict[str, Any]]] = {}
        self.version_1: dict[str, dict[str, Any]] = {}
        #: The values of each lease, by name; one set more with each request.
        self.leases: dict[str, list[dict[str, Any]]] = {}
        self.lease_seconds = 60
        #: The bodies of logins that are right, by the method's mount (and user).
        self.logins: dict[str, Mapping[str, str]] = {}
        self.logged_in = 0
        super().__init__()

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Any]:
        parts = urlsplit(path)
        where = parts.path.removeprefix("/v1/")
        if method == "POST":
            return self._log_in(where.removeprefix("auth/"), json.loads(body))
        if headers.get("X-Vault-Token") != self.token:
            return 403, {"errors": ["permission denied"]}
        version = parse_qs(parts.query).get("version", [None])[0]
        if where.startswith("secret/data/"):
            return self._kv2(where.removeprefix("secret/data/"), version)
        if where.startswith("kv/") and where in self.version_1:
            return 200, {"data": self.version_1[where], "lease_id": "", "lease_duration": 2764800}
        name = where.removeprefix("database/creds/")
        if name in self.leases:
            data = self.leases[name].pop(0) if len(self.leases[name]) > 1 else self.leases[name][0]
            return 200, {"data": data, "lease_id": f"{where}/1", "lease_duration": self.lease_seconds}
        return 404, {"errors": []}

    def _kv2(self, name: str, version: str | None) -> tuple[int, Any]:
        versions = self.secrets.get(name, [])
        number = len(versions) if version is None else int(version)
        if not 0 < number <= len(versions):
            return 404, {"errors": []}
        data = {"data": versions[number - 1], "metadata": {"version": number}}
        return 200, {"data": data, "lease_id": "", "lease_duration": 0}

    def _log_in(self, where: str, body: Mapping[str, str]) -> tuple[int, Any]:
        if self.logins.get(where) != body:
            return 400, {"errors": ["invalid role or secret ID"]}
        self.logged_in += 1
        self.token = f"token-{self.logged_in}"
        return 200, {"auth": {"client_token": self.token, "lease_duration": 3600}}


class GoogleServer(_Server):
    """Secrets of one project, and the tokens of one service account."""

    def __init__(self) -> None:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()
        self._public = RSAKey.import_key(self._pem)
        #: By ``project/name``: the versions of a secret.
        self.secrets: dict[str, list[bytes]] = {}
        super().__init__()

    def key_file(self, folder: Path, **changes: str) -> Path:
        """Write the key of the service account, as the console gives it."""
        file = folder / "service-account.json"
        info = {
            "type": "service_account", "project_id": "project-1", "private_key_id": "1", "private_key": self._pem,
            "client_email": "worker@project-1.iam.gserviceaccount.com", "token_uri": f"{self.url}/token",
        }  # fmt: skip
        file.write_text(json.dumps({**info, **changes}))
        return file

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Any]:
        if path == "/token":
            assertion = parse_qs(body.decode())["assertion"][0]
            claims = jwt.decode(assertion, self._public, ["RS256"]).claims
            if claims["iss"] != "worker@project-1.iam.gserviceaccount.com":
                return 400, {"error": "invalid_grant"}
            return 200, {"access_token": "access-token", "expires_in": 3600, "token_type": "Bearer"}
        if headers.get("Authorization", headers.get("authorization")) != "Bearer access-token":
            return 401, {}
        _, version_1, _, project, _, name, _, wanted = path.split("/")
        if version_1 != "v1" or project == "forbidden":
            return 403, {}
        versions = self.secrets.get(f"{project}/{name}", [])
        version = wanted.removesuffix(":access").removesuffix("%3Aaccess")
        number = len(versions) if version == "latest" else int(version)
        if not 0 < number <= len(versions):
            return 404, {}
        return 200, {"name": path, "payload": {"data": base64.b64encode(versions[number - 1]).decode()}}
