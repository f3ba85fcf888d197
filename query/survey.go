package query

import (
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
)

// survey is what is known of the rows of a source that a query may need.
type survey struct {
	source Source // With the files that may have such rows.
	reads  Reads
	order  *order // nil when it is not known where the rows lie in the order of the query.
}

// order is where the rows of a source lie in the order of which a query needs the first.
type order struct {
	pieces     []piece // By their far ends.
	compare    func(a, b kalam.Value) int
	descending bool
	rows       int64 // Of all pieces.
	exact      bool  // Every live row of a piece is one that the query gives.
	tests      []boundTest
}

// piece is a row group of a file, or a batch.
type piece struct {
	file      int    // Its place among the files of the survey; -1: it is a batch.
	rows      int64  // To be read.
	live      int64  // Of these, those that the query may give; 0 where a condition on the order cuts the piece.
	sure      int64  // Rows that the query is known to give.
	uncounted *Batch // Its rows tell what is sure; nil when that is known.
	near, far kalam.Value
}

// boundTest is a columnTest with its values.
type boundTest struct {
	column  int // Of the schema.
	op      testOp
	values  []kalam.Value
	compare func(a, b kalam.Value) int
}

// surveyor looks at the ranges of a source.
type surveyor struct {
	schema  *Schema
	tests   []boundTest
	key     int  // The column of the order; -1: none.
	anyNull bool // NULLs of that column do not come first.
	whole   bool // The tests are all that the query asks of a row,
	exact   bool // and none is on another column than that of the order.
	first   *firstRows
}

// surveyOf finds out what the text of a query, n, and its arguments say of src. No row is
// read.
func surveyOf(a *analysed, src Source, s *Schema, args *Args) *survey {
	n := a.narrow
	v := &survey{source: src, reads: Reads{Files: len(src.Files)}}
	w := surveyor{schema: s, tests: n.bind(a, s, args), key: -1, first: n.first}
	if n.first != nil {
		w.key = s.ranged(n.first.column)
	}
	if len(src.Files) == 0 || len(w.tests) == 0 && w.key < 0 {
		return v
	}
	onKey := 0
	for _, t := range w.tests {
		if t.column == w.key {
			onKey++ // A NULL does not pass it.
		}
	}
	w.anyNull = onKey > 0 || n.first != nil && n.first.nullsLast
	w.whole = n.all && len(w.tests) == len(n.tests)
	w.exact = w.whole && onKey == len(n.tests)
	if pieces, ok := v.look(&w, src.Files); ok {
		v.order = orderOf(&w, pieces, src.Batches)
	}
	return v
}

// look leaves out the files that have no row which the query needs, and returns the
// pieces of the others; ok is false when they cannot be ordered.
func (v *survey) look(w *surveyor, files []File) (pieces []piece, ok bool) {
	v.source.Files = nil
	ok = w.key >= 0
	for i := range files {
		f := &files[i]
		var b Bounds
		if f.Bounds != nil {
			b = f.Bounds()
		}
		if b == nil {
			v.source.Files, ok = append(v.source.Files, *f), false
			continue
		}
		found, passing, ordered := w.file(f, b, len(v.source.Files))
		v.reads.Groups += b.Groups()
		v.reads.Skipped += b.Groups() - passing
		if passing == 0 {
			v.reads.Pruned++
			continue
		}
		v.source.Files = append(v.source.Files, *f)
		pieces, ok = append(pieces, found...), ok && ordered
	}
	return pieces, ok
}

// file returns the pieces of a file, the number of its groups that may have rows which
// pass the tests, and whether the pieces are all of them.
func (w *surveyor) file(f *File, b Bounds, number int) (pieces []piece, passing int, ordered bool) {
	ordered = w.key >= 0
	start := uint64(0)
	for g := range b.Groups() {
		rows := b.Rows(g)
		p := piece{file: number, rows: rows, live: rows}
		if f.Dead != nil && rows > 0 {
			p.live -= int64(deadIn(f, start, start+uint64(rows)))
		}
		start += uint64(rows)
		passes, cut := w.passes(func(column int) datatype.Range { return f.rangeOf(b, g, column, w.schema) })
		if !passes {
			continue
		}
		passing++
		if w.key >= 0 && ordered {
			pieces, ordered = w.add(pieces, p, f.rangeOf(b, g, w.key, w.schema), cut)
		}
	}
	return pieces, passing, ordered
}

