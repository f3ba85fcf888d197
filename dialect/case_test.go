package dialect_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/dialect"
	"github.com/kalamlake/kalam/dialect/ast"
)

// statementCase is a statement and what it parses into.
type statementCase struct {
	sql  string
	want ast.Statement
}

func (c statementCase) check(t *testing.T) {
	t.Helper()
	t.Run(c.sql, func(t *testing.T) {
		t.Helper()
		if d := cmp.Diff(c.want, mustParse(t, c.sql), options); d != "" {
			t.Error(d)
		}
	})
}

// errorCase is a statement that does not parse.
type errorCase struct {
	sql  string
	code kalam.Code
	pos  int
	want string
}

func (c errorCase) check(t *testing.T) {
	t.Helper()
	t.Run(c.sql, func(t *testing.T) {
		t.Helper()
		st, err := dialect.Parse(c.sql)
		if st != nil && err != nil {
			t.Errorf("a statement with an error: %v", st)
		}
		checkError(t, err, c.code, c.pos, c.want)
		var ke *kalam.Error
		if errors.As(err, &ke) && ke.Position > len(c.sql)+1 {
			t.Errorf("position %d is beyond the text", ke.Position)
		}
	})
}
