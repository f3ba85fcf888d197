package dialect_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/dialect"
	"github.com/kalamlake/kalam/dialect/ast"
)

func TestTransactions(t *testing.T) {
	for _, c := range []statementCase{
		{"BEGIN", &ast.Begin{}}, {"begin transaction;", &ast.Begin{}}, {"BEGIN WORK", &ast.Begin{}},
		{"START TRANSACTION", &ast.Begin{}}, {"BEGIN READ WRITE", &ast.Begin{}},
		{"BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ WRITE", &ast.Begin{}},
		{"START TRANSACTION ISOLATION LEVEL READ COMMITTED READ WRITE", &ast.Begin{}},
		{"BEGIN ISOLATION LEVEL READ UNCOMMITTED", &ast.Begin{}},
		{"COMMIT", &ast.Commit{}}, {"COMMIT TRANSACTION", &ast.Commit{}},
		{"commit work;", &ast.Commit{}}, {"END", &ast.Commit{}},
		{"ROLLBACK", &ast.Rollback{}}, {"ROLLBACK TRANSACTION", &ast.Rollback{}},
		{"ABORT WORK", &ast.Rollback{}},
	} {
		c.check(t)
	}
	const sql, no = kalam.CodeInvalidSQL, kalam.CodeUnsupported
	for _, c := range []errorCase{
		{"BEGIN x", sql, 7, "Syntax error at or near 'x': expected end of statement"},
		{"BEGIN READ ONLY", no, 7, "READ ONLY transactions are not supported"},
		{"BEGIN READ WRITE,", sql, 18, "Syntax error at end of statement: expected a transaction mode"},
		{"BEGIN, READ WRITE", sql, 6, "Syntax error at or near ',': expected end of statement"},
		{"BEGIN ISOLATION LEVEL SERIALIZABLE", no, 23,
			"ISOLATION LEVEL SERIALIZABLE is not supported; a transaction reads one snapshot"},
		{"BEGIN ISOLATION LEVEL", sql, 22, "Syntax error at end of statement: expected REPEATABLE READ"},
		{"COMMIT AND CHAIN", sql, 8, "Syntax error at or near 'AND': expected end of statement"},
		{"ROLLBACK TO SAVEPOINT x", no, 10, "Savepoints are not supported"},
		{"SAVEPOINT x", sql, 1, "Unsupported statement type: SAVEPOINT"},
	} {
		c.check(t)
	}
}

func TestExecuteAs(t *testing.T) {
	for _, c := range []struct {
		sql  string
		want ast.ExecuteAs
	}{
		{"EXECUTE AS USER 'alice' (SELECT 1)", ast.ExecuteAs{User: "alice", Inner: "SELECT 1", Offset: 25}},
		{"execute as user Alice(SELECT 1);", ast.ExecuteAs{User: "Alice", Inner: "SELECT 1", Offset: 22}},
		{"EXECUTE AS USER \"o'b\" ( -- who\n INSERT INTO t VALUES ((1), ')') /* c */ )",
			ast.ExecuteAs{User: "o'b", Inner: "INSERT INTO t VALUES ((1), ')')", Offset: 32}},
		{"EXECUTE AS USER a-b@c.d ((SELECT 1))", ast.ExecuteAs{User: "a-b@c.d", Inner: "(SELECT 1)", Offset: 25}},
		{"EXECUTE AS USER 'a' (EXECUTE AS USER 'b' (SELECT 1))",
			ast.ExecuteAs{User: "a", Inner: "EXECUTE AS USER 'b' (SELECT 1)", Offset: 21}},
		{"EXECUTE AS USER 'a' (nonsense)", ast.ExecuteAs{User: "a", Inner: "nonsense", Offset: 21}},
	} {
		t.Run(c.sql, func(t *testing.T) {
			got := mustParse(t, c.sql).(*ast.ExecuteAs)
			if d := cmp.Diff(&c.want, got); d != "" {
				t.Error(d)
			}
			if !strings.HasPrefix(c.sql[got.Offset:], got.Inner) {
				t.Error("Offset is not that of Inner")
			}
		})
	}
	const input = kalam.CodeInvalidInput
	for _, c := range []errorCase{
		{"EXECUTE AS", input, 11, "Syntax error at end of statement: expected USER"},
		{"EXECUTE AS ROLE x (SELECT 1)", input, 12, "Syntax error at or near 'ROLE': expected USER"},
		{"EXECUTE AS USER", input, 16, "Syntax error at end of statement: expected user name"},
		{"EXECUTE AS USER 'a'", input, 20, "Syntax error at end of statement: expected '(' and one statement"},
		{"EXECUTE AS USER 'a' SELECT 1", input, 21, "Syntax error at or near 'SELECT': expected '(' and one statement"},
		{"EXECUTE AS USER 'a' ()", input, 22, "EXECUTE AS USER takes exactly one statement in parentheses"},
		{"EXECUTE AS USER 'a' (SELECT 1", input, 30, "Syntax error at end of statement: expected ')'"},
		{"EXECUTE AS USER 'a' (SELECT 1) x", input, 32, "Syntax error at or near 'x': expected end of statement"},
		{"EXECUTE AS USER 'a' (SELECT 'x)", input, 29, "Unterminated quoted string"},
		{"EXECUTE AS USER 'a/b' (SELECT 1)", input, 17, `user id "a/b" contains the character '/'`},
		{"EXECUTE AS USER '' (SELECT 1)", input, 17, "user id is empty"},
		{"EXECUTE AS USER '" + strings.Repeat("a", 65) + "' (SELECT 1)", input, 17,
			"user id is 65 bytes long (maximum 64)"},
	} {
		c.check(t)
	}
}

