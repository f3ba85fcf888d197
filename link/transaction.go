package link

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"github.com/kalamlake/kalam/link/wire"
	"github.com/kalamlake/kalam/sqltext"
)

// Statement is one statement of a Transaction, with the values of its $1 to $n, of the types that Query takes.
type Statement struct {
	SQL    string
	Params []any
}

// Transaction runs statements that take effect together or not at all, and returns their results. They go in one
// request, because a transaction of kalam lives inside one: what a statement reads cannot decide about the next, unless
// it is said in SQL. The values stand in the text as literals, which mean the same as parameters; lists for "= ANY($1)"
// are refused.
//
// The error is a *BatchError that names the statement, from 1, when one failed: none has taken effect then. When COMMIT
// is refused because another statement changed a row meanwhile, the message says so and the transaction may be run
// again. After an error of KindConnection or KindTimeout it is not known whether it was committed.
func (c *Client) Transaction(ctx context.Context, statements ...Statement) ([]*Result, error) {
	if len(statements) == 0 {
		return nil, nil
	}
	texts := make([]string, 0, len(statements)+2)
	texts = append(texts, "BEGIN")
	for i, st := range statements {
		text, err := st.Literal()
		if err != nil {
			return nil, &BatchError{Statement: i + 1, Err: err}
		}
		texts = append(texts, text)
	}
	results, err := c.Batch(ctx, append(texts, "COMMIT")...)
	var e *BatchError
	if errors.As(err, &e) {
		if e.Statement <= 1 || e.Statement > len(statements)+1 {
			return nil, e.Err // BEGIN or COMMIT.
		}
		return nil, &BatchError{Statement: e.Statement - 1, Err: e.Err}
	}
	if err != nil {
		return nil, err
	}
	if len(results) != len(statements)+2 {
		return nil, errorf(KindSerialization, "%d results for %d statements", len(results), len(statements)+2)
	}
	return results[1 : len(results)-1], nil
}

// Literal returns the statement with its values as literals in place of $1 to $n. The error is of KindSQL: a text that
// is not one statement, or that begins or ends a transaction; a value that cannot be written, or for which there is no
// placeholder; a placeholder without a value.
func (st Statement) Literal() (string, error) {
	if err := checkSingle(st.SQL); err != nil {
		return "", err
	}
	cells, err := encodeParams(st.Params)
	if err != nil {
		return "", err
	}
	used := make([]bool, len(cells))
	var b strings.Builder
	at := 0
	for l := sqltext.NewLexer(st.SQL); ; {
		t := l.Next()
		if t.Kind == sqltext.EOF || t.Kind == sqltext.Invalid {
			break // The server says what is wrong.
		}
		if t.Kind != sqltext.Param {
			continue
		}
		n, ok := sqltext.ParamNumber(st.SQL[t.Pos:t.End])
		if !ok || n > len(cells) {
			return "", paramError(st.SQL[t.Pos:t.End] + " has no value: " + counted(len(cells)))
		}
		literal, problem := literalOf(cells[n-1])
		if problem != "" {
			return "", paramError("parameter $" + strconv.Itoa(n) + ": " + problem)
		}
		used[n-1] = true
		b.WriteString(st.SQL[at:t.Pos])
		b.WriteString(" " + literal + " ") // Two strings side by side would be one.
		at = t.End
	}
	for i, u := range used {
		if !u {
			return "", paramError("there is no $" + strconv.Itoa(i+1) + " in the statement: " + counted(len(cells)))
		}
	}
	b.WriteString(st.SQL[at:])
	return b.String(), nil
}

func counted(n int) string {
	if n == 1 {
		return "1 value was given"
	}
	return strconv.Itoa(n) + " values were given"
}

func paramError(message string) *Error {
	return &Error{Kind: KindSQL, Code: wire.CodeInvalidParameter, Message: message}
}

// checkSingle refuses what would end the transaction from within.
func checkSingle(sql string) error {
	fragments, err := sqltext.Split(sql)
	if err != nil {
		return &Error{Kind: KindSQL, Code: wire.CodeBatchParse, Message: err.Error(), Err: err}
	}
	if len(fragments) != 1 {
		return &Error{Kind: KindSQL, Code: wire.CodeBatchParse,
			Message: "it takes one statement at a time, this text has " + strconv.Itoa(len(fragments))}
	}
	l := sqltext.NewLexer(fragments[0].Text)
	t := l.Next()
	switch word := strings.ToUpper(fragments[0].Text[t.Pos:t.End]); word {
	case "BEGIN", "START", "COMMIT", "END", "ROLLBACK", "ABORT":
		return &Error{Kind: KindSQL, Code: wire.CodeInvalidSQL,
			Message: word + " cannot stand in a transaction that the client begins and ends"}
	}
	return nil
}

// literalOf writes a parameter, which is JSON, as SQL.
func literalOf(cell json.RawMessage) (literal, problem string) {
	switch cell[0] {
	case 'n':
		return "NULL", ""
	case '"':
		return sqltext.QuoteString(unquote(cell)), ""
	case '{':
		return sqltext.QuoteString(string(cell)), ""
	case '[':
		return "", "a list stands for its elements only where it is a parameter: give each its own $n, or send JSON as text"
	case '-':
		return "(" + string(cell) + ")", "" // "1 -$1" must not become a comment.
	}
	return string(cell), ""
}
