"""The result of a live query, kept by its events."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

from .errors import InterfaceError
from .events import Event
from .result import Column


class Rows:
    """Rows by primary key, in the order in which they came."""

    def __init__(self) -> None:
        self._by_key: dict[tuple[Hashable, ...], dict[str, Any]] = {}
        self._ready = False

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The present rows."""
        return list(self._by_key.values())

    def take(self, event: Event, columns: Sequence[Column]) -> bool:
        """Takes an event; reports whether the rows are a whole result that may have changed."""
        if event.kind == "connected":
            if not any(c.primary_key for c in columns):
                raise InterfaceError("a query of live rows must select the primary key")
        elif event.kind in ("reset", "ready"):
            if event.kind == "reset":
                self._by_key.clear()
            changed = not self._ready
            self._ready = event.kind == "ready"
            return self._ready and changed
        elif event.kind in ("insert", "update", "initial"):
            assert event.row is not None
            if event.kind == "update" and event.old is not None:
                old, new = self._key(event.old, columns), self._key(event.row, columns)
                if old != new:
                    self._by_key.pop(old, None)
            self._by_key[self._key(event.row, columns)] = event.row
            return self._ready
        elif event.kind == "delete":
            assert event.row is not None
            self._by_key.pop(self._key(event.row, columns), None)
            return self._ready
        return False

    @staticmethod
    def _key(row: dict[str, Any], columns: Sequence[Column]) -> tuple[Hashable, ...]:
        return tuple(row.get(c.name) for c in columns if c.primary_key)
