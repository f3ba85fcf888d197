package shell

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/kalamlake/kalam/dialect"
	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/link"
	"github.com/kalamlake/kalam/sqltext"
)

// collect takes a step into the open transaction, or opens one. It reports false
// for a step that is to be run as it is.
func (s *session) collect(ctx context.Context, st step) bool {
	if s.open == nil {
		return s.begin(ctx, st)
	}
	fragments, err := sqltext.Split(st.text)
	if err != nil {
		s.fail(err, st.text)
		return true
	}
	for _, f := range fragments {
		s.gather(ctx, f.Text)
	}
	return true
}

// begin opens a transaction if the step begins one and does not end it.
func (s *session) begin(ctx context.Context, st step) bool {
	fragments, err := sqltext.Split(st.text)
	if err != nil || len(fragments) == 0 || !opens(fragments[0].Text) || closes(fragments[len(fragments)-1].Text) {
		return false
	}
	s.open = &transaction{statements: []string{fragments[0].Text}}
	s.remark("Transaction open: COMMIT sends it as one request, ROLLBACK drops it.")
	for _, f := range fragments[1:] {
		s.gather(ctx, f.Text)
	}
	return true
}

// gather adds one statement to the transaction, or ends it.
func (s *session) gather(ctx context.Context, sql string) {
	if s.open == nil { // A statement behind the COMMIT.
		s.runShown(ctx, sql)
		return
	}
	parsed, err := dialect.Parse(sql)
	if err != nil {
		s.fail(err, sql)
		s.remark("The statement was not added to the transaction, which is still open.")
		return
	}
	switch parsed.(type) {
	case *ast.Begin:
		s.fail(errors.New("a transaction is open already; COMMIT or ROLLBACK ends it"), "")
	case *ast.Rollback:
		n := len(s.open.statements) - 1
		s.open = nil
		s.remark("Transaction rolled back: %s dropped, nothing was sent.", counted(n, "statement was", "statements were"))
	case *ast.SubscribeTo:
		s.fail(errors.New("a live query cannot be part of a transaction"), "")
	case *ast.Commit:
		s.commit(ctx, sql)
	default:
		s.open.statements = append(s.open.statements, sql)
		s.remark("Added as statement %d.", len(s.open.statements))
	}
}

// commit sends the transaction.
func (s *session) commit(ctx context.Context, sql string) {
	statements := append(s.open.statements, sql)
	s.open = nil
	text := strings.Join(statements, ";\n")
	err := s.execute(ctx, text, unnamed)
	if err == nil {
		return
	}
	s.fail(err, text)
	var e *link.Error
	if errors.As(err, &e) && e.Statement > 0 && e.Statement <= len(statements) && e.Position == 0 {
		s.remark("Statement %d was: %s", e.Statement, shortened(statements[e.Statement-1]))
	}
	switch link.KindOf(err) {
	case link.KindSQL, link.KindAuthentication:
		n := counted(len(statements)-2, "statement", "statements") // Without BEGIN and COMMIT.
		s.remark("Transaction rolled back: none of its %s took effect.", n)
	default:
		s.remark("It is not known whether the transaction was committed.")
	}
}

// dropOpen tells that leaving drops the open transaction.
func (s *session) dropOpen() {
	if s.open == nil {
		return
	}
	n := len(s.open.statements) - 1
	s.open = nil
	s.remark("The open transaction was dropped: %s never sent.", counted(n, "statement was", "statements were"))
}

// counted is "1 one" or "n more".
func counted(n int, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, more)
}
