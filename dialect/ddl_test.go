package dialect_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/dialect"
	"github.com/kalamlake/kalam/dialect/ast"
)

// columnText renders a column: name type [NOT NULL] [DEFAULT sql=value].
func columnText(c kalam.Column) string {
	s := c.Name + " " + c.Type.String()
	if c.NotNull {
		s += " NOT NULL"
	}
	if d := c.Default; d != nil {
		s += " DEFAULT " + d.SQL + "="
		if d.Func != kalam.DefaultLiteral {
			s += d.Func.String()
		} else {
			s += d.Value.Kind().String() + ":" + datatype.Format(d.Value)
		}
	}
	return s
}

// optionText renders the options that were given, in a fixed order.
func optionText(o kalam.TableOptions, given ast.OptionSet) string {
	var out []string
	add := func(bit ast.OptionSet, format string, v any) {
		if given.Has(bit) {
			out = append(out, fmt.Sprintf(format, v))
		}
	}
	add(ast.OptionStorage, "storage=%s", o.StorageID)
	add(ast.OptionUserStorage, "user_storage=%v", o.UseUserStorage)
	add(ast.OptionFlushInterval, "interval=%s", o.FlushInterval)
	add(ast.OptionFlushRows, "rows=%d", o.FlushRows)
	add(ast.OptionFlushManual, "manual=%v", o.FlushManual)
	add(ast.OptionFlushCron, "cron=%s", o.FlushCron)
	add(ast.OptionFlushCronTZ, "zone=%s", o.FlushCronTZ)
	add(ast.OptionTTL, "ttl=%s", o.TTL)
	add(ast.OptionAccess, "access=%s", o.Access)
	add(ast.OptionShard, "shard=%s", o.ShardStrategy)
	add(ast.OptionRetention, "retention=%dh", o.DeletedRetentionHours)
	return strings.Join(out, " ")
}

// tableText renders a CREATE TABLE.
func tableText(st *ast.CreateTable) string {
	kind := "?"
	if st.Table.Kind != 0 {
		kind = st.Table.Kind.String()
	}
	var cols, key []string
	for _, c := range st.Table.Columns {
		cols = append(cols, columnText(c))
	}
	for _, i := range st.Table.PrimaryKey {
		key = append(key, st.Table.Columns[i].Name)
	}
	s := fmt.Sprintf("%s %s (%s) key(%s)", kind, st.Name, strings.Join(cols, ", "), strings.Join(key, ","))
	if o := optionText(st.Table.Options, st.Given); o != "" {
		s += " " + o
	}
	if st.IfNotExists {
		s += " if-not-exists"
	}
	return s
}

func checkTables(t *testing.T, cases []struct{ sql, want string }) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.sql, func(t *testing.T) {
			st, ok := mustParse(t, c.sql).(*ast.CreateTable)
			if !ok {
				t.Fatal("not a CREATE TABLE")
			}
			if d := cmp.Diff(c.want, tableText(st)); d != "" {
				t.Error(d)
			}
			if len(st.ColumnPos) != len(st.Table.Columns) {
				t.Fatalf("%d positions of %d columns", len(st.ColumnPos), len(st.Table.Columns))
			}
			for i, at := range st.ColumnPos {
				name := strings.Trim(c.sql[at:at+len(st.Table.Columns[i].Name)+1], "\"` ")
				if !strings.HasPrefix(strings.ToLower(name), st.Table.Columns[i].Name) {
					t.Errorf("column %s is not at %d", st.Table.Columns[i].Name, at)
				}
			}
		})
	}
}

func TestCreateTable(t *testing.T) {
	checkTables(t, []struct{ sql, want string }{
		{"CREATE USER TABLE app.t (id BIGINT PRIMARY KEY)", "user app.t (id BIGINT NOT NULL) key(id)"},
		{"create shared table t (id int primary key, v text)", "shared t (id INT NOT NULL, v TEXT) key(id)"},
		{"CREATE TABLE t (id INT PRIMARY KEY)", "? t (id INT NOT NULL) key(id)"},
		{"CREATE TABLE t (id INT)", "? t (id INT) key()"},
		{"CREATE USER TABLE IF NOT EXISTS T (ID Text PRIMARY KEY)", "user t (id TEXT NOT NULL) key(id) if-not-exists"},
		{"CREATE STREAM TABLE t (id INT PRIMARY KEY) TTL 60", "stream t (id INT NOT NULL) key(id) ttl=1m0s"},
		{"CREATE STREAM TABLE t (a TEXT, b DOUBLE) WITH (TTL_SECONDS = 60)",
			"stream t (a TEXT, b DOUBLE) key() ttl=1m0s"},
		{"CREATE USER TABLE \"ns\".\"t\" (\"id\" INT PRIMARY KEY)", "user ns.t (id INT NOT NULL) key(id)"},
		{"CREATE USER TABLE `ns`.`t` (`id` INT PRIMARY KEY)", "user ns.t (id INT NOT NULL) key(id)"},
		{"CREATE USER TABLE t (a TEXT, b INT, PRIMARY KEY (b, a))",
			"user t (a TEXT NOT NULL, b INT NOT NULL) key(b,a)"},
		{"CREATE USER TABLE t (a TEXT, CONSTRAINT pk PRIMARY KEY (a))", "user t (a TEXT NOT NULL) key(a)"},
		{"CREATE USER TABLE t (a TEXT CONSTRAINT pk PRIMARY KEY CONSTRAINT nn NOT NULL)",
			"user t (a TEXT NOT NULL) key(a)"},
		{"CREATE USER TABLE t (id INT NOT NULL PRIMARY KEY, v TEXT NULL, w TEXT NOT NULL,)",
			"user t (id INT NOT NULL, v TEXT, w TEXT NOT NULL) key(id)"},
		{"CREATE USER TABLE t (user TEXT PRIMARY KEY, type INT, exclude INT, key TEXT, value TEXT)",
			"user t (user TEXT NOT NULL, type INT, exclude INT, key TEXT, value TEXT) key(user)"},
		{"CREATE USER TABLE t (id INT PRIMARY KEY) USING parquet;", "user t (id INT NOT NULL) key(id)"},
		{"CREATE USER TABLE t -- a\n ( /* b */ id INT PRIMARY KEY -- c\n)", "user t (id INT NOT NULL) key(id)"},
		{"CREATE TABLE user (id INT PRIMARY KEY)", "? user (id INT NOT NULL) key(id)"},
	})
}

