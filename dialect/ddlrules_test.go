package dialect_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/dialect"
	"github.com/kalamlake/kalam/dialect/ast"
)

func TestTableOptionErrors(t *testing.T) {
	const prefix = "CREATE USER TABLE t (id INT PRIMARY KEY) "
	at := func(n int) int { return len(prefix) + n }
	for _, c := range []struct {
		options string
		pos     int
		want    string
	}{
		{"TABLE_TYPE shared", at(1),
			"TABLE_TYPE is not supported. Use CREATE USER TABLE, CREATE SHARED TABLE or CREATE STREAM TABLE."},
		{"WITH (TABLE_TYPE = 'shared')", at(7),
			"TABLE_TYPE is not supported. Use CREATE USER TABLE, CREATE SHARED TABLE or CREATE STREAM TABLE."},
		{"OWNER_ID 'x'", at(1), "OWNER_ID is not supported. A USER table belongs to each user who writes to it."},
		{"WITH (colour = 'red')", at(7), "Unknown table option 'COLOUR'"},
		{"COMPRESSION zstd", at(1), "Unknown table option 'COMPRESSION'"},
		{"FLUSH", at(1), "Unknown table option 'FLUSH'"},
		{"FLUSH EVERY 5", at(1), "Unknown table option 'FLUSH'"},
		{"5", at(1), "Syntax error at or near '5': expected a table option"},
		{"WITH", at(5), "Syntax error at end of statement: expected '('"},
		{"WITH (", at(7), "Syntax error at end of statement: expected a table option"},
		{"WITH (TTL", at(10), "Syntax error at end of statement: expected a value for TTL_SECONDS"},
		{"WITH (STORAGE = s1", at(19), "Syntax error at end of statement: expected ')'"},
		{"WITH (STORAGE = s1) 'x'", at(21), "Syntax error at or near ''x'': expected a table option"},
		{"USING", at(6), "Syntax error at end of statement: expected format"},
		{"STORAGE (", at(9), "Syntax error at or near '(': expected a value for STORAGE_ID"},
		{"STORAGE 'a b'", at(9), "storage name \"a b\" may only hold letters, digits and '_'"},
		{"STORAGE a STORAGE_ID 'b'", at(11), "Table option 'STORAGE_ID' is given twice with different values"},
		{"TYPE nope", at(6), "Unknown table type 'nope' (expected USER, SHARED or STREAM)"},
		{"TYPE SYSTEM", at(6), "Unknown table type 'SYSTEM' (expected USER, SHARED or STREAM)"},
		{"TYPE SHARED", 19, "TYPE 'SHARED' does not agree with CREATE USER TABLE"},
		{"TYPE USER TYPE SHARED", at(16), "Table option 'TYPE' is given twice with different values"},
		{"USE_USER_STORAGE = maybe", at(20), "USE_USER_STORAGE must be TRUE or FALSE, got 'maybe'"},
		{"USE_USER_STORAGE USE_USER_STORAGE FALSE", at(35),
			"Table option 'USE_USER_STORAGE' is given twice with different values"},
		{"FLUSH ROWS 0", at(12), "Flush rows must be between 1 and 999999, got '0'"},
		{"FLUSH ROWS 1000000", at(12), "Flush rows must be between 1 and 999999, got '1000000'"},
		{"FLUSH ROWS -5", at(12), "Flush rows must be between 1 and 999999, got '-5'"},
		{"FLUSH ROWS many", at(12), "Flush rows must be between 1 and 999999, got 'many'"},
		{"FLUSH ROWS 1.5", at(12), "Flush rows must be between 1 and 999999, got '1.5'"},
		{"FLUSH ROWS 5s", at(12), "Flush rows must be between 1 and 999999, got '5s'"},
		{"FLUSH ROWS - x", at(12), "Syntax error at or near '-': expected a value for FLUSH ROWS"},
		{"FLUSH ROWS 5 FLUSH ROWS 6", at(25), "Table option 'FLUSH_POLICY rows' is given twice with different values"},
		{"FLUSH INTERVAL 86400", at(16), "Flush interval must be between 1 and 86399 seconds, got '86400'"},
		{"FLUSH INTERVAL 0s", at(16), "Flush interval must be between 1 and 86399 seconds, got '0s'"},
		{"FLUSH INTERVAL '60m'", at(16), "Flush interval must be between 1 and 86399 seconds, got '60m'"},
		{"FLUSH INTERVAL 60m", at(18), "Unknown table option 'M'"},
		{"FLUSH INTERVAL 5 FLUSH_POLICY 'interval:6'", at(31),
			"Table option 'FLUSH_POLICY interval' is given twice with different values"},
		{"FLUSH_POLICY 'daily'", at(14),
			"Invalid FLUSH_POLICY 'daily' (expected 'rows:N', 'interval:S', 'rows:N,interval:S' or 'manual')"},
		{"FLUSH_POLICY ''", at(14),
			"Invalid FLUSH_POLICY '' (expected 'rows:N', 'interval:S', 'rows:N,interval:S' or 'manual')"},
		{"FLUSH_POLICY 'rows:1,interval:2,rows:1'", at(14),
			"Invalid FLUSH_POLICY 'rows:1,interval:2,rows:1' (expected 'rows:N', 'interval:S', 'rows:N,interval:S' " +
				"or 'manual')"},
		{"FLUSH_POLICY 'rows:1,rows:2'", at(14),
			"Table option 'FLUSH_POLICY rows' is given twice with different values"},
		{"FLUSH_POLICY 'size:1'", at(14), "Unknown FLUSH_POLICY key 'size'"},
		{"FLUSH_POLICY 'rows:'", at(14), "Flush rows must be between 1 and 999999, got ''"},
		{"FLUSH_POLICY 'interval:x'", at(14), "Flush interval must be between 1 and 86399 seconds, got 'x'"},
		{"FLUSH_POLICY 'manual' FLUSH ROWS 5", at(34),
			"Table option 'FLUSH_POLICY' is given twice with different values"},
		{"FLUSH_POLICY 'manual' FLUSH INTERVAL 5", at(38),
			"Table option 'FLUSH_POLICY' is given twice with different values"},
		{"FLUSH ROWS 5 FLUSH_POLICY 'manual'", at(27),
			"Table option 'FLUSH_POLICY' is given twice with different values"},
		{"TTL 0", at(5), "TTL_SECONDS must be between 1 and 315360000 seconds, got '0'"},
		{"TTL 60", 19, "TTL_SECONDS is only supported for STREAM tables"},
		{"TTL 60 TTL_SECONDS 61", at(20), "Table option 'TTL_SECONDS' is given twice with different values"},
		{"ACCESS nope", at(8), "unknown access level 'nope' (expected public, private, restricted or dba)"},
		{"ACCESS LEVEL", at(13), "Syntax error at end of statement: expected a value for ACCESS_LEVEL"},
		{"ACCESS public", 19, "ACCESS_LEVEL is only supported for SHARED tables"},
		{"ACCESS private", 19, "ACCESS_LEVEL is only supported for SHARED tables"},
		{"ACCESS public ACCESS_LEVEL 'dba'", at(15),
			"Table option 'ACCESS_LEVEL' is given twice with different values"},
		{"SHARD_STRATEGY 'a b'", at(16), "shard strategy name \"a b\" may only hold letters, digits and '_'"},
		{"SHARD_STRATEGY a SHARD_STRATEGY b", at(18),
			"Table option 'SHARD_STRATEGY' is given twice with different values"},
		{"DELETED_RETENTION_HOURS 0", at(25), "DELETED_RETENTION_HOURS must be between 1 and 876000, got '0'"},
		{"DELETED_RETENTION_HOURS 1 DELETED_RETENTION_HOURS 2", at(27),
			"Table option 'DELETED_RETENTION_HOURS' is given twice with different values"},
		{"FLUSH_CRON 5", at(12), "Syntax error at or near '5': expected a schedule in quotes for FLUSH_CRON"},
		{"FLUSH_CRON", at(11), "Syntax error at end of statement: expected a schedule in quotes for FLUSH_CRON"},
		{"FLUSH_CRON = '  '", at(14), "FLUSH_CRON is empty (expected for instance '0 3 * * *' or '@every 10m')"},
		{"FLUSH_CRON_TZ = UTC", at(17),
			"Syntax error at or near 'UTC': expected the name of a time zone in quotes for FLUSH_CRON_TZ"},
		{"FLUSH_CRON_TZ ' '", at(15), "FLUSH_CRON_TZ is empty (expected for instance 'Europe/Berlin')"},
		{"FLUSH_POLICY 'manual' FLUSH_CRON_TZ = 'UTC'", at(39),
			"FLUSH_CRON and FLUSH_POLICY 'manual' exclude each other: the second means no automatic flush"},
		{"FLUSH_CRON '@hourly' FLUSH_CRON '@daily'", at(33),
			"Table option 'FLUSH_CRON' is given twice with different values"},
		{"FLUSH_CRON '@hourly' FLUSH_POLICY 'manual'", at(35),
			"FLUSH_CRON and FLUSH_POLICY 'manual' exclude each other: the second means no automatic flush"},
		{"FLUSH_POLICY 'manual' FLUSH_CRON = '@hourly'", at(36),
			"FLUSH_CRON and FLUSH_POLICY 'manual' exclude each other: the second means no automatic flush"},
		{"FLUSH_POLICY E'\\u1'", at(14), "Syntax error: invalid Unicode escape in the string"},
		{"FLUSH_POLICY 'x", at(14), "Unterminated quoted string"},
	} {
		errorCase{prefix + c.options, kalam.CodeInvalidSQL, c.pos, c.want}.check(t)
	}
	for _, c := range []errorCase{
		{"CREATE STREAM TABLE t (id INT PRIMARY KEY)", kalam.CodeInvalidSQL, 21,
			"Stream tables require TTL_SECONDS (or TTL n)"},
		{"CREATE STREAM TABLE t (id INT PRIMARY KEY) TTL 5 SHARD_STRATEGY hash", kalam.CodeInvalidSQL, 21,
			"SHARD_STRATEGY is not supported for STREAM tables"},
		{"CREATE SHARED TABLE t (id INT PRIMARY KEY) USE_USER_STORAGE", kalam.CodeInvalidSQL, 21,
			"USE_USER_STORAGE is only supported for USER tables"},
		{"CREATE TABLE t (id INT PRIMARY KEY) WITH (TYPE = 'STREAM', TTL_SECONDS = 5, ACCESS_LEVEL = 'public')",
			kalam.CodeInvalidSQL, 14, "ACCESS_LEVEL is only supported for SHARED tables"},
	} {
		c.check(t)
	}
}

