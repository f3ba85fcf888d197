package session

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/access"
	"github.com/kalamlake/kalam/dialect"
	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/read"
	"github.com/kalamlake/kalam/sqltext"
)

// Session is what a connection has: its principal, settings, prepared statements and open transaction. It lives in one
// goroutine, as long as its connection; over HTTP as long as a request.
type Session struct {
	read.Caller
	server   *Server
	initial  settings // To which RESET goes back.
	settings settings
	prepared map[string]*Stmt
	txn      *transaction
	kept     *userContext // What is kept of the user between sessions, nil for nothing.

	// Of the request under way.
	params    []kalam.Value
	out       Results
	statement int // 1-based number of the statement under way.
	requestID string
	deadline  time.Time     // Of the whole request; zero for none.
	written   *kalam.Table  // That the statement writes to.
	with      string        // The WITH list in front of the statement under way, "" for none.
	known     *registration // Of the statement under way, nil when it is none that is kept.
	fixed     []read.Field  // What the statement under way was prepared to give, nil for anything.
}

// Open begins a session of p with a default namespace, "" for the usual one. The caller closes it.
func (srv *Server) Open(p kalam.Principal, ns kalam.NamespaceID) *Session {
	s := &Session{Caller: srv.caller(p, ns), server: srv, kept: srv.cache.of(p)}
	s.initial = settings{namespace: s.Namespace, nulls: srv.Nulls}
	s.adopt(s.initial)
	return s
}

// Close ends the session. An open transaction is rolled back.
func (s *Session) Close() {
	s.abandon()
	s.Release()
}

// Execute runs a request in a session of its own, see Session.Run. A transaction that the request leaves open is rolled
// back, which is an error.
func (srv *Server) Execute(ctx context.Context, p kalam.Principal, r Request, out Results) error {
	s := srv.Open(p, r.Namespace)
	defer s.Close()
	fragments, err := s.run(ctx, r, out)
	if err != nil || s.txn == nil {
		return err
	}
	last := len(fragments)
	return &StatementError{Statement: last, SQL: fragments[last-1].Text, Err: kalam.Errorf(kalam.CodeInvalidOperation,
		"Request completed with an open explicit transaction; rolled back automatically")}
}

// Run runs the statements of r in order and reports each result to out. Statements outside BEGIN ... COMMIT commit one
// by one; the first that fails ends the request, what was committed before stays. The error is always a
// *StatementError. Cancelling ctx stops the statement under way: a write then either committed fully or not at all. The
// namespace of r is not looked at.
func (s *Session) Run(ctx context.Context, r Request, out Results) error {
	_, err := s.run(ctx, r, out)
	return err
}

func (s *Session) run(ctx context.Context, r Request, out Results) ([]sqltext.Fragment, error) {
	s.params, s.out, s.requestID = r.Params, out, r.RequestID
	defer s.endRequest()
	if t := s.server.Limits.Request; t > 0 {
		s.deadline = time.Now().Add(t)
	}
	if known := s.kept.statement(r.SQL); known != nil {
		s.statement = 1
		return known.fragments, s.failed(known.fragments, s.runKnown(ctx, known))
	}
	fragments, err := sqltext.Split(r.SQL)
	if err != nil {
		return nil, &StatementError{Err: err}
	}
	if len(fragments) == 0 {
		return nil, &StatementError{Err: kalam.Errorf(kalam.CodeEmptySQL, "No SQL statements provided")}
	}
	if len(r.Params) > 0 && len(fragments) > 1 {
		return nil, &StatementError{Err: kalam.Errorf(kalam.CodeParamsWithBatch,
			"Parameters not supported with multi-statement batches")}
	}
	if err := s.checkActing(fragments); err != nil {
		return nil, err
	}
	for i := range fragments {
		s.statement = i + 1
		if err := s.failed(fragments, s.runFragment(ctx, r.SQL, fragments)); err != nil {
			return nil, err
		}
	}
	return fragments, nil
}

// failed returns the error of the statement under way for the client, nil for none.
func (s *Session) failed(fragments []sqltext.Fragment, err error) error {
	if err == nil {
		return nil
	}
	f := fragments[s.statement-1]
	return &StatementError{Statement: s.statement, SQL: f.Text, Err: brief(located(err, f.Offset))}
}

// runKnown executes the statement of a request that came before.
func (s *Session) runKnown(ctx context.Context, known *registration) error {
	s.known = known
	defer func() { s.known = nil }()
	return s.guarded(ctx, known.st, len(known.fragments[0].Text), func(ctx context.Context) error {
		return s.execute(ctx, known.st)
	})
}

// endRequest lets go of what a request had.
func (s *Session) endRequest() {
	s.params, s.out, s.deadline = nil, nil, time.Time{}
	if s.txn == nil {
		s.Release()
	}
}

// writable resolves the target of a statement that writes rows.
func (s *Session) writable(n ast.Name, want access.Intent) (*kalam.Table, error) {
	t, err := s.Table(n, want)
	if err != nil {
		return nil, err
	}
	s.written = t
	return t, s.Hold(t)
}

