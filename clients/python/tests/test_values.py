"""Values go in and come out exactly: as parameters, as literals of a batch, and through Arrow."""

import datetime as dt
import math
import random
import uuid
from decimal import Decimal

import numpy as np
import pytest

import kalam

UTC = dt.timezone.utc
COLUMNS = {
    "bo": "BOOLEAN", "sm": "SMALLINT", "i": "INT", "bi": "BIGINT", "f": "FLOAT", "d": "DOUBLE",
    "de": "DECIMAL(38,10)", "t": "TEXT", "ts": "TIMESTAMP", "dz": "DATETIME", "da": "DATE", "ti": "TIME",
    "j": "JSON", "b": "BYTES", "u": "UUID",
}  # fmt: skip
ROWS = [
    [True, -32768, 2147483647, 9223372036854775807, 0.5, 0.1, Decimal("1234567890123456789012345678.0123456789"),
     "it's \\ \"x\" $1 -- \U0001f600", dt.datetime(2026, 1, 31, 12, 34, 56, 123456, UTC),
     dt.datetime(1, 1, 1, tzinfo=UTC), dt.date(1969, 12, 31), dt.time(23, 59, 59, 999999),
     {"a": [1, 2.5, None, True, {"ü": "x'y"}]}, bytes(range(256)), uuid.UUID(int=1)],
    [False, 32767, -2147483648, -9223372036854775808, -0.0, 5e-324, Decimal("-0.0000000001"), "",
     dt.datetime(9999, 12, 31, 23, 59, 59, 999999, UTC), dt.datetime(1969, 12, 31, 23, 59, 59, 999999, UTC),
     dt.date(9999, 12, 31), dt.time(0), kalam.Json([]), b"", uuid.UUID(int=2**128 - 1)],
    [None] * 15,
    [None, 0, 0, 0, math.inf, -math.inf, Decimal(0), "a\x00b", None, None, dt.date(1, 1, 1), None, kalam.Json("x"),
     b"\x00", None],
]  # fmt: skip


def same(want, got):
    want = want.value if isinstance(want, kalam.Json) else want
    return type(got) is type(want) and got == want


@pytest.mark.parametrize("way", ["params", "literals"])
def test_round_trip(db, table, way):
    name = table("id BIGINT PRIMARY KEY, " + ", ".join(f"{c} {t}" for c, t in COLUMNS.items()))
    marks = ", ".join(f"${i + 1}" for i in range(len(COLUMNS) + 1))
    insert = f"INSERT INTO {name} VALUES ({marks})"
    for i, row in enumerate(ROWS):
        if way == "params":
            db.query(insert, i, *row)
        else:
            db.batch([(insert, [i, *row])])
    got = db.query(f"SELECT {', '.join(COLUMNS)} FROM {name} ORDER BY id")
    for want, row in zip(ROWS, got.tuples, strict=True):
        assert [c for w, c in zip(want, row, strict=True) if not same(w, c)] == []
    assert [c.type for c in got.columns] == [
        "Boolean", "SmallInt", "Int", "BigInt", "Float", "Double", "Decimal", "Text", "Timestamp", "DateTime",
        "Date", "Time", "Json", "Bytes", "Uuid",
    ]  # fmt: skip
    assert (got.columns[6].precision, got.columns[6].scale) == (38, 10)

    # Each value finds its row.
    for i, row in enumerate(ROWS[:2]):
        for c, value in zip(COLUMNS, row, strict=True):
            if c not in ("j", "f"):
                assert db.query(f"SELECT id FROM {name} WHERE {c} = $1", value).scalar() == i, c


def test_others(db):
    row = db.query(
        "SELECT [1, 2::BIGINT] l, {'a': 1, 'b': [NULL]} s, MAP {'k': 1} m, sum(x) h, 'NaN'::DOUBLE nan, "
        "INTERVAL 1 DAY i "
        "FROM (VALUES (9223372036854775807), (1)) v(x)"
    ).first()
    assert row is not None and math.isnan(row.pop("nan"))
    assert row == {"l": ["1", "2"], "s": {"a": 1, "b": [None]}, "m": {"k": 1}, "h": 2**63, "i": "1 day"}


