package session

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/access"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/dialect"
	"github.com/kalamlake/kalam/read"
	"github.com/kalamlake/kalam/sqltext"
)

// transaction is BEGIN ... COMMIT inside one request: one snapshot, and the
// writes that wait for the commit. It ends with the request.
type transaction struct {
	read.Transaction
	id     string
	muts   []buffer.Mutation
	own    map[ownKey]struct{}        // Keys that it has written.
	before settings                   // Those before it.
	counts map[buffer.CounterID]int64 // The highest values of counters that it has written.
	bytes  int
	failed bool
	done   bool
}

type ownKey struct {
	scope kalam.Scope
	key   string
}

// begin takes one snapshot of every table that the statements up to COMMIT
// name. The whole transaction is in the request, so they are known now.
func (s *Session) begin(ctx context.Context, rest []sqltext.Fragment) error {
	if s.txn != nil {
		return kalam.Errorf(kalam.CodeConflict, "Transaction '%s' is already open", s.txn.id)
	}
	snapshot, err := s.PinScopes(ctx, s.scopesOf(ctx, rest))
	if err != nil {
		return err
	}
	s.txn = &transaction{
		Transaction: read.Transaction{Snapshot: snapshot, Writes: map[kalam.Scope]*buffer.Writes{}},
		id:          uuid.NewString(), before: s.settings, own: map[ownKey]struct{}{}, counts: map[buffer.CounterID]int64{},
	}
	s.Txn = &s.txn.Transaction
	return s.message(0, fmt.Sprintf("Transaction started (%s)", s.txn.id))
}

