"""Live queries of the synchronous client."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

import websockets.exceptions
from websockets.sync.client import ClientConnection
from websockets.sync.client import connect as dial

from . import _params, errors
from ._core import Sleep
from ._live import Emit, Get, Loop, Open, Put, Shut
from ._rows import Rows
from ._subscription import Lost, Subscription
from ._websocket import LOGGER, MAX_FRAME, QUEUE, close_of, refused
from .events import Event
from .result import Column

if TYPE_CHECKING:
    from .client import Client


class Live:
    """A live query: iterate over it for its events. It is read by one thread, and closed by any.

    The iteration ends when the live query is closed, and by an exception when the server ended it or
    could not be reached again.
    """

    def __init__(self, client: Client, sql: str, params: Sequence[Any], *, states: bool, **options: Any) -> None:
        self._client = client
        self._subscription = Subscription(sql, _params.encode(params), **options)
        self._loop = Loop(client._core, self._subscription)
        self._steps = self._loop.run()
        self._states = states
        self._socket: ClientConnection | None = None
        self._connection = contextlib.ExitStack()  # Closes the socket.
        self._closed = threading.Event()
        self._op: Any = None  # The operation under way, kept when a wait for it ended.
        self._first: Event | None = None
        self._deadline: float | None = None

    @property
    def sql(self) -> str:
        """The query."""
        return self._subscription.sql

    @property
    def columns(self) -> list[Column]:
        """The columns of the rows; they change with ALTER TABLE."""
        return self._subscription.columns

    @property
    def last_seq(self) -> int:
        """The seq up to which every change was handed over, for ``from_seq`` of a later live query; 0 when
        it is not known yet."""
        return self._loop.last_seq

    def open(self) -> None:
        """Connects and waits for the acknowledgement."""
        self._client._live.add(self)
        timeout = self._client._options.timeout
        try:
            self._first = self._next(None if timeout is None else time.monotonic() + timeout)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Live:
        return self

    def __exit__(self, kind: type[BaseException] | None, e: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def __iter__(self) -> Iterator[Event]:
        return self

    def __next__(self) -> Event:
        event = self.get()
        if event is None:
            raise StopIteration
        return event

    def get(self, timeout: float | None = None) -> Event | None:
        """Waits for the next event; None when the live query was closed.

        Raises Timeout when there is none in ``timeout`` seconds; the live query goes on then.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            event, self._first = self._first, None
            event = event or self._next(deadline)
            if event is None or self._states or not event.is_state:
                return event

    def close(self) -> None:
        """Ends the live query. It never fails and may be called more than once."""
        self._closed.set()
        self._client._live.discard(self)
        self._shut()

    def _shut(self) -> None:
        self._socket = None
        self._connection.close()

    def _next(self, deadline: float | None) -> Event | None:
        """Goes on with the loop up to its next event."""
        self._deadline = deadline
        if self._closed.is_set():
            return None
        try:
            op = self._op or next(self._steps)
            while not isinstance(op, Emit):
                try:
                    value = self._perform(op)
                except _Idle:
                    self._op = op
                    raise errors.Timeout("Timeout: no event in time") from None
                except Exception as e:
                    op = self._steps.throw(e)
                else:
                    op = self._steps.send(value)
                if self._closed.is_set():
                    return None
        except BaseException as e:
            if self._closed.is_set() and isinstance(e, Exception):
                return None
            if not isinstance(e, errors.Timeout) or self._op is None:
                self.close()
            raise
        self._op = None
        return op.event

    def _perform(self, op: Any) -> Any:
        self._op = None
        if isinstance(op, Get):
            return self._receive()
        if isinstance(op, Put):
            return self._send(op.text)
        if isinstance(op, Open):
            return self._open(op)
        if isinstance(op, Shut):
            return self._shut()
        if isinstance(op, Sleep):
            return self._sleep(op)
        from .client import Driver  # For the requests of a login.

        timeout = self._client._options.timeout
        try:
            return Driver(self._client, None if timeout is None else time.monotonic() + timeout)(op)
        except errors.Timeout as e:
            raise errors.ConnectionFailed(e.message) from e

    def _left(self) -> float | None:
        """Returns the seconds until the reader no longer waits."""
        return None if self._deadline is None else max(self._deadline - time.monotonic(), 0)

    def _sleep(self, op: Sleep) -> None:
        left = self._left()
        if left is None or left >= op.seconds:
            self._closed.wait(op.seconds)
            return
        self._closed.wait(left)
        op.seconds -= left
        raise _Idle

    def _open(self, op: Open) -> None:
        self._shut()
        options = self._client._options
        limit, left = options.timeout, self._left()
        ours = left is not None and (limit is None or left < limit)  # The reader has less time than a connection.
        try:
            manager = dial(
                op.url,
                additional_headers=op.headers,
                ssl=options.tls_context(),
                compression=None,
                proxy=None,
                open_timeout=left if ours else limit,
                close_timeout=1,
                ping_interval=options.ping_interval,
                ping_timeout=options.ping_timeout,
                max_size=MAX_FRAME,
                max_queue=QUEUE,
                logger=LOGGER,
            )
            self._socket = self._connection.enter_context(manager)
        except (OSError, TimeoutError, websockets.exceptions.WebSocketException) as e:
            if isinstance(e, TimeoutError) and ours:
                raise _Idle from None
            raise refused(options.url, e) from e
        if self._closed.is_set():
            self._shut()

    def _send(self, text: str) -> None:
        socket = self._socket
        if socket is None:
            raise Lost(errors.ConnectionFailed("the connection was closed"))
        try:
            socket.send(text)
        except websockets.exceptions.ConnectionClosed as e:
            raise close_of(e) from e

    def _receive(self) -> Any:
        socket = self._socket
        if socket is None:
            raise Lost(errors.ConnectionFailed("the connection was closed"))
        try:
            return socket.recv(self._left())
        except websockets.exceptions.ConnectionClosed as e:
            raise close_of(e) from e
        except TimeoutError:
            raise _Idle from None


class _Idle(Exception):
    """No frame came in the time that the reader gives."""


class LiveRows:
    """The present result of a live query: iterate over it for the rows after each change."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._rows = Rows()

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The rows as they were last seen."""
        return self._rows.rows

    def __enter__(self) -> LiveRows:
        return self

    def __exit__(self, kind: type[BaseException] | None, e: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def __iter__(self) -> Iterator[list[dict[str, Any]]]:
        for event in self._live:
            if self._rows.take(event, self._live.columns):
                yield self._rows.rows

    def close(self) -> None:
        """Ends the live query."""
        self._live.close()
