"""A ``penstock`` command as a process of its own, for tests and benchmarks of the whole worker."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lab.patience import PATIENCE_S
from penstock.testing.broker import free_ports

__all__ = ["WorkerProcess", "free_port"]


def free_port() -> int:
    """A port on 127.0.0.1 that was free a moment ago, and that no outgoing connection takes."""
    return free_ports(1)[0]


class WorkerProcess:
    """``penstock ARGUMENTS...``, started at once; output goes to `log`. Use it as a context manager, which kills what is left.

    `rest` is the address that ``--listeners`` or the properties file gives it, for the calls below.
    """

    def __init__(
        self,
        arguments: Sequence[str | os.PathLike[str]],
        log: Path,
        rest: str = "",
        environ: Mapping[str, str] | None = None,
        program: Path | None = None,
        authorization: str | None = None,
    ) -> None:
        """`authorization` is the header of calls that name no other."""
        self.rest, self._log, self._authorization = rest, log, authorization
        program = program or Path(sys.executable).with_name("penstock")
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [program, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, **(environ or {})},
                cwd=log.parent,
            )

    def __enter__(self) -> WorkerProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def pid(self) -> int:
        return self.process.pid

    def log(self, characters: int = 6000) -> str:
        return self._log.read_text(errors="replace")[-characters:]

    def check(self) -> None:
        """AssertionError with the end of the log if the process has ended."""
        if self.process.poll() is not None:
            raise AssertionError(f"penstock ended with {self.process.returncode}:\n{self.log()}")

    def kill(self) -> None:
        """SIGKILL, as a crash would be."""
        self.process.kill()
        self.process.wait()

    def stop(self, timeout: float = PATIENCE_S) -> int:
        """SIGTERM; the exit code. AssertionError if it is still there after `timeout` seconds."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"penstock did not stop within {timeout:g} s:\n{self.log()}") from None

    def call(self, method: str, path: str, body: Any = None, *, authorization: str | None = None) -> tuple[int, Any]:
        """One REST call: status and parsed answer. OSError if nobody listens. An empty `authorization` sends none."""
        known = self._authorization if authorization is None else authorization
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        request = urllib.request.Request(
            self.rest + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers=headers | ({"Authorization": known} if known else {}),
        )
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_S / 2) as answer:
                return answer.status, json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read() or b"null")

    def text(self, path: str) -> str:
        """Return the answer to a GET whatever it is made of, such as the metrics."""
        headers = {"Authorization": self._authorization} if self._authorization else {}
        request = urllib.request.Request(self.rest + path, headers=headers)
        with urllib.request.urlopen(request, timeout=PATIENCE_S / 2) as answer:
            return str(answer.read().decode())

    def wait_ready(self, path: str = "/connectors", timeout: float = PATIENCE_S) -> WorkerProcess:
        """Until the REST API answers `path`."""
        deadline = time.monotonic() + timeout
        while True:
            self.check()
            try:
                if self.call("GET", path)[0] == 200:
                    return self
            except (OSError, ValueError):
                pass  # not listening yet
            if time.monotonic() > deadline:
                raise AssertionError(f"{self.rest} did not answer within {timeout:g} s:\n{self.log()}")
            time.sleep(0.05)

    def wait_running(self, connector: str, timeout: float = PATIENCE_S) -> None:
        """Until the connector and at least one task are RUNNING. AssertionError at once if something is FAILED."""
        deadline = time.monotonic() + timeout
        while True:
            self.check()
            code, status = self.call("GET", f"/connectors/{connector}/status")
            if code == 200:
                parts = [status["connector"], *status["tasks"]]
                states = {part["state"] for part in parts}
                if "FAILED" in states:
                    raise AssertionError(f"{connector}: {json.dumps(status, indent=1)}\n{self.log()}")
                if states == {"RUNNING"} and len(parts) > 1:
                    return
            if time.monotonic() > deadline:
                raise AssertionError(f"{connector} is not running after {timeout:g} s: {status}\n{self.log()}")
            time.sleep(0.05)
