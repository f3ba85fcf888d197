package session

import (
	"context"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
)

// change is a row that a statement writes or, if it is kept, found as it should be.
type change struct {
	buffer.Mutation
	kept bool // RETURNING gives the row, and nothing is written.
}

// mutationsOf returns what is to be written.
func mutationsOf(changes []change) []buffer.Mutation {
	muts := make([]buffer.Mutation, 0, len(changes))
	for i := range changes {
		if !changes[i].kept {
			muts = append(muts, changes[i].Mutation)
		}
	}
	return muts
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
		var counts map[buffer.CounterID]int64
		if counts, err = countsOf(muts); err == nil {
			written, err = s.Store.Apply(ctx, muts, countList(counts)...)
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
