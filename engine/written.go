package engine

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/query"
)

// change is a row that a statement writes or, if it is kept, found as it should be.
type change struct {
	buffer.Mutation
	kept bool // RETURNING gives the row, and nothing is written.
}

// unknownSeq is the seq of a row that is not committed yet. Users see NULL.
const unknownSeq = ^kalam.Seq(0)

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
// of each row: 0 for one that was skipped, unknownSeq for one of the transaction's.
func (s *session) apply(ctx context.Context, changes []change) ([]kalam.Seq, error) {
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
			written, err = s.e.store.Apply(ctx, muts, countList(counts)...)
		}
	}
	if err != nil {
		return nil, err
	}
	seqs := make([]kalam.Seq, len(changes))
	for i := range changes {
		if changes[i].kept {
			seqs[i] = s.shownSeq(changes[i].Scope, changes[i].Old.Seq)
			continue
		}
		seqs[i], written = written[0], written[1:]
	}
	return seqs, nil
}

// shownSeq returns the seq that users see of a row that was read in a scope.
func (s *session) shownSeq(sc kalam.Scope, seq kalam.Seq) kalam.Seq {
	if s.txn != nil {
		if own := s.txn.writes[sc]; own != nil && own.Provisional(seq) {
			return unknownSeq
		}
	}
	return seq
}

// seqValue is the value of _seq.
func seqValue(seq kalam.Seq) kalam.Value {
	if seq == unknownSeq {
		return kalam.Null()
	}
	return kalam.BigInt(int64(seq))
}

// withoutSeqs returns the batches with NULL for the seqs that are not known, and what
// releases those that were made for it.
func withoutSeqs(batches []query.Batch, unknown func(kalam.Seq) bool) (out []query.Batch, release func()) {
	out = append(out, batches...)
	var made []arrow.RecordBatch
	for i, b := range out {
		if rec := withoutSeq(b.Record, unknown); rec != nil {
			made = append(made, rec)
			out[i] = query.Batch{Record: rec, Live: b.Live}
		}
	}
	return out, func() {
		for _, rec := range made {
			rec.Release()
		}
	}
}

// withoutSeq is withoutSeqs for one record, nil when it knows all of its seqs.
func withoutSeq(rec arrow.RecordBatch, unknown func(kalam.Seq) bool) arrow.RecordBatch {
	at := rec.Schema().FieldIndices(kalam.ColumnSeq)
	if len(at) == 0 {
		return nil
	}
	seqs, ok := rec.Column(at[0]).(*array.Int64)
	if !ok {
		return nil
	}
	b := array.NewInt64Builder(memory.DefaultAllocator)
	defer b.Release()
	for i := range seqs.Len() {
		if unknown(kalam.Seq(seqs.Value(i))) {
			b.AppendNull()
		} else {
			b.Append(seqs.Value(i))
		}
	}
	if b.NullN() == 0 {
		return nil
	}
	known := b.NewArray()
	defer known.Release()
	columns := append([]arrow.Array(nil), rec.Columns()...)
	columns[at[0]] = known
	return array.NewRecordBatch(rec.Schema(), columns, rec.NumRows())
}
