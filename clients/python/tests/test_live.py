"""Live queries: what the events are, and that none is lost or doubled when connections break."""

import asyncio
import logging
import random
import threading
import time

import pytest
from conftest import Proxy, Server, eventually, password

import kalam


def kinds(live, n):
    return [live.get(30).kind for _ in range(n)]


def test_events(db, table):
    name = table()
    db.query(f"INSERT INTO {name} VALUES (1, 10, 'a'), (2, 20, 'b'), (3, 3, 'c')")
    with db.live(
        f"SELECT * FROM {name} WHERE n >= $1", 10, last_rows=kalam.ALL_ROWS, batch_size=1, states=True
    ) as live:
        assert live.get(30).kind == "connected"
        first, second, ready = live.get(30), live.get(30), live.get(30)
        assert (first.kind, first.row["id"], second.row["id"], ready.kind) == ("initial", 1, 2, "ready")
        assert first.row["body"] == "a" and 0 < first.seq < second.seq == second.row["_seq"] and first.old is None
        assert [c.name for c in live.columns][:3] == ["id", "n", "body"] and live.columns[0].primary_key
        for sql in (
            "INSERT INTO {} VALUES (4, 40, 'd')",
            "UPDATE {} SET body = 'e' WHERE id = 4",
            "UPDATE {} SET n = 30 WHERE id = 3",
            "UPDATE {} SET n = 0 WHERE id = 1",
            "DELETE FROM {} WHERE id = 2",
        ):
            db.query(sql.format(name))
        events = [live.get(30) for _ in range(5)]
        assert [(e.kind, e.row["id"], e.row["n"]) for e in events] == [
            ("insert", 4, 40), ("update", 4, 40), ("insert", 3, 30), ("delete", 1, 10), ("delete", 2, 20)
        ]  # fmt: skip
        assert events[1].old["body"] == "d" and events[1].row["body"] == "e" and events[4].old["id"] == 2
        assert live.last_seq == events[4].seq
        with pytest.raises(kalam.Timeout):
            live.get(0.01)
        db.query(f"INSERT INTO {name} VALUES (5, 50, 'x')")
        assert live.get(30).row["id"] == 5
    assert live.get() is None and list(live) == []

    with db.live(f"SELECT id FROM {name} WHERE n > 0", from_seq=events[3].seq) as later:
        db.query(f"INSERT INTO {name} VALUES (6, 60, 'y')")
        got = [later.get(30) for _ in range(3)]
        # What was deleted and written since then, and what comes now.
        assert sorted((e.kind, e.row["id"]) for e in got) == [("delete", 2), ("initial", 5), ("insert", 6)]


def test_last_rows_and_options(db, table):
    name = table()
    db.batch([(f"INSERT INTO {name} (id) VALUES ($1)", [i]) for i in range(5)])
    with db.live(f"SELECT id FROM {name}", last_rows=2, buffer_size=10, states=True) as live:
        got = [live.get(30) for _ in range(4)]
    assert [(e.kind, e.row and e.row["id"]) for e in got] == [
        ("connected", None),
        ("initial", 3),
        ("initial", 4),
        ("ready", None),
    ]
    for wrong in ({"last_rows": -2}, {"last_rows": 20_000}, {"batch_size": 0}, {"buffer_size": 0}, {"from_seq": -1}):
        with pytest.raises(kalam.InterfaceError):
            db.live(f"SELECT id FROM {name}", **wrong)
    with pytest.raises(kalam.DataError):
        db.live(f"SELECT id FROM {name} WHERE id = $1", object())


def test_arrays(db, table):
    name = table()
    with db.live(f"SELECT id FROM {name} WHERE id = ANY($1) AND body <> $2", [2, 4], "x") as live:
        db.query(f"INSERT INTO {name} SELECT range, 0, 'a' FROM range(6)")
        assert [live.get(30).row["id"] for _ in range(2)] == [2, 4]


def test_types_of_rows(db, table):
    name = table("id BIGINT PRIMARY KEY, d DECIMAL(10,2), ts DATETIME, j JSON, b BYTES")
    with db.live(f"SELECT * FROM {name}") as live:
        insert = f"INSERT INTO {name} VALUES ($1, 1.5, '2026-01-01T00:00:00.000001Z', $2, X'00')"
        db.query(insert, 2**53 + 1, {"a": [1]})
        got = live.get(30).row
        want = db.query(f"SELECT * FROM {name}").first()
    assert got == want and got["id"] == 2**53 + 1 and got["j"] == {"a": [1]} and got["b"] == b"\x00"


