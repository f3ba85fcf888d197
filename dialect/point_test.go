package dialect_test

import (
	"strings"
	"testing"

	"github.com/kalamlake/kalam/dialect"
	"github.com/kalamlake/kalam/dialect/ast"
)

// pointText renders a Point: table: columns; key. "" is nil.
func pointText(p *dialect.Point) string {
	if p == nil {
		return ""
	}
	cols := []string{"*"}
	if p.Columns != nil {
		cols = cols[:0]
	}
	for _, c := range p.Columns {
		s := c.Column.Name
		if c.As != s {
			s += "=" + c.As
		}
		cols = append(cols, s)
	}
	var key []string
	for _, k := range p.Key {
		key = append(key, k.Column.Name+"="+show(k.Value))
	}
	return p.Table.String() + ": " + strings.Join(cols, ",") + "; " + strings.Join(key, " ")
}

func TestPointOf(t *testing.T) {
	for _, c := range []struct{ sql, want string }{
		{"SELECT * FROM t WHERE id = 1", "t: *; id=n:1"},
		{"select * from ns.T where ID = $1;", "ns.t: *; id=$1"},
		{"SELECT * FROM ns.user.t WHERE id = 'x'", "ns.user.t: *; id=s:x"},
		{"SELECT id, body FROM t WHERE a = 1 AND b = 'y'", "t: id,body; a=n:1 b=s:y"},
		{"SELECT Id, body AS text, v AS \"V w\" FROM t WHERE id = 1", "t: id,body=text,v=V w; id=n:1"},
		{"SELECT _seq, _deleted FROM t WHERE (id = -5)", "t: _seq,_deleted; id=n:-5"},
		{"SELECT `a` FROM `t` WHERE `id` = 1", "t: a; id=n:1"},
		{"SELECT * FROM ns.t WHERE ns.t.id = 1", "ns.t: *; id=n:1"},
		{"SELECT * FROM t -- all\n WHERE id = /* one */ 1", "t: *; id=n:1"},

		{"SELECT * FROM t", ""},
		{"SELECT * FROM t WHERE id = 1.5", ""},
		{"SELECT * FROM t WHERE id = 1.0", ""},
		{"SELECT * FROM t WHERE id = 1e3", ""},
		{"SELECT * FROM t WHERE id > 1", ""},
		{"SELECT * FROM t WHERE id = 1 OR id = 2", ""},
		{"SELECT * FROM t WHERE id = 1 LIMIT 1", ""},
		{"SELECT * FROM t WHERE id = 1 ORDER BY id", ""},
		{"SELECT * FROM t WHERE id = 1 FOR UPDATE", ""},
		{"SELECT * FROM t WHERE id = 1 UNION SELECT 1", ""},
		{"SELECT * FROM t WHERE id = 1 RETURNING id", ""},
		{"SELECT * FROM t WHERE id = 1, 2", ""},
		{"SELECT * FROM t x WHERE id = 1", ""},
		{"SELECT * FROM t AS x WHERE id = 1", ""},
		{"SELECT * FROM t, u WHERE id = 1", ""},
		{"SELECT * FROM t JOIN u USING (id) WHERE id = 1", ""},
		{"SELECT * FROM t TABLESAMPLE 10 WHERE id = 1", ""},
		{"SELECT * FROM 't.parquet' WHERE id = 1", ""},
		{"SELECT * FROM read_csv('x') WHERE id = 1", ""},
		{"SELECT * FROM (SELECT 1) WHERE id = 1", ""},
		{"SELECT * FROM a.b.c.d WHERE id = 1", ""},
		{"SELECT *, id FROM t WHERE id = 1", ""},
		{"SELECT t.* FROM t WHERE id = 1", ""},
		{"SELECT t.id FROM t WHERE id = 1", ""},
		{"SELECT * EXCLUDE (a) FROM t WHERE id = 1", ""},
		{"SELECT DISTINCT id FROM t WHERE id = 1", ""},
		{"SELECT ALL id FROM t WHERE id = 1", ""},
		{"SELECT count(*) FROM t WHERE id = 1", ""},
		{"SELECT id + 1 FROM t WHERE id = 1", ""},
		{"SELECT id::text FROM t WHERE id = 1", ""},
		{"SELECT id other FROM t WHERE id = 1", ""},
		{"SELECT id AS select FROM t WHERE id = 1", ""},
		{"SELECT id AS FROM t WHERE id = 1", ""},
		{"SELECT 1 FROM t WHERE id = 1", ""},
		{"SELECT 'id' FROM t WHERE id = 1", ""},
		{"SELECT date '2024-01-01' FROM t WHERE id = 1", ""},
		{"SELECT id, id FROM t WHERE id = 1", ""},
		{"SELECT a AS b, c AS B FROM t WHERE id = 1", ""},
		{"SELECT a AS \"x\", c AS \"X\" FROM t WHERE id = 1", ""},
		{"SELECT id AS MyId FROM t WHERE id = 1", ""},
		{"SELECT id, FROM t WHERE id = 1", ""},
		{"SELECT " + strings.Repeat("a", 65) + " FROM t WHERE id = 1", ""},
		{"SELECT FROM t WHERE id = 1", ""},
		{"SELECT id WHERE id = 1", ""},
		{"SELECT * WHERE id = 1", ""},
		{"SELECT id INTO x FROM t WHERE id = 1", ""},
		{"(SELECT * FROM t WHERE id = 1)", ""},
		{"WITH t AS (SELECT 1 AS id) SELECT * FROM t WHERE id = 1", ""},
		{"FROM t WHERE id = 1", ""},
		{"FROM t SELECT * WHERE id = 1", ""},
		{"TABLE t", ""},
		{"SELECT * FROM t WHERE id = X'0a'", ""},
		{"SELECT * FROM t WHERE u.id = 1", ""},
		{"SELECT * FROM t WHERE id = 1 AND EXISTS (SELECT 1)", ""},
		{"SELECT * FROM t WHERE id = 1 GROUP BY ALL", ""},
		{"SELECT * FROM t WHERE id = 1 QUALIFY true", ""},
		{"SELECT * FROM t WHERE id IS NULL", ""},
		{"SELECT * FROM t WHERE id = NULL", ""},
	} {
		if got := pointText(dialect.PointOf(mustParse(t, c.sql).(*ast.Select))); got != c.want {
			t.Errorf("%s\ngot  %q\nwant %q", c.sql, got, c.want)
		}
	}
}