func TestQueries(t *testing.T) {
	for _, c := range []statementCase{
		{"SELECT 1", &ast.Select{SQL: "SELECT 1"}},
		{" select a from t where b = $2 and c = $1; ",
			&ast.Select{SQL: "select a from t where b = $2 and c = $1", Pos: 1,
				Params: 2}},
		{"WITH x AS (SELECT 1) SELECT * FROM x", &ast.Select{SQL: "WITH x AS (SELECT 1) SELECT * FROM x"}},
		{"WITH RECURSIVE insert AS (SELECT 1), y AS (SELECT 2) SELECT * FROM insert", &ast.Select{
			SQL: "WITH RECURSIVE insert AS (SELECT 1), y AS (SELECT 2) SELECT * FROM insert",
		}},
		{"WITH x AS (SELECT update FROM t) SELECT delete FROM x",
			&ast.Select{SQL: "WITH x AS (SELECT update FROM t) SELECT delete FROM x"}},
		{"VALUES (1), (2)", &ast.Select{SQL: "VALUES (1), (2)"}},
		{"FROM t", &ast.Select{SQL: "FROM t"}},
		{"TABLE t", &ast.Select{SQL: "TABLE t"}},
		{"SUMMARIZE t", &ast.Select{SQL: "SUMMARIZE t"}},
		{"(SELECT 1) UNION (SELECT 2)", &ast.Select{SQL: "(SELECT 1) UNION (SELECT 2)"}},
		{"SELECT 1 -- the end", &ast.Select{SQL: "SELECT 1"}},
		{"SELECT nonsense FROM WHERE", &ast.Select{SQL: "SELECT nonsense FROM WHERE"}},
		{"EXPLAIN SELECT $1", &ast.Explain{SQL: "SELECT $1", Pos: 8, Params: 1}},
		{"explain analyze FROM t;", &ast.Explain{Analyze: true, SQL: "FROM t", Pos: 16}},
		{"EXPLAIN ANALYSE SELECT `a`", &ast.Explain{Analyze: true, SQL: `SELECT "a"`, Pos: 16}},
	} {
		c.check(t)
	}
	const sql, no = kalam.CodeInvalidSQL, kalam.CodeUnsupported
	for _, c := range []errorCase{
		{"SELECT (1", sql, 10, "Syntax error at end of statement: expected ')'"},
		{"SELECT 1)", sql, 9, "Syntax error at or near ')': expected end of statement"},
		{"SELECT (1]", sql, 10, "Syntax error at or near ']': expected ')'"},
		{"SELECT {'a': [1}", sql, 16, "Syntax error at or near '}': expected ']'"},
		{"SELECT (1; 2)", sql, 10, "Syntax error at or near ';': expected ')'"},
		{"SELECT 1; SELECT 2", sql, 11, "Syntax error at or near 'SELECT': expected end of statement"},
		{"SELECT 'a", sql, 8, "Unterminated quoted string"},
		{"SELECT \"a", sql, 8, "Unterminated quoted identifier"},
		{"SELECT `a", sql, 8, "Unterminated quoted identifier"},
		{"SELECT $a$", sql, 8, "Unterminated dollar-quoted string"},
		{"SELECT /* /* */", sql, 8, "Unterminated comment"},
		{"SELECT X'a", sql, 8, "Unterminated quoted string"},
		{"SELECT E'\\", sql, 8, "Unterminated quoted string"},
		{"SELECT `a\x00`", sql, 10, "NUL byte outside a string literal"},
		{"SELECT 1 -- \x00", sql, 13, "NUL byte outside a string literal"},
		{"SELECT 1 /* \x00 */", sql, 13, "NUL byte outside a string literal"},
		{"SELECT $1, $3", sql, 12, "Invalid parameter placeholder '$3'"},
		{"SELECT $ 1", sql, 8, "Invalid parameter placeholder '$'"},
		{"SELECT $+1", sql, 8, "Invalid parameter placeholder '$+1'"},
		{"SELECT a ? , b", sql, 10, "Invalid parameter placeholder '?'; placeholders are $1, $2, ..."},
		{"SELECT 1 WHERE a = ?", sql, 20, "Invalid parameter placeholder '?'; placeholders are $1, $2, ..."},
		{"SELECT X'0'", sql, 8, "Syntax error: a hexadecimal literal needs an even number of digits"},
		{"SELECT 0x0", sql, 8, "Syntax error: a hexadecimal literal needs an even number of digits"},
		{"SELECT E'\\u12'", sql, 8, "Syntax error: invalid Unicode escape in the string"},
		{"WITH x AS (SELECT 1) MERGE INTO t", no, 22, "WITH ... MERGE is not supported"},
		{"WITH x AS ('a", sql, 12, "Unterminated quoted string"},
		{"EXPLAIN", sql, 8, "Syntax error at end of statement: expected a query"},
		{"EXPLAIN 5", sql, 9, "Syntax error at or near '5': expected a query"},
		{"EXPLAIN INSERT INTO t VALUES (1)", no, 9, "EXPLAIN takes a query, not INSERT"},
		{"EXPLAIN SELECT (", sql, 17, "Syntax error at end of statement: expected ')'"},
		{"EXPLAIN SELECT $2", sql, 16, "Invalid parameter placeholder '$2'"},
	} {
		c.check(t)
	}
}

