"""A real server for the tests, a proxy that cuts connections, and waiting without sleeping.

The server is the program that the environment variable KALAMD names, else kalamd of PATH.
"""

from __future__ import annotations

import os
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import kalam

ROOT_PASSWORD = "root-password-of-tests"
SECRET = "a secret of tests that has more than thirty-two bytes"


class Server:
    """A kalamd process over a directory of its own."""

    def __init__(self, directory: str) -> None:
        program = os.environ.get("KALAMD") or shutil.which("kalamd")
        assert program, "KALAMD must name the server's program: KALAMD=.../bin/kalamd pytest"
        self.log = open(Path(directory) / "log", "w+", encoding="utf-8")
        env = {
            **os.environ,
            "KALAM_ROOT_PASSWORD": ROOT_PASSWORD,
            "KALAM_AUTH_JWT_SECRET": SECRET,
            "KALAM_AUTH_BCRYPT_COST": "4",
            "KALAM_RATE_LIMIT_MAX_AUTH_REQUESTS_PER_IP_PER_SEC": "0",
        }
        self.process = subprocess.Popen(
            [program, "serve", "--data", str(Path(directory) / "data"), "--listen", "127.0.0.1:0"],
            env=env, cwd=directory, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.log, text=True,
        )  # fmt: skip
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        prefix = "kalamd ready on "
        assert line.startswith(prefix), f"kalamd does not start: {line!r}\n{self.output()}"
        self.url = line[len(prefix) :].strip()

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def output(self) -> str:
        self.log.seek(0)
        return self.log.read()

    def stop(self, kill: bool = False) -> None:
        if kill:
            self.process.kill()
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.log.close()

    def connect(self, user: str = "alice", **options) -> kalam.Client:
        return kalam.connect(self.url, user=user, password=password(user), **options)


def password(user: str) -> str:
    return ROOT_PASSWORD if user == "root" else f"{user}-password"


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    with tempfile.TemporaryDirectory(prefix="kalam-python-") as directory:
        s = Server(directory)
        try:
            with s.connect("root") as db:
                db.query("CREATE NAMESPACE app")
                for user, role in (("alice", "user"), ("bob", "user"), ("service", "service")):
                    db.query(f"CREATE USER '{user}' WITH PASSWORD '{password(user)}' ROLE {role}")
            yield s
        finally:
            s.stop()


@pytest.fixture
def root(server: Server) -> Iterator[kalam.Client]:
    with server.connect("root") as db:
        yield db


@pytest.fixture
def db(server: Server) -> Iterator[kalam.Client]:
    with server.connect() as client:
        yield client


_made = iter(range(1_000_000))


@pytest.fixture
def table(root: kalam.Client) -> Callable[[str], str]:
    """Makes tables of fresh names."""

    def make(columns: str = "id BIGINT PRIMARY KEY, n INT, body TEXT") -> str:
        name = f"app.t{next(_made)}"
        root.query(f"CREATE USER TABLE {name} ({columns})")
        return name

    return make


class Proxy:
    """Passes TCP on to a server. It can cut its connections, and lose answers."""

    def __init__(self, port: int) -> None:
        self.target = port
        self.accepted = 0
        self.lose = 0  # So many answers are cut off before their first byte.
        self.requests = 0
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            try:
                far = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                near.close()
                continue
            with self._lock:
                self._open |= {near, far}
            for pair in ((near, far, True), (far, near, False)):
                t = threading.Thread(target=self._pass, args=pair)
                self._threads.append(t)
                t.start()

    def _pass(self, source: socket.socket, sink: socket.socket, up: bool) -> None:
        try:
            while data := source.recv(1 << 16):
                if up:
                    self.requests += data.startswith((b"POST", b"GET"))
                elif self.lose > 0:
                    self.lose -= 1
                    break
                sink.sendall(data)
        except OSError:
            pass  # It was cut.
        for s in (source, sink):
            self._end(s)

    def _end(self, s: socket.socket) -> None:
        with self._lock:
            if s not in self._open:
                return
            self._open.discard(s)
        try:
            # With a reset, so that what is under way is lost.
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            s.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # The other side was faster.
        s.close()

    def cut(self) -> int:
        """Ends all connections and returns how many there were."""
        with self._lock:
            every = list(self._open)
        for s in every:
            self._end(s)
        return len(every) // 2

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._threads[0].join()
        self.cut()
        for t in self._threads:
            t.join()


@pytest.fixture
def proxy(server: Server) -> Iterator[Proxy]:
    p = Proxy(server.port)
    yield p
    p.close()


def eventually(what: str, ok: Callable[[], object]) -> None:
    """Waits until something without a signal is true."""
    deadline = time.monotonic() + 60
    while not ok():
        assert time.monotonic() < deadline, f"timed out waiting until {what}"
        time.sleep(0.001)
