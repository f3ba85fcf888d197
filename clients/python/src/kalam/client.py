"""The synchronous client."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from . import _arrow, _batch, _http, _params, _sql, errors
from ._batch import Statement
from ._core import Acquire, Call, Core, Send, Sleep, Steps
from ._options import Options, TokenSource, parse
from .auth import Tokens
from .live import Live, LiveRows
from .result import Result

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
    """Connects to a server as one user, and logs in.

    The identity is one of: ``user`` and ``password``; ``token``, an access token, the Tokens of an
    earlier login, or a function that returns either and is called when one is needed; ``api_key``.
    A token that has expired is renewed once for a request.

    ``namespace`` is that of names without one, ``act_as`` the user to act for. ``timeout`` bounds a
    request with its retries, in seconds; None is no limit. Only what surely did not reach the
    server, and statements that only read, are sent again, up to ``max_retries`` times.
    ``max_reconnects`` is how often in a row a live query connects again before it ends, None for
    ever; waits double from ``first_wait`` to ``longest_wait`` seconds. ``compress`` asks for gzip, which
    is of use over slow networks only.

    Raises InterfaceError, AuthenticationError, ConnectionFailed or Timeout.
    """
    given = dict(locals())
    del given["url"]
    client = Client(parse(url, given))
    try:
        client.login()
    except BaseException:
        client.close()
        raise
    return client


class Client:
    """Talks to one server as one user. It is safe for concurrent use by threads.

    ``params`` are the values of ``$1`` to ``$n``: None, bool, int, float, Decimal, str, bytes, datetime,
    date, time, UUID, dict (a JSON document), list, or :class:`kalam.Json`.
    """

    def __init__(self, options: Options, core: Core | None = None, pool: _http.Pool | None = None) -> None:
        self._options = options
        self._lock = threading.Lock()
        self._core = core or Core(options, self._lock)
        self._pool = pool or _http.Pool(options)
        self._namespace = options.namespace
        self._live: set[Live] = set()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: type[BaseException] | None, e: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Ends the live queries and closes idle connections; later requests fail. It never fails."""
        for live in list(self._live):
            live.close()
        self._pool.close()

    def cancel(self) -> None:
        """Ends the requests of all threads, which then raise Cancelled. A write that was under way was
        done in full or not at all."""
        self._pool.cancel()

    @property
    def tokens(self) -> Tokens | None:
        """The tokens in use, for ``connect(token=...)``; None for a client that does not log in."""
        return self._core.tokens

    def login(self, *, timeout: float | None = _CLIENT) -> None:
        """Logs in now instead of at the first request. It does nothing when that was done."""
        self._run(self._core.login(), timeout)

    def query(self, sql: str, *params: Any, timeout: float | None = _CLIENT) -> Result:
        """Runs a statement and returns its result, of several statements the last one's.

        When a statement fails, those before it stay in effect; the error has their ``results``.
        """
        results = self.query_all(sql, *params, timeout=timeout)
        return results[-1] if results else Result({})

    execute = query

    def query_all(self, sql: str, *params: Any, timeout: float | None = _CLIENT) -> list[Result]:
        """Runs one or more statements and returns the result of each. Only one can have parameters."""
        body = _params.request(sql, params, self._namespace)
        return self._run(self._core.execute(body, _sql.read_only(sql)), timeout)

    def query_as(self, kind: type[T], sql: str, *params: Any, timeout: float | None = _CLIENT) -> list[T]:
        """Runs a statement and makes an object of each row, of a dataclass for instance."""
        return self.query(sql, *params, timeout=timeout).into(kind)

    def arrow(self, sql: str, *params: Any, timeout: float | None = _CLIENT) -> pyarrow.Table:
        """Runs one SELECT and returns its rows as a table of Arrow. It needs the package pyarrow."""
        body = _params.request(sql, params, self._namespace)
        return _arrow.table(self._run(self._core.arrow(body, _sql.read_only(sql)), timeout))

    def df(self, sql: str, *params: Any, timeout: float | None = _CLIENT) -> pandas.DataFrame:
        """Runs one SELECT and returns its rows as a DataFrame. It needs the packages pandas and pyarrow.

        Columns of integers and booleans with NULLs have pandas' types for that, so that no digit is lost.
        """
        return _arrow.frame(self.arrow(sql, *params, timeout=timeout))

    def batch(
        self, statements: Iterable[Statement], *, transaction: bool = False, timeout: float | None = _CLIENT
    ) -> list[Result]:
        """Runs statements in one request: texts, or pairs of text and parameters.

        The parameters are put in as literals; a list as a list of SQL, for ``= ANY($1)``.
        With ``transaction`` it is all or nothing. Otherwise what precedes a failure stays. The error's
        ``statement`` is the number in the batch, from 1.
        """
        texts = [_batch.text_of(s) for s in statements]
        return self._run_texts(texts, transaction, timeout)

    def _run_texts(self, texts: Sequence[str], transaction: bool, timeout: float | None) -> list[Result]:
        if not texts:
            return []
        try:
            results = self.query_all(_batch.join(texts, transaction), timeout=timeout)
        except errors.Error as e:
            raise _batch.renumbered(e, texts, transaction) from e.__cause__
        return results[1:-1] if transaction else results

    def transaction(self, *, timeout: float | None = _CLIENT) -> Transaction:
        """Returns a block whose statements are collected, and done all or not at all at its end::

            with db.transaction() as tx:
                tx.execute("UPDATE app.accounts SET n = n - $1 WHERE id = $2", 5, "a")
                tx.execute("UPDATE app.accounts SET n = n + $1 WHERE id = $2", 5, "b")

        A transaction of kalam is one request, so nothing is sent before the block ends, and nothing
        at all if it ends by an exception. ``tx.results`` are there afterwards.
        """
        return Transaction(lambda texts: self._run_texts(texts, True, timeout))

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
        """Opens a live query and waits until the server has acknowledged it: the changes of its
        result after that are events. Iterate over what it returns, and close it::

            with db.live("SELECT * FROM app.notes") as live:
                for event in live:
                    print(event.kind, event.row)

        ``last_rows`` asks for the newest n rows as ``initial`` events, ``kalam.ALL_ROWS`` for all.
        ``from_seq`` resumes after the ``last_seq`` of an earlier live query. ``states`` gives events about the
        connection, too. The connection is its own; when it breaks it is made again, and no event is lost or
        comes twice.
        """
        live = Live(
            self, sql, params, last_rows=last_rows, batch_size=batch_size, from_seq=from_seq,
            buffer_size=buffer_size, states=states,
        )  # fmt: skip
        live.open()
        return live

    def live_rows(self, sql: str, *params: Any) -> LiveRows:
        """Opens a live query and keeps its result: iterate over it for the rows after each change.

        The query must select the primary key.
        """
        return LiveRows(self.live(sql, *params, last_rows=-1, states=True))

    def health(self, *, timeout: float | None = _CLIENT) -> dict[str, Any]:
        """Returns how the server is: ``status``, ``version``, ``uptime_seconds`` and more."""
        return self._run(self._core.health(), timeout)

    def using(self, namespace: str | None) -> Client:
        """Returns a client of the same connections and identity with another namespace."""
        other = Client(self._options, self._core, self._pool)
        other._lock, other._live, other._namespace = self._lock, self._live, namespace
        return other

    def _run(self, steps: Steps[T], timeout: float | None) -> T:
        limit = self._options.timeout if timeout is _CLIENT else timeout
        return run(steps, Driver(self, None if limit is None else time.monotonic() + limit))


