package dialect

import (
	"strings"

	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/sqltext"
)

// Point is a query for one row: SELECT of plain columns from one table, whose
// WHERE is a conjunction of `column = literal or placeholder`. Whether those
// columns are the primary key is for the caller to see.
type Point struct {
	Table   ast.Name
	Columns []PointColumn // nil for *.
	Key     []ast.ColumnEquals
}

// PointColumn is one item of a Point's select list. As is the result's name.
type PointColumn struct {
	Column ast.Ident
	As     string
}

// PointOf recognises a Point in a query without clauses beyond WHERE; anything
// else, and any doubt, is nil: so are two results of one name and an alias that
// is not in lower case, whose names are for the query engine to make. It makes the reads that applications repeat most
// independent of the query planner.
func PointOf(q *ast.Select) *Point {
	p := &parser{lex: sqltext.NewLexer(q.SQL)}
	p.advance()
	if !p.accept("SELECT") {
		return nil
	}
	pt := &Point{}
	var err error
	if !p.acceptOp("*") {
		if pt.Columns = p.pointColumns(); pt.Columns == nil {
			return nil
		}
	}
	if !p.accept("FROM") {
		return nil
	}
	if pt.Table, err = p.tableName(); err != nil {
		return nil
	}
	if !p.is("WHERE") {
		return nil
	}
	var sql string
	var pos int
	if err := p.where(&sql, &pos, &pt.Key, pt.Table, ""); err != nil || len(pt.Key) == 0 {
		return nil
	}
	if p.end() != nil {
		return nil
	}
	return pt
}

// maxPointColumns bounds the select list of a Point, whose names are compared
// with each other.
const maxPointColumns = 128

// pointColumns reads `a, b AS c`; nil when an item is anything else.
func (p *parser) pointColumns() []PointColumn {
	var out []PointColumn
	for {
		if p.tok.Kind != sqltext.Quoted && (p.tok.Kind != sqltext.Word || sqltext.IsReserved(p.text(p.tok))) {
			return nil
		}
		id, err := p.ident("column name")
		if err != nil {
			return nil
		}
		c := PointColumn{Column: id, As: id.Name}
		if p.accept("AS") {
			label := p.tok
			as, err := p.ident("alias")
			if err != nil || !as.Quoted && as.Name != p.text(label) {
				return nil
			}
			c.As = as.Name
		}
		if len(out) == maxPointColumns {
			return nil
		}
		for i := range out {
			if strings.EqualFold(out[i].As, c.As) {
				return nil
			}
		}
		out = append(out, c)
		if p.is("FROM") {
			return out
		}
		if !p.acceptPunct(',') {
			return nil
		}
	}
}