// deadIn returns how many of the file's dead rows lie from start to before end.
func deadIn(f *File, start, end uint64) uint64 {
	n := f.Dead.Rank(uint32(end - 1))
	if start > 0 {
		n -= f.Dead.Rank(uint32(start - 1))
	}
	return n
}

// rangeOf returns what a column of the source lies between in a group of the file.
func (f *File) rangeOf(b Bounds, group, column int, s *Schema) datatype.Range {
	var r datatype.Range
	switch {
	case f.Layout == nil:
		r = b.Range(group, column)
	case f.Layout.Columns[column].Index >= 0:
		r = b.Range(group, f.Layout.Columns[column].Index)
	default: // The file is older than the column.
		v := f.Layout.Columns[column].Missing
		return datatype.Range{Min: v, Max: v, Nulls: v.IsNull(), Known: true}
	}
	if kind := s.kind(column); r.Known && !r.Min.IsNull() &&
		!(comparable(r.Min.Kind(), kind) && comparable(r.Max.Kind(), kind)) {
		return datatype.Range{} // The column was widened since.
	}
	return r
}

// passes reports whether a row of a piece with these ranges may pass all tests, and
// whether those on the key may leave out one.
func (w *surveyor) passes(of func(column int) datatype.Range) (passes, cut bool) {
	for i := range w.tests {
		t := &w.tests[i]
		r := of(t.column)
		if !r.Known {
			cut = cut || t.column == w.key
			continue
		}
		any, all := t.of(r)
		if !any {
			return false, true
		}
		cut = cut || t.column == w.key && (!all || r.Nulls)
	}
	return true, cut
}

// of reports whether any value of a range, and whether all of them, pass the test. Both
// ends are values that may not be there.
func (t *boundTest) of(r datatype.Range) (any, all bool) {
	if r.Min.IsNull() {
		return false, false
	}
	low, high := t.compare(r.Min, t.values[0]), t.compare(r.Max, t.values[0])
	switch t.op {
	case isLess:
		return low < 0, high < 0
	case isLessOrEqual:
		return low <= 0, high <= 0
	case isGreater:
		return high > 0, low > 0
	case isGreaterOrEqual:
		return high >= 0, low >= 0
	case isAny:
	}
	for _, v := range t.values {
		low, high := t.compare(r.Min, v), t.compare(r.Max, v)
		any, all = any || low <= 0 && high >= 0, all || low == 0 && high == 0
	}
	return any, all
}

// add adds a piece, whose key has the range r; ok is false when it has no place in the
// order.
func (w *surveyor) add(pieces []piece, p piece, r datatype.Range, cut bool) (out []piece, ok bool) {
	if !r.Known || r.Nulls && !w.anyNull {
		return nil, false
	}
	if r.Min.IsNull() {
		return pieces, true // No row of it is wanted.
	}
	if p.near, p.far = r.Min, r.Max; w.first.descending {
		p.near, p.far = r.Max, r.Min
	}
	if cut {
		p.live = 0
	}
	if w.exact {
		p.sure = p.live
	}
	return append(pieces, p), true
}

// orderOf returns the order of the pieces of files and the batches, nil when the latter
// have no place in it.
func orderOf(w *surveyor, pieces []piece, batches []Batch) *order {
	for i := range batches {
		b := &batches[i]
		p := piece{file: -1, rows: b.Record.NumRows(), live: b.Record.NumRows()}
		if b.Live != nil {
			p.live = int64(len(b.Live))
		}
		if p.live == 0 {
			continue
		}
		key := rangeOfArray(b.Record.Column(w.key), w.schema.kind(w.key))
		passes, cut := w.passes(func(column int) datatype.Range {
			if column == w.key {
				return key
			}
			return datatype.Range{}
		})
		if w.whole && (cut || !w.exact) {
			p.uncounted = b
		}
		ok := true
		if passes {
			pieces, ok = w.add(pieces, p, key, cut)
		}
		if !ok {
			return nil
		}
	}
	o := &order{
		pieces:     pieces,
		compare:    datatype.Compare(w.schema.kind(w.key)),
		descending: w.first.descending,
		exact:      w.exact,
		tests:      w.tests,
	}
	for i := range pieces {
		o.rows += pieces[i].rows
	}
	slices.SortFunc(pieces, func(a, b piece) int { return o.place(a.far, b.far) })
	return o
}

// place compares two values by the order.
func (o *order) place(a, b kalam.Value) int {
	if o.descending {
		return o.compare(b, a)
	}
	return o.compare(a, b)
}

