"""Database servers for tests: PostgreSQL and MariaDB as Debian installs them, each with its data in a temporary folder.

A server's process cannot outlive the one that started it. Both refuse to run as root, so root starts them as a user
without rights.
"""

from __future__ import annotations

import atexit
import contextlib
import glob
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from penstock.testing.broker import watch

__all__ = ["DatabaseServer", "MariaDbServer", "PostgresServer", "ServerError"]


class ServerError(RuntimeError):
    """A database server could not be found or started; the message says what to install, or shows the end of its log."""


class DatabaseServer:
    """One server on 127.0.0.1. `start` blocks until it answers; `kill` ends it as a crash would, `start` takes its data up
    again; `close` ends it and removes its data. Not thread-safe."""

    title = ""
    user, password = "penstock", "secret"
    #: The unprivileged users to run as, the first that exists.
    users: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=f"penstock-{self.title.lower()}-"))
        self.port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._watchdog: subprocess.Popen[bytes] | None = None
        self._account = _account(self.users) if os.geteuid() == 0 else None
        if self._account is not None:
            self.folder.chmod(0o755)
            os.chown(self.folder, self._account.pw_uid, self._account.pw_gid)
        atexit.register(self.close)

    def command(self) -> list[str]:
        """Return the command line of the server."""
        raise NotImplementedError

    def prepare(self) -> None:
        """Make the data folder."""
        raise NotImplementedError

    def connect(self, database: str = "") -> Any:
        """Return a driver's connection that commits each statement."""
        raise NotImplementedError

    def start(self, timeout: float = 60) -> DatabaseServer:
        """Start the server and wait until it answers."""
        if not (self.folder / "data").exists():
            self.prepare()
        with (self.folder / "server.log").open("ab") as log:
            self._process = self._popen(self.command(), log)
        self._watchdog = watch(self._process.pid, self.folder)
        deadline = time.monotonic() + timeout
        while True:
            if self._process.poll() is not None:
                raise ServerError(f"{self.title} ended while starting:\n{self.log_tail()}")
            try:
                self.connect().close()
                return self
            except Exception:
                if time.monotonic() > deadline:
                    raise ServerError(f"{self.title} did not answer in time:\n{self.log_tail()}") from None
                time.sleep(0.1)

    def kill(self) -> None:
        """End the server at once; its data stays."""
        process, self._process = self._process, None
        watchdog, self._watchdog = self._watchdog, None
        if watchdog is not None:
            watchdog.kill()
            watchdog.wait()
            assert watchdog.stdin is not None
            watchdog.stdin.close()
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGCONT)
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def freeze(self) -> None:
        """Let the server hang: its sockets stay open, nothing answers."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen server go on."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGCONT)

    def close(self) -> None:
        """End the server and remove its data. May be called again."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
        atexit.unregister(self.close)

    def log_tail(self) -> str:
        """Return the end of the server's log."""
        with contextlib.suppress(FileNotFoundError):
            return (self.folder / "server.log").read_text(errors="replace")[-3000:]
        return ""

    def url(self, database: str) -> str:
        """Return the JDBC URL of a database."""
        raise NotImplementedError

    def settings(self, database: str) -> dict[str, str]:
        """Return the ``connection.*`` settings of a connector for a database."""
        return {
            "connection.url": self.url(database),
            "connection.user": self.user,
            "connection.password": self.password,
        }

    @contextlib.contextmanager
    def database(self) -> Iterator[str]:
        """Make a database of a name of its own, and drop it at the end of the block."""
        name = f"t{uuid.uuid4().hex[:12]}"
        self.execute(f"CREATE DATABASE {name}")
        try:
            yield name
        finally:
            self.drop(name)

    def drop(self, database: str) -> None:
        """Drop a database."""
        self.execute(f"DROP DATABASE IF EXISTS {database}")

    def execute(self, *statements: str, database: str = "") -> None:
        """Run statements, each committed."""
        connection = self.connect(database)
        try:
            for statement in statements:
                cursor = connection.cursor()
                cursor.execute(statement)
                cursor.close()
        finally:
            connection.close()

    def query(self, statement: str, database: str = "") -> list[tuple[Any, ...]]:
        """Return a query's rows."""
        connection = self.connect(database)
        try:
            cursor = connection.cursor()
            cursor.execute(statement)
            return list(cursor.fetchall())
        finally:
            connection.close()

    def __enter__(self) -> DatabaseServer:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    def run(self, command: list[str]) -> None:
        """Run a program of the server's to its end, as the server's user."""
        with (self.folder / "prepare.log").open("ab") as log:
            code = self._popen(command, log).wait(120)
        if code:
            shutil.rmtree(self.folder / "data", ignore_errors=True)
            raise ServerError(
                f"{command[0]} failed:\n{(self.folder / 'prepare.log').read_text(errors='replace')[-3000:]}"
            )

    def _popen(self, command: list[str], log: Any) -> subprocess.Popen[bytes]:
        account = self._account
        rights: dict[str, Any] = (
            {}
            if account is None
            else {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": [account.pw_gid]}
        )
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd=self.folder,
            env={**os.environ, "HOME": str(self.folder), "LC_ALL": "C.UTF-8", "TZ": "UTC"}, **rights,
        )  # fmt: skip


