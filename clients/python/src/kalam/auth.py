"""Tokens of a login."""

from __future__ import annotations

import dataclasses
from typing import Any

from .errors import AuthenticationError, ProtocolError


@dataclasses.dataclass(frozen=True)
class Tokens:
    """What a login gives. Give it to ``connect(token=...)`` to go on without the password.

    It prints without its secrets. ``refresh`` is "" for tokens that cannot be renewed.
    """

    access: str = dataclasses.field(repr=False)
    refresh: str = dataclasses.field(default="", repr=False)
    user: str = ""


def tokens_of(body: dict[str, Any]) -> Tokens:
    """Reads the answer of login and refresh."""
    access, refresh = body.get("access_token"), body.get("refresh_token") or ""
    if not isinstance(access, str) or not access or not is_header(access) or not is_header(str(refresh)):
        raise ProtocolError("a login answer without a usable token")
    user = body.get("user")
    return Tokens(access, str(refresh), str(user.get("id", "")) if isinstance(user, dict) else "")


def is_header(text: str) -> bool:
    """Reports whether a text may stand in an HTTP header."""
    return text.isascii() and text.isprintable()


def expired() -> AuthenticationError:
    """Says that there is no way to a new token."""
    return AuthenticationError("the token has expired; log in again", code="TOKEN_EXPIRED")
