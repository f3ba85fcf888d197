package views

import (
	"slices"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/access"
	"github.com/kalamlake/kalam/catalog"
	"github.com/kalamlake/kalam/dialect"
	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/query"
	"github.com/kalamlake/kalam/sqltext"
)

// maxQuery bounds the text of a view, in bytes.
const maxQuery = 64 << 10

// Result is a column of the results of a query.
type Result struct {
	Name string
	Type kalam.DataType
}

// Qualified returns the query of a new view with the namespace of every table, and which tables and views it reads.
// refs are those of the query, whose default namespace is ns.
func Qualified(sql string, ns kalam.NamespaceID, refs []query.TableRef) (string, []kalam.TableID, error) {
	if len(sql) > maxQuery {
		return "", nil, kalam.Errorf(kalam.CodeTooLarge, "The query of a view is longer than %d bytes", maxQuery)
	}
	var edits sqltext.Edits
	var reads []kalam.TableID
	for _, ref := range refs {
		id, err := access.TableID(ns, ast.Name{Parts: ref.Parts, Pos: ref.Position})
		if err != nil {
			return "", nil, err
		}
		if !slices.Contains(reads, id) {
			reads = append(reads, id)
		}
		if len(ref.Parts) > 1 {
			continue
		}
		if _, _, ok := around(sql, ref); !ok {
			return "", nil, kalam.Errorf(kalam.CodeUnsupported, "Table '%s' cannot stand here in a view",
				id).At(max(ref.Position, 0))
		}
		e := sqltext.Edit{Start: ref.Position, End: ref.Position, From: ref.Position,
			Text: sqltext.QuoteIdent(string(ns)) + "."}
		if !slices.ContainsFunc(edits, func(x sqltext.Edit) bool { return x.Start == e.Start }) {
			edits = append(edits, e)
		}
	}
	slices.SortFunc(edits, func(a, b sqltext.Edit) int { return a.Start - b.Start })
	slices.SortFunc(reads, func(a, b kalam.TableID) int {
		return slices.Compare([]string{string(a.Namespace), string(a.Name)}, []string{string(b.Namespace), string(b.Name)})
	})
	return edits.Apply(sql, 0, len(sql)), reads, nil
}

// Define gives a view its columns: the results of its query, under the names of the statement if it gives some.
func Define(v *catalog.View, st *ast.CreateView, results []Result) error {
	if n := len(st.Columns); n > 0 && n != len(results) {
		return kalam.Errorf(kalam.CodeInvalidSQL, "View %s names %d columns, its query gives %d", v.ID, n,
			len(results)).At(st.Columns[0].Pos)
	}
	seen := map[string]bool{}
	for i, r := range results {
		c := catalog.ViewColumn{Name: sqltext.Fold(r.Name), Source: r.Name, Type: r.Type}
		if seen[c.Name] {
			return kalam.Errorf(kalam.CodeInvalidSQL, "Column '%s' comes twice: give one of them another name with AS",
				c.Name).At(st.Query.Pos)
		}
		seen[c.Name] = true
		if len(st.Columns) > 0 {
			c.Name = st.Columns[i].Name
		}
		if err := dialect.CheckColumnName(ast.Ident{Name: c.Name, Quoted: true}); err != nil {
			return kalam.Errorf(kalam.CodeInvalidSQL, "%s: give column %d of the query a name with AS",
				kalam.MessageOf(err), i+1).At(st.Query.Pos)
		}
		if slices.ContainsFunc(v.Columns, func(x catalog.ViewColumn) bool { return x.Name == c.Name }) {
			return kalam.Errorf(kalam.CodeInvalidSQL, "Column '%s' comes twice", c.Name).At(st.Query.Pos)
		}
		v.Columns = append(v.Columns, c)
	}
	v.Words, v.Star = words(v)
	return nil
}

// words returns the words of the query of a view and the names of its results, and whether a * stands in it.
func words(v *catalog.View) (list []string, star bool) {
	l := sqltext.NewLexer(v.Query)
	for t := l.Next(); t.Kind != sqltext.EOF && t.Kind != sqltext.Invalid; t = l.Next() {
		text := v.Query[t.Pos:t.End]
		switch t.Kind {
		case sqltext.Word:
			list = append(list, sqltext.Fold(text))
		case sqltext.Quoted:
			list = append(list, sqltext.Fold(sqltext.UnquoteIdent(text)))
		default:
			star = star || text == "*"
		}
	}
	for _, c := range v.Columns {
		list = append(list, sqltext.Fold(c.Source))
	}
	// FROM t, TABLE t, COLUMNS(...) and NATURAL depend on all columns without a *.
	star = star || slices.ContainsFunc(list, func(w string) bool {
		return w == "columns" || w == "natural" ||
			w == "table"
	}) ||
		!slices.Contains(list, "select")
	slices.Sort(list)
	return slices.Compact(list), star
}

// Table describes the results of a view as those of a table.
func Table(v *catalog.View) *kalam.Table {
	t := &kalam.Table{ID: v.ID, Kind: kalam.KindSystemTable, Creator: v.Creator, CreatedAt: v.CreatedAt,
		UpdatedAt: v.UpdatedAt, SchemaVersion: 1}
	for i, c := range v.Columns {
		t.Columns = append(t.Columns, kalam.Column{ID: kalam.ColumnID(i + 1), Name: c.Name, Type: c.Type})
	}
	return t
}
