package dialect_test

import (
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/dialect/ast"
)

func TestShowAndDescribe(t *testing.T) {
	table := func(pos int, parts ...string) ast.Name { return ast.Name{Parts: parts, Pos: pos} }
	for _, c := range []statementCase{
		{"SHOW TABLES", &ast.ShowTables{}},
		{"SHOW TABLES IN app", &ast.ShowTables{Namespace: ptr(ident("app", 15))}},
		{"show tables in namespace app;", &ast.ShowTables{Namespace: ptr(ident("app", 25))}},
		{"SHOW TABLES FROM 'App'", &ast.ShowTables{Namespace: ptr(ident("app", 17))}},
		{"SHOW JOBS", &ast.ShowJobs{}},
		{"SHOW CREATE TABLE app.t", &ast.ShowCreate{Table: table(18, "app", "t")}},
		{"SHOW COLUMNS FROM app.t", &ast.ShowColumns{Table: table(18, "app", "t")}},
		{"SHOW COLUMNS IN t", &ast.ShowColumns{Table: table(16, "t")}},
		{"SHOW TABLE STATS app.t", &ast.ShowStats{Table: table(17, "app", "t")}},
		{"SHOW STATS FOR TABLE T", &ast.ShowStats{Table: table(21, "t")}},
		{"DESCRIBE app.t", &ast.Describe{Table: table(9, "app", "t")}},
		{"DESC t", &ast.Describe{Table: table(5, "t")}},
		{"describe table system.users", &ast.Describe{Table: table(15, "system", "users")}},
		{"DESCRIBE t HISTORY", &ast.Describe{Table: table(9, "t"), History: true}},
		{"DESCRIBE TABLE t HISTORY LIMIT 5;", &ast.Describe{Table: table(15, "t"), History: true, Limit: 5}},
		{"DESCRIBE history", &ast.Describe{Table: table(9, "history")}},
		{"DESCRIBE `t`", &ast.Describe{Table: table(9, "t")}},
		{"DESCRIBE SELECT 1 AS a", &ast.Select{SQL: "DESCRIBE SELECT 1 AS a"}},
		{"DESC (SELECT `a` FROM t)", &ast.Select{SQL: `DESC (SELECT "a" FROM t)`}},
		{"KILL JOB FL-0123456789ab", &ast.KillJob{Job: "FL-0123456789ab", Pos: 9}},
		{"KILL JOB 'FL-0123456789AB';", &ast.KillJob{Job: "FL-0123456789AB", Pos: 9}},
		{"kill query 'Q-1a'", &ast.KillQuery{ID: "Q-1a", Pos: 11}},
		{"KILL QUERY Q-1a2b", &ast.KillQuery{ID: "Q-1a2b", Pos: 11}},
		{"kill live query alice-0a1b-s1", &ast.KillLive{ID: "alice-0a1b-s1", Pos: 16}},
		{"KILL LIVE QUERY 'a b-0a1b-s 1'", &ast.KillLive{ID: "a b-0a1b-s 1", Pos: 16}},
		{"KILL LIVE QUERY \"x\"", &ast.KillLive{ID: "x", Pos: 16}},
		{"KILL LIVE QUERY 1e5:0x1f.z", &ast.KillLive{ID: "1e5:0x1f.z", Pos: 16}},
		{"STORAGE VERIFY", &ast.VerifyStorage{}},
		{"BACKUP DATABASE TO '/a b'", &ast.BackupDatabase{To: "/a b", Pos: 19}},
		{"backup database to s1;", &ast.BackupDatabase{To: "s1", Pos: 19}},
		{"CLEAR CACHE", &ast.ClearCache{}},
		{"EXPORT USER DATA", &ast.ExportData{Format: "parquet"}},
		{"export user data format csv;", &ast.ExportData{Format: "csv"}},
		{"EXPORT USER DATA AS FORMAT = 'NDJSON'", &ast.ExportData{Format: "ndjson"}},
		{"STORAGE EXPORT CATALOG app.t FORMAT iceberg",
			&ast.ExportCatalog{Table: ast.Name{Parts: []string{"app", "t"}, Pos: 23}, Format: "iceberg"}},
		{"storage export catalog t for user 'u 1' format = 'ICEBERG';",
			&ast.ExportCatalog{Table: ast.Name{Parts: []string{"t"}, Pos: 23}, User: "u 1", Format: "iceberg", Pos: 34}},
		{"SHOW EXPORT", &ast.ShowExport{}}, {"SHOW EXPORTS;", &ast.ShowExport{}},
	} {
		c.check(t)
	}
}

