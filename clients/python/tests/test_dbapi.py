"""DB-API 2.0 as PEP 249 describes it."""

import datetime as dt
import time
from decimal import Decimal

import pytest
from conftest import password

import kalam
import kalam.dbapi as db


@pytest.fixture
def conn(server):
    with db.connect(server.url, user="alice", password=password("alice")) as c:
        yield c


def count(conn, name):
    return conn.cursor().execute(f"SELECT count(*) FROM {name}").fetchone()[0]


def test_module():
    assert (db.apilevel, db.paramstyle, db.threadsafety) == ("2.0", "qmark", 1)
    assert issubclass(db.Warning, Exception) and issubclass(db.Error, Exception)
    assert issubclass(db.InterfaceError, db.Error) and issubclass(db.DatabaseError, db.Error)
    for name in (
        "DataError",
        "OperationalError",
        "IntegrityError",
        "InternalError",
        "ProgrammingError",
        "NotSupportedError",
    ):
        kind = getattr(db, name)
        assert issubclass(kind, db.DatabaseError) and getattr(db.Connection, name) is kind is getattr(kalam, name)
    assert db.Date(2026, 1, 31) == dt.date(2026, 1, 31) and db.Time(1, 2, 3) == dt.time(1, 2, 3)
    assert db.Timestamp(2026, 1, 31, 1, 2, 3) == dt.datetime(2026, 1, 31, 1, 2, 3) and db.Binary(b"x") == b"x"
    ticks = time.mktime((2026, 1, 31, 1, 2, 3, 0, 0, -1))
    assert db.DateFromTicks(ticks) == dt.date(2026, 1, 31) and db.TimeFromTicks(ticks) == dt.time(1, 2, 3)
    assert db.TimestampFromTicks(0) == dt.datetime(1970, 1, 1, tzinfo=dt.timezone.utc)
    assert db.STRING == "Text" and db.STRING != "Int" and db.NUMBER == "Decimal" and db.BINARY == "Bytes"
    assert db.DATETIME == "Date" and db.ROWID != "BigInt" and db.STRING != db.NUMBER and hash(db.STRING)


def test_description_and_fetch(conn, table):
    name = table("id BIGINT PRIMARY KEY, d DECIMAL(10,2), t TEXT, ts DATETIME, b BYTES")
    cur = conn.cursor()
    assert cur.description is None and cur.rowcount == -1 and cur.rownumber is None
    cur.execute(
        f"INSERT INTO {name} VALUES (?, ?, ?, ?, ?)", [1, Decimal("1.50"), "it's ?", dt.datetime(2026, 1, 1), b"\x00"]
    )
    assert cur.rowcount == 1 and cur.description is None
    with pytest.raises(db.ProgrammingError):
        cur.fetchone()
    cur.executemany(f"INSERT INTO {name} (id) VALUES (?)", [(i,) for i in range(2, 8)])
    assert cur.rowcount == 6
    assert cur.execute(f"SELECT id, d, t, ts, b FROM {name} WHERE id < ? ORDER BY id", (7,)) is cur
    assert cur.description == [
        ("id", "BigInt", None, None, None, None, False),
        ("d", "Decimal", None, None, 10, 2, None),
        ("t", "Text", None, None, None, None, None),
        ("ts", "DateTime", None, None, None, None, None),
        ("b", "Bytes", None, None, None, None, None),
    ]
    assert [
        d[1] == kind
        for d, kind in zip(cur.description, (db.NUMBER, db.NUMBER, db.STRING, db.DATETIME, db.BINARY), strict=True)
    ] == [True] * 5
    assert cur.rowcount == 6 and cur.rownumber == 0
    assert cur.fetchone() == (1, Decimal("1.50"), "it's ?", dt.datetime(2026, 1, 1, tzinfo=dt.timezone.utc), b"\x00")
    assert [r[0] for r in cur.fetchmany()] == [2] and [r[0] for r in cur.fetchmany(2)] == [3, 4] and cur.rownumber == 4
    assert [r[0] for r in cur] == [5, 6] and cur.fetchone() is None and cur.fetchmany(5) == [] and cur.fetchall() == []
    cur.rowfactory = lambda cursor, row: dict(zip([d[0] for d in cursor.description], row))
    assert cur.execute("SELECT 1 AS a, 2 AS b").fetchall() == [{"a": 1, "b": 2}]
    cur.setinputsizes([1])
    cur.setoutputsize(1)
    with pytest.raises(db.InterfaceError):
        cur.fetchmany(-1)


def test_several_statements(conn):
    cur = conn.cursor()
    cur.execute("SELECT 1; SELECT 2, 3")
    assert cur.fetchall() == [(1,)] and cur.nextset() is True and cur.fetchall() == [(2, 3)] and cur.nextset() is None


def test_parameters(conn):
    cur = conn.cursor()
    assert cur.execute("SELECT '?' || ? -- ?", ["x"]).fetchone() == ("?x",)
    assert cur.execute("SELECT $1 || $1", ["x"]).fetchone() == ("xx",)
    assert cur.execute("SELECT '{\"a\":1}'::JSON ?? ?", ["a"]).fetchone() == (True,)
    assert cur.execute("SELECT '{\"a\":1}'::JSON ? 'b'").fetchone() == (False,)
    for sql, params in (("SELECT ?", []), ("SELECT ?", [1, 2]), ("SELECT ?, $1", [1])):
        with pytest.raises(db.ProgrammingError):
            cur.execute(sql, params)
    for params in ("x", {"a": 1}, 5):
        with pytest.raises(db.InterfaceError):
            cur.execute("SELECT ?", params)


