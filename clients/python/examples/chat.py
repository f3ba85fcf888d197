"""A conversation that two tasks watch while a third writes it: asyncio, a transaction, live rows.

python chat.py http://localhost:8080 USER PASSWORD
"""

import asyncio
import sys

import kalam

TABLE = """CREATE USER TABLE IF NOT EXISTS app.messages (
    id BIGINT PRIMARY KEY DEFAULT SNOWFLAKE_ID(), sent TIMESTAMP DEFAULT NOW(),
    author TEXT NOT NULL, body TEXT NOT NULL)"""


async def follow(db: kalam.aio.Client, started: asyncio.Event) -> None:
    """Prints every message that is written from now on, up to the one that says goodbye."""
    async with db.live("SELECT author, body FROM app.messages") as events:
        started.set()
        async for event in events:
            print(f"{event.kind:7}{event.row['author']}: {event.row['body']}")
            if event.row["body"] == "goodbye":
                return


async def count(db: kalam.aio.Client, started: asyncio.Event) -> None:
    """Keeps the messages of one author, with those that were there before."""
    async with db.live_rows("SELECT id, body FROM app.messages WHERE author = $1", "alice") as rows:
        async for messages in rows:
            started.set()
            if messages and messages[-1]["body"] == "goodbye":
                print("alice has written", len(messages))
                return


async def main(url: str, user: str, password: str) -> None:
    async with kalam.aio.connect(url, user=user, password=password) as db:
        await db.query("CREATE NAMESPACE IF NOT EXISTS app")
        await db.query(TABLE)
        await db.query("DELETE FROM app.messages WHERE author IN ('alice', 'model')")
        started = [asyncio.Event(), asyncio.Event()]
        watchers = [asyncio.create_task(follow(db, started[0])), asyncio.create_task(count(db, started[1]))]
        for s in started:
            await s.wait()
        async with db.transaction() as tx:  # Both messages, or none.
            tx.execute("INSERT INTO app.messages (author, body) VALUES ($1, $2)", "alice", "What's a lake?")
            tx.execute("INSERT INTO app.messages (author, body) VALUES ($1, $2)", "model", "Files that you own.")
        await db.query("INSERT INTO app.messages (author, body) VALUES ($1, $2)", "alice", "goodbye")
        await asyncio.gather(*watchers)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:4]))
