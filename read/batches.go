package read

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/query"
)

// maxBatchRows is the largest batch that DuckDB takes as one data chunk.
const maxBatchRows = 2048

// UnknownSeq is the seq of a row that is not committed yet. Users see NULL.
const UnknownSeq = ^kalam.Seq(0)

// SeqValue is the value of _seq.
func SeqValue(seq kalam.Seq) kalam.Value {
	if seq == UnknownSeq {
		return kalam.Null()
	}
	return kalam.BigInt(int64(seq))
}

// WithoutSeqs returns the batches with NULL for the seqs that are not known, and what
// releases those that were made for it.
func WithoutSeqs(batches []query.Batch, unknown func(kalam.Seq) bool) (out []query.Batch, release func()) {
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

// withoutSeq is WithoutSeqs for one record, nil when it knows all of its seqs.
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

// RowsSource builds a source from values, for relations that the server computes.
func RowsSource(schema *arrow.Schema, rows [][]kalam.Value) (query.Source, func(), error) {
	b, err := datatype.NewRowsBuilder(memory.DefaultAllocator, schema)
	if err != nil {
		return query.Source{}, nil, err
	}
	defer b.Release()
	var batches []query.Batch
	release := func() {
		for _, x := range batches {
			x.Record.Release()
		}
	}
	for _, row := range rows {
		if err := b.AppendValues(row); err != nil {
			release()
			return query.Source{}, nil, err
		}
		if b.Len() == maxBatchRows {
			batches = append(batches, query.Batch{Record: b.NewBatch()})
		}
	}
	if b.Len() > 0 {
		batches = append(batches, query.Batch{Record: b.NewBatch()})
	}
	return query.Source{Schema: schema, Batches: batches}, release, nil
}

// BatchesOf builds the Arrow batches of rows.
func BatchesOf(t *kalam.Table, rows []kalam.Row) ([]query.Batch, error) {
	b := datatype.NewBatchBuilder(memory.DefaultAllocator, t)
	defer b.Release()
	var batches []query.Batch
	for i, row := range rows {
		if err := b.Append(row); err != nil {
			ReleaseBatches(batches)
			return nil, err
		}
		if b.Len() == maxBatchRows || i == len(rows)-1 {
			batches = append(batches, query.Batch{Record: b.NewBatch()})
		}
	}
	return batches, nil
}

// ReleaseBatches releases the batches of BatchesOf.
func ReleaseBatches(batches []query.Batch) {
	for _, b := range batches {
		b.Record.Release()
	}
}
