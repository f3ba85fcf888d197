package engine

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/dialect"
)

// transaction is BEGIN ... COMMIT inside one request: one snapshot, and the
// writes that wait for the commit. It ends with the request.
type transaction struct {
	id       string
	snapshot *pinned
	muts     []buffer.Mutation
	own      map[ownKey]int // Last mutation of each key, index into muts.
	views    map[kalam.Scope]*overlaid
	bytes    int
	failed   bool
	done     bool
}

type ownKey struct {
	scope kalam.Scope
	key   string
}

// overlaid is a view with the transaction's first n mutations of its scope on top.
type overlaid struct {
	view *buffer.View
	muts int
}

// begin takes one snapshot of every table that the statements up to COMMIT
// name. The whole transaction is in the request, so they are known now.
func (s *session) begin(ctx context.Context, rest []dialect.Fragment) error {
	if s.txn != nil {
		return kalam.Errorf(kalam.CodeConflict, "Transaction '%s' is already open", s.txn.id)
	}
	p, err := s.pin(ctx, s.scopesOf(ctx, rest))
	if err != nil {
		return err
	}
	s.txn = &transaction{
		id: uuid.NewString(), snapshot: p,
		own: map[ownKey]int{}, views: map[kalam.Scope]*overlaid{},
	}
	return s.message(0, fmt.Sprintf("Transaction started (%s)", s.txn.id))
}

// scopesOf returns what the statements before the next COMMIT or ROLLBACK read
// and write. A statement that does not parse, or names what does not exist, is
// left to fail when its turn comes.
func (s *session) scopesOf(ctx context.Context, rest []dialect.Fragment) []buffer.TableScope {
	var scopes []buffer.TableScope
	add := func(n dialect.Name) {
		if t, err := s.table(n); err == nil {
			scopes = append(scopes, s.tableScope(t))
		}
	}
	for _, f := range rest {
		st, err := dialect.Parse(f.Text)
		if err != nil {
			break
		}
		switch st.(type) {
		case *dialect.Commit, *dialect.Rollback:
			return scopes
		}
		s.eachName(ctx, st, add)
	}
	return scopes
}

// eachName calls add for every table that a statement names; inside EXECUTE AS
// the session acts as the target.
func (s *session) eachName(ctx context.Context, st dialect.Statement, add func(dialect.Name)) {
	switch st := st.(type) {
	case *dialect.Select:
		s.namesOfQuery(ctx, st.SQL, add)
	case *dialect.Insert:
		add(st.Table)
		if st.Select != "" {
			s.namesOfQuery(ctx, st.Select, add)
		}
		for _, list := range st.Rows {
			s.namesOfExprs(ctx, list, add)
		}
	case *dialect.Update:
		add(st.Table)
		s.namesOfQuery(ctx, "SELECT 1 WHERE ("+st.Where+")", add)
		for i := range st.Set {
			s.namesOfExprs(ctx, []dialect.Expr{st.Set[i].Value}, add)
		}
	case *dialect.Delete:
		add(st.Table)
		s.namesOfQuery(ctx, "SELECT 1 WHERE ("+st.Where+")", add)
	case *dialect.ExecuteAs:
		p, err := s.actAs(st)
		inner, parseErr := dialect.Parse(st.Inner)
		if err != nil || parseErr != nil {
			return
		}
		saved := s.principal
		s.principal = p
		defer func() { s.principal = saved }()
		s.eachName(ctx, inner, add)
	}
}

func (s *session) namesOfExprs(ctx context.Context, list []dialect.Expr, add func(dialect.Name)) {
	for i := range list {
		if !isSimple(&list[i]) {
			s.namesOfQuery(ctx, "SELECT ("+list[i].Text+")", add)
		}
	}
}

func (s *session) namesOfQuery(ctx context.Context, sql string, add func(dialect.Name)) {
	plan, err := s.e.query.Analyse(ctx, newParamSet(nil).rewrite(sql))
	if err != nil {
		return
	}
	for _, ref := range plan.Tables() {
		add(dialect.Name{Parts: ref.Parts, Pos: ref.Position})
	}
}

