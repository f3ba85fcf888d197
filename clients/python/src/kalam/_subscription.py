"""The state of a live query: what was received, and from where to resume. No input or output.

Events are exact because the server sends rows, deletions and changes in the order of their ``_seq``, those of a
resume too: who is cut off anywhere resumes from the highest one that has come. Deletions of a resume may come after
its last batch, so only who began with all rows, or with none, has with them all up to the snapshot that the
acknowledgement names.
"""

from __future__ import annotations

import collections
import json
from typing import Any, Union

from . import _cells, errors, events
from .events import Event
from .result import Column, columns_of

Item = Union[Event, str]  # An event for the reader, or a frame to send once what is before it was read.

_CHANGES = frozenset(["insert", "update", "delete"])


class Subscription:
    """One live query over any number of connections. Its driver sends what ``begin`` returns and
    hands every frame to ``take``; the ``queue`` then holds what to hand over and to send, in order."""

    def __init__(
        self, sql: str, params: str, *, last_rows: int, batch_size: int | None, from_seq: int, buffer_size: int | None
    ) -> None:
        if not isinstance(last_rows, int) or not events.ALL_ROWS <= last_rows <= events.MAX_LAST_ROWS:
            raise errors.InterfaceError(f"last_rows must be from 0 to {events.MAX_LAST_ROWS}, or ALL_ROWS")
        for name, value in (("batch_size", batch_size), ("buffer_size", buffer_size)):
            if value is not None and value < 1:
                raise errors.InterfaceError(f"{name} must be at least 1, got {value}")
        if from_seq < 0:
            raise errors.InterfaceError(f"from_seq must not be negative, got {from_seq}")
        self.sql = sql
        self.params = params
        self.last_rows = last_rows
        self.batch_size = batch_size
        self.buffer_size = buffer_size
        self.begins_from = from_seq
        self.columns: list[Column] = []
        self.queue: collections.deque[Item] = collections.deque()
        self.error: errors.Error | None = None  # Why it has ended.
        self.started = False  # Acknowledged once.
        self.acked = False  # Acknowledged on the present connection.
        self.id = ""
        self.last = from_seq  # Everything up to here was queued; 0 when unknown.
        self._round = 0
        self._rows = False  # Rows were queued since the beginning or the last reset.
        self._initial = False
        self._resumes = False
        self._reset = False  # The next acknowledgement begins anew.
        self._snapshot = 0
        self._decoders: dict[str, Any] = {}

    # The frames to send.

    def begin(self) -> str:
        """Returns the frame that subscribes, for a new connection or again on the same."""
        # Rows without seqs, of an aggregate for instance, cannot be resumed.
        self._reset = self._reset or (self.last == 0 and self._rows)
        self._round += 1
        self.id = f"sub-{self._round}"
        options, self._initial = self._options()
        self.acked, self._snapshot, self._resumes = False, 0, self.last > 0
        subscription: dict[str, Any] = {"id": self.id, "sql": self.sql, "events": "exact"}
        if self.params != "[]":
            subscription["params"] = _Raw(self.params)
        if options is not None:
            subscription["options"] = options
        return _dump({"type": "subscribe", "subscription": subscription})

    def _options(self) -> tuple[dict[str, Any] | None, bool]:
        options: dict[str, Any] = {}
        if self.batch_size is not None:
            options["batch_size"] = self.batch_size
        if self.buffer_size is not None:
            options["buffer_size"] = self.buffer_size
        if self.last > 0:
            options["from"] = str(self.last)
        elif self.begins_from > 0 or self.last_rows == events.ALL_ROWS:
            pass  # All rows; begins_from is too old by now.
        elif self.last_rows > 0:
            options["last_rows"] = self.last_rows
        elif self.buffer_size is not None:
            return {"buffer_size": self.buffer_size, "last_rows": 0}, False
        else:
            return None, False
        return options, True

    # The frames that come.

    def take(self, frame: dict[str, Any]) -> None:
        """Takes one frame of the server. A :class:`Lost` says that the connection must be given up."""
        kind, of = frame.get("type"), frame.get("subscription_id")
        if of != self.id:
            if kind == "error" and of in ("rate_limit", "protocol", "subscribe", "invalid_subscription", ""):
                self._stray(frame)
            return
        if kind == "subscription_ack":
            self._acknowledged(frame)
        elif kind == "initial_data_batch":
            self._batch(frame)
        elif kind == "change":
            self._change(frame)
        elif kind == "error":
            self._refused(frame)

    def _acknowledged(self, frame: dict[str, Any]) -> None:
        self.columns = columns_of(frame.get("schema") or ())
        self._decoders = {c.name: _cells.decoder(c.type) for c in self.columns}
        self._decoders["_seq"] = int
        if self.acked:
            return  # After ALTER TABLE.
        self.acked = True
        self._snapshot = _seq(frame.get("snapshot_seq"))
        if not self._initial:
            self.last = max(self.last, self._snapshot)
        if not self.started:
            self._state("connected")
        elif self._reset:
            self._state("reset")
        else:
            self._state("resumed")
        if self._reset:
            self._rows = False
        self.started, self._reset = True, False
        if not self._initial:
            self._state("ready")

    def _batch(self, frame: dict[str, Any]) -> None:
        control = frame.get("batch_control") or {}
        more = bool(control.get("has_more"))
        for cells in frame.get("rows") or ():
            self._add("initial", self._row(cells), None, _seq(cells.get("_seq")))
        if more:
            ask = {"type": "next_batch", "subscription_id": self.id}
            last = _seq(control.get("last_seq") or control.get("last_seq_id"))
            self.queue.append(_dump({**ask, "last_seq_id": last} if last else ask))
        else:
            if not self._resumes:
                self.last = max(self.last, self._snapshot)
            self._state("ready")

    def _add(self, kind: str, row: dict[str, Any] | None, old: dict[str, Any] | None, seq: int) -> None:
        """Queues an event of a row."""
        self.last = max(self.last, seq)
        self._rows = True
        self.queue.append(Event(kind, row, old, seq, resume=self.last))

    def _change(self, frame: dict[str, Any]) -> None:
        kind = frame.get("change_type")
        news, olds = frame.get("rows") or [], frame.get("old_values") or []
        for i in range(max(len(news), len(olds))):
            new = news[i] if i < len(news) else None
            old = olds[i] if i < len(olds) else None
            if kind == "delete" and old is None:
                new, old = None, new
            seq = _seq((new or {}).get("_seq")) or _seq((old or {}).get("_seq"))
            if kind not in _CHANGES:
                continue  # A kind of a later version.
            was = self._row(old) if old is not None else None
            row = self._row(new) if new is not None else was
            self._add(str(kind), row, None if kind == "insert" else was, seq)

    def _refused(self, frame: dict[str, Any]) -> None:
        code = str(frame.get("code", ""))
        if code == "RESUME_WINDOW_EXCEEDED" and self.last > 0:
            self.last, self._reset = 0, self.started
            self.queue.append(self.begin())
        elif code == "SHUTTING_DOWN" or (
            code == "SUBSCRIPTION_LIMIT_EXCEEDED" and self.started and not self.acked
        ):  # The lost connection may still count.
            raise Lost(_live_error(frame))
        else:
            self.error = _live_error(frame)

    def _stray(self, frame: dict[str, Any]) -> None:
        if frame.get("subscription_id") == "rate_limit":
            raise Lost(_live_error(frame))
        if not self.acked:
            self.error = _live_error(frame)

    def lost(self, error: Exception) -> None:
        """Takes down that the connection broke. Frames that were to be sent on it are dropped."""
        self.queue = collections.deque(item for item in self.queue if isinstance(item, Event))
        if self.acked:
            self.queue.append(Event("disconnected", error=error, resume=self.last))
        self.id, self.acked = "", False

    def connecting(self, attempt: int) -> None:
        """Takes down another attempt to connect."""
        if self.started:
            self.queue.append(Event("connecting", attempt=attempt, resume=self.last))

    # What was received.

    def _state(self, kind: str) -> None:
        self.queue.append(Event(kind, resume=self.last))

    def _row(self, cells: dict[str, Any]) -> dict[str, Any]:
        get = self._decoders.get
        row = {}
        for name, cell in cells.items():
            decode = get(name)
            try:
                row[name] = cell if cell is None or decode is None else decode(cell)
            except (ValueError, OverflowError, TypeError, ArithmeticError) as e:
                raise errors.DataError(f"column {name} has a cell that Python cannot hold: {e}") from e
        return row


