"""What the client does, without doing input and output.

Each function here is a generator that yields operations (:class:`Send`, :class:`Sleep`, ...) and
gets their results back; a driver of :mod:`kalam.client` carries them out with sockets and threads, one
of :mod:`kalam.aio` with asyncio. So both clients behave alike.
"""

from __future__ import annotations

import dataclasses
import json
import random
from collections.abc import Callable, Generator
from typing import Any, Protocol, TypeVar

from . import auth, errors
from ._options import Options
from .auth import Tokens
from .result import Result

T = TypeVar("T")
Steps = Generator["Op", Any, T]

SQL, LOGIN, REFRESH, HEALTH = "/api/sql", "/api/auth/login", "/api/auth/refresh", "/health"
ARROW = "application/vnd.apache.arrow.stream"


@dataclasses.dataclass
class Send:
    """Make one HTTP request; the result is a Reply, the error a ConnectionFailed."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes | None = None


@dataclasses.dataclass
class Sleep:
    """Wait so many seconds."""

    seconds: float


@dataclasses.dataclass
class Acquire:
    """Take the lock of the credentials; the generator releases it."""


@dataclasses.dataclass
class Call:
    """Call a function of the user; what it returns may be awaitable in asyncio."""

    function: Callable[[], Any]


Op = Any


@dataclasses.dataclass
class Reply:
    """The answer to a request, read whole."""

    status: int
    content_type: str
    body: bytes

    def text(self) -> str:
        """The beginning of the body, on one line."""
        return " ".join(self.body[:300].decode("utf-8", "replace").split())


class Lock(Protocol):
    """What threading.Lock and asyncio.Lock have in common."""

    def release(self) -> None: ...


def backoff(options: Options, attempt: int) -> float:
    """Returns the wait after so many failed attempts, from 0: doubled, less up to a fifth."""
    wait: float = min(options.first_wait * 2 ** min(attempt, 20), options.longest_wait)
    return wait * (1 - random.random() / 5)


class Core:
    """The state that the requests of a client share: its options and its tokens."""

    def __init__(self, options: Options, lock: Lock) -> None:
        self.options = options
        self.lock = lock
        self.tokens: Tokens | None = None
        if isinstance(options.token, str):
            self.tokens = Tokens(options.token)
        elif isinstance(options.token, Tokens):
            self.tokens = options.token

    # Credentials.

    @property
    def _logs_in(self) -> bool:
        return bool(self.options.password) or callable(self.options.token)

    @property
    def renews(self) -> bool:
        """Whether there is a way to new tokens."""
        return self._logs_in or (isinstance(self.options.token, Tokens) and bool(self.options.token.refresh))

    def current(self) -> Steps[Tokens | None]:
        """Returns the tokens, logging in first if need be; None for a client that needs none."""
        if self.tokens is not None or not self._logs_in:
            return self.tokens
        return (yield from self.renew(None))

    def renew(self, old: Tokens | None) -> Steps[Tokens]:
        """Replaces tokens that the server refused, unless another caller has done so meanwhile."""
        if not self.renews:
            raise auth.expired()
        yield Acquire()
        try:
            if self.tokens is not None and self.tokens is not old:
                return self.tokens
            self.tokens = yield from self._renewed(old)
            return self.tokens
        finally:
            self.lock.release()

    def _renewed(self, old: Tokens | None) -> Steps[Tokens]:
        if callable(self.options.token):
            return (yield from self._called(self.options.token))
        if old is not None and old.refresh:
            try:
                new = yield from self._refresh(old.refresh)
                return dataclasses.replace(new, user=new.user or old.user)
            except errors.AuthenticationError:
                if not self.options.password:
                    raise auth.expired() from None
        body = json.dumps({"user": self.options.user, "password": self.options.password}).encode()
        reply = yield Send("POST", LOGIN, self._headers(None, body), body)
        return auth.tokens_of(_login_answer(reply))

    def _refresh(self, token: str) -> Steps[Tokens]:
        reply = yield Send("POST", REFRESH, {"Authorization": f"Bearer {token}"})
        return auth.tokens_of(_login_answer(reply))

    def _called(self, function: Callable[[], Any]) -> Steps[Tokens]:
        given = yield Call(function)
        tokens = Tokens(given) if isinstance(given, str) else given
        if not isinstance(tokens, Tokens) or not tokens.access or not auth.is_header(tokens.access):
            raise errors.InterfaceError("the token callback must return a token")
        return tokens

    def _headers(self, tokens: Tokens | None, body: bytes | None, accept: str = "") -> dict[str, str]:
        headers = self.options.headers()
        if body is not None:
            headers["Content-Type"] = "application/json"
        if accept:
            headers["Accept"] = accept
        if self.options.compress:
            headers["Accept-Encoding"] = "gzip"
        if tokens is not None:
            headers["Authorization"] = f"Bearer {tokens.access}"
        return headers

    # Requests.

    def retry(self, attempt: Callable[[], Steps[T]], repeatable: bool) -> Steps[T]:
        """Runs attempts until one succeeds, fails for good, or there were enough."""
        failures = 0
        while True:
            try:
                return (yield from attempt())
            except errors.ConnectionFailed as e:
                if not (e.unsent or repeatable) or failures >= self.options.max_retries:
                    raise
            yield Sleep(backoff(self.options, failures))
            failures += 1

    def login(self) -> Steps[Tokens | None]:
        """Logs in now, so that wrong credentials are known at once."""
        return (yield from self.retry(self.current, False))

    def execute(self, body: bytes, repeatable: bool) -> Steps[list[Result]]:
        """Posts a SQL request, again where that is safe."""
        reply = yield from self.post(body, repeatable, "")
        return results_of(reply)

    def arrow(self, body: bytes, repeatable: bool) -> Steps[bytes]:
        """Posts a SQL request and returns its Arrow stream."""
        reply = yield from self.post(body, repeatable, ARROW)
        if reply.content_type.startswith(ARROW):
            return reply.body
        results_of(reply)  # It raises the error, if the answer is one.
        raise errors.NotSupportedError("only one statement that gives rows can be read as Arrow")

    def post(self, body: bytes, repeatable: bool, accept: str) -> Steps[Reply]:
        """Posts a SQL request; a token that has expired is renewed once."""

        def attempt() -> Steps[Reply]:
            tokens = yield from self.current()
            reply: Reply = yield Send("POST", SQL, self._headers(tokens, body, accept), body)
            if reply.status == 401 and self.renews and _code(reply) == "TOKEN_EXPIRED":
                tokens = yield from self.renew(tokens)
                reply = yield Send("POST", SQL, self._headers(tokens, body, accept), body)
            return reply

        return (yield from self.retry(attempt, repeatable))

    def health(self) -> Steps[dict[str, Any]]:
        """Asks the server how it is. A server that shuts down answers, too."""

        def attempt() -> Steps[Reply]:
            reply: Reply = yield Send("GET", HEALTH, self._headers(self.tokens, None))
            return reply

        reply = yield from self.retry(attempt, True)
        body = _object(reply)
        if body is None or "status" not in body:
            raise errors.plain(reply.status, body, reply.text())
        return body


def _object(reply: Reply) -> dict[str, Any] | None:
    """Returns the JSON object of an answer, None if it is none."""
    try:
        body = json.loads(reply.body)
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None


def _code(reply: Reply) -> str:
    error = (_object(reply) or {}).get("error")
    return str(error.get("code")) if isinstance(error, dict) else ""


def _login_answer(reply: Reply) -> dict[str, Any]:
    body = _object(reply)
    if reply.status != 200 or body is None:
        raise errors.plain(reply.status, body, reply.text())
    return body


def results_of(reply: Reply) -> list[Result]:
    """Reads the answer of the SQL endpoint."""
    body = _object(reply)
    if body is None or not isinstance(body.get("status"), str):
        if reply.status == 200:
            raise errors.ProtocolError(f"an answer that cannot be read: {reply.text()}", status=200)
        raise errors.plain(reply.status, body, reply.text())
    took = float(body.get("took") or 0.0)
    try:
        results = [Result(r, took) for r in body.get("results") or ()]
    except (KeyError, AttributeError, StopIteration) as e:
        raise errors.ProtocolError(f"a result that cannot be read: {e!r}", status=reply.status) from e
    error = body.get("error")
    if isinstance(error, dict):
        failure = errors.from_server(error, reply.status)
        failure.results = results
        raise failure
    if body["status"] != "success" or reply.status != 200:
        raise errors.ProtocolError(f"status {body['status']} without an error", status=reply.status)
    return results
