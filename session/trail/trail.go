package trail

import (
	"context"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/audit"
	"github.com/kalamlake/kalam/dialect/ast"
)

// Trail audits the statements of one request. It is used by one goroutine.
type Trail struct {
	Log    *audit.Log
	Origin audit.Origin
}

// Caller is in whose name a statement runs, and its default namespace.
type Caller struct {
	Principal kalam.Principal
	Namespace kalam.NamespaceID
}

// Begin returns what is to be ended with the statement, and the context to run it in; nil and ctx for one that is in
// the log only when it is denied. text is that of the statement.
func (t *Trail) Begin(
	ctx context.Context, c Caller, st ast.Statement, text string,
) (context.Context, *audit.Statement) {
	about, ok := of(st, c.Namespace)
	if !ok {
		return ctx, nil
	}
	about.Action, about.Details = st.Verb(), audit.Text(text)
	s := t.Log.Begin(about.From(t.Origin, c.Principal))
	return s.With(ctx), s
}

// End ends a statement with its error; s is that of Begin.
func (t *Trail) End(s *audit.Statement, c Caller, st ast.Statement, text string, err error) {
	if s != nil {
		s.End(err)
		return
	}
	if err == nil {
		return
	}
	_, acting := st.(*ast.ExecuteAs)
	if acting || audit.IsDenied(err) {
		t.failed(c, st, text, err)
	}
}

// failed notes a statement that the principal may not run, or an EXECUTE AS that failed.
func (t *Trail) failed(c Caller, st ast.Statement, text string, err error) {
	about := audit.Event{Action: st.Verb(), Outcome: audit.OutcomeOf(err), Details: audit.Text(text)}
	switch st := st.(type) {
	case *ast.Insert:
		about.Target = full(st.Table, c.Namespace)
	case *ast.Update:
		about.Target = full(st.Table, c.Namespace)
	case *ast.Delete:
		about.Target = full(st.Table, c.Namespace)
	case *ast.ExecuteAs:
		about.Subject = st.User
	}
	t.Log.Note(about.From(t.Origin, c.Principal))
}

// Refused notes an EXECUTE AS that was refused before anything of its request ran.
func (t *Trail) Refused(c Caller, st *ast.ExecuteAs, err error) {
	e := audit.Event{Action: st.Verb(), Outcome: audit.OutcomeOf(err), Subject: st.User}
	t.Log.Note(e.From(t.Origin, c.Principal))
}

// ActsFor notes that c runs a statement as another user.
func (t *Trail) ActsFor(c Caller, user kalam.UserID, st ast.Statement) {
	e := audit.Event{Action: "EXECUTE AS USER", Outcome: audit.OK, Subject: string(user), Details: st.Verb()}
	t.Log.Note(e.From(t.Origin, c.Principal))
}
