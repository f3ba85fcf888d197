"""Requests of both clients: results, errors, batches, transactions, retries, timeouts, cancelling."""

import asyncio
import concurrent.futures
import dataclasses
import pickle
import socket
import threading
import time

import pytest
from conftest import eventually, password

import kalam

SLOW = "SELECT count(*) FROM range(3000000000) a(x) WHERE hash(x) % 7 = 3"


def test_results(db, table):
    name = table()
    done = db.query(f"INSERT INTO {name} VALUES (1, 10, 'a'), (2, NULL, 'b')")
    assert (done.row_count, done.message, list(done), done.has_rows) == (2, "Inserted 2 row(s)", [], False)
    rows = db.query(f"SELECT id, n, body FROM {name} ORDER BY id")
    assert list(rows) == [{"id": 1, "n": 10, "body": "a"}, {"id": 2, "n": None, "body": "b"}]
    assert rows[1] == {"id": 2, "n": None, "body": "b"} == rows[-1:][0]
    assert rows.first() == rows[0] and rows.scalar() == 1 and len(rows) == rows.row_count == 2
    assert rows.columns[0] == kalam.Column("id", "BigInt", primary_key=True, not_null=True, unique=True)
    assert rows.as_user == "alice" and not rows.truncated and rows.took > 0
    assert db.query("SELECT 1 AS a, 2 AS a").tuples == [(1, 2)]
    empty = db.query(f"SELECT id FROM {name} WHERE id > 5")
    assert empty.has_rows and empty.first() is None and empty.scalar() is None and list(empty) == []
    assert [r.scalar() for r in db.query_all("SELECT 1; SELECT 2")] == [1, 2]
    assert db.using("app").query(f"SELECT count(*) FROM {name.removeprefix('app.')}").scalar() == 2


@dataclasses.dataclass
class Note:
    id: int
    body: str
    n: int | None = None


def test_into_objects(db, table):
    name = table()
    db.query(f"INSERT INTO {name} VALUES (1, 10, 'a')")
    assert db.query_as(Note, f"SELECT * FROM {name}") == [Note(1, "a", 10)]
    assert db.query_as(dict, f"SELECT id, body FROM {name}") == [{"id": 1, "body": "a"}]
    with pytest.raises(kalam.InterfaceError, match="body"):
        db.query_as(Note, f"SELECT id FROM {name}")


@pytest.mark.parametrize(
    ("sql", "kind", "code", "position"),
    [
        ("SELECT idd FROM {t}", kalam.ProgrammingError, "INVALID_SQL", 8),
        ("SELEC 1", kalam.ProgrammingError, "INVALID_SQL", 1),
        ("", kalam.ProgrammingError, "EMPTY_SQL", 0),
        ("SELECT 'x", kalam.ProgrammingError, "BATCH_PARSE_ERROR", None),
        ("SELECT * FROM app.nothing", kalam.ProgrammingError, "SQL_EXECUTION_ERROR", 15),
        ("INSERT INTO {t} VALUES (1, 1, 'x')", kalam.IntegrityError, "SQL_EXECUTION_ERROR", None),
        ("INSERT INTO {t} VALUES (NULL, 1, 'x')", kalam.IntegrityError, "SQL_EXECUTION_ERROR", None),
        ("INSERT INTO {t} VALUES (2, 3000000000, 'x')", kalam.DataError, "SQL_EXECUTION_ERROR", None),
        ("SELECT $1", kalam.ProgrammingError, "SQL_EXECUTION_ERROR", None),
        ("CREATE NAMESPACE mine", kalam.PermissionDenied, "PERMISSION_DENIED", None),
    ],
)
def test_errors(db, table, sql, kind, code, position):
    name = table()
    db.query(f"INSERT INTO {name} VALUES (1, 1, 'x')")
    with pytest.raises(kind) as raised:
        db.query(sql.format(t=name))
    e = raised.value
    assert type(e) is kind and e.code == code and e.status in (400, 403) and e.message in str(e)
    assert position is None or e.position == position
    again = pickle.loads(pickle.dumps(e))
    assert (type(again), again.code, again.message, again.position) == (kind, code, e.message, e.position)


