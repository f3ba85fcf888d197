package session

import (
	"context"
	"errors"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/dialect"
	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/session/cache"
	"github.com/kalamlake/kalam/session/suggest"
	"github.com/kalamlake/kalam/sqltext"
)

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
	s.params, s.out, s.requestID, s.trail.Origin = r.Params, out, r.RequestID, r.Origin
	defer s.endRequest()
	if t := s.server.limits.Load().Request; t > 0 {
		s.deadline = time.Now().Add(t)
	}
	if known := s.kept.Statement(r.SQL); known != nil {
		s.statement = 1
		return known.Fragments, s.failed(known.Fragments, s.runKnown(ctx, known))
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

// runFragment executes the statement under way of a request.
func (s *Session) runFragment(ctx context.Context, sql string, fragments []sqltext.Fragment) error {
	f := fragments[s.statement-1]
	st, err := dialect.Parse(f.Text)
	if err != nil {
		s.failTransaction()
		return err
	}
	if known := s.kept.Register(sql, fragments, st); known != nil {
		return s.runKnown(ctx, known)
	}
	return s.guarded(ctx, st, f.Text, func(ctx context.Context) error { return s.execute(ctx, st) })
}

// runKnown executes the statement of a request that came before.
func (s *Session) runKnown(ctx context.Context, known *cache.Registration) error {
	s.known = known
	defer func() { s.known = nil }()
	return s.guarded(ctx, known.Statement, known.Fragments[0].Text, func(ctx context.Context) error {
		return s.execute(ctx, known.Statement)
	})
}

// guarded runs a statement under the statement timeout. In a transaction that has failed only its end is run.
func (s *Session) guarded(
	ctx context.Context, st ast.Statement, text string, execute func(context.Context) error,
) error {
	if s.txn != nil && s.txn.failed && !endsTransaction(st) {
		return kalam.Errorf(kalam.CodeInvalidOperation,
			"transaction '%s' has failed: statements are refused until ROLLBACK", s.txn.id)
	}
	s.Now = s.server.Now()
	ctx, cancel := s.bound(ctx)
	defer cancel()
	defer s.EndStatement()
	ctx, audited := s.trail.Begin(ctx, s.audited(), st, text)
	var err error
	defer func() {
		s.trail.End(audited, s.audited(), st, text, err)
		s.note(st, text, err)
	}()
	err = ctx.Err() // Statements that are done at once don't look at it.
	if err == nil {
		err = s.withNewest(ctx, execute)
	}
	if err != nil && isCancel(err) {
		err = s.timedOut(ctx, err)
	}
	if err != nil {
		s.failTransaction()
	}
	return err
}

// withNewest executes a statement, again when it failed and a table that it met was altered meanwhile: its names may
// have meant nothing any more then. A transaction goes on with what its statements before saw, or fails.
func (s *Session) withNewest(ctx context.Context, execute func(context.Context) error) error {
	alone := s.txn == nil
	for attempt := 1; ; attempt++ {
		s.settled = false
		err := execute(ctx)
		again := alone && err != nil && (errors.Is(err, kalam.ErrTableChanged) || s.MetOlder())
		if !again || s.settled || attempt == maxAttempts || ctx.Err() != nil {
			return err
		}
		s.EndStatement()
	}
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
	case *ast.ShowNamespaces, *ast.ShowTables, *ast.Describe, *ast.Use, *ast.ShowColumns, *ast.ShowCreate:
		return s.manage(ctx, st)
	}
	return kalam.Errorf(kalam.CodeInvalidOperation, "DDL is not allowed inside explicit transaction '%s'", s.txn.id)
}

// endRequest lets go of what a request had.
func (s *Session) endRequest() {
	s.params, s.out, s.deadline = nil, nil, time.Time{}
	if s.txn == nil {
		s.Release()
	}
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

// slowText is how many bytes of a slow statement are logged.
const slowText = 1000

// note tells the observer of a statement, and logs one that took long, without its values, which are rows
// of the user.
func (s *Session) note(st ast.Statement, text string, err error) {
	took := s.server.Now().Sub(s.Now)
	s.server.Observe(st, s.Principal.Role, took, err)
	if limit := s.server.limits.Load().SlowStatement; limit > 0 && took >= limit {
		s.server.Logger.Warn("slow statement", "user", string(s.Principal.User), "statement", st.Verb(),
			"text", sqltext.Shape(text, slowText), "bytes", len(text), "took", took, "request", s.requestID,
			"application", s.settings.Application)
	}
}

// failed returns the error of the statement under way for the client, nil for none.
func (s *Session) failed(fragments []sqltext.Fragment, err error) error {
	if err == nil {
		return nil
	}
	f := fragments[s.statement-1]
	author := suggest.Author{Principal: s.Principal, Namespace: s.settings.Namespace, Access: s.Access}
	return &StatementError{Statement: s.statement, SQL: f.Text, Err: brief(located(author.To(err, f.Text), f.Offset))}
}
