package transfer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/link"
	"github.com/kalamlake/kalam/sqltext"
)

// Name is the name of a table.
type Name struct{ Namespace, Table string }

// String returns the name as messages show it.
func (n Name) String() string { return n.Namespace + "." + n.Table }

// sql returns the name as statements write it.
func (n Name) sql() string {
	return sqltext.QuoteIdent(n.Namespace) + "." + sqltext.QuoteIdent(n.Table)
}

// column is a column of a table.
type column struct {
	name      string
	typ       string // As SQL writes it.
	kind      kalam.Kind
	key       bool
	generated bool // It has a default.
}

// sqlColumns asks for the columns of a table.
const sqlColumns = "SELECT column_name, data_type, is_primary_key, column_default FROM information_schema.columns" +
	" WHERE table_schema = $1 AND table_name = $2 ORDER BY ordinal_position"

// tableColumns returns the columns of a table, none if there is no such table to be seen.
func tableColumns(ctx context.Context, c *link.Client, name Name) ([]column, error) {
	res, err := c.Query(ctx, sqlColumns, name.Namespace, name.Table)
	if err != nil {
		return nil, err
	}
	if len(res.Results) != 1 {
		return nil, errors.New("the server does not tell the columns of tables")
	}
	r := res.Results[0]
	var out []column
	for i := range r.Rows() {
		cell := func(j int) string { s, _ := r.Text(i, j); return s }
		_, generated := r.Text(i, 3)
		if isSystemColumn(cell(0)) {
			continue
		}
		out = append(out, column{name: cell(0), typ: cell(1), kind: kindOf(cell(1)), key: cell(2) == "true",
			generated: generated})
	}
	return out, nil
}

// isSystemColumn reports whether every table has the column.
func isSystemColumn(name string) bool {
	return name == kalam.ColumnSeq || name == kalam.ColumnDeleted || name == kalam.ColumnUpdated
}

// kindOf is the kind of a type as SQL writes it, KindText for one that is not known.
func kindOf(typ string) kalam.Kind {
	word, _, _ := strings.Cut(strings.ToUpper(typ), "(")
	word, _, _ = strings.Cut(strings.TrimSpace(word), " ")
	for _, n := range kalam.TypeNames() {
		if n.Name == word {
			return n.Kind
		}
	}
	return kalam.KindText
}

// createTable is the statement that makes a table of the columns.
func createTable(name Name, kind string, columns []column) string {
	var b strings.Builder
	fmt.Fprintf(&b, "CREATE %s TABLE %s (", strings.ToUpper(kind), name.sql())
	var keys []string
	for _, c := range columns {
		fmt.Fprintf(&b, "\n  %s %s,", sqltext.QuoteIdent(c.name), c.typ)
		if c.key {
			keys = append(keys, sqltext.QuoteIdent(c.name))
		}
	}
	fmt.Fprintf(&b, "\n  PRIMARY KEY (%s)\n)", strings.Join(keys, ", "))
	return b.String()
}

// insert makes statements that insert rows.
type insert struct {
	head    string // INSERT INTO t (a, b) VALUES
	tail    string // What ON CONFLICT asks for.
	nothing string // ON CONFLICT DO NOTHING, "" where no key tells rows apart.
	columns []column
	from    []int // For each column, that of the record; recordNumber for the record's number.
}

// recordNumber stands for the column of a key that the file does not have.
const recordNumber = -1

// newInsert returns what inserts records into the columns of a table.
func newInsert(name Name, columns []column, from []int, keyed bool, conflict string) *insert {
	n := &insert{columns: columns, from: from}
	var names, keys, changes []string
	for _, c := range columns {
		id := sqltext.QuoteIdent(c.name)
		names = append(names, id)
		if c.key {
			keys = append(keys, id)
		} else {
			changes = append(changes, id+" = EXCLUDED."+id)
		}
	}
	n.head = fmt.Sprintf("INSERT INTO %s (%s) VALUES\n", name.sql(), strings.Join(names, ", "))
	if !keyed {
		return n
	}
	n.nothing = "\nON CONFLICT DO NOTHING"
	switch {
	case conflict == ConflictSkip, conflict == ConflictUpdate && len(changes) == 0:
		n.tail = n.nothing
	case conflict == ConflictUpdate:
		n.tail = fmt.Sprintf("\nON CONFLICT (%s) DO UPDATE SET %s", strings.Join(keys, ", "), strings.Join(changes, ", "))
		n.nothing = n.tail // Twice is as once.
	}
	return n
}

// row appends the values of a record, in parentheses. reason says why it cannot.
func (n *insert) row(dst []byte, r *record) (out []byte, reason string) {
	dst = append(dst, '(')
	for i, c := range n.columns {
		if i > 0 {
			dst = append(dst, ',')
		}
		if n.from[i] == recordNumber {
			dst = strconv.AppendInt(dst, r.number, 10)
			continue
		}
		if dst, reason = appendLiteral(dst, c.kind, r.values[n.from[i]]); reason != "" {
			return dst, fmt.Sprintf("column %s: %s", c.name, reason)
		}
	}
	return append(dst, ')'), ""
}

// appendLiteral appends a value as SQL writes it. Numbers that are plain integers stand
// as they are; all else is a string, which the server reads as the column's type or
// refuses with the place.
func appendLiteral(dst []byte, k kalam.Kind, v value) (out []byte, reason string) {
	switch {
	case v.kind == null, v.text == "" && k != kalam.KindText:
		return append(dst, "NULL"...), ""
	case k.Family() == kalam.FamilyInteger && isPlainInteger(v.text):
		return append(dst, v.text...), ""
	case !utf8.ValidString(v.text):
		return dst, "not valid UTF-8"
	}
	s := v.text
	if k == kalam.KindJSON && (v.kind == quoted || v.kind == text) && !json.Valid([]byte(s)) {
		s = string(jsonString(s)) // A text among documents.
	}
	dst = append(dst, '\'')
	for {
		i := strings.IndexByte(s, '\'')
		if i < 0 {
			return append(append(dst, s...), '\''), ""
		}
		dst = append(append(dst, s[:i]...), "''"...)
		s = s[i+1:]
	}
}

// isPlainInteger reports whether s is an integer that every reader reads alike.
func isPlainInteger(s string) bool {
	digits := strings.TrimPrefix(s, "-")
	if digits == "" || len(digits) > 18 {
		return false
	}
	for i := range len(digits) {
		if digits[i] < '0' || digits[i] > '9' {
			return false
		}
	}
	return true
}

// reject is a record that cannot be stored.
func (n *insert) reject(r *record, reason string) reject {
	names, values := make([]string, 0, len(n.columns)), make([]value, 0, len(n.columns))
	for i, c := range n.columns {
		if n.from[i] != recordNumber {
			names, values = append(names, c.name), append(values, r.values[n.from[i]])
		}
	}
	return reject{record: r.number, line: r.line, reason: reason, text: objectText(names, values)}
}