def test_refusals(db, table):
    for sql, code in (("SELECT * FROM app.nothing", "NOT_FOUND"), ("SELEC", "INVALID_SQL")):
        with pytest.raises(kalam.LiveError) as raised:
            db.live(sql)
        assert raised.value.code == code
    name = table()
    with pytest.raises(kalam.LiveError):
        db.live(f"SELECT * FROM {name} WHERE id = $2", 1)
    assert not db._live


def test_killed(db, root, table):
    name = table()
    with db.live(f"SELECT * FROM {name}") as live:
        found = root.query("SELECT live_id FROM system.live WHERE query LIKE $1", f"%{name}%")
        root.query(f"KILL LIVE QUERY '{found.scalar()}'")
        with pytest.raises(kalam.LiveError) as raised:
            live.get(30)
        assert raised.value.code == "SUBSCRIPTION_KILLED"
        assert live.get() is None


def test_altered(db, root, table):
    name = table()
    with db.live(f"SELECT * FROM {name}") as live:
        root.query(f"ALTER TABLE {name} ADD COLUMN d DECIMAL(5,1) DEFAULT 1.5")
        db.query(f"INSERT INTO {name} (id) VALUES (1)")
        assert str(live.get(30).row["d"]) == "1.5" and "d" in [c.name for c in live.columns]


def test_others_rows_never_come(db, server, table):
    name = table()
    with server.connect("bob") as bob, db.live(f"SELECT * FROM {name}") as live:
        bob.query(f"INSERT INTO {name} (id, body) VALUES (1, 'of bob')")
        db.query(f"INSERT INTO {name} (id, body) VALUES (2, 'of alice')")
        assert live.get(30).row["body"] == "of alice"


def test_closed_by_another_thread(db, table):
    name = table()
    live = db.live(f"SELECT * FROM {name}")
    got = []
    reader = threading.Thread(target=lambda: got.extend(live))
    reader.start()
    db.query(f"INSERT INTO {name} (id) VALUES (1)")
    eventually("the event has come", lambda: got)
    live.close()
    reader.join(30)
    assert not reader.is_alive() and [e.row["id"] for e in got] == [1]

    live = db.live(f"SELECT * FROM {name}")
    reader = threading.Thread(target=lambda: got.extend(live))
    reader.start()
    db.close()
    reader.join(30)
    assert not reader.is_alive()


def test_resets(root, proxy, server):
    """A live query of jobs cannot be resumed, so its rows come anew after a cut."""
    with kalam.connect(proxy.url, user="root", password=password("root"), first_wait=0.001) as db:
        with db.live("SELECT * FROM system.jobs", last_rows=kalam.ALL_ROWS, states=True) as live:
            assert live.get(30).kind == "connected"
            while live.get(30).kind != "ready":
                pass
            root.query("STORAGE FLUSH ALL")
            while live.get(30).is_state:
                pass
            proxy.cut()
            seen = []
            while not seen or seen[-1] != "ready":
                seen.append(live.get(30).kind)
    rest = seen[seen.index("reset") :]
    assert rest[0] == "reset" and set(rest[1:-1]) <= {"initial", "insert", "update"}
    assert seen.index("disconnected") < seen.index("connecting") < seen.index("reset")


def test_gives_up(table, proxy):
    name = table()
    with kalam.connect(
        proxy.url, user="alice", password=password("alice"), first_wait=0.001, longest_wait=0.002, max_reconnects=3
    ) as client:
        live = client.live(f"SELECT * FROM {name}", states=True)
        proxy.target = 1  # Nobody listens there.
        proxy.cut()
        seen = []
        with pytest.raises(kalam.ConnectionFailed):
            while event := live.get(30):
                seen.append(event)
    assert [e.kind for e in seen] == ["connected", "ready", "disconnected", "connecting", "connecting", "connecting"]
    assert [e.attempt for e in seen[3:]] == [1, 2, 3] and isinstance(seen[2].error, kalam.ConnectionFailed)


def test_waits_end_in_time(table, proxy):
    """A reader that waits for a moment is not held up by a server that is away, and loses nothing by it."""
    name = table()
    with kalam.connect(proxy.url, user="alice", password=password("alice"), first_wait=0.3) as client:
        with client.live(f"SELECT * FROM {name}") as live:
            target, proxy.target = proxy.target, 1
            proxy.cut()
            for _ in range(5):
                start = time.monotonic()
                with pytest.raises(kalam.Timeout):
                    live.get(0.02)
                assert time.monotonic() - start < 0.25
            proxy.target = target
            client.query(f"INSERT INTO {name} (id) VALUES (1)")
            assert live.get(30).row["id"] == 1


def test_tokens_are_not_logged(table, db, caplog):
    caplog.set_level(logging.DEBUG)
    with db.live(f"SELECT * FROM {table()}"):
        db.query("SELECT 1")
    assert "authenticate" not in caplog.text and db.tokens.access[:20] not in caplog.text


