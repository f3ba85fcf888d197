package dialect_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/dialect/ast"
)

func ident(name string, pos int) ast.Ident { return ast.Ident{Name: name, Pos: pos} }

func TestAlterTable(t *testing.T) {
	name := ast.Name{Parts: []string{"t"}, Pos: 12}
	typed := func(kind kalam.Kind) *kalam.Column { return &kalam.Column{Name: "c", Type: kalam.TypeOf(kind)} }
	for _, c := range []struct {
		sql, operation string
		want           ast.AlterTable
	}{
		{"ALTER TABLE t ADD c TEXT", "ADD COLUMN c TEXT", ast.AlterTable{
			Name: name, Op: ast.AlterAddColumn, Column: ident("c", 18), Def: typed(kalam.KindText),
		}},
		{"ALTER TABLE t ADD COLUMN IF NOT EXISTS C INT NOT NULL DEFAULT 5", "ADD COLUMN c INT", ast.AlterTable{
			Name: name, Op: ast.AlterAddColumn, Column: ident("c", 39), IfExists: true,
			Def: &kalam.Column{Name: "c", Type: kalam.TypeOf(kalam.KindInt), NotNull: true,
				Default: &kalam.Default{SQL: "5", Value: kalam.BigInt(5)}},
		}},
		{"ALTER USER TABLE ns.t ADD c DECIMAL(5,2)", "ADD COLUMN c DECIMAL(5,2)", ast.AlterTable{
			Name: ast.Name{Parts: []string{"ns", "t"}, Pos: 17}, Kind: kalam.KindUserTable,
			Op: ast.AlterAddColumn, Column: ident("c", 26),
			Def: &kalam.Column{Name: "c", Type: kalam.DataType{Kind: kalam.KindDecimal, Precision: 5, Scale: 2}},
		}},
		{"ALTER TABLE t DROP c", "DROP COLUMN c", ast.AlterTable{Name: name, Op: ast.AlterDropColumn,
			Column: ident("c", 19)}},
		{"ALTER TABLE t DROP COLUMN IF EXISTS c;", "DROP COLUMN c",
			ast.AlterTable{Name: name, Op: ast.AlterDropColumn, Column: ident("c", 36), IfExists: true}},
		{"ALTER TABLE t MODIFY c BIGINT", "MODIFY COLUMN c BIGINT", ast.AlterTable{
			Name: name, Op: ast.AlterModifyColumn, Column: ident("c", 21), Def: typed(kalam.KindBigInt),
		}},
		{"ALTER TABLE t MODIFY COLUMN c BIGINT NOT NULL", "MODIFY COLUMN c BIGINT", ast.AlterTable{
			Name: name, Op: ast.AlterModifyColumn, Column: ident("c", 28), Null: ast.NullRefused,
			Def: &kalam.Column{Name: "c", Type: kalam.TypeOf(kalam.KindBigInt), NotNull: true},
		}},
		{"ALTER TABLE t MODIFY COLUMN c TEXT NULL", "MODIFY COLUMN c TEXT", ast.AlterTable{
			Name: name, Op: ast.AlterModifyColumn, Column: ident("c", 28),
			Null: ast.NullAllowed, Def: typed(kalam.KindText),
		}},
		{"ALTER TABLE t ALTER COLUMN c TYPE BIGINT", "MODIFY COLUMN c BIGINT", ast.AlterTable{
			Name: name, Op: ast.AlterModifyColumn, Column: ident("c", 27), Def: typed(kalam.KindBigInt),
		}},
		{"ALTER TABLE t ALTER c SET DATA TYPE DOUBLE PRECISION", "MODIFY COLUMN c DOUBLE", ast.AlterTable{
			Name: name, Op: ast.AlterModifyColumn, Column: ident("c", 20), Def: typed(kalam.KindDouble),
		}},
		{"ALTER TABLE t RENAME COLUMN c TO d", "RENAME COLUMN c TO d", ast.AlterTable{
			Name: name, Op: ast.AlterRenameColumn, Column: ident("c", 28), To: ident("d", 33),
		}},
		{"ALTER TABLE t RENAME `c` TO d", "RENAME COLUMN c TO d", ast.AlterTable{
			Name: name, Op: ast.AlterRenameColumn, Column: ast.Ident{Name: "c", Quoted: true, Pos: 21},
			To: ident("d", 28),
		}},
		{"ALTER TABLE t ALTER COLUMN c SET NOT NULL", "ALTER COLUMN c SET NOT NULL",
			ast.AlterTable{Name: name, Op: ast.AlterSetNotNull, Column: ident("c", 27)}},
		{"ALTER TABLE t ALTER COLUMN c DROP NOT NULL", "ALTER COLUMN c DROP NOT NULL",
			ast.AlterTable{Name: name, Op: ast.AlterDropNotNull, Column: ident("c", 27)}},
		{"ALTER TABLE t ALTER COLUMN c SET DEFAULT 'x'", "ALTER COLUMN c SET DEFAULT 'x'", ast.AlterTable{
			Name: name, Op: ast.AlterSetDefault, Column: ident("c", 27),
			Def: &kalam.Column{Name: "c", Default: &kalam.Default{SQL: "'x'", Value: kalam.Text("x")}},
		}},
		{"ALTER TABLE t ALTER COLUMN c SET DEFAULT NOW()", "ALTER COLUMN c SET DEFAULT NOW()", ast.AlterTable{
			Name: name, Op: ast.AlterSetDefault, Column: ident("c", 27),
			Def: &kalam.Column{Name: "c", Default: &kalam.Default{SQL: "NOW()", Func: kalam.DefaultNow}},
		}},
		{"ALTER TABLE t ALTER COLUMN c DROP DEFAULT", "ALTER COLUMN c DROP DEFAULT",
			ast.AlterTable{Name: name, Op: ast.AlterDropDefault, Column: ident("c", 27)}},
		{"ALTER TABLE t SET ACCESS LEVEL public", "SET ACCESS LEVEL public", ast.AlterTable{
			Name: name, Op: ast.AlterSetAccess, Options: kalam.TableOptions{Access: kalam.AccessPublic},
			Given: ast.OptionAccess,
		}},
		{"ALTER TABLE t SET TBLPROPERTIES (ACCESS_LEVEL = 'DBA', FLUSH_POLICY = 'rows:5')",
			"SET TBLPROPERTIES (FLUSH_POLICY = 'rows:5', ACCESS_LEVEL = 'DBA')", ast.AlterTable{
				Name: name, Op: ast.AlterSetProperties,
				Options: kalam.TableOptions{Access: kalam.AccessDBA, FlushRows: 5},
				Given:   ast.OptionAccess | ast.OptionFlushRows,
			}},
		{"ALTER TABLE t SET TBLPROPERTIES (FLUSH_POLICY = 'rows:5,interval:9', TTL 3)",
			"SET TBLPROPERTIES (FLUSH_POLICY = 'rows:5,interval:9', TTL_SECONDS = 3)", ast.AlterTable{
				Name: name, Op: ast.AlterSetProperties,
				Options: kalam.TableOptions{FlushRows: 5, FlushInterval: 9 * time.Second, TTL: 3 * time.Second},
				Given:   ast.OptionFlushRows | ast.OptionFlushInterval | ast.OptionTTL,
			}},
		{"ALTER TABLE t RENAME TO U", "RENAME TO u", ast.AlterTable{
			Name: name, Op: ast.AlterRenameTable, NewName: ast.Name{Parts: []string{"u"}, Pos: 24},
		}},
		{"ALTER TABLE t RENAME TO ns.u", "RENAME TO u", ast.AlterTable{
			Name: name, Op: ast.AlterRenameTable, NewName: ast.Name{Parts: []string{"ns", "u"}, Pos: 24},
		}},
		{"COMMENT ON TABLE ns.t IS 'it''s'", "COMMENT ON TABLE", ast.AlterTable{
			Name: ast.Name{Parts: []string{"ns", "t"}, Pos: 17}, Op: ast.AlterComment, Comment: "it's",
		}},
		{"COMMENT ON COLUMN ns.t.C IS NULL", "COMMENT ON COLUMN c", ast.AlterTable{
			Name: ast.Name{Parts: []string{"ns", "t"}, Pos: 18}, Op: ast.AlterComment, Column: ident("c", 18),
		}},
	} {
		t.Run(c.sql, func(t *testing.T) {
			got := mustParse(t, c.sql).(*ast.AlterTable)
			if d := cmp.Diff(&c.want, got, options); d != "" {
				t.Error(d)
			}
			if got.Operation() != c.operation {
				t.Errorf("operation %q, want %q", got.Operation(), c.operation)
			}
		})
	}
}

