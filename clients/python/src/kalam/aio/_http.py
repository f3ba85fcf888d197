"""HTTP/1.1 on the streams of asyncio: connections that are kept, one for each request under way."""

from __future__ import annotations

import asyncio
import dataclasses
import http.client
import io
import ssl
import time

from .. import errors
from .._core import Reply, Send
from .._http import IDLE, unpack
from .._options import Options

_HEAD = 1 << 16  # Bytes that the head of an answer may have.


@dataclasses.dataclass
class Connection:
    """A connection to the server."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    used: float = 0.0

    def stale(self) -> bool:
        """Reports whether the server may have closed the connection."""
        return self.reader.at_eof() or self.writer.is_closing() or time.monotonic() - self.used > IDLE

    def abort(self) -> None:
        """Closes the connection at once."""
        self.writer.transport.abort()


class Pool:
    """The connections of a client, of one event loop."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self._context = options.tls_context()
        self._idle: list[Connection] = []
        self._closed = False

    async def close(self) -> None:
        """Closes idle connections; later requests fail."""
        self._closed = True
        idle, self._idle = self._idle, []
        for c in idle:
            c.writer.close()
        for c in idle:
            try:
                await c.writer.wait_closed()
            except OSError:
                pass  # It is closed either way.

    async def _take(self) -> Connection:
        if self._closed:
            raise errors.InterfaceError("the client is closed")
        while self._idle:
            c = self._idle.pop()
            if not c.stale():
                return c
            c.abort()
        try:
            reader, writer = await asyncio.open_connection(
                self.options.host, self.options.port, ssl=self._context, limit=_HEAD
            )
        except (OSError, ssl.SSLError) as e:
            failed = self._failed(e)
            failed.unsent = True
            raise failed from e
        return Connection(reader, writer)

    async def send(self, op: Send) -> Reply:
        """Makes one request. Whatever ends it but its answer, cancellation too, closes the connection, by
        which the server knows that the statement is not wanted any more."""
        c = await self._take()
        keep = False
        try:
            reply, keep = await self._exchange(c, op)
        except (OSError, EOFError, http.client.HTTPException, ValueError, asyncio.LimitOverrunError) as e:
            raise self._failed(e) from e
        finally:
            if keep and not self._closed:
                c.used = time.monotonic()
                self._idle.append(c)
            else:
                c.abort()
        return reply

    def _failed(self, e: Exception) -> errors.ConnectionFailed:
        return errors.ConnectionFailed(f"cannot reach {self.options.url}: {e or type(e).__name__}")

    async def _exchange(self, c: Connection, op: Send) -> tuple[Reply, bool]:
        body = op.body or b""
        lines = [f"{op.method} {self.options.prefix}{op.path} HTTP/1.1", f"Host: {self.options.authority}"]
        lines += [f"{name}: {value}" for name, value in op.headers.items()]
        lines.append(f"Content-Length: {len(body)}\r\n\r\n")
        c.writer.write("\r\n".join(lines).encode("ascii") + body)
        try:
            await c.writer.drain()
        except (BrokenPipeError, ConnectionResetError):
            pass  # It may have answered before it had read all, that the body is too large for instance.
        while True:
            status, headers, version = await self._head(c)
            if status >= 200:
                break
        text, delimited = await self._body(c, status, headers)
        keep = delimited and version == "HTTP/1.1" and (headers.get("Connection") or "").lower() != "close"
        text = unpack(text, headers.get("Content-Encoding"))
        return Reply(status, headers.get("Content-Type") or "", text), keep

    @staticmethod
    async def _head(c: Connection) -> tuple[int, http.client.HTTPMessage, str]:
        head = await c.reader.readuntil(b"\r\n\r\n")
        first, _, rest = head.partition(b"\r\n")
        version, _, status = first.decode("latin-1").partition(" ")
        if not version.startswith("HTTP/1.") or not status[:3].isdigit():
            raise http.client.BadStatusLine(first.decode("latin-1")[:100])
        return int(status[:3]), http.client.parse_headers(io.BytesIO(rest)), version

    @staticmethod
    async def _body(c: Connection, status: int, headers: http.client.HTTPMessage) -> tuple[bytes, bool]:
        """Reads a body; the bool says whether its end was marked."""
        if status in (204, 304):
            return b"", True
        if (headers.get("Transfer-Encoding") or "").lower() == "chunked":
            pieces = []
            while True:
                line = await c.reader.readuntil(b"\r\n")
                size = int(line.split(b";")[0], 16)
                if size == 0:
                    break
                pieces.append(await c.reader.readexactly(size))
                await c.reader.readexactly(2)
            while await c.reader.readuntil(b"\r\n") != b"\r\n":
                pass  # A trailer.
            return b"".join(pieces), True
        length = headers.get("Content-Length")
        if length is not None:
            return await c.reader.readexactly(int(length)), True
        return await c.reader.read(), False
