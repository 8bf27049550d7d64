"""MariaDB and PostgreSQL of our own: processes in a temporary directory, on free ports of the loopback."""

import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import pytest
from tests.authority import Authority

from kilonova.kit.db.engine import Database, DatabaseOptions
from kilonova.kit.errors import KilonovaError

PATIENCE = 60.0
_PROGRAMS = "/usr/sbin:/usr/local/sbin:/usr/lib/postgresql/{version}/bin"


class PrivateServer:
    """A database server that ends with the test session; ``url("")`` is for making databases."""

    name: str

    def __init__(self, folder: Path, command: Sequence[str], port: int, user: str | None) -> None:
        self.port = port
        self.folder = folder
        self._log = folder / f"{self.name}.log"
        with self._log.open("w") as output:
            self._process = subprocess.Popen(command, stdout=output, stderr=output, user=user, cwd=folder)

    def url(self, database: str) -> str:
        raise NotImplementedError

    def create(self, database: str) -> None:
        """An empty database, made as an operator who trusts the server's defaults would make it."""
        raise NotImplementedError

    def wait(self) -> Self:
        """Until it answers; fails the test with the end of its log when it never does."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and self._process.poll() is None:
            try:
                self.execute("SELECT 1")
            except KilonovaError:
                time.sleep(0.1)
            else:
                return self
        self.stop()
        raise AssertionError(f"{self.name} did not start:\n{self._log.read_text()[-2000:]}")

    def execute(self, statement: str) -> None:
        database = Database(DatabaseOptions(connection=self.url("")))
        try:
            with database.read() as connection:
                connection.exec_driver_sql(statement)
        finally:
            database.dispose()

    def stop(self) -> None:
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(10)


class MariaDb(PrivateServer):
    name = "mariadb"

    @classmethod
    def start(cls, folder: Path) -> Self:
        install, daemon = _program("mariadb-install-db"), _program("mariadbd")
        user, data, port = _user("mysql", folder), folder / "mariadb", free_port()
        data.mkdir()
        _user("mysql", data)
        given = ["--no-defaults", f"--datadir={data}", f"--user={user or pwd.getpwuid(os.geteuid()).pw_name}"]
        with (folder / "install.log").open("w") as log:
            quick = ["--auth-root-authentication-method=normal", "--skip-test-db"]
            subprocess.run([install, *given, *quick], check=True, stdout=log, stderr=log, cwd=folder)
        fast = ["--innodb-flush-log-at-trx-commit=0", "--skip-log-bin", "--max-connections=500", "--skip-name-resolve"]
        where = [
            f"--port={port}",
            f"--socket={folder}/m.sock",
            "--bind-address=127.0.0.1",
            f"--pid-file={folder}/m.pid",
        ]
        # The folk memory of how MySQL compares texts: what a server's defaults may be, ours must not depend on it.
        words = ["--character-set-server=utf8mb4", "--collation-server=utf8mb4_general_ci"]
        made = cls(folder, [daemon, *given, *where, *words, *fast, *_offering_tls(folder)], port, None)
        return made.wait()

    def url(self, database: str) -> str:
        return f"mysql+pymysql://root@127.0.0.1:{self.port}/{database}"

    def create(self, database: str) -> None:
        self.execute(f"CREATE DATABASE {database}")


def _offering_tls(folder: Path) -> list[str]:
    """Whoever wants it finds the authority in ``folder/tls/ca-cert.pem``."""
    where = folder / "tls"
    where.mkdir(mode=0o755)
    certificate, key = Authority(where).sign("server", "127.0.0.1")
    key.chmod(0o644)  # of an hour's worth, and the server is another user
    return [f"--ssl-ca={where}/ca-cert.pem", f"--ssl-cert={certificate}", f"--ssl-key={key}"]


class PostgreSql(PrivateServer):
    name = "postgresql"

    @classmethod
    def start(cls, folder: Path) -> Self:
        install, daemon = _program("initdb"), _program("postgres")
        user, data, port = _user("postgres", folder), folder / "postgresql", free_port()
        data.mkdir()
        _user("postgres", data)
        command = [
            install,
            "-D",
            str(data),
            "-U",
            "root",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--no-sync",
            *_language(install),
        ]
        with (folder / "install.log").open("w") as log:
            subprocess.run(command, check=True, stdout=log, stderr=log, user=user, cwd=folder)
        settings = [f"port={port}", "listen_addresses=127.0.0.1", f"unix_socket_directories={folder}", "fsync=off"]
        options = [part for setting in (*settings, "max_connections=300") for part in ("-c", setting)]
        return cls(folder, [daemon, "-D", str(data), *options], port, user).wait()

    def url(self, database: str) -> str:
        return f"postgresql://root@127.0.0.1:{self.port}/{database or 'postgres'}"

    def create(self, database: str) -> None:
        self.execute(f"CREATE DATABASE {database}")


def _language(install: str) -> list[str]:
    """A server that sorts as people do, where it can: ours must not depend on it."""
    version = subprocess.run([install, "--version"], check=True, capture_output=True, text=True).stdout
    number = int("".join(c for c in version.split()[-1].split(".")[0] if c.isdigit()) or 0)
    knows_icu = number >= 15  # the first version whose databases may sort by ICU
    return ["--locale=C.UTF-8", *(["--locale-provider=icu", "--icu-locale=en-US"] if knows_icu else [])]


def _program(name: str) -> str:
    versions = sorted(Path("/usr/lib/postgresql").glob("*"), key=lambda path: path.name)
    folders = [os.environ.get("PATH", ""), *(_PROGRAMS.format(version=v.name) for v in versions[-1:]), "/usr/sbin"]
    found = shutil.which(name, path=os.pathsep.join(folders))
    if found is None:
        pytest.skip(f"{name} is not installed (packages mariadb-server, postgresql)")
    return found


def _user(name: str, folder: Path) -> str | None:
    """Neither server runs as root; the folder is its user's then."""
    if os.geteuid() != 0:
        return None
    try:
        found = pwd.getpwnam(name)
    except KeyError:
        pytest.skip(f"there is no user {name} for a server that must not run as root")
    os.chown(folder, found.pw_uid, found.pw_gid)
    return name


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