func TestAlterTableErrors(t *testing.T) {
	const sql, no = kalam.CodeInvalidSQL, kalam.CodeUnsupported
	for _, c := range []errorCase{
		{"ALTER", sql, 1, "Unsupported statement type: ALTER"},
		{"ALTER TABLE", sql, 12, "Syntax error at end of statement: expected table name"},
		{"ALTER TABLE t", sql, 14,
			"Syntax error at end of statement: expected ADD, DROP, MODIFY, RENAME or ALTER COLUMN, SET ACCESS LEVEL, " +
				"SET STORAGE or SET TBLPROPERTIES"},
		{"ALTER TABLE t SET x", sql, 15,
			"Syntax error at or near 'SET': expected ADD, DROP, MODIFY, RENAME or ALTER COLUMN, SET ACCESS LEVEL, " +
				"SET STORAGE or SET TBLPROPERTIES"},
		{"ALTER TABLE t SET STORAGE", sql, 26, "Syntax error at end of statement: expected storage id"},
		{"ALTER TABLE t ADD", sql, 18, "Syntax error at end of statement: expected column name"},
		{"ALTER TABLE t ADD c", sql, 20, "Syntax error at end of statement: expected a data type"},
		{"ALTER TABLE t ADD c INTERVAL", sql, 21, "Column 'c': Data type INTERVAL" + supportedTypes},
		{"ALTER TABLE t ADD _seq INT", sql, 19, "Column name '_seq' is reserved for the system"},
		{"ALTER TABLE t ADD c INT PRIMARY KEY", no, 19,
			"A PRIMARY KEY column cannot be added; the key is declared in CREATE TABLE"},
		{"ALTER TABLE t ADD c INT UNIQUE", no, 25,
			"UNIQUE constraints are not supported; only the PRIMARY KEY is unique"},
		{"ALTER TABLE t ADD CONSTRAINT x CHECK (a)", no, 19, "ALTER TABLE ADD CONSTRAINT is not supported"},
		{"ALTER TABLE t ADD PRIMARY KEY (a)", no, 19, "ALTER TABLE ADD PRIMARY is not supported"},
		{"ALTER TABLE t ADD c INT, ADD d INT", no, 24, "ALTER TABLE takes one operation; write a statement for each"},
		{"ALTER TABLE t ADD c INT FIRST", no, 25, "FIRST is not supported; columns keep the order of their creation"},
		{"ALTER TABLE t ADD c INT AFTER d", no, 25, "AFTER is not supported; columns keep the order of their creation"},
		{"ALTER TABLE t ADD c INT x", sql, 25, "Syntax error at or near 'x': expected end of statement"},
		{"ALTER TABLE t DROP", sql, 19, "Syntax error at end of statement: expected column name"},
		{"ALTER TABLE t DROP COLUMN _seq", sql, 27, "Column '_seq' is a system column and cannot be changed"},
		{"ALTER TABLE t DROP CONSTRAINT x", no, 20, "ALTER TABLE DROP CONSTRAINT is not supported"},
		{"ALTER TABLE t DROP PRIMARY KEY", no, 20, "ALTER TABLE DROP PRIMARY is not supported"},
		{"ALTER TABLE t DROP INDEX c", no, 20, "Vector indexes are not supported"},
		{"ALTER TABLE t CREATE VECTOR INDEX c", no, 15, "Vector indexes are not supported"},
		{"ALTER TABLE t DROP c CASCADE", sql, 22, "Syntax error at or near 'CASCADE': expected end of statement"},
		{"ALTER TABLE t MODIFY", sql, 21, "Syntax error at end of statement: expected column name"},
		{"ALTER TABLE t MODIFY c", sql, 23, "Syntax error at end of statement: expected a data type"},
		{"ALTER TABLE t MODIFY c SERIAL", no, 24, "A column cannot be changed to a SERIAL type"},
		{"ALTER TABLE t MODIFY c INT DEFAULT 5", no, 28,
			"MODIFY COLUMN does not take DEFAULT; use ALTER COLUMN c SET DEFAULT"},
		{"ALTER TABLE t RENAME TO", sql, 24, "Syntax error at end of statement: expected table name"},
		{"ALTER TABLE t RENAME TO _u", sql, 25, "table name '_u' must not begin with '_' or a digit"},
		{"ALTER TABLE t RENAME TO a.b.c", sql, 25, "A table is created as name or namespace.name"},
		{"COMMENT", sql, 8, "Syntax error at end of statement: expected ON"},
		{"COMMENT ON VIEW v IS 'x'", sql, 12, "Syntax error at or near 'VIEW': expected TABLE or COLUMN"},
		{"COMMENT ON COLUMN c IS 'x'", sql, 19, "COMMENT ON COLUMN takes table.column or namespace.table.column"},
		{"COMMENT ON COLUMN t._seq IS 'x'", sql, 19, "Column '_seq' is a system column and cannot be changed"},
		{"COMMENT ON TABLE t 'x'", sql, 20, "Syntax error at or near ''x'': expected IS"},
		{"COMMENT ON TABLE t IS x", sql, 23, "Syntax error at or near 'x': expected a quoted comment"},
		{"ALTER TABLE t RENAME", sql, 21, "Syntax error at end of statement: expected column name"},
		{"ALTER TABLE t RENAME c d", sql, 24, "Syntax error at or near 'd': expected TO"},
		{"ALTER TABLE t RENAME c TO", sql, 26, "Syntax error at end of statement: expected column name"},
		{"ALTER TABLE t RENAME c TO select", sql, 27,
			"column name 'select' is a reserved word: it needs quotes, \"select\""},
		{"ALTER TABLE t RENAME _deleted TO d", sql, 22, "Column '_deleted' is a system column and cannot be changed"},
		{"ALTER TABLE t ALTER", sql, 20, "Syntax error at end of statement: expected column name"},
		{"ALTER TABLE t ALTER c", sql, 22,
			"Syntax error at end of statement: expected SET NOT NULL, DROP NOT NULL, SET DEFAULT, DROP DEFAULT or " +
				"TYPE"},
		{"ALTER TABLE t ALTER c SET DEFAULT", sql, 34, defaultText("c")},
		{"ALTER TABLE t ALTER c SET DEFAULT 1 + 1", sql, 35, defaultText("c")},
		{"ALTER TABLE t ALTER c SET DEFAULT 'x", sql, 35, "Unterminated quoted string"},
		{"ALTER TABLE t ALTER c TYPE", sql, 27, "Syntax error at end of statement: expected a data type"},
		{"ALTER TABLE t ALTER c TYPE INT USING c::INT", no, 32,
			"ALTER COLUMN ... TYPE ... USING is not supported; types can only be widened"},
		{"ALTER TABLE t SET ACCESS LEVEL", sql, 31,
			"Syntax error at end of statement: expected a value for ACCESS_LEVEL"},
		{"ALTER TABLE t SET ACCESS LEVEL secret", sql, 32,
			"unknown access level 'secret' (expected public, private, restricted or dba)"},
		{"ALTER TABLE t SET TBLPROPERTIES", sql, 32, "Syntax error at end of statement: expected '('"},
		{"ALTER TABLE t SET TBLPROPERTIES ()", sql, 33, "SET TBLPROPERTIES names no option"},
		{"ALTER TABLE t SET TBLPROPERTIES (TYPE = 'USER')", no, 33, "The type of a table cannot be changed"},
		{"ALTER TABLE t SET TBLPROPERTIES (colour = 'red')", sql, 34, "Unknown table option 'COLOUR'"},
		{"ALTER VIEW v", sql, 1, "Unsupported statement type: ALTER VIEW"},
	} {
		c.check(t)
	}
}
