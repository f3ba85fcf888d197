package session

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/access"
	"github.com/kalamlake/kalam/dialect"
	"github.com/kalamlake/kalam/read"
	"github.com/kalamlake/kalam/sqltext"
)

// Session is the execution of one request: its principal, its default
// namespace, its parameters and its open transaction. It lives in one goroutine.
type Session struct {
	read.Caller
	server    *Server
	params    []kalam.Value
	out       Results
	statement int // 1-based number of the statement under way.
	requestID string
	deadline  time.Time // Of the whole request; zero for none.
	txn       *transaction
	written   *kalam.Table // That the statement writes to.
	with      string       // The WITH list in front of the statement under way, "" for none.
}

// Execute runs the statements of r in order as p and reports each result to
// out. Statements outside BEGIN ... COMMIT commit one by one; the first that
// fails ends the request, what was committed before stays. The error is always
// a *StatementError. Cancelling ctx stops the statement under way: a write then
// either committed fully or not at all.
func (srv *Server) Execute(ctx context.Context, p kalam.Principal, r Request, out Results) error {
	fragments, err := sqltext.Split(r.SQL)
	if err != nil {
		return &StatementError{Err: err}
	}
	if len(fragments) == 0 {
		return &StatementError{Err: kalam.Errorf(kalam.CodeEmptySQL, "No SQL statements provided")}
	}
	if len(r.Params) > 0 && len(fragments) > 1 {
		return &StatementError{Err: kalam.Errorf(kalam.CodeParamsWithBatch,
			"Parameters not supported with multi-statement batches")}
	}
	s := &Session{Caller: srv.caller(p, r.Namespace), server: srv, params: r.Params, out: out, requestID: r.RequestID}
	if err := s.checkActing(fragments); err != nil {
		return err
	}
	defer s.Release()
	defer s.abandon()
	if t := srv.Limits.Request; t > 0 {
		s.deadline = time.Now().Add(t)
	}
	for i, f := range fragments {
		s.statement = i + 1
		if err := s.run(ctx, f, fragments[i+1:]); err != nil {
			return &StatementError{Statement: i + 1, SQL: f.Text, Err: brief(located(err, f.Offset))}
		}
	}
	if s.txn != nil {
		err := kalam.Errorf(kalam.CodeInvalidOperation,
			"Request completed with an open explicit transaction; rolled back automatically")
		return &StatementError{Statement: len(fragments), SQL: fragments[len(fragments)-1].Text, Err: err}
	}
	return nil
}

// writable resolves the target of a statement that writes rows.
func (s *Session) writable(n dialect.Name, want access.Intent) (*kalam.Table, error) {
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
		if as, ok := st.(*dialect.ExecuteAs); ok {
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
func (s *Session) actAs(as *dialect.ExecuteAs) (kalam.Principal, error) {
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

// run executes one statement under the statement timeout. rest are the
// statements that follow it in the request.
func (s *Session) run(ctx context.Context, f sqltext.Fragment, rest []sqltext.Fragment) error {
	s.Now = s.server.Now()
	ctx, cancel := s.bound(ctx)
	defer cancel()
	defer s.EndStatement()
	st, err := dialect.Parse(f.Text)
	if err == nil {
		err = ctx.Err() // Statements that are done at once don't look at it.
	}
	if err == nil {
		defer s.noteSlow(st, len(f.Text))
		err = s.execute(ctx, st, rest)
	}
	if err != nil && isCancel(err) {
		err = s.timedOut(ctx, err)
	}
	if err != nil && s.txn != nil && !s.txn.done {
		s.txn.failed = true
	}
	return err
}

// noteSlow logs a statement that took long, without its text, which holds rows
// of the user.
func (s *Session) noteSlow(st dialect.Statement, bytes int) {
	took := s.server.Now().Sub(s.Now)
	if limit := s.server.Limits.SlowStatement; limit > 0 && took >= limit {
		s.server.Logger.Warn("slow statement", "user", string(s.Principal.User), "statement", st.Verb(), "bytes", bytes,
			"took", took, "request", s.requestID)
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
	if t := s.server.Limits.Statement; t > 0 {
		if end := time.Now().Add(t); deadline.IsZero() || end.Before(deadline) {
			deadline, cause = end, errStatementTimeout
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
func (s *Session) execute(ctx context.Context, st dialect.Statement, rest []sqltext.Fragment) error {
	switch st := st.(type) {
	case *dialect.Select:
		return s.query(ctx, st)
	case *dialect.Explain:
		return s.explain(ctx, st)
	case *dialect.Insert:
		return s.insert(ctx, st)
	case *dialect.Update:
		return s.update(ctx, st)
	case *dialect.Delete:
		return s.delete(ctx, st)
	case *dialect.Truncate:
		return s.truncate(ctx, st)
	case *dialect.Begin:
		return s.begin(ctx, rest)
	case *dialect.Commit:
		return s.commit(ctx)
	case *dialect.Rollback:
		return s.rollback()
	case *dialect.ExecuteAs:
		return s.executeAs(ctx, st)
	}
	if s.txn != nil {
		return s.inTransaction(ctx, st)
	}
	return s.manage(ctx, st)
}

// inTransaction runs a statement that is neither DML nor a query inside a
// transaction: only those that change nothing are allowed.
func (s *Session) inTransaction(ctx context.Context, st dialect.Statement) error {
	switch st.(type) {
	case *dialect.ShowNamespaces, *dialect.ShowTables, *dialect.Describe, *dialect.Use, *dialect.ShowColumns:
		return s.manage(ctx, st)
	}
	return kalam.Errorf(kalam.CodeInvalidOperation, "DDL is not allowed inside explicit transaction '%s'", s.txn.id)
}

// executeAs runs the inner statement as another user with role user.
func (s *Session) executeAs(ctx context.Context, st *dialect.ExecuteAs) error {
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
	return located(s.execute(ctx, inner, nil), st.Offset)
}

// mayActWith checks that the principal may run a statement as another user.
func (s *Session) mayActWith(st dialect.Statement) error {
	var names []dialect.Name
	switch st := st.(type) {
	case *dialect.Insert:
		names = []dialect.Name{st.Table}
	case *dialect.Update:
		names = []dialect.Name{st.Table}
	case *dialect.Delete:
		names = []dialect.Name{st.Table}
	case *dialect.Truncate:
		names = st.Tables
	case *dialect.ExecuteAs, *dialect.Begin, *dialect.Commit, *dialect.Rollback:
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
