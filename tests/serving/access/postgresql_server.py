"""A PostgreSQL server of Debian's binaries, in a folder of its own on a free port."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
from pathlib import Path

import psycopg

from tests.serving.local_stores import free_port, wait_until

BINARIES = Path("/usr/lib/postgresql")


def binaries() -> Path | None:
    """Return the folder of the newest installed server, None when there is none."""
    found = [path.parent for path in BINARIES.glob("*/bin/initdb")]
    return max(found, key=lambda path: float(path.parent.name), default=None)


class PostgresqlServer:
    """Starts in the constructor; `stop` at the end. PostgreSQL refuses to run as root: then it runs as `postgres`."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self.port = free_port()
        self._data = folder / "postgresql"
        self._data.mkdir()
        self._as: dict[str, str] = {}
        if os.geteuid() == 0:
            # The test folder belongs to root and is closed to others, so the data lies beside it.
            self._data = Path("/tmp") / f"postgresql-test-{self.port}"
            self._data.mkdir()
            owner = pwd.getpwnam("postgres")
            os.chown(self._data, owner.pw_uid, owner.pw_gid)
            self._as = {"user": "postgres", "group": "postgres", "extra_groups": []}
        run = [programs / "initdb", "-D", self._data, "-U", "tributary", "-A", "trust", "-E", "UTF8", "--no-sync"]
        subprocess.run(run, check=True, capture_output=True, cwd="/", **self._as)
        self._log = (folder / "postgresql.log").open("ab")
        settings = {"listen_addresses": "127.0.0.1", "port": self.port, "unix_socket_directories": "", "fsync": "off"}
        self.process = subprocess.Popen(
            [
                programs / "postgres",
                "-D",
                self._data,
                *(part for k, v in settings.items() for part in ("-c", f"{k}={v}")),
            ],
            stdout=self._log,
            stderr=self._log,
            cwd="/",
            **self._as,
        )
        self.url = f"postgresql://tributary@127.0.0.1:{self.port}/postgres"
        wait_until(self._answers, f"PostgreSQL on port {self.port}")

    def _answers(self) -> bool:
        assert self.process.poll() is None, "PostgreSQL ended"
        try:
            psycopg.connect(self.url, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def stop(self) -> None:
        """End all its processes and remove the data."""
        self.process.send_signal(signal.SIGINT)  # fast shutdown: connections are ended
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._log.close()
        shutil.rmtree(self._data)
