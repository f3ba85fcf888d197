"""The errors of the client: one hierarchy, which is also that of DB-API 2.0 (PEP 249).

Catch :class:`Error` for all of them. What the server said is in the attributes: branch on
``code``, show ``message``, ``hint`` and ``suggestions``, point at ``position``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .result import Result


class Warning(Exception):  # PEP 249 wants this name.
    """Never raised; PEP 249 asks for it."""


class Error(Exception):
    """An error of the client or of the server.

    ``code`` is the server's stable name of the error, "" when it was not the server that
    failed. ``statement`` is the number of the statement that failed, from 1, and
    ``position`` the byte in the text sent, from 1; both are 0 when unknown. ``status`` is the
    HTTP status, 0 without an answer. ``hint`` says what to do about it, ``suggestions``
    which names were probably meant. ``results`` are those of the statements before the
    failed one, which stay in effect unless they were in a transaction.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str = "",
        hint: str = "",
        position: int = 0,
        suggestions: Sequence[str] = (),
        status: int = 0,
        statement: int = 0,
        details: str = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.hint = hint
        self.position = position
        self.suggestions = tuple(suggestions)
        self.status = status
        self.statement = statement
        self.details = details
        self.results: list[Result] = []

    def __str__(self) -> str:
        text = self.message
        if self.hint:
            text += f" (hint: {self.hint})"
        if self.suggestions:
            text += f" (did you mean {', '.join(self.suggestions)}?)"
        return text

    def __reduce__(self) -> tuple[Any, ...]:
        return _revive, (type(self), self.__dict__)


def _revive(kind: type[Error], state: dict[str, Any]) -> Error:
    """Makes an error from its pickled state."""
    err = kind(state["message"])
    err.__dict__.update(state)
    return err


class InterfaceError(Error):
    """The client was used wrongly: an option, a closed connection."""


class DatabaseError(Error):
    """The database refused or failed."""


class DataError(DatabaseError):
    """A value does not fit its type, or cannot be sent or be held by Python."""


class OperationalError(DatabaseError):
    """What is no fault of the program: the connection, limits, a conflict of two writers."""


class IntegrityError(DatabaseError):
    """A key that is taken, a NULL where none may be."""


class InternalError(DatabaseError):
    """A defect of the server; its log says more under the id in the message."""


class ProgrammingError(DatabaseError):
    """The statement is wrong, or names something that does not exist."""


class NotSupportedError(DatabaseError):
    """The server or the client does not offer this."""


class ConnectionFailed(OperationalError):
    """The server cannot be reached, or the connection broke.

    ``unsent`` says that the request surely never reached the server.
    """

    unsent: bool = False


class AuthenticationError(OperationalError):
    """No valid identity: wrong password, a token that expired or was ended."""


class PermissionDenied(ProgrammingError):
    """The user may not do this."""


class Timeout(OperationalError, TimeoutError):
    """The time allowed is over: of the call, or of the statement on the server."""


class Cancelled(OperationalError):
    """The request was ended by ``cancel``."""


class LiveError(OperationalError):
    """A live query was refused, or the server ended it."""


class ProtocolError(OperationalError):
    """An answer that is none of kalam's, or cannot be decoded."""


_BY_CODE: dict[str, type[Error]] = {
    "INVALID_INPUT": ProgrammingError,
    "EMPTY_SQL": ProgrammingError,
    "BATCH_PARSE_ERROR": ProgrammingError,
    "INVALID_SQL": ProgrammingError,
    "INVALID_PARAMETER": ProgrammingError,
    "PARAMS_WITH_BATCH": ProgrammingError,
    "PERMISSION_DENIED": PermissionDenied,
    "INTERNAL_ERROR": InternalError,
    "TIMEOUT": Timeout,
    "MISSING_AUTHORIZATION": AuthenticationError,
    "TOKEN_EXPIRED": AuthenticationError,
    "INVALID_CREDENTIALS": AuthenticationError,
    "ACCOUNT_LOCKED": AuthenticationError,
}

# The kind that the server puts before the text of a statement's error.
_BY_KIND: dict[str, type[Error]] = {
    "Table not found": ProgrammingError,
    "Not found": ProgrammingError,
    "Invalid SQL": ProgrammingError,
    "Invalid operation": ProgrammingError,
    "Already exists": ProgrammingError,
    "Constraint violation": DataError,
    "Execution error": OperationalError,
}

_KIND = re.compile(r"(?:Statement \d+ failed: )?([A-Z][A-Za-z ]*): ")


def class_of(code: str, message: str) -> type[Error]:
    """Returns the class for an error of the server."""
    if code in _BY_CODE:
        return _BY_CODE[code]
    if code != "SQL_EXECUTION_ERROR":
        return OperationalError
    found = _KIND.match(message)
    kind = found.group(1) if found else ""
    rest = message[found.end() :] if found else message
    if rest.startswith(("Primary key violation", "NOT NULL constraint violation")):
        return IntegrityError
    return _BY_KIND.get(kind, DatabaseError)


def from_server(error: dict[str, Any], status: int) -> Error:
    """Makes the error for the ``error`` member of an answer of the SQL endpoint."""
    code, message = str(error.get("code", "")), str(error.get("message", ""))
    return class_of(code, message)(
        message,
        code=code,
        hint=str(error.get("hint") or ""),
        position=int(error.get("position") or 0),
        suggestions=[str(s) for s in error.get("suggestions") or ()],
        status=status,
        statement=int(error.get("statement_index") or 0),
        details=str(error.get("details") or ""),
    )


def plain(status: int, body: dict[str, Any] | None, text: str) -> Error:
    """Makes the error for an answer that is not of the SQL endpoint's form."""
    if not body or not (body.get("error") or body.get("message")):
        return ProtocolError(f"HTTP error {status}: {text[:200] or 'no text'}", status=status)
    code = body.get("error")
    code = code if isinstance(code, str) else ""
    kind = AuthenticationError if status in (401, 403, 428) else OperationalError
    return kind(str(body.get("message") or code), code=code, status=status)