class Copy:
    """The rows of a live query by its events; an event that cannot be next fails."""

    def __init__(self):
        self.rows = {}
        self.seqs = set()

    def take(self, e):
        assert e.kind != "reset"
        key = e.row["id"]
        assert e.seq not in self.seqs, f"{e} came twice"
        self.seqs.add(e.seq)
        if e.kind == "insert":
            assert key not in self.rows, f"{e}, but the row was there"
        if e.kind == "update":
            assert self.rows.get(key) == e.old["n"], f"{e}, but the row was {self.rows.get(key)}"
        if e.kind == "delete":
            self.rows.pop(key, None)
        else:
            self.rows[key] = e.row["n"]


class Writer:
    """Writes at random until it is told to stop, and then the row with the last id."""

    def __init__(self, server, name):
        self.seed = random.randrange(2**32)
        print("seed", self.seed)
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._run, args=(server, name, random.Random(self.seed)))
        self.thread.start()

    def _run(self, server, name, r):
        with server.connect() as db, server.connect("root") as root:
            while not self.stop.is_set():
                if r.random() < 0.01:
                    root.query(f"STORAGE FLUSH TABLE {name}")
                key, n = r.randrange(40), r.randrange(1_000_000)
                do = r.choice(
                    [
                        f"INSERT INTO {name} (id, n) VALUES ({key}, {n}) ON CONFLICT (id) DO UPDATE SET n = {n}",
                        f"UPDATE {name} SET n = {n} WHERE id BETWEEN {key} AND {key + 3}",
                        f"DELETE FROM {name} WHERE id = {key}",
                    ]
                )
                db.query(do)
            db.query(f"INSERT INTO {name} (id, n) VALUES (1000, 0)")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join(60)
        assert not self.thread.is_alive()


class Cutter:
    """Cuts every connection that has stood for some frames, so many times."""

    def __init__(self, proxy, times):
        self.proxy = proxy
        self.times = times
        self.left = times

    def seen(self, event_number, r):
        if self.left > 0 and r.random() < 0.2:
            self.left -= self.proxy.cut() > 0


CUTS = 120


def test_exact_over_cuts(server, db, table, proxy):
    name = table()
    db.batch([(f"INSERT INTO {name} (id, n) VALUES ($1, 0)", [i]) for i in range(0, 40, 2)])
    copy, r = Copy(), random.Random(1)
    cutter = Cutter(proxy, CUTS)
    options = {"first_wait": 0.001, "longest_wait": 0.002, "max_reconnects": None}
    with (
        Writer(server, name) as writer,
        kalam.connect(proxy.url, token=db.tokens, **options) as client,
        client.live(f"SELECT id, n FROM {name}", last_rows=kalam.ALL_ROWS, batch_size=3, states=True) as live,
    ):
        cuts = 0
        for i, event in enumerate(live):
            cuts += event.kind == "disconnected"
            if event.is_state:
                continue
            copy.take(event)
            if event.row["id"] == 1000:
                break
            cutter.seen(i, r)
            if cutter.left == 0:
                writer.stop.set()
    assert copy.rows == dict(db.query(f"SELECT id, n FROM {name}").tuples)
    assert cuts >= 100


def test_aio_exact_over_cuts(server, db, table, proxy):
    name = table()
    db.batch([(f"INSERT INTO {name} (id, n) VALUES ($1, 0)", [i]) for i in range(0, 40, 2)])
    copy, r = Copy(), random.Random(2)
    cutter = Cutter(proxy, CUTS)

    async def go(writer):
        cuts = waits = 0
        options = {"first_wait": 0.001, "longest_wait": 0.002, "max_reconnects": None}
        async with kalam.aio.connect(proxy.url, token=db.tokens, **options) as client:
            live = client.live(f"SELECT id, n FROM {name}", last_rows=kalam.ALL_ROWS, batch_size=3, states=True)
            async with live:
                i = 0
                while True:
                    try:
                        # Waits that are cancelled lose nothing either.
                        event = await asyncio.wait_for(live.__anext__(), r.choice([0.0002, 0.001, 30]))
                    except asyncio.TimeoutError:
                        waits += 1
                        continue
                    i += 1
                    cuts += event.kind == "disconnected"
                    if event.is_state:
                        continue
                    copy.take(event)
                    if event.row["id"] == 1000:
                        return cuts, waits
                    cutter.seen(i, r)
                    if cutter.left == 0:
                        writer.stop.set()

    with Writer(server, name) as writer:
        cuts, waits = asyncio.run(go(writer))
    assert copy.rows == dict(db.query(f"SELECT id, n FROM {name}").tuples)
    assert cuts >= 100 and waits > 0