// largest returns the number of rows of the largest piece.
func (o *order) largest() (rows int64) {
	for i := range o.pieces {
		rows = max(rows, o.pieces[i].rows)
	}
	return rows
}

// bound returns a value up to which there are need rows that the query gives, or want rows
// that it may give, both ends of the order included; ok is false when there is none for which
// less than half of all rows would be read.
func (o *order) bound(need, want int64) (v kalam.Value, ok bool) {
	var sure, live int64
	for i := range o.pieces {
		o.count(&o.pieces[i])
		sure, live = sure+o.pieces[i].sure, live+o.pieces[i].live
		if sure < need && live < want {
			continue
		}
		v = o.pieces[i].far
		read := int64(0)
		for k := range o.pieces {
			if o.place(o.pieces[k].near, v) <= 0 {
				read += o.pieces[k].rows
			}
		}
		return v, 2*read <= o.rows
	}
	return v, false
}

// count finds out how many rows of a batch pass the tests.
func (o *order) count(p *piece) {
	b := p.uncounted
	if b == nil {
		return
	}
	p.uncounted = nil
	tests := make([]func(row int) bool, len(o.tests))
	for i := range o.tests {
		tests[i] = o.tests[i].on(b.Record.Column(o.tests[i].column))
	}
	count := func(row int) {
		for _, passes := range tests {
			if !passes(row) {
				return
			}
		}
		p.sure++
	}
	if b.Live == nil {
		for row := range int(b.Record.NumRows()) {
			count(row)
		}
	}
	for _, row := range b.Live {
		count(int(row))
	}
}

// on returns the test of the values of a column.
func (t *boundTest) on(a arrow.Array) func(row int) bool {
	if texts, ok := a.(*array.String); ok && t.op == isAny { // As conversations are chosen.
		values := make([]string, len(t.values))
		for i, v := range t.values {
			values[i] = v.Str()
		}
		return func(row int) bool { return !texts.IsNull(row) && slices.Contains(values, texts.Value(row)) }
	}
	return func(row int) bool {
		v := datatype.ValueAt(a, row)
		_, all := t.of(datatype.Range{Min: v, Max: v, Known: true})
		return all
	}
}

// upTo returns the source without the files that have no row up to bound.
func (v *survey) upTo(bound kalam.Value) (Source, Reads) {
	src, reads := v.source, v.reads
	read := make([]bool, len(src.Files))
	reads.Skipped = reads.Groups
	for i := range v.order.pieces {
		if p := &v.order.pieces[i]; p.file >= 0 && v.order.place(p.near, bound) <= 0 {
			read[p.file] = true
			reads.Skipped--
		}
	}
	src.Files = nil
	for i := range read {
		if read[i] {
			src.Files = append(src.Files, v.source.Files[i])
		}
	}
	reads.Pruned = reads.Files - len(src.Files)
	return src, reads
}

// bind returns the tests of n whose columns have ranges and whose values are known.
func (n *narrowing) bind(a *analysed, s *Schema, args *Args) []boundTest {
	var out []boundTest
	for i := range n.tests {
		t := &n.tests[i]
		k := s.ranged(t.column)
		if k < 0 {
			continue
		}
		if values, ok := t.bind(a, args, datatype.TypeOfArrow(s.Arrow.Field(k))); ok {
			out = append(out, boundTest{column: k, op: t.op, values: values, compare: datatype.Compare(s.kind(k))})
		}
	}
	return out
}

// ranged returns the column of a name, in lower case, if values of its type have ranges,
// else -1.
func (s *Schema) ranged(name string) int {
	for k := range s.columns {
		if strings.EqualFold(s.columns[k].name, name) && s.columns[k].cast != "" && datatype.HasRange(s.kind(k)) {
			return k
		}
	}
	return -1
}

// kind returns the kind of a column.
func (s *Schema) kind(column int) kalam.Kind { return datatype.TypeOfArrow(s.Arrow.Field(column)).Kind }

// rangeOfArray returns what the values of a column of that kind lie between.
func rangeOfArray(a arrow.Array, kind kalam.Kind) datatype.Range {
	r := datatype.Range{Nulls: a.NullN() > 0, Known: true}
	if a.NullN() == a.Len() {
		return r
	}
	low, high := datatype.Extremes(a, kind)
	r.Min, r.Max = datatype.ValueAt(a, low), datatype.ValueAt(a, high)
	return r
}