// TestValidate checks what depends on a kind that only the caller knows.
func TestValidate(t *testing.T) {
	for _, c := range []struct {
		kind      kalam.TableKind
		sql, want string
	}{
		{kalam.KindUserTable, "CREATE TABLE t (id INT)", "User tables require a PRIMARY KEY column"},
		{kalam.KindSharedTable, "CREATE TABLE t (id INT)", "Shared tables require a PRIMARY KEY column"},
		{kalam.KindStreamTable, "CREATE TABLE t (id INT) TTL 5", ""},
		{kalam.KindStreamTable, "CREATE TABLE t (id INT PRIMARY KEY)", "Stream tables require TTL_SECONDS (or TTL n)"},
		{kalam.KindStreamTable, "CREATE TABLE t (id INT) TTL 5 FLUSH_POLICY 'rows:5,interval:5'", ""},
		{kalam.KindUserTable, "CREATE TABLE t (id INT PRIMARY KEY) ACCESS public",
			"ACCESS_LEVEL is only supported for SHARED tables"},
		{kalam.KindSharedTable, "CREATE TABLE t (id INT PRIMARY KEY) USE_USER_STORAGE",
			"USE_USER_STORAGE is only supported for USER tables"},
		{kalam.KindSharedTable, "CREATE TABLE t (id INT PRIMARY KEY) ACCESS public FLUSH ROWS 5", ""},
		{kalam.KindUserTable, "CREATE TABLE t (id INT PRIMARY KEY) TTL 5",
			"TTL_SECONDS is only supported for STREAM tables"},
	} {
		st := mustParse(t, c.sql).(*ast.CreateTable)
		st.Table.Kind = c.kind
		got := ""
		if err := dialect.Validate(&st.Table); err != nil {
			got = err.Error()
			if kalam.CodeOf(err) != kalam.CodeInvalidSQL {
				t.Errorf("%s: code %d", c.sql, kalam.CodeOf(err))
			}
		}
		if got != c.want {
			t.Errorf("%s as %s: got %q, want %q", c.sql, c.kind, got, c.want)
		}
	}
}

