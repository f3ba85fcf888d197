package session

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/read"
	"github.com/kalamlake/kalam/session/counts"
	"github.com/kalamlake/kalam/session/schema"
)

// begin fixes what the statements up to COMMIT read: every table, as it is now.
func (s *Session) begin() error {
	if s.txn != nil {
		return kalam.Errorf(kalam.CodeConflict, "Transaction '%s' is already open", s.txn.id)
	}
	s.txn = &transaction{
		Transaction: read.Transaction{Point: s.Store.Begin(), Writes: map[kalam.Scope]*buffer.Writes{}},
		id:          uuid.NewString(), before: s.settings, own: map[ownKey]struct{}{},
		counts: map[buffer.CounterID]int64{},
	}
	s.Txn = &s.txn.Transaction
	return s.message(0, fmt.Sprintf("Transaction started (%s)", s.txn.id))
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
		if _, err := s.commitChanges(ctx, t.muts, counts.List(t.counts)); err != nil {
			return s.explainCommit(err, t.muts)
		}
	}
	return s.message(0, fmt.Sprintf("Transaction committed (%s)", t.id))
}

func (s *Session) explainCommit(err error, muts []buffer.Mutation) error {
	if errors.Is(err, kalam.ErrTableChanged) {
		return kalam.Wrap(kalam.CodeConflict, kalam.ErrTableChanged, "Transaction rolled back: %s", kalam.MessageOf(err))
	}
	if kalam.CodeOf(err) == kalam.CodeConflict {
		return kalam.Errorf(kalam.CodeConflict,
			"Transaction rolled back: a row it read was changed by another statement; run it again")
	}
	var dup *buffer.DuplicateKeyError
	if asDuplicate(err, &dup) && dup.Index < len(muts) {
		return schema.DuplicateKey(muts[dup.Index].Table, muts[dup.Index].Payload)
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
				return nil, schema.DuplicateKey(m.Table, m.Payload)
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
	highest, err := counts.Of(kept)
	if err != nil {
		return nil, err
	}
	if err := t.stage(ctx, kept); err != nil {
		return nil, err
	}
	for id, n := range highest {
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
		base, err := t.Point.View(ctx, buffer.TableScope{Table: muts[0].Table, Scope: sc})
		if err != nil {
			return err
		}
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

// apply commits the changes, or adds them to the open transaction. It returns the seq
// of each row: 0 for one that was skipped, read.UnknownSeq for one of the transaction's.
func (s *Session) apply(ctx context.Context, changes []change) ([]kalam.Seq, error) {
	muts := mutationsOf(changes)
	var written []kalam.Seq
	var err error
	switch {
	case len(muts) == 0:
	case s.txn != nil:
		written, err = s.txn.add(ctx, s, muts)
	default:
		var highest map[buffer.CounterID]int64
		if highest, err = counts.Of(muts); err == nil {
			written, err = s.commitChanges(ctx, muts, counts.List(highest))
		}
	}
	if err != nil {
		return nil, err
	}
	seqs := make([]kalam.Seq, len(changes))
	for i := range changes {
		if changes[i].kept {
			seqs[i] = s.ShownSeq(changes[i].Scope, changes[i].Old.Seq)
			continue
		}
		seqs[i], written = written[0], written[1:]
	}
	return seqs, nil
}
