package suggest

import (
	"errors"
	"slices"
	"strings"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/access"
	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/internal/nearest"
	"github.com/kalamlake/kalam/query/guard"
	"github.com/kalamlake/kalam/sqltext"
)

// Author is whose statement is looked at.
type Author struct {
	Principal kalam.Principal
	Namespace kalam.NamespaceID // Of names that have none.
	Access    *access.Resolver
}

// To returns err, the error of a statement with the given text, with suggestions if it is about a name that means
// nothing and there are names like it, and with the place of the name. err itself is not changed.
func (a Author) To(err error, text string) error {
	var e *kalam.Error
	if !errors.As(err, &e) || len(e.Suggestions) > 0 {
		return err
	}
	out := *e
	out.Suggestions = a.like(e, text)
	if out.Position == 0 {
		out.Position = placeOf(e, text)
	}
	if len(out.Suggestions) == 0 && out.Position == e.Position {
		return err
	}
	return &out
}

// placeOf returns the 1-based place of the name that e is about, where it stands first in the text; 0 if it does not.
func placeOf(e *kalam.Error, text string) (at int) {
	if e.Missing == kalam.MissingNothing || e.Missing == kalam.MissingWord || e.Name == "" {
		return 0
	}
	wanted := sqltext.Fold(e.Name[strings.LastIndexByte(e.Name, '.')+1:])
	named(text, func(n ast.Name, end int) {
		if last := n.Parts[len(n.Parts)-1]; at == 0 && last == wanted {
			at = end + 1
		}
	})
	return at
}

// like returns the names that are like the one that e is about.
func (a Author) like(e *kalam.Error, text string) []string {
	switch e.Missing {
	case kalam.MissingColumn:
		return nearest.Words(e.Name, a.columns(text))
	case kalam.MissingTable:
		return a.tablesLike(e.Name)
	case kalam.MissingNamespace:
		return nearest.Words(e.Name, a.namespaces())
	case kalam.MissingFunction:
		return nearest.Words(e.Name, functions())
	case kalam.MissingType:
		return nearest.Words(e.Name, typeNames)
	case kalam.MissingWord:
		return sentence(e.Name)
	case kalam.MissingNothing: // A text that the parser does not take may have a word of the grammar mistyped.
	}
	if e.Code == kalam.CodeInvalidSQL && e.Position > 0 {
		return wordAt(text, e.Position-1)
	}
	return nil
}

// named calls f with every name in a text, as name, name.name and so on, and with the offset of its last part.
func named(text string, f func(n ast.Name, last int)) {
	l := sqltext.NewLexer(text)
	var name ast.Name
	dotted := false
	for t := l.Next(); t.Kind != sqltext.EOF && t.Kind != sqltext.Invalid; t = l.Next() {
		switch t.Kind {
		case sqltext.Word, sqltext.Quoted, sqltext.Backtick:
			if !dotted {
				name = ast.Name{Pos: t.Pos}
			}
			name.Parts = append(slices.Clone(name.Parts), nameOf(text[t.Pos:t.End], t.Kind))
			f(name, t.Pos)
			dotted = false
			continue
		}
		dotted = sqltext.IsDot(t) && len(name.Parts) > 0
		if !dotted {
			name = ast.Name{}
		}
	}
}

// columns returns the columns of the tables and views that a statement names.
func (a Author) columns(text string) (out []string) {
	named(text, func(n ast.Name, _ int) {
		id, err := access.TableID(a.Namespace, n)
		if err != nil {
			return
		}
		if v, ok := a.Access.View(a.Principal, id); ok {
			for _, c := range v.Columns {
				out = append(out, c.Name)
			}
			return
		}
		if got, err := a.Access.Resolve(a.Principal, a.Namespace, n, access.See); err == nil {
			for _, c := range got.Table.Columns {
				out = append(out, c.Name)
			}
		}
	})
	return out
}

// tablesLike returns the tables and views for one of which a name was mistyped, or whose namespace is lacking.
func (a Author) tablesLike(typed string) []string {
	var short, full, elsewhere []string
	see := func(id kalam.TableID) {
		full = append(full, id.String())
		switch {
		case id.Namespace == a.Namespace:
			short = append(short, string(id.Name))
		case typed == string(a.Namespace)+"."+string(id.Name): // As by its name alone.
			elsewhere = append(elsewhere, id.String())
		}
	}
	for _, t := range slices.Concat(a.Access.Tables(a.Principal), a.Access.Computed(a.Principal)) {
		see(t.ID)
	}
	for _, v := range a.Access.Views(a.Principal) {
		see(v.ID)
	}
	slices.Sort(elsewhere)
	if len(elsewhere) > 0 {
		return elsewhere[:min(len(elsewhere), nearest.Most)]
	}
	if ns, name, ok := strings.Cut(typed, "."); ok && ns == string(a.Namespace) {
		if found := nearest.Words(name, short); len(found) > 0 {
			return found
		}
	}
	return nearest.Words(typed, full)
}

func (a Author) namespaces() (out []string) {
	for _, ns := range a.Access.Namespaces(a.Principal) {
		out = append(out, string(ns.ID))
	}
	return out
}

// functions returns those that user SQL may call, without the operators.
func functions() (out []string) {
	for _, f := range guard.Functions() {
		if f.Refused == "" && f.Name != "" && sqltext.IsWordByte(f.Name[0]) {
			out = append(out, f.Name)
		}
	}
	return out
}

// typeNames are the types of columns and their usual other names.
var typeNames = strings.Fields(`BIGINT BLOB BOOLEAN BYTEA CHAR DATE DATETIME DECIMAL DOUBLE EMBEDDING FLOAT INT INTEGER
	INTERVAL JSON JSONB NUMERIC REAL SMALLINT TEXT TIME TIMESTAMP TIMESTAMPTZ TINYINT UUID VARCHAR`)

// sentence corrects the words with which a statement begins.
func sentence(words string) []string {
	fields := strings.Fields(words)
	changed := false
	for i, w := range fields {
		if found := nearest.Words(w, keywords); !slices.Contains(keywords, strings.ToUpper(w)) && len(found) > 0 {
			fields[i], changed = found[0], true
		}
	}
	if !changed {
		return nil
	}
	return []string{strings.Join(fields, " ")}
}

var keywords = sqltext.Keywords()

// leastWord is how long a word of the grammar is that can be told from a name.
const leastWord = 3

// wordAt returns the word of the grammar for which the word at an offset was mistyped, or the one before it: the error
// stands behind "FRM" in "SELECT a FRM t", where it could be an alias.
func wordAt(text string, at int) []string {
	l := sqltext.NewLexer(text)
	var before, here string
	dotted := false
	t := l.Next()
	for ; t.Kind != sqltext.EOF && t.Kind != sqltext.Invalid && t.Pos <= at; t = l.Next() {
		before, here = here, ""
		if t.Kind == sqltext.Word && !dotted {
			here = text[t.Pos:t.End]
		}
		dotted = sqltext.IsDot(t)
	}
	if sqltext.IsDot(t) { // It is a name, as those behind a dot.
		here = ""
	}
	for _, w := range []string{here, before} {
		if len(w) < leastWord || slices.Contains(keywords, strings.ToUpper(w)) {
			continue
		}
		if found := nearest.Words(w, keywords); len(found) > 0 {
			return found[:1]
		}
	}
	return nil
}

// nameOf returns a name as it is looked up.
func nameOf(text string, kind sqltext.Kind) string {
	if kind != sqltext.Word {
		text = sqltext.UnquoteIdent(text)
	}
	return sqltext.Fold(text)
}