def test_words_of_errors():
    e = kalam.ProgrammingError("no column", hint="look", suggestions=["id", "ids"])
    assert str(e) == "no column (hint: look) (did you mean id, ids?)"
    slow = kalam.Timeout("late", code="TIMEOUT", status=400)
    assert isinstance(slow, TimeoutError) and str(slow) == "late" and slow.code == "TIMEOUT"
    assert pickle.loads(pickle.dumps(slow)).status == 400


def test_suggestions(db, table):
    with pytest.raises(kalam.ProgrammingError) as raised:
        db.query(f"SELECT bodi FROM {table()}")
    assert raised.value.suggestions == ("body",) and str(raised.value).endswith("(did you mean body?)")


def test_error_of_a_later_statement(db, table):
    name = table()
    with pytest.raises(kalam.IntegrityError) as raised:
        db.query_all(f"INSERT INTO {name} (id) VALUES (1); INSERT INTO {name} (id) VALUES (1)")
    assert raised.value.statement == 2 and [r.row_count for r in raised.value.results] == [1]
    assert db.query(f"SELECT count(*) FROM {name}").scalar() == 1


def test_batches_and_transactions(db, table):
    name = table()
    add = f"INSERT INTO {name} VALUES ($1, $2, $3)"
    done = db.batch([f"INSERT INTO {name} VALUES (1, -1, 'x') -- no end", (add, [2, -5, "it's"]), "SELECT 7;"])
    assert [r.row_count for r in done] == [1, 1, 1] and done[2].scalar() == 7
    with pytest.raises(kalam.IntegrityError) as raised:
        db.batch([(add, [3, 0, ""]), (add, [1, 0, ""]), (add, [4, 0, ""])])
    assert raised.value.statement == 2 and db.query(f"SELECT max(id) FROM {name}").scalar() == 3

    with db.transaction() as tx:
        tx.execute(f"UPDATE {name} SET n = n - $1 WHERE id = $2", -3, 2)
        tx.execute(f"DELETE FROM {name} WHERE id = $1", 3)
    assert [r.row_count for r in tx.results] == [1, 1]
    assert db.query(f"SELECT n FROM {name} ORDER BY id").tuples == [(-1,), (-2,)]
    with pytest.raises(kalam.IntegrityError) as raised, db.transaction() as tx:
        tx.execute(add, 5, 0, "")
        tx.execute(add, 1, 0, "")
    assert raised.value.statement == 2 and raised.value.results == []
    with pytest.raises(kalam.ProgrammingError) as raised, db.transaction() as tx:
        tx.execute(f"DELETE FROM {name} WHERE body = 'é'")
        tx.execute(f"DELETE FROM {name} WHERE nothing = 1")
    e = raised.value
    assert e.statement == 2 and e.message.startswith("Statement 2 failed") and e.position == 27 - 7 + len(name)
    with pytest.raises(ZeroDivisionError), db.transaction() as tx:
        tx.execute(add, 6, 0, "")
        raise ZeroDivisionError
    assert db.query(f"SELECT count(*) FROM {name}").scalar() == 2
    assert db.batch([]) == []
    with pytest.raises(kalam.ProgrammingError, match="one statement"):
        db.batch(["SELECT 1; SELECT 2"])
    with pytest.raises(kalam.InterfaceError):
        db.batch([("SELECT $1",)])


def test_users_are_apart(server, db, table, root):
    name = table()
    db.query(f"INSERT INTO {name} (id) VALUES (1)")
    with server.connect("bob") as bob:
        assert bob.query(f"SELECT count(*) FROM {name}").scalar() == 0
    with server.connect("bob", act_as="alice") as bob, pytest.raises(kalam.Error) as raised:
        bob.query(f"SELECT count(*) FROM {name}")
    assert raised.value.status == 403
    with server.connect("root", act_as="alice") as other:
        result = other.query(f"SELECT count(*) FROM {name}")
        assert (result.scalar(), result.as_user) == (1, "alice")