def test_server_that_is_killed(tmp_path):
    """A live query goes on after kill -9 and another start of the server, and misses nothing."""
    server = Server(str(tmp_path))
    proxy = Proxy(server.port)
    try:
        with kalam.connect(
            proxy.url, user="root", password=password("root"), first_wait=0.01, longest_wait=0.05, max_reconnects=None
        ) as db:
            db.query("CREATE NAMESPACE app")
            db.query("CREATE USER TABLE app.t (id BIGINT PRIMARY KEY)")
            with db.live("SELECT id FROM app.t") as live:
                for i in range(3):
                    db.query("INSERT INTO app.t VALUES ($1)", 2 * i)
                    assert live.get(30).row["id"] == 2 * i
                    server.stop(kill=True)
                    server = Server(str(tmp_path))
                    with server.connect("root") as other:
                        other.query("INSERT INTO app.t VALUES ($1)", 2 * i + 1)
                    proxy.target = server.port
                    event = live.get(30)
                    assert (event.kind, event.row["id"]) in (("initial", 2 * i + 1), ("insert", 2 * i + 1))
    finally:
        proxy.close()
        server.stop()


def test_slow_reader(db, table):
    """A reader that lags behind the server's limit is cut off, resumes, and misses nothing."""
    name = table("id BIGINT PRIMARY KEY, n INT, body TEXT")
    with db.live(f"SELECT id, n FROM {name}", buffer_size=10, states=True) as live:
        body = "x" * 10_000
        with db.live(f"SELECT * FROM {name}") as fat:
            for i in range(0, 3000, 100):
                db.query(f"INSERT INTO {name} SELECT range, 0, '{body}' FROM range({i}, {i + 100})")
            db.query(f"INSERT INTO {name} (id) VALUES (3000)")
            for lagging in (live, fat):
                ids = []
                while not ids or ids[-1] != 3000:
                    event = lagging.get(30)
                    if not event.is_state:
                        ids.append(event.row["id"])
                assert ids == list(range(3001))


def test_live_rows(db, table, proxy):
    name = table()
    db.query(f"INSERT INTO {name} VALUES (1, 1, 'a'), (2, 2, 'b')")
    with kalam.connect(proxy.url, token=db.tokens, first_wait=0.001) as client:
        with client.live_rows(f"SELECT id, n FROM {name} WHERE n > $1", 0) as rows:
            each = iter(rows)

            def shown():
                return [(r["id"], r["n"]) for r in next(each)]

            assert shown() == [(1, 1), (2, 2)]
            db.query(f"UPDATE {name} SET n = 5 WHERE id = 1")
            assert shown() == [(1, 5), (2, 2)]
            db.query(f"DELETE FROM {name} WHERE id = 1")
            assert shown() == [(2, 2)]
            proxy.cut()
            db.query(f"INSERT INTO {name} VALUES (3, 3, 'c')")
            db.query(f"UPDATE {name} SET n = -1 WHERE id = 2")
            now = shown()
            while now != [(3, 3)]:
                now = shown()
            assert rows.rows == [{"id": 3, "n": 3, "_seq": rows.rows[0]["_seq"]}]
        with (
            client.live_rows(f"SELECT n FROM {name}") as rows,
            pytest.raises(kalam.InterfaceError, match="primary key"),
        ):
            next(iter(rows))


def test_aio_live(server, db, table):
    name = table()

    async def go():
        async with kalam.aio.connect(server.url, user="alice", password=password("alice")) as client:
            live = await client.live(f"SELECT * FROM {name}")
            await client.query(f"INSERT INTO {name} (id) VALUES (1)")
            async for event in live:
                assert (event.kind, event.row["id"]) == ("insert", 1)
                break
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(live.__anext__(), 0.01)
            await client.query(f"INSERT INTO {name} (id) VALUES (2)")
            assert (await live.__anext__()).row["id"] == 2

            async with client.live_rows(f"SELECT id FROM {name}") as rows:
                async for shown in rows:
                    assert [r["id"] for r in shown] == [1, 2]
                    break

            with pytest.raises(kalam.LiveError):
                await client.live("SELECT * FROM app.nothing")
            with pytest.raises(kalam.LiveError):
                async for _ in client.live("SELECT * FROM app.nothing"):
                    pass

            # A task that waits ends when the live query is closed, by another or with the client.
            waiting = asyncio.ensure_future(collect(live))
            await asyncio.sleep(0)
            await live.close()
            assert await waiting == []
            waiting = asyncio.ensure_future(collect(client.live(f"SELECT * FROM {name}")))
            await client.query("SELECT 1")
        assert await waiting == []
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(go())


async def collect(live):
    return [event async for event in live]
