package asof

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/sqltext"
)

// Clause is a table of a query with the moment as of which it is read.
type Clause struct {
	Start, End int      // Of the name and AT (...), byte offsets in the text.
	Parts      []string // Of the name, folded.
	Aliased    bool     // A name follows under which the query knows the table.
	Time       bool     // TIMESTAMP, not SEQ.
	Value      string   // The text of the value: a number, a string or a placeholder.
	ValuePos   int
}

// Find returns the clauses of a query, in order. The error, CodeInvalidSQL with its position, is of one that is
// begun and not whole.
func Find(sql string) ([]Clause, error) {
	if !strings.Contains(sql, "=>") {
		return nil, nil
	}
	var tokens []sqltext.Token
	l := sqltext.NewLexer(sql)
	for t := l.Next(); t.Kind != sqltext.EOF && t.Kind != sqltext.Invalid; t = l.Next() {
		tokens = append(tokens, t)
	}
	s := scanner{sql, tokens}
	var out []Clause
	for i := range tokens {
		if !s.begins(i) {
			continue
		}
		c, err := s.clause(i)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

// scanner looks at the tokens of a query.
type scanner struct {
	sql    string
	tokens []sqltext.Token
}

// text returns a token, "" beyond the last.
func (s *scanner) text(i int) string {
	if i < 0 || i >= len(s.tokens) {
		return ""
	}
	return s.sql[s.tokens[i].Pos:s.tokens[i].End]
}

func (s *scanner) is(i int, word string) bool { return sqltext.IsWord(s.text(i), word) }

// begins reports whether AT ( SEQ => or AT ( TIMESTAMP => stands at a token. AT may have been quoted as a name.
func (s *scanner) begins(i int) bool {
	at := s.is(i, "AT") || strings.EqualFold(s.text(i), `"at"`)
	return at && s.text(i+1) == "(" && (s.is(i+2, "SEQ") || s.is(i+2, "TIMESTAMP")) && s.text(i+3) == "=>"
}

// clause reads the clause whose AT is at a token.
func (s *scanner) clause(at int) (Clause, error) {
	bad := func(i int, want string) error {
		pos := len(s.sql)
		if i < len(s.tokens) {
			pos = s.tokens[i].Pos
		}
		return kalam.Errorf(kalam.CodeInvalidSQL, "Syntax error at or near '%s': expected %s",
			sqltext.Short(s.text(i)), want).At(pos)
	}
	c := Clause{Time: s.is(at+2, "TIMESTAMP")}
	first := at - 1
	for {
		part, ok := s.name(first)
		if !ok {
			return c, bad(at, "the name of a table before AT")
		}
		c.Parts = append([]string{part}, c.Parts...)
		if s.text(first-1) != "." {
			break
		}
		first -= 2
	}
	c.Start = s.tokens[first].Pos
	value := at + 4
	if s.is(value, "TIMESTAMP") {
		value++
	}
	text := s.text(value)
	c.Value = text
	if s.text(value) == "$" { // A placeholder may come in two tokens.
		c.Value += s.text(value + 1)
		text, value = c.Value, value+1
	}
	if text == "" || !strings.ContainsAny(text[:1], "0123456789'$") {
		return c, bad(value, "a number, a string or a placeholder")
	}
	c.ValuePos = s.tokens[value].Pos
	if s.text(value+1) != ")" {
		return c, bad(value+1, "')'")
	}
	c.End = s.tokens[value+1].End
	next := s.text(value + 2)
	c.Aliased = strings.HasPrefix(next, `"`) ||
		value+2 < len(s.tokens) && s.tokens[value+2].Kind == sqltext.Word &&
			(sqltext.IsWord(next, "AS") || !sqltext.IsReserved(next))
	return c, nil
}

// name returns the part of a name at a token.
func (s *scanner) name(i int) (string, bool) {
	if i < 0 {
		return "", false
	}
	switch s.tokens[i].Kind {
	case sqltext.Word:
		return sqltext.Fold(s.text(i)), true
	case sqltext.Quoted:
		return sqltext.Fold(sqltext.UnquoteIdent(s.text(i))), true
	}
	return "", false
}

// Seq returns the seq as of which a clause reads: a number, or the last seq of the time. params are those of the query.
func (c *Clause) Seq(params []kalam.Value) (kalam.Seq, error) {
	v, err := c.value(params)
	if err != nil {
		return 0, err
	}
	if !c.Time {
		n, err := datatype.Cast(kalam.TypeOf(kalam.KindBigInt), v)
		if err != nil || n.IsNull() || n.Int() < 0 {
			return 0, kalam.Errorf(kalam.CodeInvalidSQL, "AT (SEQ => ...) takes a number, as _seq is one").At(c.ValuePos)
		}
		return kalam.Seq(n.Int()), nil
	}
	t, err := datatype.Cast(kalam.TypeOf(kalam.KindTimestamp), v)
	if err != nil || t.IsNull() {
		return 0, kalam.Errorf(kalam.CodeInvalidSQL,
			"AT (TIMESTAMP => ...) takes a time such as '2026-01-31T12:00:00Z', in UTC where it has no zone").At(c.ValuePos)
	}
	return max(kalam.SeqAt(time.UnixMicro(t.Int()).Add(time.Millisecond)), 1) - 1, nil
}

func (c *Clause) value(params []kalam.Value) (kalam.Value, error) {
	switch c.Value[0] {
	case '$':
		n, err := strconv.Atoi(c.Value[1:])
		if err != nil || n < 1 || n > len(params) {
			return kalam.Value{}, kalam.Errorf(kalam.CodeParameterMismatch, "AT has placeholder %s, which has no value here",
				sqltext.Short(c.Value)).At(c.ValuePos)
		}
		return params[n-1], nil
	case '\'':
		return kalam.Text(strings.ReplaceAll(c.Value[1:len(c.Value)-1], "''", "'")), nil
	}
	n, err := strconv.ParseInt(strings.ReplaceAll(c.Value, "_", ""), 10, 64)
	if err != nil {
		return kalam.Value{}, kalam.Errorf(kalam.CodeInvalidSQL, "'%s' is not a whole number",
			sqltext.Short(c.Value)).At(c.ValuePos)
	}
	return kalam.BigInt(n), nil
}

// IsParam reports whether the value is a placeholder.
func (c *Clause) IsParam() bool { return c.Value[0] == '$' }

// Query returns the query, in parentheses, that reads a table as of a seq out of a relation with every version of its
// rows. A placeholder of the clause stays in it, so that those of the whole query have no gap.
func (c *Clause) Query(t *kalam.Table, relation string, seq kalam.Seq) string {
	var key, columns []string
	for _, i := range t.PrimaryKey {
		key = append(key, sqltext.QuoteIdent(t.Columns[i].Name))
	}
	for i := range t.Columns {
		columns = append(columns, sqltext.QuoteIdent(t.Columns[i].Name))
	}
	given := ""
	if c.IsParam() {
		given = " AND " + c.Value + "::VARCHAR IS NOT NULL"
	}
	return fmt.Sprintf("(SELECT %s FROM (SELECT %s, %s AS _is_deleted, row_number() OVER (PARTITION BY %s ORDER BY %s DESC) AS _newest"+
		" FROM %s WHERE %s <= %d AND %s IS NOT NULL%s) AS _versions WHERE _newest = 1 AND NOT _is_deleted)",
		strings.Join(columns, ", "), strings.Join(columns, ", "), kalam.ColumnDeleted,
		strings.Join(key, ", "), kalam.ColumnSeq,
		relation, kalam.ColumnSeq, uint64(seq), kalam.ColumnDeleted, given)
}