def test_connections_are_kept(db, proxy):
    with kalam.connect(proxy.url, user="alice", password=password("alice")) as client:
        for i in range(20):
            assert client.query("SELECT $1", i).scalar() == i
        assert proxy.accepted == 1
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            got = list(pool.map(lambda i: client.query("SELECT $1", i).scalar(), range(200)))
        assert got == list(range(200)) and proxy.accepted <= 9
        before = proxy.accepted
        proxy.cut()
        assert client.query("SELECT 1").scalar() == 1  # The cut was noticed before anything was sent.
        assert proxy.accepted == before + 1


def test_large_answers(db):
    for compress in (False, True):
        with kalam.connect(db._options.url, token=db.tokens, compress=compress) as client:
            rows = client.query("SELECT range x, repeat('é', 100) t FROM range(20000)").tuples
            assert len(rows) == 20000 and rows[-1] == (19999, "é" * 100)


def test_only_what_is_safe_is_sent_again(table, proxy, db):
    name = table()
    with kalam.connect(proxy.url, user="alice", password=password("alice"), first_wait=0.001) as client:
        client.query("SELECT 1")
        proxy.lose, before = 2, proxy.requests
        assert client.query("SELECT 5").scalar() == 5
        assert proxy.requests == before + 3
        proxy.lose, before = 1, proxy.requests
        with pytest.raises(kalam.ConnectionFailed) as raised:
            client.query(f"INSERT INTO {name} (id) VALUES (1)")
        assert not raised.value.unsent and proxy.requests == before + 1
    assert db.query(f"SELECT count(*) FROM {name}").scalar() == 1


def test_a_server_that_is_not_there():
    with socket.create_server(("127.0.0.1", 0)) as s:
        port = s.getsockname()[1]
    start = time.monotonic()
    with pytest.raises(kalam.ConnectionFailed) as raised:
        kalam.connect(f"http://127.0.0.1:{port}", user="a", password="b", max_retries=2, first_wait=0.05)
    assert raised.value.unsent and time.monotonic() - start >= 0.8 * (0.05 + 0.1)
    with pytest.raises(kalam.Timeout):
        kalam.connect(f"http://127.0.0.1:{port}", user="a", password="b", timeout=0.01, first_wait=0.5)


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{}", b"nonsense\r\n\r\n",
                                    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"])  # fmt: skip
def test_answers_that_break_off(answer):
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            for _ in range(2):
                with listener.accept()[0] as s:
                    s.recv(1 << 16)
                    s.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with kalam.connect(url, token="a.b.c") as db, pytest.raises(kalam.ConnectionFailed):
            db.query("DELETE FROM t")

        async def go():
            async with kalam.aio.connect(url, token="a.b.c") as db:
                with pytest.raises(kalam.ConnectionFailed):
                    await db.query("DELETE FROM t")

        asyncio.run(go())
        thread.join()


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("", {}),
        ("localhost:8080", {}),
        ("ftp://localhost", {}),
        ("http://", {}),
        ("http://a:b@localhost", {}),
        ("http://localhost:x", {}),
        ("http://localhost?x=1", {}),
        ("http://localhost", {"user": "a"}),
        ("http://localhost", {"password": "a"}),
        ("http://localhost", {"user": "a", "password": "b", "api_key": "c"}),
        ("http://localhost", {"token": "x"}),
        ("http://localhost", {"api_key": "a\nb"}),
        ("http://localhost", {"act_as": "a\r\nX: y"}),
        ("http://localhost", {"timeout": 0}),
        ("http://localhost", {"token": kalam.Tokens("a.b.c", "x\r\nX: y")}),
        ("http://localhost/a b", {}),
    ],
)
def test_options(url, options):
    with pytest.raises(kalam.InterfaceError):
        kalam.connect(url, **options)
    with pytest.raises(kalam.InterfaceError):
        kalam.aio.connect(url, **options)


def running(root):
    return root.query(
        "SELECT count(*) FROM system.sessions WHERE query LIKE '%hash(x)%' AND query NOT LIKE '%sessions%'"
    ).scalar()