// commit makes the transaction's writes durable and visible together.
func (s *session) commit(ctx context.Context) error {
	t := s.txn
	if t == nil {
		return kalam.Errorf(kalam.CodeInvalidOperation, "COMMIT without an open transaction")
	}
	defer s.abandon()
	if len(t.muts) > 0 {
		if _, err := s.e.store.Apply(ctx, t.muts); err != nil {
			return s.explainCommit(err, t.muts)
		}
	}
	return s.message(0, fmt.Sprintf("Transaction committed (%s)", t.id))
}

func (s *session) explainCommit(err error, muts []buffer.Mutation) error {
	if kalam.CodeOf(err) == kalam.CodeConflict {
		return kalam.Errorf(kalam.CodeConflict, "Transaction rolled back: a row it read was changed by another statement; run it again")
	}
	var dup *buffer.DuplicateKeyError
	if asDuplicate(err, &dup) && dup.Index < len(muts) {
		return duplicateKey(muts[dup.Index].Table, muts[dup.Index].Payload)
	}
	return err
}

func (s *session) rollback() error {
	if s.txn == nil {
		return kalam.Errorf(kalam.CodeInvalidOperation, "ROLLBACK without an open transaction")
	}
	id := s.txn.id
	s.abandon()
	return s.message(0, fmt.Sprintf("Transaction rolled back (%s)", id))
}

// abandon ends the open transaction without committing it.
func (s *session) abandon() {
	if s.txn != nil {
		s.txn.done = true
		s.txn.snapshot.release()
		s.txn = nil
	}
}

// apply commits the mutations, or adds them to the open transaction. The
// returned seqs are 0 for skipped rows and, inside a transaction, provisional.
func (s *session) apply(ctx context.Context, muts []buffer.Mutation) ([]kalam.Seq, error) {
	if len(muts) == 0 {
		return nil, nil
	}
	if s.txn == nil {
		return s.e.store.Apply(ctx, muts)
	}
	return s.txn.add(ctx, s, muts)
}

// maxTransactionBytes bounds the writes that wait in one transaction.
const maxTransactionBytes = 100 << 20

// add checks the mutations against the transaction's view and keeps them.
func (t *transaction) add(ctx context.Context, s *session, muts []buffer.Mutation) ([]kalam.Seq, error) {
	seqs := make([]kalam.Seq, len(muts))
	for i, m := range muts {
		if m.Kind == kalam.ChangeInsert {
			_, live, err := s.current(ctx, m.Table, m.Key)
			if err != nil {
				return nil, err
			}
			if live && m.SkipExisting {
				continue
			}
			if live {
				return nil, duplicateKey(m.Table, m.Payload)
			}
		}
		k := ownKey{m.Scope, string(m.Key)}
		if _, own := t.own[k]; own {
			m.Own, m.Expect = true, 0
		}
		t.bytes += len(m.Payload) + len(m.Key)
		if t.bytes > maxTransactionBytes {
			return nil, kalam.Errorf(kalam.CodeTooLarge, "transaction is larger than %d bytes", maxTransactionBytes)
		}
		t.own[k] = len(t.muts)
		t.muts = append(t.muts, m)
		seqs[i] = s.e.store.Clock().Last()
	}
	return seqs, nil
}

// overlay returns the view of a scope with the transaction's writes on top.
func (t *transaction) overlay(ctx context.Context, sc kalam.Scope, base *buffer.View) (*buffer.View, error) {
	if len(t.muts) == 0 {
		return base, nil
	}
	if o, ok := t.views[sc]; ok && o.muts == len(t.muts) {
		return o.view, nil
	}
	var own []buffer.Mutation
	for _, m := range t.muts {
		if m.Scope == sc {
			own = append(own, m)
		}
	}
	view := base
	if len(own) > 0 {
		var err error
		if view, err = base.Overlay(ctx, own); err != nil {
			return nil, err
		}
	}
	t.views[sc] = &overlaid{view: view, muts: len(t.muts)}
	return view, nil
}
