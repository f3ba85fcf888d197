"""Events of live queries."""

from __future__ import annotations

import dataclasses
from typing import Any

#: ``last_rows`` that asks for all matching rows.
ALL_ROWS = -1

#: The largest ``last_rows``.
MAX_LAST_ROWS = 10_000


@dataclasses.dataclass(frozen=True)
class Event:
    """One event of a live query. Its rows must not be changed.

    ========= ======================================================================================
    kind      what it tells
    ========= ======================================================================================
    initial   ``row`` exists: at the start, or changed while the connection was lost
    insert    ``row`` is new in the result
    update    ``row`` takes the place of ``old``
    delete    ``row``, the same as ``old``, is no longer in the result
    reset     too much time went by to resume: forget all rows, they come anew
    ========= ======================================================================================

    With ``states=True`` there are also ``connected``, ``ready`` (all initial rows have come),
    ``disconnected`` with ``error``, ``connecting`` with ``attempt``, and ``resumed``.

    ``seq`` is the ``_seq`` of the row, 0 for events without.
    """

    kind: str
    row: dict[str, Any] | None = None
    old: dict[str, Any] | None = None
    seq: int = 0
    attempt: int = 0
    error: Exception | None = None

    resume: int = dataclasses.field(default=0, repr=False, compare=False)

    @property
    def is_state(self) -> bool:
        """Whether the event tells about the connection and not about a row; not so of a reset."""
        return self.row is None and self.kind != "reset"
