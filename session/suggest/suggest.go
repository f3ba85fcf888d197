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
// nothing and there are names like it, with the place of the name, and with what to do where the message does not say
// it. err itself is not changed.
func (a Author) To(err error, text string) error {
	var e *kalam.Error
	if !errors.As(err, &e) {
		return err
	}
	out := *e
	if out.Position == 0 {
		out.Position = placeOf(e, text)
	}
	if r := hint(&out, text); len(out.Suggestions) == 0 && (r == nil || !r.foreign) {
		out.Suggestions = a.like(&out, text)
	}
	if out.Hint == "" {
		out.Hint = a.hintOf(&out, text)
	}
	if len(out.Suggestions) == len(e.Suggestions) && out.Position == e.Position && out.Hint == e.Hint {
		return err
	}
	return &out
}

// placeOf returns the 1-based place of the name that e is about, where it stands first in the text; 0 if it does not.
func placeOf(e *kalam.Error, text string) (at int) {
	if e.Missing == kalam.MissingNothing || e.Missing == kalam.MissingWord || e.Name == "" {
		return place(e, text)
	}
	wanted := sqltext.Fold(e.Name[strings.LastIndexByte(e.Name, '.')+1:])
	named(text, func(n ast.Name, end int) {
		if last := n.Parts[len(n.Parts)-1]; at == 0 && last == wanted {
			at = end + 1
		}
	})
	return at
}

// noAlias is in the message about a qualifier that means nothing.
const noAlias = "is no table or alias"

// place returns the 1-based place of what an error without a name is about, 0 when it is not known.
func place(e *kalam.Error, text string) int {
	var wanted string
	switch {
	case strings.Contains(e.Msg, noAlias):
		wanted = strings.ToUpper(e.Name)
	case strings.HasPrefix(e.Msg, "Parameter mismatch"):
		wanted = "$"
	case strings.Contains(e.Msg, "selection list"):
		wanted = "FROM"
	default:
		return 0
	}
	l := sqltext.NewLexer(text)
	for t := l.Next(); t.Kind != sqltext.EOF && t.Kind != sqltext.Invalid; t = l.Next() {
		if wanted == "$" && t.Kind == sqltext.Param {
			return t.Pos + 1
		}
		if t.Kind == sqltext.Word && sqltext.IsWord(text[t.Pos:t.End], wanted) &&
			(wanted == "FROM" || sqltext.DotFollows(text, t.End)) {
			return t.Pos + 1
		}
	}
	return 0
}

// like returns the names that are like the one that e is about.
func (a Author) like(e *kalam.Error, text string) []string {
	switch e.Missing {
	case kalam.MissingColumn:
		return slices.DeleteFunc(nearest.Words(e.Name, a.columns(text)), func(s string) bool {
			return strings.EqualFold(s, e.Name) // It does exist, which is what is wrong.
		})
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
	if e.Position == 0 || strings.Contains(e.Msg, "Did you mean") {
		return nil
	}
	for _, of := range mistypable {
		if strings.Contains(e.Msg, of.message) {
			return wordAt(text, e.Position-1, of.words)
		}
	}
	return nil
}

// mistypable are the messages, by what is in them, about a word that may be mistyped, and for which.
var mistypable = []struct {
	message string
	words   []string
}{
	{"Data type ", typeNames}, {"Unknown table option", keywords}, {"EXPLAIN takes a query", beginnings},
	{"Unknown setting", clauses}, {"Syntax error", clauses},
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
var typeNames = strings.Fields(
	`BIGINT BLOB BOOLEAN BYTEA BYTES CHAR DATE DATETIME DECIMAL DOUBLE EMBEDDING FLOAT INT INTEGER
	INTERVAL JSON JSONB NUMERIC REAL SMALLINT STRING TEXT TIME TIMESTAMP TIMESTAMPTZ TINYINT UUID VARCHAR`,
)

// sentence corrects the words with which a statement begins.
func sentence(words string) []string {
	fields := strings.Fields(words)
	changed := false
	for i, w := range fields {
		words := clauses
		if i == 0 {
			words = beginnings
		}
		if found := nearest.Words(w, words); !slices.Contains(keywords, strings.ToUpper(w)) && len(found) > 0 {
			fields[i], changed = found[0], true
		}
	}
	if !changed {
		return nil
	}
	return []string{strings.Join(fields, " ")}
}

var keywords = sqltext.Keywords()

// beginnings are the words with which statements begin.
var beginnings = strings.Fields(
	`ALTER BACKUP BEGIN COMMIT CREATE DELETE DESCRIBE DROP EXECUTE EXPLAIN EXPORT GRANT INSERT KILL
	PREPARE RESET RESTORE REVOKE ROLLBACK SELECT SET SHOW STORAGE SUBSCRIBE TRUNCATE UPDATE USE VALUES WITH`,
)

// clauses are the words within statements that are mistyped for others: all keywords would be near too much.
var clauses = strings.Fields(
	`ADD ALL AND ASC BETWEEN CASCADE CASE COLUMN COLUMNS CONFLICT CONSTRAINT CREATE CROSS DEFAULT
	DELETE DESC DISTINCT DROP ELSE END EXCEPT EXISTS FIRST FLUSH FROM FULL GROUP HAVING ILIKE INNER INSERT INTERSECT INTO
	JOBS JOIN LAST LEFT LIKE LIMIT NAMESPACE NAMESPACES NOT NULL NULLS OFFSET ORDER OUTER PRIMARY RENAME RETURNING RIGHT
	SELECT SET SHARED STORAGES STREAM TABLE TABLES THEN TYPE UNION UNIQUE UPDATE USER USERS USING VALUES VIEW VIEWS WHEN
	WHERE WITH`,
)

// leastWord is how long a word of the grammar is that can be told from a name.
const leastWord = 3

// wordAt returns the one of some words for which the word at an offset was mistyped, or one beside it: the error
// stands behind "FRM" in "SELECT a FRM t", where it could be an alias.
func wordAt(text string, at int, words []string) []string {
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
	after := ""
	switch {
	case sqltext.IsDot(t): // It is a name, as those behind a dot.
		here = ""
	case t.Kind == sqltext.Word && slices.Contains(keywords, strings.ToUpper(here)): // "NOT NUL"
		after = text[t.Pos:t.End]
	}
	for _, w := range []string{here, before, after} {
		known := slices.Contains(keywords, strings.ToUpper(w)) || slices.Contains(clauses, strings.ToUpper(w))
		if len(w) < leastWord || known {
			continue
		}
		if found := nearest.Words(w, words); len(found) > 0 {
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