func TestNames(t *testing.T) {
	long := strings.Repeat("a", 65)
	for _, c := range []struct {
		what string
		err  error
		want string
	}{
		{"namespace", dialect.CheckNamespaceName("app"), ""},
		{"namespace", dialect.CheckNamespaceName("system"), "Namespace name 'system' is reserved"},
		{"namespace", dialect.CheckNamespaceName("select"), "namespace name 'select' is a reserved word"},
		{"namespace", dialect.CheckNamespaceName(""), "namespace name is empty"},
		{"table", dialect.CheckTableName("system"), ""},
		{"table", dialect.CheckTableName(long[:64]), ""},
		{"table", dialect.CheckTableName(long), "table name '" + long[:32] + "...' is 65 bytes long (maximum 64)"},
		{"table", dialect.CheckTableName("a\x00"), `table name "a\x00" may only hold letters, digits and '_'`},
		{"column", dialect.CheckColumnName(ast.Ident{Name: "id"}), ""},
		{"column", dialect.CheckColumnName(ast.Ident{Name: "_updated", Quoted: true}),
			"Column name '_updated' is reserved for the system"},
		{"column", dialect.CheckColumnName(ast.Ident{Name: "Upper", Quoted: true}),
			`column name "Upper" may only hold letters, digits and '_'`},
		{"column", dialect.CheckColumnName(ast.Ident{Name: "order"}),
			"column name 'order' is a reserved word: it needs quotes, \"order\""},
		{"column", dialect.CheckColumnName(ast.Ident{Name: "order", Quoted: true}), ""},
		{"column", dialect.CheckColumnName(ast.Ident{Name: "index", Quoted: true}), ""},
		{"column", dialect.CheckColumnName(ast.Ident{Name: "current_user", Quoted: true}),
			"column name 'current_user' is a reserved word"},
	} {
		got := ""
		if c.err != nil {
			got = c.err.Error()
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q", c.what, got, c.want)
		}
	}
	for _, ns := range strings.Fields("system sys root kalamdb kalam main default sql admin internal " +
		"information_schema pg_catalog datafusion duckdb temp memory") {
		if dialect.CheckNamespaceName(ns) == nil {
			t.Errorf("namespace %s is not reserved", ns)
		}
	}
	for _, c := range strings.Fields("_seq _deleted _id _row_id _rowid _key _updated _created _timestamp _version " +
		"_hash") {
		if dialect.CheckColumnName(ast.Ident{Name: c}) == nil {
			t.Errorf("column %s is not reserved", c)
		}
	}
}