// checkActing rejects the whole request, before anything runs, when one of its
// statements would act for a user that the principal may not act for.
func (s *Session) checkActing(fragments []sqltext.Fragment) error {
	for i, f := range fragments {
		if !hasWord(f.Text, "execute") {
			continue
		}
		st, err := dialect.Parse(f.Text)
		if err != nil {
			return &StatementError{Statement: i + 1, SQL: f.Text, Err: located(err, f.Offset)}
		}
		if as, ok := st.(*ast.ExecuteAs); ok {
			if _, err := s.actAs(as); err != nil {
				return &StatementError{Statement: i + 1, SQL: f.Text, Err: err}
			}
		}
	}
	return nil
}

// hasWord reports whether text begins with word (lower case), whatever its case.
func hasWord(text, word string) bool {
	text = strings.TrimLeft(text, " \t\r\n")
	return len(text) >= len(word) && strings.EqualFold(text[:len(word)], word)
}

// actAs returns the principal of an EXECUTE AS: the target with role user.
func (s *Session) actAs(as *ast.ExecuteAs) (kalam.Principal, error) {
	target, err := kalam.ParseUserID(as.User)
	if err != nil {
		return kalam.Principal{}, err
	}
	p, ok := access.ActFor(s.Principal, target, s.Catalog.RankOf(target))
	if !ok {
		return kalam.Principal{}, kalam.Errorf(kalam.CodePermissionDenied,
			"Unauthorized: EXECUTE AS USER is not authorized: actor '%s' with role %s cannot target '%s'",
			s.Principal.User, s.Principal.Role, target)
	}
	return p, nil
}

// runFragment executes the statement under way of a request.
func (s *Session) runFragment(ctx context.Context, sql string, fragments []sqltext.Fragment) error {
	f := fragments[s.statement-1]
	st, err := dialect.Parse(f.Text)
	if err != nil {
		s.failTransaction()
		return err
	}
	if known := s.kept.register(sql, fragments, st); known != nil {
		return s.runKnown(ctx, known)
	}
	return s.guarded(ctx, st, len(f.Text), func(ctx context.Context) error { return s.execute(ctx, st) })
}

// guarded runs a statement under the statement timeout. In a transaction that has failed only its end is run.
func (s *Session) guarded(
	ctx context.Context, st ast.Statement, bytes int, execute func(context.Context) error,
) error {
	if s.txn != nil && s.txn.failed && !endsTransaction(st) {
		return kalam.Errorf(kalam.CodeInvalidOperation,
			"transaction '%s' has failed: statements are refused until ROLLBACK", s.txn.id)
	}
	s.Now = s.server.Now()
	ctx, cancel := s.bound(ctx)
	defer cancel()
	defer s.EndStatement()
	defer s.noteSlow(st, bytes)
	err := ctx.Err() // Statements that are done at once don't look at it.
	if err == nil {
		err = execute(ctx)
	}
	if err != nil && isCancel(err) {
		err = s.timedOut(ctx, err)
	}
	if err != nil {
		s.failTransaction()
	}
	return err
}

// failTransaction lets the open transaction, if there is one, end with its rollback only.
func (s *Session) failTransaction() {
	if s.txn != nil && !s.txn.done {
		s.txn.failed = true
	}
}

func endsTransaction(st ast.Statement) bool {
	switch st.(type) {
	case *ast.Commit, *ast.Rollback:
		return true
	}
	return false
}

// noteSlow logs a statement that took long, without its text, which holds rows
// of the user.
func (s *Session) noteSlow(st ast.Statement, bytes int) {
	took := s.server.Now().Sub(s.Now)
	if limit := s.server.Limits.SlowStatement; limit > 0 && took >= limit {
		s.server.Logger.Warn("slow statement", "user", string(s.Principal.User), "statement", st.Verb(), "bytes", bytes,
			"took", took, "request", s.requestID, "application", s.settings.application)
	}
}

// The causes of contexts that end because a statement, or all of a request, took too
// long.
var (
	errStatementTimeout = errors.New("statement timeout")
	errRequestTimeout   = errors.New("request timeout")
)

// bound bounds ctx by the timeout of a statement or the deadline of the request,
// whichever comes first: one context, because a timer costs as much as an eighth of
// an INSERT.
func (s *Session) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, cause := s.deadline, errRequestTimeout
	if t, why := s.limit(); t > 0 {
		if end := time.Now().Add(t); deadline.IsZero() || end.Before(deadline) {
			deadline, cause = end, why
		}
	}
	if deadline.IsZero() {
		return ctx, func() {}
	}
	return context.WithDeadlineCause(ctx, deadline, cause)
}

// timedOut returns the error of a statement whose context ended, and says which limit
// it met; err when it met none.
func (s *Session) timedOut(ctx context.Context, err error) error {
	limits := &s.server.Limits
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, errStatementTimeout):
		return kalam.Errorf(kalam.CodeTimeout, "statement ran longer than %s (query.timeout_seconds)", limits.Statement)
	case errors.Is(cause, errOwnTimeout):
		return kalam.Errorf(kalam.CodeTimeout, "statement ran longer than %s (statement_timeout)", s.settings.timeout)
	case errors.Is(cause, errRequestTimeout) && s.txn != nil && !s.txn.done:
		return kalam.Errorf(kalam.CodeTimeout,
			"transaction rolled back: its request ran longer than %s (query.request_timeout_seconds)", limits.Request)
	case errors.Is(cause, errRequestTimeout):
		return kalam.Errorf(kalam.CodeTimeout,
			"request ran longer than %s (query.request_timeout_seconds); statements before this one took effect",
			limits.Request)
	}
	return err
}