// scopesOf returns what the statements before the next COMMIT or ROLLBACK read
// and write. A statement that does not parse, or names what does not exist, is
// left to fail when its turn comes.
func (s *Session) scopesOf(ctx context.Context, rest []sqltext.Fragment) []buffer.TableScope {
	var scopes []buffer.TableScope
	add := func(n dialect.Name) {
		if a, err := s.Resolve(n, access.See); err == nil && !a.Table.IsComputed() {
			scopes = append(scopes, buffer.TableScope{Table: a.Table, Scope: a.Scope})
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
func (s *Session) eachName(ctx context.Context, st dialect.Statement, add func(dialect.Name)) {
	switch st := st.(type) {
	case *dialect.Select:
		s.namesOfQuery(ctx, st.SQL, add)
	case *dialect.Insert:
		add(st.Table)
		if st.Select != "" {
			s.namesOfQuery(ctx, withQuery(st.With.SQL, st.Select), add)
		}
		for _, list := range st.Rows {
			s.namesOfExprs(ctx, st.With.SQL, list, add)
		}
		s.namesOfConflict(ctx, st, add)
		s.namesOfReturning(ctx, st.With.SQL, st.Returning, add)
	case *dialect.Update:
		add(st.Table)
		s.namesOfRows(ctx, st.With.SQL, st.From.SQL, st.Where, st.KeyEquals, add)
		s.namesOfSet(ctx, st.With.SQL, st.Set, add)
		s.namesOfReturning(ctx, st.With.SQL, st.Returning, add)
	case *dialect.Delete:
		add(st.Table)
		s.namesOfRows(ctx, st.With.SQL, st.Using.SQL, st.Where, st.KeyEquals, add)
		s.namesOfReturning(ctx, st.With.SQL, st.Returning, add)
	case *dialect.Truncate:
		for _, t := range st.Tables {
			add(t)
		}
	case *dialect.Prepare:
		if inner, err := dialect.Parse(st.Inner); err == nil {
			s.eachName(ctx, inner, add)
		}
	case *dialect.Execute:
		if p, ok := s.prepared[st.Name.Name]; ok {
			s.eachName(ctx, p.st, add)
		}
		s.namesOfExprs(ctx, "", st.Args, add)
	case *dialect.ExecuteAs:
		p, err := s.actAs(st)
		inner, parseErr := dialect.Parse(st.Inner)
		if err != nil || parseErr != nil {
			return
		}
		saved := s.Principal
		s.Principal = p
		defer func() { s.Principal = saved }()
		s.eachName(ctx, inner, add)
	}
}

// namesOfRows names the tables of FROM and WHERE. It leaves out a condition that is
// nothing but column = value, which names no table: analysing the text of each would
// cost more than running it.
func (s *Session) namesOfRows(
	ctx context.Context, with, from, where string, terms []dialect.ColumnEquals, add func(dialect.Name),
) {
	if from != "" {
		s.namesOfQuery(ctx, withQuery(with, "SELECT 1 FROM "+from), add)
	}
	if len(terms) == 0 && where != "" {
		s.namesOfQuery(ctx, withQuery(with, "SELECT 1 WHERE ("+where+")"), add)
	}
}

func (s *Session) namesOfSet(ctx context.Context, with string, set []dialect.Assign, add func(dialect.Name)) {
	for i := range set {
		s.namesOfExprs(ctx, with, []dialect.Expr{set[i].Value}, add)
	}
}

func (s *Session) namesOfExprs(ctx context.Context, with string, list []dialect.Expr, add func(dialect.Name)) {
	for i := range list {
		if !isSimple(&list[i]) {
			s.namesOfQuery(ctx, withQuery(with, "SELECT ("+list[i].Text+")"), add)
		}
	}
}

func (s *Session) namesOfConflict(ctx context.Context, st *dialect.Insert, add func(dialect.Name)) {
	if st.Conflict != nil {
		s.namesOfSet(ctx, st.With.SQL, st.Conflict.Set, add)
		s.namesOfRows(ctx, st.With.SQL, "", st.Conflict.Where, nil, add)
	}
}

func (s *Session) namesOfReturning(
	ctx context.Context, with string, list []dialect.ReturnExpr, add func(dialect.Name),
) {
	for _, x := range list {
		if x.Column == "" && x.SQL != "*" {
			s.namesOfQuery(ctx, withQuery(with, "SELECT ("+x.SQL+")"), add)
		}
	}
}

func (s *Session) namesOfQuery(ctx context.Context, sql string, add func(dialect.Name)) {
	plan, err := s.Query.Analyse(ctx, s.Principal.User, newParamSet(nil).rewrite(sql))
	if err != nil {
		return
	}
	for _, ref := range plan.Tables() {
		add(dialect.Name{Parts: ref.Parts, Pos: ref.Position})
	}
}

// commit makes the transaction's writes durable and visible together.
func (s *Session) commit(ctx context.Context) error {
	t := s.txn
	if t == nil {
		return kalam.Errorf(kalam.CodeInvalidOperation, "COMMIT without an open transaction")
	}
	if t.failed {
		return s.rollback()
	}
	defer s.abandon()
	if len(t.muts) > 0 {
		if _, err := s.Store.Apply(ctx, t.muts, countList(t.counts)...); err != nil {
			return s.explainCommit(err, t.muts)
		}
	}
	return s.message(0, fmt.Sprintf("Transaction committed (%s)", t.id))
}

func (s *Session) explainCommit(err error, muts []buffer.Mutation) error {
	if kalam.CodeOf(err) == kalam.CodeConflict {
		return kalam.Errorf(kalam.CodeConflict,
			"Transaction rolled back: a row it read was changed by another statement; run it again")
	}
	var dup *buffer.DuplicateKeyError
	if asDuplicate(err, &dup) && dup.Index < len(muts) {
		return duplicateKey(muts[dup.Index].Table, muts[dup.Index].Payload)
	}
	return err
}

func (s *Session) rollback() error {
	if s.txn == nil {
		return kalam.Errorf(kalam.CodeInvalidOperation, "ROLLBACK without an open transaction")
	}
	id, before := s.txn.id, s.txn.before
	s.abandon()
	s.adopt(before)
	return s.message(0, fmt.Sprintf("Transaction rolled back (%s)", id))
}

// abandon ends the open transaction without committing it.
func (s *Session) abandon() {
	if s.txn != nil {
		s.txn.done = true
		s.txn.Snapshot.Release()
		s.txn, s.Txn = nil, nil
	}
}

// maxTransactionBytes bounds the writes that wait in one transaction.
const maxTransactionBytes = 100 << 20

// add checks the mutations of a statement against the transaction's view and
// keeps them: all of them, or none. It returns read.UnknownSeq for each, 0 for one that is
// skipped.
func (t *transaction) add(ctx context.Context, s *Session, muts []buffer.Mutation) ([]kalam.Seq, error) {
	seqs := make([]kalam.Seq, len(muts))
	kept := make([]buffer.Mutation, 0, len(muts))
	size := t.bytes
	for i, m := range muts {
		if m.Kind == kalam.ChangeInsert {
			_, live, err := s.Current(ctx, m.Table, m.Key)
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
		if _, own := t.own[ownKey{m.Scope, string(m.Key)}]; own {
			m.Own, m.Expect = true, 0
		}
		size += len(m.Payload) + len(m.Key)
		if size > maxTransactionBytes {
			return nil, kalam.Errorf(kalam.CodeTooLarge, "transaction is larger than %d bytes", maxTransactionBytes)
		}
		kept = append(kept, m)
		seqs[i] = read.UnknownSeq
	}
	counts, err := countsOf(kept)
	if err != nil {
		return nil, err
	}
	if err := t.stage(ctx, kept); err != nil {
		return nil, err
	}
	for id, n := range counts {
		t.counts[id] = max(t.counts[id], n)
	}
	t.bytes = size
	return seqs, nil
}

// stage lets the statements that follow see the mutations, which are of one
// scope and of different keys.
func (t *transaction) stage(ctx context.Context, muts []buffer.Mutation) error {
	if len(muts) == 0 {
		return nil
	}
	sc := muts[0].Scope
	own := t.Writes[sc]
	if own == nil {
		base := t.Snapshot.View(sc)
		if base == nil {
			return read.CreatedLater(muts[0].Table)
		}
		var err error
		if own, err = base.Writes(); err != nil {
			return err
		}
		t.Writes[sc] = own
	}
	if err := own.Add(ctx, muts); err != nil {
		return err
	}
	for i := range muts {
		t.own[ownKey{sc, string(muts[i].Key)}] = struct{}{}
	}
	t.muts = append(t.muts, muts...)
	return nil
}
