"""What the WebSockets of both clients share: bounds, and errors in our words."""

from __future__ import annotations

import json
import logging

import websockets.exceptions as ws

from . import errors
from ._subscription import Lost

MAX_FRAME = 256 << 20

# Frames are logged at DEBUG, and one of them has the token: that level is off whatever the program's is.
LOGGER = logging.getLogger("kalam.websocket")
LOGGER.setLevel(logging.INFO)

QUEUE = 1024  # Frames that may wait for the reader; beyond them the server waits, or has it resume.


def refused(url: str, e: Exception) -> errors.Error:
    """Returns the error for a WebSocket that could not be opened."""
    if isinstance(e, ws.InvalidStatus):
        status, text = e.response.status_code, (e.response.body or b"").decode("utf-8", "replace")
        try:
            body = json.loads(text)
        except ValueError:
            body = None
        said = errors.plain(status, body if isinstance(body, dict) else None, text)
        if status in (401, 403):
            return errors.AuthenticationError(said.message, code=said.code, status=status)
        return errors.ConnectionFailed(said.message, code=said.code, status=status)
    return errors.ConnectionFailed(f"cannot reach {url}: {e or type(e).__name__}")


def close_of(e: ws.ConnectionClosed) -> Lost:
    """Returns why a connection ended."""
    if e.rcvd is None:
        return Lost(errors.ConnectionFailed(f"the connection broke off: {e}"))
    text = f"the server closed the connection with code {e.rcvd.code}"
    if e.rcvd.reason:
        text += f": {e.rcvd.reason}"
    return Lost(errors.ConnectionFailed(text), e.rcvd.code)