// TestTableOptions has every option in both of its spellings.
func TestTableOptions(t *testing.T) {
	const user, shared, stream = "user t (id INT NOT NULL) key(id)", "shared t (id INT NOT NULL) key(id)",
		"stream t (id INT NOT NULL) key(id)"
	for _, c := range []struct{ options, want string }{
		{"", user},
		{"WITH ()", user},
		{"WITH (TYPE = 'USER')", user},
		{"TYPE user", user},
		{"TYPE 'Shared'", shared},
		{"WITH (TYPE = \"stream\", TTL_SECONDS = 5)", stream + " ttl=5s"},
		{"TYPE USER FLUSH ROWS 100", user + " rows=100"},
		{"TYPE USER FLUSH INTERVAL 60s", user + " interval=1m0s"},
		{"TYPE USER FLUSH INTERVAL 60", user + " interval=1m0s"},
		{"TYPE USER FLUSH INTERVAL '60 S' FLUSH ROWS '1_000'", user + " interval=1m0s rows=1000"},
		{"TYPE USER FLUSH_INTERVAL = 60, FLUSH_ROWS = 100", user + " interval=1m0s rows=100"},
		{"TYPE USER FLUSH_POLICY 'rows:100'", user + " rows=100"},
		{"TYPE USER FLUSH POLICY 'interval:60'", user + " interval=1m0s"},
		{"WITH (TYPE = 'USER', FLUSH_POLICY = 'rows:100,interval:60')", user + " interval=1m0s rows=100"},
		{"WITH (TYPE = 'USER', FLUSH_POLICY = ' Interval : 60s , ROWS : 100 ')", user + " interval=1m0s rows=100"},
		{"TYPE USER FLUSH_POLICY 'manual'", user + " manual=true"},
		{"TYPE USER FLUSH_POLICY ' MANUAL '", user + " manual=true"},
		{"TYPE USER FLUSH_POLICY manual", user + " manual=true"},
		{"TYPE USER FLUSH_CRON = '@every 2s'", user + " cron=@every 2s"},
		{"TYPE USER FLUSH CRON '0 3 * * *' FLUSH ROWS 5", user + " rows=5 cron=0 3 * * *"},
		{"WITH (TYPE = 'USER', flush_cron = ' @hourly ', FLUSH_POLICY = 'interval:9')",
			user + " interval=9s cron=@hourly"},
		{"TYPE USER FLUSH_CRON_TZ = 'Europe/Berlin', FLUSH_CRON '@daily'",
			user + " cron=@daily zone=Europe/Berlin"},
		{"FLUSH INTERVAL 9s FLUSH_CRON '@hourly' TYPE USER FLUSH_CRON '@hourly' FLUSH ROWS 7",
			user + " interval=9s rows=7 cron=@hourly"},
		{"TYPE STREAM TTL 5 FLUSH_POLICY 'rows:5,interval:2' FLUSH_CRON '@hourly'",
			stream + " interval=2s rows=5 cron=@hourly ttl=5s"},
		{"TYPE STREAM TTL 5 FLUSH_POLICY 'manual'", stream + " manual=true ttl=5s"},
		{"TYPE USER FLUSH ROWS 1 FLUSH INTERVAL 1", user + " interval=1s rows=1"},
		{"TYPE USER FLUSH ROWS 999999 FLUSH INTERVAL 86399s", user + " interval=23h59m59s rows=999999"},
		{"TYPE USER STORAGE s1", user + " storage=s1"},
		{"TYPE USER STORAGE_ID 'S1'", user + " storage=s1"},
		{"TYPE USER STORAGE = \"s1\"", user + " storage=s1"},
		{"TYPE USER USE_USER_STORAGE", user + " user_storage=true"},
		{"TYPE USER USE_USER_STORAGE STORAGE s1", user + " storage=s1 user_storage=true"},
		{"TYPE USER USE_USER_STORAGE TRUE", user + " user_storage=true"},
		{"TYPE USER USE_USER_STORAGE = 'true'", user + " user_storage=true"},
		{"TYPE SHARED USE_USER_STORAGE FALSE", shared + " user_storage=false"},
		{"TYPE STREAM TTL 60s", stream + " ttl=1m0s"},
		{"TYPE STREAM TTL_SECONDS '3600'", stream + " ttl=1h0m0s"},
		{"TYPE SHARED ACCESS public", shared + " access=public"},
		{"TYPE SHARED ACCESS LEVEL restricted", shared + " access=restricted"},
		{"TYPE SHARED ACCESS_LEVEL 'DBA'", shared + " access=dba"},
		{"WITH (TYPE = 'SHARED', ACCESS_LEVEL = 'PRIVATE')", shared + " access=private"},
		{"TYPE USER SHARD_STRATEGY 'Hash'", user + " shard=hash"},
		{"TYPE USER DELETED_RETENTION_HOURS 48", user + " retention=48h"},
		{"TYPE USER DELETED_RETENTION_HOURS = '48'", user + " retention=48h"},
		{"WITH (TYPE 'USER', STORAGE_ID 's1') FLUSH ROWS 5 WITH (SHARD_STRATEGY = 'alphabetic',)",
			user + " storage=s1 rows=5 shard=alphabetic"},
		{"TYPE USER STORAGE s1 STORAGE_ID 's1' FLUSH ROWS 5 FLUSH_POLICY 'rows:5'", user + " storage=s1 rows=5"},
		{"TYPE USER FLUSH_POLICY 'manual' FLUSH_POLICY 'manual'", user + " manual=true"},
		{"TYPE USER TYPE 'USER'", user},
	} {
		t.Run(c.options, func(t *testing.T) {
			kind := "USER "
			if strings.Contains(strings.ToUpper(c.options), "TYPE") {
				kind = ""
			}
			st := mustParse(t, "CREATE "+kind+"TABLE t (id INT PRIMARY KEY) "+c.options).(*ast.CreateTable)
			if d := cmp.Diff(c.want, tableText(st)); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestColumnTypes(t *testing.T) {
	for typ, want := range map[string]string{
		"BOOLEAN": "BOOLEAN", "bool": "BOOLEAN", "SMALLINT": "SMALLINT", "int2": "SMALLINT", "SMALLINT(5)": "SMALLINT",
		"INT": "INT", "INTEGER": "INT", "INT4": "INT", "MEDIUMINT": "INT", "INT(11)": "INT", "SIGNED": "INT",
		"SIGNED INTEGER": "INT", "INT SIGNED": "INT",
		"BIGINT": "BIGINT", "INT8": "BIGINT", "INT64": "BIGINT", "BIGINT(20)": "BIGINT",
		"FLOAT": "FLOAT", "REAL": "FLOAT", "FLOAT4": "FLOAT", "FLOAT(24)": "FLOAT",
		"FLOAT(25)": "DOUBLE", "FLOAT(53)": "DOUBLE",
		"DOUBLE": "DOUBLE", "DOUBLE PRECISION": "DOUBLE", "FLOAT8": "DOUBLE", "FLOAT64": "DOUBLE",
		"DECIMAL": "DECIMAL(38,10)", "DECIMAL(5)": "DECIMAL(5,0)", "NUMERIC(10, 2)": "DECIMAL(10,2)",
		"DEC(38,38)": "DECIMAL(38,38)",
		"TEXT":       "TEXT", "VARCHAR": "TEXT", "VARCHAR(255)": "TEXT", "CHAR(3)": "TEXT",
		"CHARACTER VARYING(20)": "TEXT", "CHAR VARYING": "TEXT",
		"NVARCHAR(10)": "TEXT", "NCHAR": "TEXT", "CLOB": "TEXT", "STRING": "TEXT", "LONGTEXT": "TEXT",
		"citext": "TEXT", "fixedstring(8)": "TEXT",
		"JSON": "JSON", "JSONB": "JSON", "OBJECT": "JSON",
		"BYTES": "BYTES", "BINARY(16)": "BYTES", "VARBINARY(16)": "BYTES", "BLOB": "BYTES", "BYTEA": "BYTES",
		"DATE": "DATE", "TIME": "TIME", "TIME(6)": "TIME", "TIME WITHOUT TIME ZONE": "TIME",
		"TIMESTAMP": "TIMESTAMP", "TIMESTAMP(3)": "TIMESTAMP", "TIMESTAMP WITHOUT TIME ZONE": "TIMESTAMP",
		"TIMESTAMP WITH TIME ZONE":    "DATETIME",
		"TIMESTAMP(9) WITH TIME ZONE": "DATETIME", "TIMESTAMPTZ": "DATETIME", "DATETIME": "DATETIME",
		"DATETIME(6)": "DATETIME", "UUID": "UUID",
	} {
		t.Run(typ, func(t *testing.T) {
			st := mustParse(t, "CREATE USER TABLE t (id INT PRIMARY KEY, c "+typ+")").(*ast.CreateTable)
			if got := st.Table.Columns[1].Type.String(); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			if got, err := dialect.ParseType(" " + typ + " "); err != nil || got.String() != want {
				t.Errorf("ParseType gives %s, %v, want %s", got, err, want)
			}
		})
	}
}

// supportedTypes ends the message about a type that is not.
const supportedTypes = " not supported. Supported types: BOOLEAN, SMALLINT, INT, BIGINT, FLOAT, DOUBLE, DECIMAL, " +
	"TEXT, TIMESTAMP, DATETIME, DATE, TIME, JSON, BYTES, UUID"

func TestParseTypeErrors(t *testing.T) {
	for _, c := range []struct {
		typ  string
		pos  int
		want string
	}{
		{"", 1, "Syntax error at end of statement: expected a data type"},
		{"5", 1, "Syntax error at or near '5': expected a data type"},
		{"INTERVAL", 1, "Data type INTERVAL" + supportedTypes},
		{"TINYINT", 1, "Data type TINYINT" + supportedTypes},
		{"UINTEGER", 1, "Data type UINTEGER" + supportedTypes},
		{"INT UNSIGNED", 1, "Data type INT UNSIGNED" + supportedTypes},
		{"INT(10) unsigned", 1, "Data type INT UNSIGNED" + supportedTypes},
		{"INT ZEROFILL", 1, "Data type INT ZEROFILL" + supportedTypes},
		{"INT[]", 1, "Data type INT[]" + supportedTypes},
		{"TEXT ARRAY", 1, "Data type TEXT ARRAY" + supportedTypes},
		{"ENUM('a')", 1, "Data type ENUM" + supportedTypes},
		{"STRUCT(a INT)", 1, "Data type STRUCT" + supportedTypes},
		{"MAP(INT, INT)", 1, "Data type MAP" + supportedTypes},
		{"TIME WITH TIME ZONE", 1, "Data type TIME WITH TIME ZONE" + supportedTypes},
		{"ınt", 1, "Data type ıNT" + supportedTypes},
		{"DECIMAL(39)", 8, "DECIMAL precision must be between 1 and 38, got 39"},
		{"DECIMAL(0)", 8, "DECIMAL precision must be between 1 and 38, got 0"},
		{"DECIMAL(5,6)", 8, "DECIMAL scale must be between 0 and the precision (5), got 6"},
		{"DECIMAL(5,-1)", 11, "Syntax error at or near '-': expected a number"},
		{"DECIMAL(5", 10, "Syntax error at end of statement: expected ')'"},
		{"DECIMAL(5,", 11, "Syntax error at end of statement: expected a number"},
		{"DECIMAL(1.5)", 9, "invalid type argument '1.5'"},
		{"DECIMAL(1234567890)", 9, "invalid type argument '1234567890'"},
		{"DECIMAL(5,2,1)", 12, "Syntax error at or near ',': expected ')'"},
		{"BOOLEAN(1)", 8, "BOOLEAN takes no arguments"},
		{"UUID(16)", 5, "UUID takes no arguments"},
		{"VARCHAR(0)", 8, "TEXT length must be at least 1"},
		{"VARCHAR(MAX)", 9, "Syntax error at or near 'MAX': expected a number"},
		{"TIMESTAMP(10)", 10, "TIMESTAMP precision must be between 0 and 9, got 10"},
		{"FLOAT(0)", 6, "FLOAT precision must be between 1 and 53, got 0"},
		{"FLOAT(54)", 6, "FLOAT precision must be between 1 and 53, got 54"},
		{"INT INT", 5, "Syntax error at or near 'INT': expected end of statement"},
		{"INT\xff", 4, "Text is not valid UTF-8"},
		{"'INT'", 1, "Syntax error at or near ''INT'': expected a data type"},
	} {
		t.Run(c.typ, func(t *testing.T) {
			_, err := dialect.ParseType(c.typ)
			checkError(t, err, kalam.CodeInvalidSQL, c.pos, c.want)
		})
	}
}

func TestColumnDefaults(t *testing.T) {
	for _, c := range []struct{ column, want string }{
		{"TEXT DEFAULT 'it''s'", "c TEXT DEFAULT 'it''s'=TEXT:it's"},
		{"TEXT DEFAULT E'a\\n'", "c TEXT DEFAULT E'a\\n'=TEXT:a\n"},
		{"TEXT DEFAULT $$x$$ NOT NULL", "c TEXT NOT NULL DEFAULT $$x$$=TEXT:x"},
		{"TEXT DEFAULT 'a'::text", "c TEXT DEFAULT 'a'::text=TEXT:a"},
		{"TEXT DEFAULT ('a')", "c TEXT DEFAULT ('a')=TEXT:a"},
		{"TEXT DEFAULT NULL", "c TEXT DEFAULT NULL=NULL:NULL"},
		{"INT DEFAULT 5", "c INT DEFAULT 5=BIGINT:5"},
		{"INT NOT NULL DEFAULT -5", "c INT NOT NULL DEFAULT -5=BIGINT:-5"},
		{"INT DEFAULT (- 5)", "c INT DEFAULT (- 5)=BIGINT:-5"},
		{"INT DEFAULT +1_000", "c INT DEFAULT +1_000=BIGINT:1000"},
		{"DOUBLE DEFAULT 1.5e3", "c DOUBLE DEFAULT 1.5e3=TEXT:1.5e3"},
		{"DECIMAL DEFAULT 99999999999999999999",
			"c DECIMAL(38,10) DEFAULT 99999999999999999999=TEXT:99999999999999999999"},
		{"BOOLEAN DEFAULT TRUE", "c BOOLEAN DEFAULT TRUE=BOOLEAN:true"},
		{"BOOLEAN DEFAULT false", "c BOOLEAN DEFAULT false=BOOLEAN:false"},
		{"BYTES DEFAULT X'0aff'", "c BYTES DEFAULT X'0aff'=BYTES:\\x0aff"},
		{"BYTES DEFAULT 0x0AFF", "c BYTES DEFAULT 0x0AFF=BYTES:\\x0aff"},
		{"DATE DEFAULT DATE '2024-01-31'", "c DATE DEFAULT DATE '2024-01-31'=TEXT:2024-01-31"},
		{"DATE DEFAULT '2024-01-31'::DATE", "c DATE DEFAULT '2024-01-31'::DATE=TEXT:2024-01-31"},
		{"TIMESTAMP DEFAULT NOW()", "c TIMESTAMP DEFAULT NOW()=NOW()"},
		{"TIMESTAMP DEFAULT current_timestamp", "c TIMESTAMP DEFAULT current_timestamp=NOW()"},
		{"DATETIME DEFAULT CURRENT_TIMESTAMP()", "c DATETIME DEFAULT CURRENT_TIMESTAMP()=NOW()"},
		{"DATE DEFAULT now ( )", "c DATE DEFAULT now ( )=NOW()"},
		{"TIME DEFAULT (NOW())", "c TIME DEFAULT (NOW())=NOW()"},
		{"BIGINT DEFAULT SNOWFLAKE_ID()", "c BIGINT DEFAULT SNOWFLAKE_ID()=SNOWFLAKE_ID()"},
		{"TEXT DEFAULT UUID_V7()", "c TEXT DEFAULT UUID_V7()=UUID_V7()"},
		{"UUID DEFAULT UUID_V7()", "c UUID DEFAULT UUID_V7()=UUID_V7()"},
		{"TEXT DEFAULT ULID()", "c TEXT DEFAULT ULID()=ULID()"},
		{"TEXT DEFAULT CURRENT_USER", "c TEXT DEFAULT CURRENT_USER=CURRENT_USER()"},
		{"TEXT DEFAULT CURRENT_USER_ID()", "c TEXT DEFAULT CURRENT_USER_ID()=CURRENT_USER()"},
		{"BIGINT AUTO_INCREMENT", "c BIGINT DEFAULT SNOWFLAKE_ID()=SNOWFLAKE_ID()"},
		{"BIGINT AUTOINCREMENT NOT NULL", "c BIGINT NOT NULL DEFAULT SNOWFLAKE_ID()=SNOWFLAKE_ID()"},
		{"BIGINT AUTO INCREMENT", "c BIGINT DEFAULT SNOWFLAKE_ID()=SNOWFLAKE_ID()"},
		{"BIGINT IDENTITY", "c BIGINT DEFAULT SNOWFLAKE_ID()=SNOWFLAKE_ID()"},
		{"BIGINT IDENTITY (1, 1)", "c BIGINT DEFAULT SNOWFLAKE_ID()=SNOWFLAKE_ID()"},
		{"BIGINT GENERATED ALWAYS AS IDENTITY", "c BIGINT DEFAULT SNOWFLAKE_ID()=SNOWFLAKE_ID()"},
		{"BIGINT GENERATED BY DEFAULT ON NULL AS IDENTITY (START WITH 1)",
			"c BIGINT DEFAULT SNOWFLAKE_ID()=SNOWFLAKE_ID()"},
		{"SERIAL", "c INT NOT NULL DEFAULT AUTO_INCREMENT=AUTO_INCREMENT"},
		{"SERIAL4 AUTO_INCREMENT", "c INT NOT NULL DEFAULT AUTO_INCREMENT=AUTO_INCREMENT"},
		{"INT AUTO_INCREMENT", "c INT NOT NULL DEFAULT AUTO_INCREMENT=AUTO_INCREMENT"},
		{"SMALLINT AUTO INCREMENT", "c SMALLINT NOT NULL DEFAULT AUTO_INCREMENT=AUTO_INCREMENT"},
		{"INTEGER IDENTITY(1,1)", "c INT NOT NULL DEFAULT AUTO_INCREMENT=AUTO_INCREMENT"},
		{"INT GENERATED BY DEFAULT AS IDENTITY (START WITH 1 INCREMENT BY 1 NO CYCLE)",
			"c INT NOT NULL DEFAULT AUTO_INCREMENT=AUTO_INCREMENT"},
		{"SERIAL2", "c SMALLINT NOT NULL DEFAULT AUTO_INCREMENT=AUTO_INCREMENT"},
		{"BIGSERIAL NOT NULL", "c BIGINT NOT NULL DEFAULT SNOWFLAKE_ID()=SNOWFLAKE_ID()"},
		{"SMALLSERIAL", "c SMALLINT NOT NULL DEFAULT AUTO_INCREMENT=AUTO_INCREMENT"},
		{"SERIAL8 AUTO_INCREMENT", "c BIGINT NOT NULL DEFAULT SNOWFLAKE_ID()=SNOWFLAKE_ID()"},
	} {
		t.Run(c.column, func(t *testing.T) {
			st := mustParse(t, "CREATE USER TABLE t (id INT PRIMARY KEY, c "+c.column+")").(*ast.CreateTable)
			if d := cmp.Diff(c.want, columnText(st.Table.Columns[1])); d != "" {
				t.Error(d)
			}
		})
	}
}

// TestDefaultOutlivesText: a table is kept for ever, the request is not.
func TestDefaultOutlivesText(t *testing.T) {
	st := mustParse(t, "CREATE USER TABLE t (id INT PRIMARY KEY, c TEXT DEFAULT 'x')").(*ast.CreateTable)
	if got := st.Table.Columns[1].Default.Value; got != kalam.Text("x") {
		t.Errorf("got %v", got)
	}
}

func TestCreateTableErrors(t *testing.T) {
	const sql, no = kalam.CodeInvalidSQL, kalam.CodeUnsupported
	for _, c := range []errorCase{
		{"CREATE TABLE", sql, 13, "Syntax error at end of statement: expected table name"},
		{"CREATE TABLE t", sql, 15, "Syntax error at end of statement: expected '('"},
		{"CREATE TABLE t ()", sql, 14, "CREATE TABLE needs at least one column"},
		{"CREATE TABLE t (PRIMARY KEY (id))", sql, 14, "CREATE TABLE needs at least one column"},
		{"CREATE TABLE t (id", sql, 19, "Syntax error at end of statement: expected a data type"},
		{"CREATE TABLE t (id INT", sql, 23, "Syntax error at end of statement: expected ')'"},
		{"CREATE TABLE t (id INT,", sql, 24, "Syntax error at end of statement: expected column name"},
		{"CREATE TABLE t (id INT v TEXT)", sql, 24, "Syntax error at or near 'v': expected ')'"},
		{"CREATE TABLE IF EXISTS t (id INT)", sql, 17, "Syntax error at or near 'EXISTS': expected '('"},
		{"CREATE TABLE a.b.c (id INT)", sql, 14, "A table is created as name or namespace.name"},
		{"CREATE TABLE t. (id INT)", sql, 17, "Syntax error at or near '(': expected table name"},
		{"CREATE TABLE 't' (id INT)", sql, 14, "Syntax error at or near ''t'': expected table name"},
		{"CREATE TABLE 1t (id INT)", sql, 14, "Syntax error at or near '1': expected table name"},
		{"CREATE TABLE _t (id INT)", sql, 14, "table name '_t' must not begin with '_' or a digit"},

		{"CREATE TABLE \"a b\" (id INT)", sql, 14, "table name \"a b\" may only hold letters, digits and '_'"},
		{"CREATE TABLE ключ (id INT)", sql, 14, "table name \"ключ\" may only hold letters, digits and '_'"},
		{"CREATE TABLE \"n-s\".t (id INT)", sql, 14, "namespace name \"n-s\" may only hold letters, digits and '_'"},
		{"CREATE TABLE select (id INT)", sql, 14, "table name 'select' is a reserved word"},
		{"CREATE TABLE tables (id INT)", sql, 14, "table name 'tables' is a reserved word"},
		{"CREATE TABLE t (order INT)", sql, 17, "column name 'order' is a reserved word: it needs quotes, \"order\""},
		{"CREATE TABLE t (current_user TEXT)", sql, 17, "column name 'current_user' is a reserved word"},
		{"CREATE TABLE t (\"current_timestamp\" TEXT)", sql, 17, "column name 'current_timestamp' is a reserved word"},
		{"CREATE TABLE t (_seq INT)", sql, 17, "Column name '_seq' is reserved for the system"},
		{"CREATE TABLE t (\"_deleted\" INT)", sql, 17, "Column name '_deleted' is reserved for the system"},
		{"CREATE TABLE t (_ROWID INT)", sql, 17, "Column name '_rowid' is reserved for the system"},
		{"CREATE TABLE t (id INT, ID TEXT)", sql, 25, "Column 'id' is defined twice"},
		{"CREATE TABLE t (\"\" INT)", sql, 17, "column name is empty"},
		{"CREATE TABLE t AS", sql, 18, "Syntax error at end of statement: expected a query"},
		{"CREATE TABLE t (a INT) AS SELECT 1", no, 17,
			"CREATE TABLE ... AS takes its columns from the query: only PRIMARY KEY (...) may stand here"},
		{"CREATE TABLE t (PRIMARY KEY (a) AS SELECT 1", sql, 33, "Syntax error at or near 'AS': expected ')'"},
		{"CREATE TABLE t LIKE u", no, 16, "CREATE TABLE ... LIKE is not supported; list the columns"},
		{"CREATE TABLE t (v INTERVAL)", sql, 19, "Column 'v': Data type INTERVAL" + supportedTypes},
		{"CREATE TABLE t (v DECIMAL(50,2))", sql, 26, "Column 'v': DECIMAL precision must be between 1 and 38, got 50"},

		{"CREATE TABLE t (id INT PRIMARY)", sql, 31, "Syntax error at or near ')': expected KEY"},
		{"CREATE TABLE t (id INT PRIMARY KEY PRIMARY KEY)", sql, 36, "PRIMARY KEY is given twice"},
		{"CREATE TABLE t (id INT PRIMARY KEY, k INT PRIMARY KEY)", sql, 37,
			"PRIMARY KEY is declared twice; a composite key is written PRIMARY KEY (a, b)"},
		{"CREATE TABLE t (id INT PRIMARY KEY, PRIMARY KEY (id))", sql, 37,
			"PRIMARY KEY is declared twice; a composite key is written PRIMARY KEY (a, b)"},
		{"CREATE TABLE t (PRIMARY KEY (id), id INT PRIMARY KEY)", sql, 35,
			"PRIMARY KEY is declared twice; a composite key is written PRIMARY KEY (a, b)"},
		{"CREATE TABLE t (id INT, PRIMARY KEY (k))", sql, 38, "PRIMARY KEY column 'k' does not exist"},
		{"CREATE TABLE t (id INT, PRIMARY KEY (id, id))", sql, 42, "PRIMARY KEY names column 'id' twice"},
		{"CREATE TABLE t (id INT, PRIMARY KEY ())", sql, 38, "Syntax error at or near ')': expected column name"},
		{"CREATE TABLE t (id BOOLEAN PRIMARY KEY)", sql, 17,
			"PRIMARY KEY column 'id' must be BIGINT or TEXT, got BOOLEAN (allowed: BIGINT, TEXT, SMALLINT, INT, " +
				"UUID, DATE, TIMESTAMP)"},
		{"CREATE TABLE t (a INT, b DOUBLE, PRIMARY KEY (a, b))", sql, 24,
			"PRIMARY KEY column 'b' must be BIGINT or TEXT, got DOUBLE (allowed: BIGINT, TEXT, SMALLINT, INT, UUID, " +
				"DATE, TIMESTAMP)"},
		{"CREATE TABLE t (id INT NULL PRIMARY KEY)", sql, 17,
			"Column 'id' is declared both NULL and NOT NULL or PRIMARY KEY"},
		{"CREATE TABLE t (id INT NULL NOT NULL)", sql, 17,
			"Column 'id' is declared both NULL and NOT NULL or PRIMARY KEY"},
		{"CREATE TABLE t (id SERIAL NULL)", sql, 17, "Column 'id' is declared both NULL and NOT NULL or PRIMARY KEY"},
		{"CREATE TABLE t (id INT CONSTRAINT)", sql, 34, "Syntax error at or near ')': expected constraint name"},
		{"CREATE TABLE t (CONSTRAINT)", sql, 27, "Syntax error at or near ')': expected constraint name"},
		{"CREATE TABLE t (id INT UNIQUE)", no, 24,
			"UNIQUE constraints are not supported; only the PRIMARY KEY is unique"},
		{"CREATE TABLE t (id INT, UNIQUE (id))", no, 25,
			"UNIQUE constraints are not supported; only the PRIMARY KEY is unique"},
		{"CREATE TABLE t (id INT, CONSTRAINT u UNIQUE (id))", no, 38,
			"UNIQUE constraints are not supported; only the PRIMARY KEY is unique"},
		{"CREATE TABLE t (id INT CHECK (id > 0))", no, 24, "CHECK constraints are not supported"},
		{"CREATE TABLE t (id INT REFERENCES u (id))", no, 24, "FOREIGN KEY constraints are not supported"},
		{"CREATE TABLE t (id INT, FOREIGN KEY (id) REFERENCES u)", no, 25, "FOREIGN KEY constraints are not supported"},
		{"CREATE TABLE t (id TIMESTAMP ON UPDATE NOW())", no, 30,
			"ON UPDATE is not supported; set the column in UPDATE"},
		{"CREATE TABLE t (id TEXT COLLATE nocase)", no, 25, "COLLATE is not supported in a table definition"},
		{"CREATE TABLE t (id TEXT COMMENT 'x')", no, 25, "COMMENT is not supported in a table definition"},
		{"CREATE TABLE t (id INT, EXCLUDE USING gist)", no, 25, "EXCLUDE is not supported in a table definition"},
		{"CREATE TABLE t (LIKE u)", no, 17, "LIKE is not supported in a table definition"},

		{"CREATE TABLE t (c INT DEFAULT)", sql, 30, defaultText("c")},
		{"CREATE TABLE t (c INT DEFAULT random())", sql, 31, defaultText("c")},
		{"CREATE TABLE t (c INT DEFAULT 1 + 1)", sql, 31, defaultText("c")},
		{"CREATE TABLE t (c INT DEFAULT (1)", sql, 34, "Syntax error at end of statement: expected ')'"},
		{"CREATE TABLE t (c INT DEFAULT ((1))", sql, 36, "Syntax error at end of statement: expected ')'"},
		{"CREATE TABLE t (c INT DEFAULT $1)", sql, 31, defaultText("c")},
		{"CREATE TABLE t (c INT DEFAULT DEFAULT)", sql, 31, defaultText("c")},
		{"CREATE TABLE t (c INT DEFAULT (SELECT 1))", sql, 31, defaultText("c")},
		{"CREATE TABLE t (c TEXT DEFAULT 'a' || 'b')", sql, 32, defaultText("c")},
		{"CREATE TABLE t (c TEXT DEFAULT NOW(5))", sql, 32, defaultText("c")},
		{"CREATE TABLE t (c TEXT DEFAULT ULID)", sql, 32, defaultText("c")},
		{"CREATE TABLE t (c INT DEFAULT 1 DEFAULT 2)", sql, 33, "DEFAULT of column 'c' is given twice"},
		{"CREATE TABLE t (c DATETIME DEFAULT DATE '2024-01-01')", sql, 36,
			"Column 'c': DEFAULT is cast to DATE but the column is DATETIME"},
		{"CREATE TABLE t (c TEXT DEFAULT 'a'::nope)", sql, 37, "Column 'c': Data type NOPE" + supportedTypes},
		{"CREATE TABLE t (c BYTES DEFAULT X'0')", sql, 33,
			"Syntax error: a hexadecimal literal needs an even number of digits"},
		{"CREATE TABLE t (c INT DEFAULT NOW())", sql, 31,
			"Column 'c': DEFAULT NOW() needs a column of type TIMESTAMP, DATETIME, DATE or TIME, not INT"},
		{"CREATE TABLE t (c INT DEFAULT SNOWFLAKE_ID())", sql, 31,
			"Column 'c': DEFAULT SNOWFLAKE_ID() needs a column of type BIGINT, not INT"},
		{"CREATE TABLE t (c INT DEFAULT UUID_V7())", sql, 31,
			"Column 'c': DEFAULT UUID_V7() needs a column of type TEXT or UUID, not INT"},
		{"CREATE TABLE t (c UUID DEFAULT ULID())", sql, 32,
			"Column 'c': DEFAULT ULID() needs a column of type TEXT, not UUID"},
		{"CREATE TABLE t (c JSON DEFAULT CURRENT_USER)", sql, 32,
			"Column 'c': DEFAULT CURRENT_USER() needs a column of type TEXT, not JSON"},
		{"CREATE TABLE t (c DECIMAL(9) AUTO_INCREMENT)", sql, 30,
			"Column 'c': AUTO_INCREMENT needs SMALLINT, INT or BIGINT, not DECIMAL(9,0)"},
		{"CREATE TABLE t (c INT DEFAULT 1 AUTO_INCREMENT)", sql, 33,
			"Column 'c' has both a DEFAULT and AUTO_INCREMENT"},
		{"CREATE TABLE t (c INT NULL AUTO_INCREMENT)", sql, 17,
			"Column 'c' is declared both NULL and NOT NULL or PRIMARY KEY"},
		{"CREATE TABLE t (c INT IDENTITY(100, 1))", no, 31,
			"Column 'c': a counter begins at 1 and steps by 1; other starts, steps and bounds are not supported"},
		{"CREATE TABLE t (c INT GENERATED ALWAYS AS IDENTITY (START WITH 5))", no, 52,
			"Column 'c': a counter begins at 1 and steps by 1; other starts, steps and bounds are not supported"},
		{"CREATE TABLE t (c BIGINT DEFAULT 1 AUTO_INCREMENT)", sql, 36,
			"Column 'c' has both a DEFAULT and AUTO_INCREMENT"},
		{"CREATE TABLE t (c TEXT IDENTITY)", sql, 24, "Column 'c': IDENTITY needs SMALLINT, INT or BIGINT, not TEXT"},
		{"CREATE TABLE t (c BIGINT IDENTITY (1", sql, 37, "Syntax error at end of statement: expected ')'"},
		{"CREATE TABLE t (c BIGINT GENERATED AS IDENTITY)", sql, 36, "Syntax error at or near 'AS': expected BY"},
		{"CREATE TABLE t (c BIGINT GENERATED ALWAYS IDENTITY)", sql, 43,
			"Syntax error at or near 'IDENTITY': expected AS"},
		{"CREATE TABLE t (c BIGINT GENERATED ALWAYS AS ROW)", sql, 46,
			"Syntax error at or near 'ROW': expected IDENTITY"},
		{"CREATE TABLE t (c INT GENERATED ALWAYS AS (a + b))", no, 23,
			"Column 'c': generated columns are not supported"},
		{"CREATE TABLE t (c SERIAL DEFAULT 5)", sql, 26, "DEFAULT of column 'c' is given twice"},
	} {
		c.check(t)
	}
}

// defaultText is the message about a DEFAULT that is none.
func defaultText(column string) string {
	return "Column '" + column +
		"': DEFAULT must be a literal or one of NOW(), CURRENT_TIMESTAMP, SNOWFLAKE_ID(), UUID_V7(), ULID(), " +
		"CURRENT_USER()"
}