def test_timeout_ends_the_statement(db, root):
    start = time.monotonic()
    with pytest.raises(kalam.Timeout):
        db.query(SLOW, timeout=0.3)
    assert time.monotonic() - start < 5
    eventually("the server has ended it", lambda: running(root) == 0)
    assert db.query("SELECT 1").scalar() == 1


def test_cancel(db, root):
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        slow = pool.submit(db.query, SLOW)
        eventually("it runs", lambda: running(root) == 1)
        db.cancel()
        with pytest.raises(kalam.Cancelled):
            slow.result(30)
    eventually("the server has ended it", lambda: running(root) == 0)
    assert db.query("SELECT 1").scalar() == 1


def test_closed(server):
    db = server.connect()
    db.close()
    db.close()
    with pytest.raises(kalam.InterfaceError, match="closed"):
        db.query("SELECT 1")


def test_health(server, db):
    assert db.health()["status"] == "healthy"
    with kalam.connect(server.url) as nobody:
        assert nobody.health()["api_version"] == "v1"
        with pytest.raises(kalam.AuthenticationError) as raised:
            nobody.query("SELECT 1")
    assert raised.value.code == "MISSING_AUTHORIZATION"


# asyncio


def aio(server, **options):
    return kalam.aio.connect(server.url, user="alice", password=password("alice"), **options)


def test_aio(server, table):
    name = table()

    async def go():
        async with aio(server) as db:
            await db.query(f"INSERT INTO {name} VALUES (1, 2, 'x')")
            assert (await db.query_as(Note, f"SELECT * FROM {name}")) == [Note(1, "x", 2)]
            assert (await db.arrow(f"SELECT id FROM {name}")).to_pylist() == [{"id": 1}]
            assert (await db.df(f"SELECT id FROM {name}")).shape == (1, 1)
            async with db.transaction() as tx:
                tx.execute(f"DELETE FROM {name} WHERE id = $1", 1)
            assert tx.results[0].row_count == 1
            assert [r.scalar() for r in await db.batch([("SELECT $1", [3]), "SELECT 4"])] == [3, 4]
            got = await asyncio.gather(*(db.query("SELECT $1", i) for i in range(100)))
            assert [g.scalar() for g in got] == list(range(100))
            assert (await db.health())["status"] == "healthy"
            assert len((await db.query("SELECT range, repeat('é', 100) FROM range(20000)")).tuples) == 20000
            with pytest.raises(kalam.ProgrammingError):
                await db.query("SELEC")
            other = await kalam.aio.connect(server.url, token=db.tokens, compress=True)
            assert (await other.query("SELECT repeat('x', 5000)")).scalar() == "x" * 5000
            await other.close()
        with pytest.raises(kalam.InterfaceError):
            await db.query("SELECT 1")

    asyncio.run(go())


def test_aio_cancelling_ends_the_statement(server, root):
    async def go():
        async with aio(server) as db:
            with pytest.raises(kalam.Timeout):
                await db.query(SLOW, timeout=0.3)
            task = asyncio.ensure_future(db.query(SLOW))
            while await asyncio.to_thread(running, root) == 0:
                pass
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert (await db.query("SELECT 1")).scalar() == 1

    asyncio.run(go())
    eventually("the server has ended it", lambda: running(root) == 0)


def test_aio_retries(table, proxy, db):
    name = table()

    async def go():
        async with kalam.aio.connect(proxy.url, user="alice", password=password("alice"), first_wait=0.001) as client:
            proxy.lose, before = 2, proxy.requests
            assert (await client.query("SELECT 5")).scalar() == 5
            assert proxy.requests == before + 3
            proxy.lose = 1
            with pytest.raises(kalam.ConnectionFailed):
                await client.query(f"INSERT INTO {name} (id) VALUES (1)")
            proxy.cut()
            assert (await client.query("SELECT 1")).scalar() == 1

    asyncio.run(go())
    assert db.query(f"SELECT count(*) FROM {name}").scalar() == 1