func TestAdminErrors(t *testing.T) {
	const sql = kalam.CodeInvalidSQL
	for _, c := range []errorCase{
		{"SHOW", sql, 1, "Unsupported statement type: SHOW"},
		{"EXPORT DATABASE 'x'", sql, 1, "Unsupported statement type: EXPORT DATABASE"},
		{"EXPORT USER DATA FORMAT xls", sql, 25, "FORMAT must be parquet, csv or ndjson, got 'xls'"},
		{"EXPORT USER DATA FORMAT", sql, 24, "Syntax error at end of statement: expected format"},
		{"EXPORT USER DATA TO 'x'", sql, 18, "Syntax error at or near 'TO': expected end of statement"},
		{"STORAGE EXPORT t", sql, 1, "Unsupported statement type: STORAGE EXPORT"},
		{"STORAGE EXPORT CATALOG", sql, 23, "Syntax error at end of statement: expected table name"},
		{"STORAGE EXPORT CATALOG t", sql, 25, "Syntax error at end of statement: expected FORMAT iceberg"},
		{"STORAGE EXPORT CATALOG t FORMAT ducklake", sql, 33, "FORMAT must be iceberg, got 'ducklake'"},
		{"STORAGE EXPORT CATALOG t FOR ann FORMAT iceberg", sql, 30, "Syntax error at or near 'ann': expected USER"},
		{"STORAGE EXPORT CATALOG t FOR USER 'a/b' FORMAT iceberg", kalam.CodeInvalidInput, 35, "user id \"a/b\" contains the character '/'"},
		{"SHOW TABLES x", sql, 13, "Syntax error at or near 'x': expected end of statement"},
		{"SHOW TABLES IN", sql, 15, "Syntax error at end of statement: expected namespace name"},
		{"SHOW TABLES IN ''", sql, 16, "namespace name '' must be 1 to 64 bytes long"},
		{"SHOW TABLE a b", sql, 1, "Unsupported statement type: SHOW TABLE"},
		{"SHOW TABLE STATS", sql, 17, "Syntax error at end of statement: expected table name"},
		{"SHOW STATS", sql, 11, "Syntax error at end of statement: expected FOR"},
		{"SHOW STATS FOR t", sql, 16, "Syntax error at or near 't': expected TABLE"},
		{"SHOW COLUMNS", sql, 13, "Syntax error at end of statement: expected FROM"},
		{"SHOW COLUMNS FROM", sql, 18, "Syntax error at end of statement: expected table name"},
		{"DESCRIBE", sql, 9, "Syntax error at end of statement: expected table name"},
		{"DESCRIBE TABLE", sql, 15, "Syntax error at end of statement: expected table name"},
		{"DESCRIBE t HISTORY LIMIT", sql, 25, "Syntax error at end of statement: expected a number for LIMIT"},
		{"DESCRIBE t HISTORY LIMIT 0", sql, 26, "LIMIT of DESCRIBE ... HISTORY must be at least 1"},
		{"DESCRIBE t HISTORY LIMIT 1.5", sql, 26, "LIMIT must be an integer from 0 to 2147483647, got '1.5'"},
		{"DESCRIBE t HISTORY LIMIT 2147483648", sql, 26,
			"LIMIT must be an integer from 0 to 2147483647, got '2147483648'"},
		{"DESCRIBE t LIMIT 5", sql, 12, "Syntax error at or near 'LIMIT': expected end of statement"},
		{"BACKUP DATABASE", sql, 16, "Syntax error at end of statement: expected TO"},
		{"BACKUP DATABASE 'x'", sql, 17, "Syntax error at or near ''x'': expected TO"},
		{"BACKUP DATABASE TO", sql, 19, "Syntax error at end of statement: expected storage id or directory"},
		{"BACKUP DATABASE TO 'x' 'y'", sql, 24, "Syntax error at or near ''y'': expected end of statement"},
		{"KILL", sql, 1, "Unsupported statement type: KILL"},
		{"KILL QUERIES 5", sql, 1, "Unsupported statement type: KILL QUERIES"},
		{"KILL LIVE 5", sql, 1, "Unsupported statement type: KILL LIVE"},
		{"KILL JOB", sql, 9, "Syntax error at end of statement: expected job id"},
		{"KILL JOB (", sql, 10, "Syntax error at or near '(': expected job id"},
		{"KILL JOB E'\\u'", sql, 10, "Syntax error: invalid Unicode escape in the string"},
		{"KILL JOB FL-1 FL-2", sql, 15, "Syntax error at or near 'FL': expected end of statement"},
		{"KILL LIVE QUERY a=b", sql, 18, "Syntax error at or near '=': expected end of statement"},
		{"CLEAR", sql, 1, "Unsupported statement type: CLEAR"},
		{"CLEAR TOPIC t", sql, 1, "Unsupported statement type: CLEAR TOPIC"},
	} {
		c.check(t)
	}
}