def test_executemany(conn, table):
    name = table("id BIGINT PRIMARY KEY, n INT, t TEXT")
    cur = conn.cursor()
    cur.executemany(f"INSERT INTO {name} VALUES (?, ?, ?)", ((i, -i, f"it's {i}; $1 ?") for i in range(20_000)))
    assert cur.rowcount == 20_000 and count(conn, name) == 20_000
    cur.execute(f"SELECT n, t FROM {name} WHERE id = 19999")
    assert cur.fetchone() == (-19999, "it's 19999; $1 ?")
    cur.executemany(f"UPDATE {name} SET n = ? WHERE id = ?", [(5, 1), (6, 2), (7, -1)])
    assert cur.rowcount == 2
    cur.executemany(
        f"INSERT INTO {name} VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET n = excluded.n", [(1, 8, ""), (1, 9, "")]
    )
    assert cur.execute(f"SELECT n FROM {name} WHERE id = 1").fetchone() == (9,)
    with pytest.raises(db.IntegrityError):
        cur.executemany(f"INSERT INTO {name} (id) VALUES (?)", [(30_000,), (1,)])
    with pytest.raises(db.DataError) as raised:
        cur.executemany(f"UPDATE {name} SET n = ? WHERE id = ?", [(70, 7), ("x", 8)])
    assert raised.value.statement == 2 and raised.value.message.startswith("Statement 2 failed")
    assert cur.execute(f"SELECT n FROM {name} WHERE id = 7").fetchone() == (-7,)
    assert cur.execute(f"SELECT count(*) FROM {name} WHERE id = 30000").fetchone() == (0,)
    cur.executemany(f"DELETE FROM {name} WHERE id = ?", [])
    assert cur.rowcount == 0
    for sql in ("SELECT ?", f"INSERT INTO {name} (id) VALUES (?) RETURNING id"):
        with pytest.raises(db.NotSupportedError):
            cur.executemany(sql, [(1,)])
    with pytest.raises(db.ProgrammingError):
        cur.executemany(f"DELETE FROM {name} WHERE id = ?", [(1,), (1, 2)])


def test_transactions(conn, table, server):
    name = table()
    cur = conn.cursor()
    conn.rollback()
    conn.commit()
    conn.begin()
    cur.execute(f"INSERT INTO {name} (id, body) VALUES (?, ?)", [1, "it's"])
    assert cur.rowcount == -1 and conn.in_transaction
    cur.executemany(f"INSERT INTO {name} (id) VALUES (?)", [(2,), (3,)])
    with pytest.raises(db.NotSupportedError, match="commit"):
        cur.execute(f"SELECT * FROM {name}")
    with pytest.raises(db.NotSupportedError, match="RETURNING"):
        cur.execute(f"INSERT INTO {name} (id) VALUES (9) RETURNING id")
    with db.connect(server.url, user="alice", password=password("alice")) as other:
        assert count(other, name) == 0
    conn.commit()
    assert count(conn, name) == 3 and not conn.in_transaction

    cur.execute("BEGIN")
    cur.execute(f"DELETE FROM {name} WHERE id > 0")
    with pytest.raises(db.ProgrammingError):
        cur.execute("BEGIN TRANSACTION")
    cur.execute("ROLLBACK")
    assert count(conn, name) == 3

    # All or nothing, and what failed is not tried again.
    cur.execute("START TRANSACTION")
    cur.execute(f"UPDATE {name} SET n = 5 WHERE TRUE")
    cur.execute(f"INSERT INTO {name} (id) VALUES (1)")
    with pytest.raises(db.IntegrityError) as raised:
        cur.execute("COMMIT;")
    assert raised.value.statement == 2 and not conn.in_transaction
    conn.commit()
    assert cur.execute(f"SELECT count(n) FROM {name}").fetchone() == (0,)


def test_without_autocommit(server, table):
    name = table()
    url, options = server.url, {"user": "alice", "password": password("alice"), "autocommit": False}
    with db.connect(url, **options) as conn:
        assert conn.autocommit is False
        assert count(conn, name) == 0
        conn.cursor().execute(f"INSERT INTO {name} (id) VALUES (1)")
        with pytest.raises(db.ProgrammingError):
            conn.autocommit = True
    with pytest.raises(ZeroDivisionError), db.connect(url, **options) as conn:
        conn.cursor().execute(f"INSERT INTO {name} (id) VALUES (2)")
        raise ZeroDivisionError
    conn = db.connect(url, **options)
    conn.cursor().execute(f"INSERT INTO {name} (id) VALUES (3)")
    conn.close()
    with db.connect(url, **options) as conn:
        assert count(conn, name) == 1
        conn.autocommit = True
        conn.cursor().execute(f"INSERT INTO {name} (id) VALUES (4)")
        assert count(conn, name) == 2


def test_closed(server):
    conn = db.connect(server.url, user="alice", password=password("alice"))
    with conn.cursor() as cur:
        cur.execute("SELECT 1")
    with pytest.raises(db.InterfaceError):
        cur.fetchone()
    cur = conn.cursor()
    conn.close()
    conn.close()
    for use in (conn.commit, conn.rollback, conn.cursor, conn.begin, lambda: cur.execute("SELECT 1"), cur.fetchall):
        with pytest.raises(db.InterfaceError):
            use()
