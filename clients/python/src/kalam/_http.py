"""HTTP by http.client: connections that are kept, one for each request under way."""

from __future__ import annotations

import gzip
import http.client
import select
import socket
import ssl
import threading
import time
from typing import Any

from . import errors
from ._core import Reply, Send
from ._options import Options

_PIECE = 1 << 20
IDLE = 60.0  # Seconds after which a connection is not used again.


class Connection(http.client.HTTPConnection):
    """A connection with a deadline, of http and https alike."""

    def __init__(self, options: Options, context: ssl.SSLContext | None) -> None:
        super().__init__(options.host, options.port)
        self._context = context
        self.used = 0.0
        self.cancelled = False

    def connect(self) -> None:
        super().connect()
        if self._context is not None:
            self.sock = self._context.wrap_socket(self.sock, server_hostname=self.host)

    def limit(self, deadline: float | None) -> None:
        """Bounds the next wait by what is left until the deadline."""
        left = None
        if deadline is not None:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
        self.timeout: Any = left
        if self.sock is not None:
            self.sock.settimeout(left)

    def stale(self) -> bool:
        """Reports whether the server may have closed the connection."""
        if self.sock is None or time.monotonic() - self.used > IDLE:
            return True
        if not hasattr(select, "poll"):
            return bool(select.select([self.sock], [], [], 0)[0])
        poll = select.poll()
        poll.register(self.sock, select.POLLIN)
        return bool(poll.poll(0))  # Nothing may come without a request.

    def cut(self) -> None:
        """Ends what waits on the connection, from any thread."""
        self.cancelled = True
        if self.sock is not None:
            try:
                self.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # It is closed already.


class Pool:
    """The connections of a client. It is safe for concurrent use."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self._context = options.tls_context()
        self._lock = threading.Lock()  # Guards the fields below.
        self._idle: list[Connection] = []
        self._busy: set[Connection] = set()
        self._closed = False

    def close(self) -> None:
        """Closes idle connections; later requests fail."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for c in idle:
            c.close()

    def cancel(self) -> None:
        """Ends the requests under way."""
        with self._lock:
            for c in self._busy:
                c.cut()

    def _take(self) -> Connection:
        with self._lock:
            if self._closed:
                raise errors.InterfaceError("the client is closed")
            c = self._idle.pop() if self._idle else Connection(self.options, self._context)
            self._busy.add(c)
        if c.sock is not None and c.stale():
            c.close()
        return c

    def _give(self, c: Connection, keep: bool) -> None:
        with self._lock:
            self._busy.discard(c)
            keep = keep and not self._closed and not c.cancelled
            if keep:
                c.used = time.monotonic()
                self._idle.append(c)
        if not keep:
            c.close()

    def send(self, op: Send, deadline: float | None) -> Reply:
        """Makes one request. Whatever ends it but its answer closes the connection, by which the
        server knows that the statement is not wanted any more."""
        c = self._take()
        keep = False
        try:
            try:
                c.limit(deadline)
                if c.sock is None:
                    c.connect()
                if c.cancelled:
                    raise OSError
            except (OSError, TimeoutError) as e:
                raise self._failed(c, e, unsent=True) from e
            try:
                reply, keep = self._exchange(c, op, deadline)
            except (OSError, http.client.HTTPException) as e:
                raise self._failed(c, e, unsent=False) from e
        finally:
            self._give(c, keep)
        return reply

    def _exchange(self, c: Connection, op: Send, deadline: float | None) -> tuple[Reply, bool]:
        c.limit(deadline)
        try:
            c.request(op.method, self.options.prefix + op.path, op.body, op.headers)
        except (BrokenPipeError, ConnectionResetError):
            if c.sock is None:
                raise
            # It may have answered before it had read all, that the body is too large for instance.
        r = c.getresponse()
        pieces = []
        while True:
            c.limit(deadline)
            piece = r.read(_PIECE)
            if not piece:
                break
            pieces.append(piece)
        if r.length:  # http.client tells of a body that breaks off in pieces only by this.
            raise http.client.IncompleteRead(b"", r.length)
        body = unpack(b"".join(pieces), r.getheader("Content-Encoding"))
        return Reply(r.status, r.getheader("Content-Type") or "", body), not r.will_close

    def _failed(self, c: Connection, e: Exception, unsent: bool) -> errors.Error:
        if c.cancelled:
            return errors.Cancelled("the request was cancelled")
        if isinstance(e, TimeoutError):
            return errors.Timeout(f"Timeout: no answer of {self.options.url} in time")
        failed = errors.ConnectionFailed(f"cannot reach {self.options.url}: {e or type(e).__name__}")
        failed.unsent = unsent
        return failed


def unpack(body: bytes, encoding: str | None) -> bytes:
    """Undoes the content encoding of a body."""
    if encoding == "gzip":
        try:
            return gzip.decompress(body)
        except (OSError, EOFError) as e:
            raise errors.ProtocolError(f"an answer that cannot be decompressed: {e}") from e
    return body
