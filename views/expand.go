package views

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/access"
	"github.com/kalamlake/kalam/catalog"
	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/query"
	"github.com/kalamlake/kalam/sqltext"
)

// Reader is who reads: their principal, and the namespace of names that have none.
type Reader struct {
	Access    *access.Resolver
	Principal kalam.Principal
	Namespace kalam.NamespaceID
}

// View returns the view that a name means, if the reader may know of it.
func (r *Reader) View(n ast.Name) (*catalog.View, bool) {
	id, err := access.TableID(r.Namespace, n)
	if err != nil || len(n.Parts) > 2 {
		return nil, false
	}
	return r.Access.View(r.Principal, id)
}

// Edits returns what is to be replaced in a query so that it names no view of refs, nil when it names none.
// CodeUnsupported for a view where no query in parentheses can stand.
func (r *Reader) Edits(sql string, refs []query.TableRef) (sqltext.Edits, error) {
	var edits sqltext.Edits
	for _, ref := range refs {
		v, ok := r.View(ast.Name{Parts: ref.Parts})
		if !ok {
			continue
		}
		e, ok := replacement(sql, ref, v)
		if !ok {
			return nil, kalam.Errorf(kalam.CodeUnsupported, "View '%s' cannot be read in this place; write (SELECT * FROM %s)",
				v.ID, v.ID).At(max(ref.Position, 0))
		}
		edits = append(edits, e)
	}
	slices.SortFunc(edits, func(a, b sqltext.Edit) int { return a.Start - b.Start })
	for i := 1; i < len(edits); i++ {
		if edits[i].Start < edits[i-1].End { // One name, read twice: the edit is the same.
			edits = slices.Delete(edits, i, i+1)
			i--
		}
	}
	return edits, nil
}

// replacement returns the edit that puts the query of a view in the place of its name.
func replacement(sql string, ref query.TableRef, v *catalog.View) (sqltext.Edit, bool) {
	before, after, ok := around(sql, ref)
	if !ok {
		return sqltext.Edit{}, false
	}
	e := sqltext.Edit{Start: ref.Position, End: after.end, From: ref.Position, Text: Query(v)}
	if !after.aliased {
		e.Text += " AS " + sqltext.QuoteIdent(string(v.ID.Name))
	}
	if before.table { // TABLE v
		e.Start, e.Text = before.pos, "FROM "+e.Text
	}
	return e, true
}

// Query returns the query of a view, in parentheses.
func Query(v *catalog.View) string {
	list := make([]string, len(v.Columns))
	for i, c := range v.Columns {
		list[i] = sqltext.QuoteIdent(c.Source)
		if c.Name != c.Source {
			list[i] += " AS " + sqltext.QuoteIdent(c.Name)
		}
	}
	return fmt.Sprintf("(SELECT %s FROM (%s\n) AS _view)", strings.Join(list, ", "), v.Query)
}

// left and right are what stands around a name.
type (
	left struct {
		pos   int
		table bool // The word TABLE.
	}
	right struct {
		end     int // Of the name.
		aliased bool
	}
)

// around looks at what stands around a name of a query, false when the name is not there.
func around(sql string, ref query.TableRef) (before left, after right, ok bool) {
	l := sqltext.NewLexer(sql)
	t := l.Next()
	for ; t.Kind != sqltext.EOF && t.Kind != sqltext.Invalid && t.Pos < ref.Position; t = l.Next() {
		before = left{pos: t.Pos, table: t.Kind == sqltext.Word && sqltext.IsWord(sql[t.Pos:t.End], "TABLE")}
	}
	for i, part := range ref.Parts {
		if i > 0 {
			if t.Kind != sqltext.Punct || t.Ch != '.' {
				return before, after, false
			}
			t = l.Next()
		}
		name := sql[t.Pos:t.End]
		switch t.Kind {
		case sqltext.Word:
		case sqltext.Quoted:
			name = sqltext.UnquoteIdent(name)
		default:
			return before, after, false
		}
		if sqltext.Fold(name) != part {
			return before, after, false
		}
		after.end = t.End
		t = l.Next()
	}
	word := sql[t.Pos:t.End]
	after.aliased = t.Kind == sqltext.Quoted ||
		t.Kind == sqltext.Word && (sqltext.IsWord(word, "AS") || !sqltext.IsReserved(word))
	return before, after, true
}
