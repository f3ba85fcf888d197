"""Live queries of the client for asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Generator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

import websockets.exceptions
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as dial

from .. import _params, errors
from .._core import Sleep
from .._live import Emit, Get, Loop, Open, Put, Shut
from .._rows import Rows
from .._subscription import Lost, Subscription
from .._websocket import LOGGER, MAX_FRAME, QUEUE, close_of, refused
from ..events import Event
from ..result import Column

if TYPE_CHECKING:
    from .client import Client


class Live:
    """A live query: ``async for`` gives its events. One task reads it; any may close it.

    The iteration ends when the live query is closed, and by an exception when the server ended it or could not be
    reached again. A wait for an event may be cancelled, by ``asyncio.timeout`` for instance: nothing is lost.
    """

    def __init__(self, client: Client, sql: str, params: Sequence[Any], *, states: bool, **options: Any) -> None:
        self._client = client
        self._subscription = Subscription(sql, _params.encode(params), **options)
        self._loop = Loop(client._core, self._subscription)
        self._steps = self._loop.run()
        self._states = states
        self._socket: ClientConnection | None = None
        self._closed = False
        self._op: Any = None  # The operation under way, kept when the wait for it was cancelled.
        self._task: asyncio.Task[Any] | None = None  # What carries it out, unless it is Get.
        self._first: Event | None = None

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

    def __await__(self) -> Generator[Any, None, Live]:
        return self._entered().__await__()

    async def _entered(self) -> Live:
        """Connects and waits for the acknowledgement."""
        if not self._subscription.started:
            timeout = self._client._options.timeout
            try:
                self._first = await asyncio.wait_for(self._next(), timeout)
            except (asyncio.TimeoutError, TimeoutError) as e:
                await self.close()
                if isinstance(e, errors.Timeout):
                    raise
                raise errors.Timeout(f"Timeout: no acknowledgement in {timeout} s") from None
            except BaseException:
                await self.close()
                raise
        return self

    async def __aenter__(self) -> Live:
        return await self._entered()

    async def __aexit__(
        self, kind: type[BaseException] | None, e: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.close()

    def __aiter__(self) -> AsyncIterator[Event]:
        return self

    async def __anext__(self) -> Event:
        if not self._closed:
            await self._entered()
        while True:
            event, self._first = self._first, None
            event = event or await self._next()
            if event is None:
                raise StopAsyncIteration
            if self._states or not event.is_state:
                return event

    async def close(self) -> None:
        """Ends the live query. It never fails and may be called more than once."""
        self._closed = True
        self._client._live.discard(self)
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        await self._shut()

    async def _shut(self) -> None:
        socket, self._socket = self._socket, None
        if socket is not None:
            await socket.close()

    async def _next(self) -> Event | None:
        """Goes on with the loop up to its next event."""
        if self._closed:
            return None
        self._client._live.add(self)
        try:
            op = self._op or next(self._steps)
            while not isinstance(op, Emit):
                self._op = op
                try:
                    value = await self._perform(op)
                except Exception as e:
                    op = self._steps.throw(e)
                else:
                    op = self._steps.send(value)
                if self._closed:
                    return None
        except asyncio.CancelledError:
            if self._closed:
                return None  # It was the operation that close has cancelled.
            raise  # The operation goes on.
        except BaseException:
            closed = self._closed
            await self.close()
            if closed:
                return None
            raise
        self._op = None
        return op.event

    async def _perform(self, op: Any) -> Any:
        """Carries out an operation. When that is cancelled the same operation is performed again later:
        waiting for a frame is begun anew, everything else has gone on."""
        if isinstance(op, Get):
            return await self._receive()
        if self._task is None:
            self._task = asyncio.ensure_future(self._act(op))
        task = self._task
        try:
            value = await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                self._task = None
            raise  # The task stays, done or not: its result is taken by the next wait.
        except BaseException:
            self._task = None
            raise
        self._task = None
        return value

    async def _act(self, op: Any) -> Any:
        if isinstance(op, Put):
            return await self._send(op.text)
        if isinstance(op, Open):
            return await self._open(op)
        if isinstance(op, Shut):
            return await self._shut()
        if isinstance(op, Sleep):
            return await asyncio.sleep(op.seconds)
        timeout = self._client._options.timeout
        try:
            return await asyncio.wait_for(self._client._perform(op), timeout)
        except asyncio.TimeoutError:
            raise errors.ConnectionFailed(f"no answer of {self._client._options.url} in {timeout} s") from None

    async def _open(self, op: Open) -> None:
        await self._shut()
        options = self._client._options
        try:
            self._socket = await dial(
                op.url,
                additional_headers=op.headers,
                ssl=options.tls_context(),
                compression=None,
                proxy=None,
                open_timeout=options.timeout,
                close_timeout=1,
                ping_interval=options.ping_interval,
                ping_timeout=options.ping_timeout,
                max_size=MAX_FRAME,
                max_queue=QUEUE,
                logger=LOGGER,
            )
        except (OSError, TimeoutError, asyncio.TimeoutError, websockets.exceptions.WebSocketException) as e:
            raise refused(options.url, e) from e

    async def _send(self, text: str) -> None:
        if self._socket is None:
            raise Lost(errors.ConnectionFailed("the connection was closed"))
        try:
            await self._socket.send(text)
        except websockets.exceptions.ConnectionClosed as e:
            raise close_of(e) from e

    async def _receive(self) -> Any:
        if self._socket is None:
            raise Lost(errors.ConnectionFailed("the connection was closed"))
        try:
            return await self._socket.recv()
        except websockets.exceptions.ConnectionClosed as e:
            raise close_of(e) from e


class LiveRows:
    """The present result of a live query: ``async for`` gives the rows after each change."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._rows = Rows()

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The rows as they were last seen."""
        return self._rows.rows

    async def __aenter__(self) -> LiveRows:
        await self._live
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, e: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.close()

    async def __aiter__(self) -> AsyncIterator[list[dict[str, Any]]]:
        async for event in self._live:
            if self._rows.take(event, self._live.columns):
                yield self._rows.rows

    async def close(self) -> None:
        """Ends the live query."""
        await self._live.close()