func TestIsQuery(t *testing.T) {
	for sql, want := range map[string]bool{
		"SELECT 1": true, " -- c\n select 1": true, "WITH x": true, "values (1)": true, "FROM t": true, "TABLE t": true,
		"SUMMARIZE t": true, "(SELECT 1)": true,
		"": false, "INSERT INTO t VALUES (1)": false, "SELECTED": false, "\"SELECT\"": false, "'SELECT'": false,
		"/* SELECT": false, "\x00SELECT": false, "DESCRIBE t": false,
	} {
		if got := dialect.IsQuery(sql); got != want {
			t.Errorf("%q: got %v", sql, got)
		}
	}
}

// TestVerbs checks that every statement names itself as it is written.
func TestVerbs(t *testing.T) {
	for sql, want := range map[string]string{
		"select 1": "SELECT", "insert into t values (1)": "INSERT", "update t set a = 1 where b = 1": "UPDATE",
		"delete from t where a = 1": "DELETE",
		"explain select 1":          "EXPLAIN", "subscribe to t": "SUBSCRIBE TO", "begin": "BEGIN",
		"commit": "COMMIT", "rollback": "ROLLBACK",
		"execute as user a (select 1)": "EXECUTE AS USER", "use app": "USE", "create namespace a": "CREATE NAMESPACE",
		"alter namespace a set options ()": "ALTER NAMESPACE", "drop namespace a": "DROP NAMESPACE",
		"show namespaces": "SHOW NAMESPACES",
		"show tables":     "SHOW TABLES", "show storages": "SHOW STORAGES", "show jobs": "SHOW JOBS",
		"show columns from t": "SHOW COLUMNS", "show table stats t": "SHOW STATS",
		"describe t": "DESCRIBE", "create user a with internal": "CREATE USER",
		"alter user a set role dba": "ALTER USER", "drop user a": "DROP USER",
		"create storage s type s3 bucket 'b'": "CREATE STORAGE", "alter storage s set name 'n'": "ALTER STORAGE",
		"drop storage s":  "DROP STORAGE",
		"storage check s": "STORAGE CHECK", "storage flush table t": "STORAGE FLUSH TABLE",
		"storage flush all":       "STORAGE FLUSH ALL",
		"storage compact table t": "STORAGE COMPACT TABLE",
		"storage compact all":     "STORAGE COMPACT ALL", "kill job x": "KILL JOB",
		"storage export catalog t format iceberg": "STORAGE EXPORT CATALOG",
		"kill live query x":                       "KILL LIVE QUERY", "kill query x": "KILL QUERY", "clear cache": "CLEAR CACHE",
		"create table t (a int)": "CREATE TABLE",
		"alter table t drop a":   "ALTER TABLE", "drop table t": "DROP TABLE",
	} {
		if got := mustParse(t, sql).Verb(); got != want {
			t.Errorf("%s: got %s, want %s", sql, got, want)
		}
	}
}

func TestParamCount(t *testing.T) {
	for sql, want := range map[string]int{
		"SELECT $1, $2": 2, "INSERT INTO t VALUES ($1, $2, f($3))": 3,
		"UPDATE t SET a = $1 WHERE b = $2 RETURNING $3": 3,
		"DELETE FROM t WHERE a = $1":                    1,
		"EXPLAIN SELECT $1":                             1, "SUBSCRIBE TO t WHERE a = $1": 1, "SHOW TABLES": 0,
		"SELECT '$1', \"$2\", $$ $3 $$ -- $4":                                       0,
		"INSERT INTO t SELECT $1 ON CONFLICT (a) DO UPDATE SET b = $2 WHERE c = $3": 3,
		"SELECT " + strings.Repeat("$1,", 100) + "$2":                               2,
	} {
		if got := dialect.ParamCount(mustParse(t, sql)); got != want {
			t.Errorf("%s: got %d, want %d", sql, got, want)
		}
	}
	var b strings.Builder
	b.WriteString("SELECT $1")
	for i := 2; i <= 65535; i++ {
		b.WriteString(", $" + itoa(i))
	}
	if got := dialect.ParamCount(mustParse(t, b.String())); got != 65535 {
		t.Errorf("got %d placeholders", got)
	}
}