class Lost(Exception):
    """The connection broke or must be given up; ``error`` says why, ``code`` is that of the close."""

    def __init__(self, error: errors.Error, code: int = 0) -> None:
        super().__init__(str(error))
        self.error = error
        self.code = code


class _Raw(str):
    """JSON that is put into a frame as it is."""


def _dump(frame: Any) -> str:
    """Writes JSON in which a _Raw stands as it is."""
    if isinstance(frame, _Raw):
        return str(frame)
    if isinstance(frame, dict):
        return "{" + ",".join(f"{json.dumps(k)}:{_dump(v)}" for k, v in frame.items()) + "}"
    return json.dumps(frame, ensure_ascii=False)


def _seq(value: Any) -> int:
    """Reads a seq, which comes as text or number; 0 for none."""
    try:
        return max(int(value), 0)
    except (TypeError, ValueError):
        return 0


def _live_error(frame: dict[str, Any]) -> errors.Error:
    code, message = str(frame.get("code", "")), str(frame.get("message", ""))
    if code in ("UNAUTHORIZED", "PERMISSION_DENIED"):
        return errors.PermissionDenied(message, code=code)
    return errors.LiveError(
        message,
        code=code,
        hint=str(frame.get("hint") or ""),
        position=int(frame.get("position") or 0),
        suggestions=[str(s) for s in frame.get("suggestions") or ()],
    )
