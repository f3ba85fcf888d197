"""The client for asyncio."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Generator, Iterable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from .. import _arrow, _batch, _params, _sql, errors
from .._batch import Statement
from .._core import Acquire, Call, Core, Send, Sleep, Steps
from .._options import Options, TokenSource, parse
from ..auth import Tokens
from ..result import Result
from ._http import Pool
from .live import Live, LiveRows

if TYPE_CHECKING:
    import ssl

    import pandas
    import pyarrow

T = TypeVar("T")
_CLIENT: Any = object()  # "As the client was told."


def connect(
    url: str,
    *,
    user: str = "",
    password: str = "",
    token: TokenSource | None = None,
    api_key: str = "",
    namespace: str | None = None,
    act_as: str = "",
    timeout: float | None = 30.0,
    max_retries: int = 3,
    max_reconnects: int | None = 10,
    first_wait: float = 0.1,
    longest_wait: float = 30.0,
    ping_interval: float = 9.0,
    ping_timeout: float = 5.0,
    compress: bool = False,
    ssl_context: ssl.SSLContext | None = None,
) -> Client:
    """Returns a client, which logs in when it is awaited or entered::

        async with kalam.aio.connect("http://localhost:8080", user="alice", password="...") as db:
            rows = await db.query("SELECT * FROM app.notes")

    The options are those of :func:`kalam.connect`; a function for ``token`` may be a coroutine function.
    """
    given = dict(locals())
    del given["url"]
    return Client(parse(url, given))


class Client:
    """Talks to one server as one user, in one event loop. Its tasks may use it at the same time.

    A request whose task is cancelled is cancelled on the server; a write was then done in full or not at all.
    Methods are those of :class:`kalam.Client`, to be awaited.
    """

    def __init__(self, options: Options, core: Core | None = None, pool: Pool | None = None) -> None:
        self._options = options
        self._lock = asyncio.Lock()
        self._core = core or Core(options, self._lock)
        self._pool = pool or Pool(options)
        self._namespace = options.namespace
        self._live: set[Live] = set()

    def __await__(self) -> Generator[Any, None, Client]:
        return self._entered().__await__()

    async def _entered(self) -> Client:
        try:
            await self.login()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aenter__(self) -> Client:
        return await self._entered()

    async def __aexit__(
        self, kind: type[BaseException] | None, e: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends the live queries and closes idle connections; later requests fail. It never fails."""
        for live in list(self._live):
            await live.close()
        await self._pool.close()

    @property
    def tokens(self) -> Tokens | None:
        """The tokens in use, for ``connect(token=...)``; None for a client that does not log in."""
        return self._core.tokens

    async def login(self, *, timeout: float | None = _CLIENT) -> None:
        """Logs in now instead of at the first request. It does nothing when that was done."""
        await self._run(self._core.login(), timeout)

    async def query(self, sql: str, *params: Any, timeout: float | None = _CLIENT) -> Result:
        """Runs a statement and returns its result, of several statements the last one's."""
        results = await self.query_all(sql, *params, timeout=timeout)
        return results[-1] if results else Result({})

    execute = query

    async def query_all(self, sql: str, *params: Any, timeout: float | None = _CLIENT) -> list[Result]:
        """Runs one or more statements and returns the result of each. Only one can have parameters."""
        body = _params.request(sql, params, self._namespace)
        return await self._run(self._core.execute(body, _sql.read_only(sql)), timeout)

    async def query_as(self, kind: type[T], sql: str, *params: Any, timeout: float | None = _CLIENT) -> list[T]:
        """Runs a statement and makes an object of each row, of a dataclass for instance."""
        return (await self.query(sql, *params, timeout=timeout)).into(kind)

    async def arrow(self, sql: str, *params: Any, timeout: float | None = _CLIENT) -> pyarrow.Table:
        """Runs one SELECT and returns its rows as a table of Arrow. It needs the package pyarrow."""
        body = _params.request(sql, params, self._namespace)
        return _arrow.table(await self._run(self._core.arrow(body, _sql.read_only(sql)), timeout))

    async def df(self, sql: str, *params: Any, timeout: float | None = _CLIENT) -> pandas.DataFrame:
        """Runs one SELECT and returns its rows as a DataFrame. It needs the packages pandas and pyarrow."""
        return _arrow.frame(await self.arrow(sql, *params, timeout=timeout))

    async def batch(
        self, statements: Iterable[Statement], *, transaction: bool = False, timeout: float | None = _CLIENT
    ) -> list[Result]:
        """Runs statements in one request: texts, or pairs of text and parameters; with ``transaction``
        all or nothing."""
        return await self._run_texts([_batch.text_of(s) for s in statements], transaction, timeout)

    async def _run_texts(self, texts: Sequence[str], transaction: bool, timeout: float | None) -> list[Result]:
        if not texts:
            return []
        try:
            results = await self.query_all(_batch.join(texts, transaction), timeout=timeout)
        except errors.Error as e:
            raise _batch.renumbered(e, texts, transaction) from e.__cause__
        return results[1:-1] if transaction else results

    def transaction(self, *, timeout: float | None = _CLIENT) -> Transaction:
        """Returns an ``async with`` block whose statements are collected, and done all or not at all at its
        end. See :meth:`kalam.Client.transaction`."""
        return Transaction(self, timeout)

    def live(
        self,
        sql: str,
        *params: Any,
        last_rows: int = 0,
        batch_size: int | None = None,
        from_seq: int = 0,
        buffer_size: int | None = None,
        states: bool = False,
    ) -> Live:
        """Returns a live query, for ``async for``. It connects, and waits for the acknowledgement, when it is
        awaited, entered or first read. See :meth:`kalam.Client.live`."""
        return Live(
            self, sql, params, last_rows=last_rows, batch_size=batch_size, from_seq=from_seq,
            buffer_size=buffer_size, states=states,
        )  # fmt: skip

    def live_rows(self, sql: str, *params: Any) -> LiveRows:
        """Returns a live query that keeps its result, for ``async for``. See :meth:`kalam.Client.live_rows`."""
        return LiveRows(self.live(sql, *params, last_rows=-1, states=True))

    async def health(self, *, timeout: float | None = _CLIENT) -> dict[str, Any]:
        """Returns how the server is: ``status``, ``version``, ``uptime_seconds`` and more."""
        return await self._run(self._core.health(), timeout)

    def using(self, namespace: str | None) -> Client:
        """Returns a client of the same connections and identity with another namespace."""
        other = Client(self._options, self._core, self._pool)
        other._lock, other._live, other._namespace = self._lock, self._live, namespace
        return other

    async def _run(self, steps: Steps[T], timeout: float | None) -> T:
        limit = self._options.timeout if timeout is _CLIENT else timeout
        try:
            return await asyncio.wait_for(run(steps, self._perform), limit)
        except (asyncio.TimeoutError, TimeoutError) as e:
            if isinstance(e, errors.Timeout):
                raise
            raise errors.Timeout(f"Timeout: no answer of {self._options.url} in {limit} s") from None

    async def _perform(self, op: Any) -> Any:
        if isinstance(op, Send):
            return await self._pool.send(op)
        if isinstance(op, Sleep):
            return await asyncio.sleep(op.seconds)
        if isinstance(op, Acquire):
            return await self._lock.acquire()
        assert isinstance(op, Call), op
        value = op.function()
        return await value if inspect.isawaitable(value) else value


async def run(steps: Steps[T], perform: Callable[[Any], Any]) -> T:
    """Carries out the steps of a generator and returns its result."""
    try:
        op = next(steps)
        while True:
            try:
                value = await perform(op)
            except BaseException as e:
                op = steps.throw(e)
            else:
                op = steps.send(value)
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]


class Transaction:
    """Statements that are done all or not at all. See :meth:`Client.transaction`."""

    def __init__(self, client: Client, timeout: float | None) -> None:
        self._client = client
        self._timeout = timeout
        self._texts: list[str] = []
        self.results: list[Result] = []

    def execute(self, sql: str, *params: Any) -> None:
        """Adds a statement. It is not awaited, because nothing is sent before the block ends."""
        self._texts.append(_batch.text_of((sql, params)))

    async def __aenter__(self) -> Transaction:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, e: BaseException | None, tb: TracebackType | None
    ) -> None:
        texts, self._texts = self._texts, []
        if kind is None:
            self.results = await self._client._run_texts(texts, True, self._timeout)
