"""What the client knows of SQL, without a server."""

import pytest

import kalam
from kalam import _batch, _params, _sql


@pytest.mark.parametrize(
    ("sql", "want"),
    [
        ("SELECT ?, ?", "SELECT $1, $2"),
        ("SELECT '?', ?, ?", "SELECT '?', $1, $2"),
        ("SELECT 'it''s ?', ?, ?", "SELECT 'it''s ?', $1, $2"),
        ("SELECT E'\\'?', ?, ?", "SELECT E'\\'?', $1, $2"),
        ("SELECT '\\', ?, ?", "SELECT '\\', $1, $2"),
        ('SELECT "a?""?", `?`, ?, ?', 'SELECT "a?""?", `?`, $1, $2'),
        ("SELECT $$?$$, $a$ ? $$ ? $a$, ?, ?", "SELECT $$?$$, $a$ ? $$ ? $a$, $1, $2"),
        ("SELECT ? -- ?\n, ?", "SELECT $1 -- ?\n, $2"),
        ("SELECT /* ? /* ? */ ? */ ?, ?", "SELECT /* ? /* ? */ ? */ $1, $2"),
        ("SELECT j ?? 'a', ?, ?", "SELECT j ? 'a', $1, $2"),
        ("SELECT name'?', ?, ?", "SELECT name'?', $1, $2"),
        ("SELECT $1, $2", "SELECT $1, $2"),
        ("SELECT '? ? ?", "SELECT '? ? ?"),
        ("SELECT é?, ?", "SELECT é$1, $2"),
    ],
)
def test_question_marks(sql, want):
    assert _sql.to_dollar(sql, 2) == want
    assert "".join(sql[t.start : t.end] for t in _sql.tokens(sql)) == sql


def test_question_marks_that_do_not_fit():
    with pytest.raises(kalam.ProgrammingError, match="1 placeholders but 2"):
        _sql.to_dollar("SELECT ?", 2)
    with pytest.raises(kalam.ProgrammingError, match="one of them"):
        _sql.to_dollar("SELECT ?, $1", 2)


def test_render():
    assert _sql.Template("INSERT INTO t VALUES ($1, $2)").fill(["-1", "'a'"]) == "INSERT INTO t VALUES (-1, 'a')"
    assert _sql.Template("SELECT 2-$1::INT").fill(["-1"]) == "SELECT 2-(-1)::INT"
    assert _sql.Template("SELECT '$1', $1").fill(["'$1'"]) == "SELECT '$1', ('$1')"
    for wrong, literals in (("SELECT $2", ["1"]), ("SELECT 1", ["1"]), ("SELECT $1", []), ("SELECT $0", ["1"])):
        with pytest.raises(kalam.ProgrammingError):
            _sql.Template(wrong).fill(literals)


@pytest.mark.parametrize(
    ("sql", "want"),
    [
        ("select 1", True),
        (" /* x */ SELECT ';' ; -- end", True),
        ("SELECT 1; DELETE FROM t", False),
        ("WITH x AS (SELECT 1) SELECT * FROM x", False),
        ("INSERT INTO t SELECT 1", False),
        ("-- SELECT\nDELETE FROM t", False),
        ("", False),
    ],
)
def test_read_only(sql, want):
    assert _sql.read_only(sql) is want


@pytest.mark.parametrize(
    ("sql", "want"),
    [
        ("INSERT INTO t VALUES ($1, $2)", "($1, $2)"),
        ("INSERT INTO t (a, b) VALUES ($1, f($2, ')')); ", "($1, f($2, ')'))"),
        ("INSERT INTO t VALUES ($1), ($2)", None),
        ("INSERT INTO t VALUES ($1) ON CONFLICT DO NOTHING", None),
        ("INSERT INTO t SELECT $1", None),
        ("INSERT INTO t (a) SELECT $1 FROM (VALUES (1)) v", None),
        ("UPDATE t SET a = $1", None),
    ],
)
def test_values_clause(sql, want):
    place = _sql.values_clause(sql)
    assert (sql[place[0] : place[1]] if place else None) == want


def test_repeat_splits_requests():
    rows = [["x" * 1000]] * 2000
    requests = _batch.repeat("INSERT INTO t VALUES ($1);", rows)
    assert [len(r) for r in requests] == [1] * len(requests)
    assert all(len(r[0]) < _batch.MAX_TEXT for r in requests)
    assert sum(r[0].count("('") for r in requests) == 2000
    assert len(requests) == 4


@pytest.mark.parametrize(
    "value", [object(), {1, 2}, 1j, "\ud800", [object()], kalam.Json(object()), {"a": float("nan")}]
)
def test_values_that_cannot_be_sent(value):
    for encode in (_params.encode, _params.literals):
        with pytest.raises(kalam.DataError, match=r"parameter \$2"):
            encode([1, value])
