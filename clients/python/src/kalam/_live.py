"""The life of a live query's connections, without doing input and output: see :mod:`kalam._core`."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from . import errors
from ._core import Core, Sleep, Steps, backoff
from ._subscription import Lost, Subscription
from .auth import Tokens
from .events import Event


@dataclasses.dataclass
class Open:
    """Open the WebSocket, closing the one before. Errors are those of Send, or AuthenticationError."""

    url: str
    headers: dict[str, str]


@dataclasses.dataclass
class Put:
    """Send a text frame; the error is Lost."""

    text: str


@dataclasses.dataclass
class Get:
    """Wait for a frame; the error is Lost."""


@dataclasses.dataclass
class Shut:
    """Close the WebSocket, if there is one. No error."""


@dataclasses.dataclass
class Emit:
    """Hand an event to the reader; goes on when the reader wants another."""

    event: Event


POLICY = 1008  # The close code for tokens that the server no longer takes.


class Loop:
    """Connects, subscribes, hands over events, and connects again, until the subscription ends."""

    def __init__(self, core: Core, subscription: Subscription) -> None:
        self.core = core
        self.subscription = subscription
        self.last_seq = subscription.last

    def run(self) -> Steps[None]:
        """The loop. It ends by an error only: the reader closes the generator else."""
        failures = 0
        while True:
            error: errors.Error
            expired = False
            tokens: Tokens | None = None
            try:
                tokens = yield from self._dial()
                yield from self._serve()
            except Lost as e:
                error, expired = e.error, e.code == POLICY
            except errors.ConnectionFailed as e:
                error = e
            yield Shut()
            stood = self.subscription.acked
            self.subscription.lost(error)
            yield from self._hand_over()
            if expired:
                yield from self._expired(tokens, error)
            failures = 0 if stood else failures + 1
            self._check(failures, error)
            yield Sleep(backoff(self.core.options, max(failures - 1, 0)))
            self.subscription.connecting(failures + 1)
            yield from self._hand_over()

    def _check(self, failures: int, error: errors.Error) -> None:
        """Gives up after the failures in a row that the options allow; nothing has stood yet while
        the first caller waits, who is told sooner."""
        options = self.core.options
        limit = options.max_reconnects if self.subscription.started else options.max_retries + 1
        if limit is not None and failures >= limit:
            raise error

    def _expired(self, tokens: Tokens | None, error: errors.Error) -> Steps[None]:
        """Takes that the server ended the connection because of the token."""
        if tokens is None:
            raise errors.AuthenticationError(error.message)
        try:
            yield from self.core.renew(tokens)
        except errors.ConnectionFailed:
            return  # The next attempt to connect says so, or not.

    def _dial(self) -> Steps[Tokens | None]:
        """Opens and authenticates a connection, renewing a refused token once."""
        tokens = yield from self.core.current()
        try:
            yield from self._open(tokens)
        except errors.AuthenticationError:
            if tokens is None or not self.core.renews:
                raise
            yield Shut()
            tokens = yield from self.core.renew(tokens)
            yield from self._open(tokens)
        return tokens

    def _open(self, tokens: Tokens | None) -> Steps[None]:
        yield Open(self.core.options.live_url, self.core.options.headers())
        if tokens is None:
            return
        protocol = {"serialization": "json", "compression": "none", "events": "exact"}
        frame = {"type": "authenticate", "method": "jwt", "token": tokens.access, "protocol": protocol}
        yield Put(json.dumps(frame))
        answer = decode((yield Get()))
        if answer.get("type") == "auth_error":
            raise errors.AuthenticationError(str(answer.get("message", "")), code="INVALID_CREDENTIALS")
        if answer.get("type") != "auth_success":
            raise errors.ProtocolError(f"got {answer.get('type')!r} in answer to authenticate")

    def _serve(self) -> Steps[None]:
        yield Put(self.subscription.begin())
        while True:
            yield from self._hand_over()
            if self.subscription.error is not None:
                raise self.subscription.error
            self.subscription.take(decode((yield Get())))

    def _hand_over(self) -> Steps[None]:
        while self.subscription.queue:
            item = self.subscription.queue.popleft()
            if isinstance(item, str):
                yield Put(item)
                continue
            if item.kind == "reset" or item.resume > self.last_seq:
                self.last_seq = item.resume
            yield Emit(item)


def decode(message: Any) -> dict[str, Any]:
    """Reads one message of the server."""
    try:
        frame = json.loads(message)
    except (ValueError, TypeError, RecursionError) as e:
        raise errors.ProtocolError(f"a frame that cannot be read: {e}") from e
    if not isinstance(frame, dict) or not frame.get("type"):
        raise errors.ProtocolError("a frame without type")
    return frame
