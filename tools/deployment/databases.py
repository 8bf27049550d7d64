"""MariaDB servers of our own beside the companion services': a second cell's, or the nodes of a Galera cluster."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pymysql

PASSWORD = "dbrootpass"
_START_SECONDS = 120


class DatabaseWontStart(Exception):
    """The server ended or does not answer; the message has the end of its log."""


@dataclass
class MariaDb:
    """One server on loopback, as user ``mysql``; root may log in from this machine with ``PASSWORD``."""

    port: int
    options: Sequence[str] = ()
    directory: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="kilonova-database-")))
    """Reached by a user who is not root; removed by ``discard``."""
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def url(self, database: str) -> str:
        """For SQLAlchemy."""
        return f"mysql+pymysql://root:{PASSWORD}@127.0.0.1:{self.port}/{database}?charset=utf8mb4"

    def install(self) -> None:
        """A new data directory."""
        data = self.directory / "data"
        data.mkdir()
        for folder in (self.directory, data):
            shutil.chown(folder, "mysql", "mysql")
        words = ["--no-defaults", f"--datadir={data}", "--user=mysql", "--skip-test-db"]
        subprocess.run(["mariadb-install-db", *words], check=True, capture_output=True)
        login = f"GRANT ALL ON *.* TO 'root'@'127.0.0.1' IDENTIFIED BY '{PASSWORD}' WITH GRANT OPTION;\n"
        first = self.directory / "first.sql"
        first.write_text(login + login.replace("127.0.0.1", "localhost"))
        first.chmod(0o644)

    def start(self, *more: str, wait: bool = True) -> None:
        """Raises DatabaseWontStart."""
        words = [
            f"--datadir={self.directory / 'data'}",
            f"--socket={self.directory / 'socket'}",
            f"--pid-file={self.directory / 'pid'}",
            f"--port={self.port}",
            f"--init-file={self.directory / 'first.sql'}",
            *("--bind-address=127.0.0.1", "--user=mysql", "--skip-name-resolve", "--innodb-buffer-pool-size=64M"),
            *("--max-connections=500", "--innodb-flush-log-at-trx-commit=2"),
        ]
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(
                ["mariadbd", "--no-defaults", *words, *self.options, *more],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        if wait:
            self.wait()

    def wait(self) -> None:
        """Until it answers. Raises DatabaseWontStart."""
        deadline = time.monotonic() + _START_SECONDS
        while not self.answers():
            if self.process is None or self.process.poll() is not None or time.monotonic() > deadline:
                raise DatabaseWontStart((self.directory / "log").read_text(errors="replace")[-2000:])
            time.sleep(0.2)

    def answers(self) -> bool:
        """Does it take statements (of a cluster: is it in step)?"""
        try:
            self.execute("SELECT count(*) FROM information_schema.schemata")
        except pymysql.Error:
            return False
        return True

    def execute(self, *statements: str) -> list[tuple[object, ...]]:
        """Rows of the last one."""
        connection = pymysql.connect(host="127.0.0.1", port=self.port, user="root", password=PASSWORD, autocommit=True)
        try:
            with connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)
                return list(cursor.fetchall())
        finally:
            connection.close()

    def discard(self) -> None:
        """Stopped, its data forgotten."""
        self.stop(signal.SIGKILL)
        shutil.rmtree(self.directory)

    def stop(self, number: int = signal.SIGTERM) -> None:
        """With this signal, and for good."""
        process, self.process = self.process, None
        if process is None:
            return
        os.kill(process.pid, number)
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
