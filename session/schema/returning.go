package schema

import (
	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/dialect"
	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/read"
	"github.com/kalamlake/kalam/sqltext"
)

// ReturnedColumns maps a list of plain columns; ok is false when an item is
// anything else, which DuckDB evaluates.
func ReturnedColumns(t *kalam.Table, list []ast.ReturnExpr) (out []read.Column, ok bool) {
	p := &dialect.Point{}
	for _, x := range list {
		switch {
		case x.SQL == "*" && len(list) == 1:
			return read.Columns(t, p)
		case x.Column == "":
			return nil, false
		}
		as := x.Alias
		if as == "" {
			as = x.Column
		}
		p.Columns = append(p.Columns, dialect.PointColumn{Column: ast.Ident{Name: x.Column}, As: as})
	}
	return read.Columns(t, p)
}

// StandIn returns what to write in FROM for a relation of this query that stands for
// table t, and the quoted name by which its columns are qualified. Without an alias
// they may have the table's whole name too, as in ns.t.c.
func StandIn(relation string, t *kalam.Table, alias string) (from, name string) {
	name = sqltext.QuoteIdent(string(t.ID.Name))
	from = relation + "." + sqltext.QuoteIdent(string(t.ID.Namespace)) + "." + name // Three parts are no name of WITH.
	if alias != "" {
		name = sqltext.QuoteIdent(alias)
		from += " AS " + name
	}
	return from, name
}

// ValuesText returns a text by which lists of values are put in an order.
func ValuesText(list []kalam.Value) []byte {
	var out []byte
	for _, v := range list {
		out = append(datatype.AppendValue(out, v), ',')
	}
	return out
}
