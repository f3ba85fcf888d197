"""The client for asyncio: the methods of :mod:`kalam`, awaited.

::

    async with kalam.aio.connect("http://localhost:8080", user="alice", password="...") as db:
        async for event in db.live("SELECT * FROM app.notes"):
            print(event.kind, event.row)
"""

from .client import Client, Transaction, connect
from .live import Live, LiveRows

__all__ = ["Client", "Live", "LiveRows", "Transaction", "connect"]