def test_kinds_of_parameters(db):
    cells = db.query("SELECT $1, $2, $3, $4, $5, $6", None, True, 2**63, 1.0, "x", Decimal("1.50")).tuples[0]
    assert cells == (None, True, Decimal(2**63), 1.0, "x", 1.5)
    zone = dt.timezone(dt.timedelta(hours=2))
    moment = dt.datetime(2026, 1, 1, 2, tzinfo=zone)
    want = dt.datetime(2026, 1, 1, tzinfo=UTC)
    assert db.query("SELECT $1::TIMESTAMP, $2::TIMESTAMP", moment, dt.datetime(2026, 1, 1)).tuples == [(want, want)]
    with pytest.raises(kalam.DataError, match="zone"):
        db.query("SELECT $1", dt.time(1, tzinfo=UTC))


@pytest.mark.parametrize("way", ["params", "literals"])
def test_arrays_and_objects(db, table, way):
    name = table("id BIGINT PRIMARY KEY, j JSON, ts TIMESTAMP")
    values = [["a", "it's"], [{"a": 1}, [2]], {"x": [1, {"y": None}]}, [], {}, kalam.Json(None), kalam.Json("s")]
    moments = [dt.datetime(2026, 1, i + 1, tzinfo=UTC) for i in range(len(values))]

    def run(sql, *params):
        return db.query(sql, *params) if way == "params" else db.batch([(sql, params)])[0]

    for i, value in enumerate(values):
        run(f"INSERT INTO {name} VALUES ($1, $2, $3)", i, value, moments[i])
    got = [j for (j,) in db.query(f"SELECT j FROM {name} ORDER BY id").tuples]
    assert got == [v.value if isinstance(v, kalam.Json) else v for v in values]
    assert [i for (i,) in run(f"SELECT id FROM {name} WHERE id = ANY($1) ORDER BY id", [1, 3, 99]).tuples] == [1, 3]
    assert len(run(f"SELECT id FROM {name} WHERE id = ANY($1)", [])) == 0
    if way == "params":
        some = run(f"SELECT id FROM {name} WHERE ts = ANY($1) AND id <> ALL($2) ORDER BY id", moments[2:5], [3])
        assert [i for (i,) in some.tuples] == [2, 4]
        assert len(run(f"SELECT id FROM {name} WHERE id IN ($1)", (1, 2))) == 2


def test_numpy(db):
    got = db.query("SELECT $1::BIGINT, $2::DOUBLE, $3::BOOLEAN", np.int64(2**62), np.float64(0.1), np.bool_(True))
    assert got.tuples == [(2**62, 0.1, True)]


def test_text_stays_text(db, table):
    """Random texts of what could end a literal come back from literals as they were."""
    name = table("id BIGINT PRIMARY KEY, t TEXT")
    seed = random.randrange(2**32)
    print("seed", seed)
    r = random.Random(seed)
    pieces = ["'", "\\", '"', "$$", "$1", "--", "/*", "*/", ";", "\n", "?", "E'", "`", "\x00", "é", "\U0001f600", ")"]
    texts = ["".join(r.choices(pieces, k=r.randrange(12))) for _ in range(200)]
    done = db.batch([(f"INSERT INTO {name} VALUES ($1, $2)", [i, t]) for i, t in enumerate(texts)], transaction=True)
    assert [d.row_count for d in done] == [1] * 200
    assert [t for (t,) in db.query(f"SELECT t FROM {name} ORDER BY id").tuples] == texts


def test_arrow_and_frames(db, table):
    name = table("id BIGINT PRIMARY KEY, n BIGINT, d DECIMAL(10,2), ts DATETIME, ok BOOLEAN")
    moment = dt.datetime(2026, 1, 31, 12, 34, 56, 123456, UTC)
    db.query(
        f"INSERT INTO {name} VALUES (1, $1, $2, $3, NULL), (2, NULL, NULL, NULL, TRUE)",
        2**62 + 1,
        Decimal("1.5"),
        moment,
    )
    sql = f"SELECT id, n, d, ts, ok FROM {name} WHERE id < $1 ORDER BY id"
    rows = db.arrow(sql, 10)
    assert rows.to_pylist()[0] == {"id": 1, "n": 2**62 + 1, "d": Decimal("1.50"), "ts": moment, "ok": None}
    frame = db.df(sql, 10)
    assert [str(t) for t in frame.dtypes][:2] == ["int64", "Int64"]
    assert frame["n"][0] == 2**62 + 1 and frame["ts"][0] == moment and frame["n"].isna()[1]
    assert db.df(sql, 0).shape == (0, 5)
    with pytest.raises(kalam.ProgrammingError) as e:
        db.arrow("SELECT nothing")
    assert e.value.position == 8
    with pytest.raises(kalam.Error):
        db.arrow(f"DELETE FROM {name}")
