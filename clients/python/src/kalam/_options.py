"""What a client was told when it was made."""

from __future__ import annotations

import dataclasses
import ssl
import urllib.parse
from collections.abc import Callable
from typing import Any, Union

from .auth import Tokens, is_header
from .errors import InterfaceError

TokenSource = Union[str, Tokens, Callable[[], Any]]


@dataclasses.dataclass(frozen=True)
class Options:
    """The checked options of a client. Times are in seconds; a timeout of None is none."""

    host: str
    port: int
    tls: bool
    prefix: str  # Of every path, with the version.
    user: str
    password: str = dataclasses.field(repr=False)
    token: TokenSource | None = dataclasses.field(repr=False)
    api_key: str = dataclasses.field(repr=False)
    namespace: str | None
    act_as: str
    timeout: float | None
    max_retries: int
    max_reconnects: int | None
    first_wait: float
    longest_wait: float
    ping_interval: float
    ping_timeout: float
    compress: bool
    ssl_context: ssl.SSLContext | None = dataclasses.field(repr=False)

    @property
    def authority(self) -> str:
        """The host and port as they stand in an address."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The address of the server, without path."""
        return f"{'https' if self.tls else 'http'}://{self.authority}"

    @property
    def live_url(self) -> str:
        """The address of live queries."""
        return f"{'wss' if self.tls else 'ws'}://{self.authority}{self.prefix}/ws?events=exact&compress=false"

    def headers(self) -> dict[str, str]:
        """The headers of every request that do not depend on tokens."""
        out = {}
        if self.act_as:
            out["X-User-Id"] = self.act_as
        if self.api_key:
            out["X-Api-Key"] = self.api_key
        return out

    def tls_context(self) -> ssl.SSLContext | None:
        """The context for https, None for http."""
        if not self.tls:
            return None
        return self.ssl_context or ssl.create_default_context()


DEFAULTS: dict[str, Any] = {
    "user": "",
    "password": "",
    "token": None,
    "api_key": "",
    "namespace": None,
    "act_as": "",
    "timeout": 30.0,
    "max_retries": 3,
    "max_reconnects": 10,
    "first_wait": 0.1,
    "longest_wait": 30.0,
    "ping_interval": 9.0,
    "ping_timeout": 5.0,
    "compress": False,
    "ssl_context": None,
}


def parse(url: str, given: dict[str, Any]) -> Options:
    """Checks the arguments of ``connect``."""
    host, port, tls, path = _address(url)
    unknown = set(given) - set(DEFAULTS)
    if unknown:
        raise InterfaceError(f"connect has no option {', '.join(sorted(unknown))}")
    o = Options(host=host, port=port, tls=tls, prefix=f"{path}/v1", **{**DEFAULTS, **given})
    ways = [bool(o.password or (o.user and not o.token)), o.token is not None, bool(o.api_key)]
    if sum(ways) > 1:
        raise InterfaceError("give one of password, token and api_key")
    if o.password and not o.user:
        raise InterfaceError("a password needs a user")
    if o.user and not o.password and o.token is None and not o.api_key:
        raise InterfaceError(f"user {o.user!r} needs a password")
    secrets = _secret(o.token), _refresh(o.token)
    for name, text in (("api_key", o.api_key), ("act_as", o.act_as), *(("token", s) for s in secrets)):
        if not is_header(text):
            raise InterfaceError(f"{name} cannot be sent in a header")
    if o.token is not None and _secret(o.token).count(".") != 2 and not callable(o.token):
        raise InterfaceError("Invalid JWT token format")
    if o.timeout is not None and o.timeout <= 0:
        raise InterfaceError("timeout must be above 0, or None for no limit")
    return o


def _secret(token: TokenSource | None) -> str:
    if isinstance(token, Tokens):
        return token.access
    return token if isinstance(token, str) else ""


def _refresh(token: TokenSource | None) -> str:
    return token.refresh if isinstance(token, Tokens) else ""


def _address(url: str) -> tuple[str, int, bool, str]:
    try:
        u = urllib.parse.urlsplit(url)
        port = u.port
    except (ValueError, AttributeError, TypeError) as e:
        raise InterfaceError(f"Invalid URL: {e}") from e
    if u.scheme not in ("http", "https"):
        raise InterfaceError(f"Invalid URL: {url!r} does not begin with http:// or https://")
    if not u.hostname:
        raise InterfaceError(f"Invalid URL: {url!r} has no host")
    if u.username is not None or u.password is not None:
        raise InterfaceError("Invalid URL: it must not hold a user or password")
    if u.query or u.fragment:
        raise InterfaceError(f"Invalid URL: {url!r} must not have a query or fragment")
    if not is_header(u.path) or " " in u.path:
        raise InterfaceError(f"Invalid URL: {url!r} has a path that cannot be sent")
    tls = u.scheme == "https"
    return u.hostname, port or (443 if tls else 80), tls, u.path.rstrip("/")