// TestUnsupportedStatements names the statement, whatever follows it.
func TestUnsupportedStatements(t *testing.T) {
	for text, want := range map[string]string{
		"MERGE INTO t USING u": "MERGE", "VACUUM": "VACUUM", "PRAGMA x": "PRAGMA",
		"COPY t TO 'x'": "COPY", "ATTACH 'x'": "ATTACH",
		"INSTALL httpfs": "INSTALL", "LOAD x": "LOAD", "CALL f()": "CALL",
		"EXECUTE":                        "EXECUTE",
		"CREATE TEMP VIEW v AS SELECT 1": "CREATE TEMP", "CREATE OR REPLACE TABLE t (a INT)": "CREATE OR REPLACE TABLE",
		"CREATE TEMP TABLE t (a INT)": "CREATE TEMP",
		"CREATE TOPIC t":              "CREATE TOPIC", "CREATE INDEX i ON t (a)": "CREATE INDEX", "CREATE": "CREATE",
		"BACKUP": "BACKUP", "BACKUP TABLE t TO 'x'": "BACKUP TABLE",
		"EXPORT TABLE t": "EXPORT TABLE", "CLUSTER LIST": "CLUSTER LIST",
		"SUBSCRIBE t": "SUBSCRIBE T", "START": "START",
		"START REPLICA":            "START REPLICA",
		"ınsert INTO t VALUES (1)": "ıNSERT", "uſe ns": "UſE", "GRAND ALL": "GRAND", "x": "X", "ключ": "ключ",
	} {
		errorCase{text, kalam.CodeInvalidSQL, 1, "Unsupported statement type: " + want}.check(t)
	}
	for _, c := range []errorCase{
		{"", kalam.CodeEmptySQL, 0, "No SQL statements provided"},
		{" -- nothing\n;; ;", kalam.CodeEmptySQL, 0, "No SQL statements provided"},
		{"1", kalam.CodeInvalidSQL, 1, "Syntax error at or near '1': expected a statement"},
		{")", kalam.CodeInvalidSQL, 1, "Syntax error at or near ')': expected a statement"},
		{"'SELECT 1'", kalam.CodeInvalidSQL, 1, "Syntax error at or near ''SELECT 1'': expected a statement"},
		{"\"SELECT\" 1", kalam.CodeInvalidSQL, 1, "Syntax error at or near '\"SELECT\"': expected a statement"},
		{"SHOW JOBS; SHOW JOBS", kalam.CodeInvalidSQL, 12, "Syntax error at or near 'SHOW': expected end of statement"},
		{"\xff", kalam.CodeInvalidSQL, 1, "Text is not valid UTF-8"},
		{"SELECT '\u00e9\xe9'", kalam.CodeInvalidSQL, 11, "Text is not valid UTF-8"},
		{"/* SELECT 1", kalam.CodeInvalidSQL, 1, "Unterminated comment"},
		{"SHOW JOBS \x00", kalam.CodeInvalidSQL, 11, "NUL byte outside a string literal"},
		{"SHOW\u2028JOBS", kalam.CodeInvalidSQL, 1, "Unsupported statement type: SHOW JOBS"},
		{"\ufeff SHOW\u00a0JOBS\u3000x", kalam.CodeInvalidSQL, 18,
			"Syntax error at or near 'x': expected end of statement"},
	} {
		c.check(t)
	}
	mustParse(t, "; ;SHOW JOBS;;")
	mustParse(t, "\ufeffSHOW\u00a0JOBS\u200b")
}