def run(steps: Steps[T], perform: Callable[[Any], Any]) -> T:
    """Carries out the steps of a generator and returns its result."""
    try:
        op = next(steps)
        while True:
            try:
                value = perform(op)
            except BaseException as e:
                op = steps.throw(e)
            else:
                op = steps.send(value)
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]


class Driver:
    """Carries out operations until a deadline."""

    def __init__(self, client: Client, deadline: float | None) -> None:
        self.client = client
        self.deadline = deadline

    def __call__(self, op: Any) -> Any:
        """Carries out one operation and returns its result."""
        if isinstance(op, Send):
            return self.client._pool.send(op, self.deadline)
        if isinstance(op, Sleep):
            if self.deadline is not None and time.monotonic() + op.seconds > self.deadline:
                raise errors.Timeout("Timeout: no time is left to try again")
            return time.sleep(op.seconds)
        if isinstance(op, Acquire):
            wait = -1.0 if self.deadline is None else max(self.deadline - time.monotonic(), 0)
            if not self.client._lock.acquire(timeout=wait):
                raise errors.Timeout("Timeout: another thread still logs in")
            return None
        assert isinstance(op, Call), op
        return op.function()


class Transaction:
    """Statements that are done all or not at all. See :meth:`Client.transaction`."""

    def __init__(self, commit: Callable[[Sequence[str]], list[Result]]) -> None:
        self._commit = commit
        self._texts: list[str] = []
        self.results: list[Result] = []

    def execute(self, sql: str, *params: Any) -> None:
        """Adds a statement."""
        self._texts.append(_batch.text_of((sql, params)))

    def __enter__(self) -> Transaction:
        return self

    def __exit__(self, kind: type[BaseException] | None, e: BaseException | None, tb: TracebackType | None) -> None:
        texts, self._texts = self._texts, []
        if kind is None:
            self.results = self._commit(texts)