// isCancel reports whether err says that a context ended.
func isCancel(err error) bool {
	switch kalam.CodeOf(err) {
	case kalam.CodeCanceled, kalam.CodeTimeout:
		return true
	}
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// maxMessage is the longest message that a user is shown: names and values in
// it may be of any length.
const maxMessage = 1000

// brief returns err with its message cut to maxMessage.
func brief(err error) error {
	var ke *kalam.Error
	if !errors.As(err, &ke) || len(ke.Msg) <= maxMessage {
		return err
	}
	short := *ke
	short.Msg = strings.ToValidUTF8(ke.Msg[:maxMessage], "") + "..."
	return &short
}

// located returns err with its position moved from the statement to the
// request's text, in which the statement begins at offset.
func located(err error, offset int) error {
	var ke *kalam.Error
	if offset == 0 || !errors.As(err, &ke) || ke.Position == 0 {
		return err
	}
	moved := *ke
	moved.Position += offset
	return &moved
}

// execute runs one parsed statement.
func (s *Session) execute(ctx context.Context, st ast.Statement) error {
	switch st := st.(type) {
	case *ast.Select:
		return s.query(ctx, st)
	case *ast.Explain:
		return s.explain(ctx, st)
	case *ast.Insert:
		return s.insert(ctx, st)
	case *ast.Update:
		return s.update(ctx, st)
	case *ast.Delete:
		return s.delete(ctx, st)
	case *ast.Truncate:
		return s.truncate(ctx, st)
	case *ast.Begin:
		return s.begin()
	case *ast.Commit:
		return s.commit(ctx)
	case *ast.Rollback:
		return s.rollback()
	case *ast.ExecuteAs:
		return s.executeAs(ctx, st)
	case *ast.Execute:
		return s.executePrepared(ctx, st)
	}
	if done, err := s.ofSession(ctx, st); done {
		return err
	}
	if s.txn != nil {
		return s.inTransaction(ctx, st)
	}
	return s.manage(ctx, st)
}

// ofSession runs a statement that concerns the session alone; done is false for any other.
func (s *Session) ofSession(ctx context.Context, st ast.Statement) (done bool, err error) {
	switch st := st.(type) {
	case *ast.SetSetting:
		return true, s.set(ctx, st)
	case *ast.ShowSetting:
		return true, s.showSetting(st)
	case *ast.ResetSetting:
		return true, s.reset(st)
	case *ast.Prepare:
		return true, s.prepare(ctx, st)
	case *ast.Deallocate:
		return true, s.deallocate(st)
	case *ast.DescribePrepared:
		return true, s.describePrepared(st)
	}
	return false, nil
}

// inTransaction runs a statement that is neither DML nor a query inside a
// transaction: only those that change nothing are allowed.
func (s *Session) inTransaction(ctx context.Context, st ast.Statement) error {
	switch st.(type) {
	case *ast.ShowNamespaces, *ast.ShowTables, *ast.Describe, *ast.Use, *ast.ShowColumns:
		return s.manage(ctx, st)
	}
	return kalam.Errorf(kalam.CodeInvalidOperation, "DDL is not allowed inside explicit transaction '%s'", s.txn.id)
}

// executeAs runs the inner statement as another user with role user.
func (s *Session) executeAs(ctx context.Context, st *ast.ExecuteAs) error {
	p, err := s.actAs(st)
	if err != nil {
		return err
	}
	inner, err := dialect.Parse(st.Inner)
	if err != nil {
		return located(err, st.Offset)
	}
	if err := s.mayActWith(inner); err != nil {
		return err
	}
	saved := s.Principal
	s.Principal = p
	defer func() { s.Principal = saved }()
	return located(s.execute(ctx, inner), st.Offset)
}

// mayActWith checks that the principal may run a statement as another user.
func (s *Session) mayActWith(st ast.Statement) error {
	var names []ast.Name
	switch st := st.(type) {
	case *ast.Insert:
		names = []ast.Name{st.Table}
	case *ast.Update:
		names = []ast.Name{st.Table}
	case *ast.Delete:
		names = []ast.Name{st.Table}
	case *ast.Truncate:
		names = st.Tables
	case *ast.ExecuteAs, *ast.Begin, *ast.Commit, *ast.Rollback, *ast.Execute, *ast.Prepare,
		*ast.SetSetting, *ast.ResetSetting, *ast.Deallocate:
		return kalam.Errorf(kalam.CodeInvalidSQL,
			"EXECUTE AS USER takes exactly one statement that reads or writes rows")
	default:
		return nil
	}
	for _, name := range names {
		if _, err := s.Resolve(name, access.WriteAs); err != nil {
			return err
		}
	}
	return nil
}