func TestDropTable(t *testing.T) {
	for _, c := range []struct {
		sql  string
		want ast.DropTable
	}{
		{"DROP TABLE t", ast.DropTable{Name: ast.Name{Parts: []string{"t"}, Pos: 11}}},
		{"drop user table if exists ns.T;", ast.DropTable{Name: ast.Name{Parts: []string{"ns", "t"}, Pos: 26},
			Kind: kalam.KindUserTable, IfExists: true}},
		{"DROP SHARED TABLE t", ast.DropTable{Name: ast.Name{Parts: []string{"t"}, Pos: 18},
			Kind: kalam.KindSharedTable}},
		{"DROP STREAM TABLE `t`", ast.DropTable{Name: ast.Name{Parts: []string{"t"}, Pos: 18},
			Kind: kalam.KindStreamTable}},
	} {
		if d := cmp.Diff(&c.want, mustParse(t, c.sql)); d != "" {
			t.Errorf("%s: %s", c.sql, d)
		}
	}
	for _, c := range []errorCase{
		{"DROP TABLE", kalam.CodeInvalidSQL, 11, "Syntax error at end of statement: expected table name"},
		{"DROP TABLE IF t", kalam.CodeInvalidSQL, 15, "Syntax error at or near 't': expected end of statement"},
		{"DROP TABLE a, b", kalam.CodeInvalidSQL, 13, "Syntax error at or near ',': expected end of statement"},
		{"DROP TABLE t CASCADE", kalam.CodeInvalidSQL, 14,
			"Syntax error at or near 'CASCADE': expected end of statement"},
		{"DROP", kalam.CodeInvalidSQL, 1, "Unsupported statement type: DROP"},
	} {
		c.check(t)
	}
}