class PostgresServer(DatabaseServer):
    """PostgreSQL; the role ``penstock`` with the password ``secret`` owns everything."""

    title = "PostgreSQL"
    users = ("postgres", "nobody")

    def url(self, database: str) -> str:
        """Return the JDBC URL of a database."""
        return f"jdbc:postgresql://127.0.0.1:{self.port}/{database}"

    def prepare(self) -> None:
        password = self.folder / "password"
        password.write_text(self.password)
        if self._account is not None:
            os.chown(password, self._account.pw_uid, self._account.pw_gid)
        self.run([
            _program("initdb", "/usr/lib/postgresql/*/bin", "postgresql"), "-D", str(self.folder / "data"), "-U", self.user,
            "-A", "scram-sha-256", "--pwfile", str(password), "-E", "UTF8", "--locale", "C.UTF-8", "--no-sync",
        ])  # fmt: skip

    def command(self) -> list[str]:
        return [
            _program("postgres", "/usr/lib/postgresql/*/bin", "postgresql"), "-D", str(self.folder / "data"), "-p", str(self.port),
            "-c", "listen_addresses=127.0.0.1", "-k", str(self.folder), "-c", "fsync=off", "-c", "synchronous_commit=off",
            "-c", "full_page_writes=off", "-c", "max_connections=200", "-c", "timezone=UTC", "-c", "max_prepared_transactions=4",
        ]  # fmt: skip

    def connect(self, database: str = "", **options: Any) -> Any:
        import psycopg

        return psycopg.connect(
            host="127.0.0.1", port=self.port, user=self.user, password=self.password, dbname=database or "postgres",
            **{"autocommit": True, "connect_timeout": 5, **options},
        )  # fmt: skip

    def drop(self, database: str) -> None:
        self.execute(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")


class MariaDbServer(DatabaseServer):
    """MariaDB; the user ``penstock`` with the password ``secret`` may do everything."""

    title = "MariaDB"
    users = ("mysql", "nobody")

    def url(self, database: str) -> str:
        """Return the JDBC URL of a database."""
        return f"jdbc:mariadb://127.0.0.1:{self.port}/{database}"

    def prepare(self) -> None:
        self.run([
            _program("mariadb-install-db", "/usr/bin", "mariadb-server"), "--no-defaults", f"--datadir={self.folder / 'data'}",
            "--auth-root-authentication-method=normal", "--skip-test-db",
        ])  # fmt: skip
        init = self.folder / "init.sql"
        init.write_text(
            f"CREATE USER IF NOT EXISTS '{self.user}'@'%' IDENTIFIED BY '{self.password}';\n"
            f"GRANT ALL ON *.* TO '{self.user}'@'%' WITH GRANT OPTION;\n"
        )

    def command(self) -> list[str]:
        return [
            _program("mariadbd", "/usr/sbin", "mariadb-server"), "--no-defaults", f"--datadir={self.folder / 'data'}",
            f"--port={self.port}", "--bind-address=127.0.0.1", f"--socket={self.folder / 'mariadb.sock'}", "--skip-name-resolve",
            f"--init-file={self.folder / 'init.sql'}", "--innodb-flush-log-at-trx-commit=0", "--character-set-server=utf8mb4",
            f"--pid-file={self.folder / 'mariadb.pid'}", "--innodb-buffer-pool-size=64M", "--innodb-use-native-aio=0",
        ]  # fmt: skip

    def connect(self, database: str = "", **options: Any) -> Any:
        import pymysql

        return pymysql.connect(
            host="127.0.0.1", port=self.port, user=self.user, password=self.password, database=database or None,
            **{"autocommit": True, "connect_timeout": 5, **options},
        )  # fmt: skip


def _program(name: str, folders: str, package: str) -> str:
    found = shutil.which(name) or next(iter(sorted(glob.glob(f"{folders}/{name}"), reverse=True)), None)
    if found is None:
        raise ServerError(
            f"the tests' databases need '{name}', which is not there; install it (Debian, Ubuntu: apt-get install {package})"
        )
    return os.path.realpath(found)


def _account(names: tuple[str, ...]) -> pwd.struct_passwd:
    for name in names:
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise ServerError(f"root cannot run a database server, and there is none of the users {', '.join(names)}")


def _free_port() -> int:
    with contextlib.closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
