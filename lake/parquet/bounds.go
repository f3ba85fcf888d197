package parquet

import (
	"github.com/apache/arrow-go/v18/parquet/metadata"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/lake/integrity"
)

const (
	// maxBoundText is the longest text that is kept as a bound.
	maxBoundText = 64
	// rangeBytes is about what one Range takes.
	rangeBytes = 96
)

// Bounds are the ranges of the columns of a segment, row group by row group, as the
// footer of its Parquet file has them. They are immutable.
type Bounds struct {
	rows    []int64
	columns int
	ranges  []datatype.Range // Those of the first group, those of the second, ...
}

// Groups returns the number of row groups.
func (b *Bounds) Groups() int { return len(b.rows) }

// Rows returns the number of rows of a group.
func (b *Bounds) Rows(group int) int64 { return b.rows[group] }

// Range returns the range of a column, by its place in the file, in a group. Its values
// are of the type that the file has, which the table's column may have left behind. It is
// not known where the footer does not tell it, and for types that datatype.HasRange
// excludes.
func (b *Bounds) Range(group, column int) datatype.Range {
	if column >= b.columns {
		return datatype.Range{}
	}
	return b.ranges[group*b.columns+column]
}

// Close implements io.Closer; there is nothing to close.
func (b *Bounds) Close() error { return nil }

// Memory returns about how many bytes b takes.
func (b *Bounds) Memory() int64 {
	size := int64(8*len(b.rows) + rangeBytes*len(b.ranges))
	for i := range b.ranges {
		size += int64(len(b.ranges[i].Min.Str()) + len(b.ranges[i].Max.Str()))
	}
	return size
}

// Bounds returns what the footer, which was read, says of the columns.
func (f *File) Bounds() (_ *Bounds, err error) {
	defer recoverDamage(f.path, &err)
	n := f.meta.NumColumns()
	b := &Bounds{columns: n, ranges: make([]datatype.Range, 0, n*len(f.meta.RowGroups))}
	cells := make([]cellReader, n)
	for c := range cells {
		r, ok, err := storedAs(f.meta.Schema.Column(c), kalam.DataType{})
		// Of no type of ours, or too fine a time.
		if err != nil || !ok || r.unit < 0 || !datatype.HasRange(r.stored.Kind) {
			continue
		}
		r.target, r.text = r.stored, new(textArena)
		cells[c] = r
	}
	for i, g := range f.meta.RowGroups {
		b.rows = append(b.rows, g.NumRows)
		group := f.meta.RowGroup(i)
		for c := range cells {
			var found datatype.Range
			if cells[c].stored.Kind != kalam.KindNull {
				chunk, err := group.ColumnChunk(c)
				if err != nil {
					return nil, integrity.Corrupt(f.path, "column %d of row group %d: %w", c, i, err)
				}
				found = cells[c].rangeOf(chunk, g.NumRows)
			}
			b.ranges = append(b.ranges, found)
		}
	}
	return b, nil
}

// rangeOf returns what the statistics of a column chunk of so many rows say.
func (r *cellReader) rangeOf(chunk *metadata.ColumnChunkMetaData, rows int64) datatype.Range {
	if set, err := chunk.StatsSet(); err != nil || !set {
		return datatype.Range{} // Without statistics nothing is known; with bad ones neither.
	}
	stats, err := chunk.Statistics()
	if err != nil || stats == nil {
		return datatype.Range{}
	}
	nulls := !stats.HasNullCount() || stats.NullCount() > 0
	if stats.HasNullCount() && stats.NullCount() == rows {
		return datatype.Range{Nulls: true, Known: true}
	}
	low, high, err := r.limits(stats)
	if !stats.HasMinMax() || err != nil || len(low.Str()) > maxBoundText || len(high.Str()) > maxBoundText {
		return datatype.Range{}
	}
	return datatype.Range{Min: low, Max: high, Nulls: nulls, Known: !low.IsNull() && !high.IsNull()}
}

// limits returns the bounds of statistics as values.
func (r *cellReader) limits(stats metadata.TypedStatistics) (low, high kalam.Value, err error) {
	switch s := stats.(type) {
	case *metadata.Int32Statistics:
		return both(s.Min(), s.Max(), r.fromInt32)
	case *metadata.Int64Statistics:
		return both(s.Min(), s.Max(), r.fromInt64)
	case *metadata.ByteArrayStatistics:
		return both(s.Min(), s.Max(), r.fromBytes)
	case *metadata.FixedLenByteArrayStatistics:
		return both(s.Min(), s.Max(), r.fromFixed)
	}
	return low, high, nil
}

func both[T any](low, high T, of func(T) (kalam.Value, error)) (lowest, highest kalam.Value, err error) {
	if lowest, err = of(low); err == nil {
		highest, err = of(high)
	}
	return lowest, highest, err
}
