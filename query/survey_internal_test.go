package query

import (
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
)

// TestOrderBound chooses the value up to which enough rows lie.
func TestOrderBound(t *testing.T) {
	part := func(near, far, rows, live int64) piece {
		return piece{rows: rows, live: live, near: kalam.BigInt(near), far: kalam.BigInt(far)}
	}
	for _, test := range []struct {
		name       string
		descending bool
		pieces     []piece // By their far ends.
		want       int64
		bound      int64 // -1: none.
	}{
		{"the last piece", true, []piece{part(39, 30, 10, 10), part(29, 20, 10, 10), part(19, 0, 20, 20)}, 5, 30},
		{"exactly a piece", true, []piece{part(39, 30, 10, 10), part(29, 20, 10, 10), part(19, 0, 20, 20)}, 10, 30},
		{"one more than a piece", true, []piece{part(39, 30, 10, 10), part(29, 20, 10, 10), part(19, 0, 20, 20)}, 11, 20},
		{"more than half", true, []piece{part(39, 30, 10, 10), part(29, 20, 10, 10), part(19, 0, 10, 10)}, 11, -1},
		{"more than all", true, []piece{part(39, 30, 10, 10)}, 11, -1},
		{"ascending", false, []piece{part(0, 9, 10, 10), part(10, 19, 10, 10), part(20, 29, 10, 10)}, 3, 9},
		{"dead rows do not count", true, []piece{part(39, 30, 10, 2), part(29, 20, 10, 10), part(19, 0, 30, 30)}, 3, 20},
		{
			"a cut piece is read, not counted", true,
			[]piece{part(39, 30, 10, 0), part(29, 20, 10, 10), part(19, 0, 30, 30)}, 3, 20,
		},
		{"overlaps are read", true, []piece{part(35, 30, 10, 10), part(99, 5, 10, 10), part(98, 4, 10, 10)}, 3, -1},
		{"equal values", true, []piece{part(7, 7, 10, 10), part(7, 7, 10, 10), part(7, 7, 10, 10)}, 3, -1},
		{"nothing", true, nil, 1, -1},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := order{pieces: test.pieces, compare: datatype.Compare(kalam.KindBigInt), descending: test.descending}
			for _, p := range test.pieces {
				o.rows += p.rows
			}
			got, ok := o.bound(1<<40, test.want)
			if ok != (test.bound >= 0) || ok && got.Int() != test.bound {
				t.Errorf("bound(%d) = %v, %v", test.want, got.Int(), ok)
			}
		})
	}
}

// TestOrderCount counts the rows of batches that pass the tests, each batch once and no more
// batches than are needed.
func TestOrderCount(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{{Name: "id", Type: arrow.PrimitiveTypes.Int64, Nullable: true}}, nil)
	b := array.NewInt64Builder(memory.DefaultAllocator)
	defer b.Release()
	b.AppendValues([]int64{7, 8, 7, 0, 7}, []bool{true, true, true, false, true})
	column := b.NewArray()
	defer column.Release()
	rec := array.NewRecordBatch(schema, []arrow.Array{column}, 5)
	defer rec.Release()
	compare := datatype.Compare(kalam.KindBigInt)
	o := order{
		compare: compare, descending: true, rows: 1000,
		tests: []boundTest{{op: isAny, values: []kalam.Value{kalam.BigInt(7)}, compare: compare}},
		pieces: []piece{
			{file: -1, rows: 5, live: 5, near: kalam.BigInt(9), far: kalam.BigInt(8), uncounted: &Batch{Record: rec}},
			{file: -1, rows: 5, live: 2, near: kalam.BigInt(7), far: kalam.BigInt(6), uncounted: &Batch{
				Record: rec, Live: []uint32{1, 2, 3},
			}},
			{file: -1, rows: 5, live: 5, near: kalam.BigInt(5), far: kalam.BigInt(4), uncounted: &Batch{Record: rec}},
		},
	}
	for range 2 {
		if v, ok := o.bound(4, 1000); !ok || v.Int() != 6 {
			t.Fatalf("4 rows are up to %v, %v", v, ok)
		}
	}
	if a, b, c := o.pieces[0].sure, o.pieces[1].sure, o.pieces[2].uncounted; a != 3 || b != 1 || c == nil {
		t.Errorf("counted %d and %d, and the third: %v", a, b, c == nil)
	}
}

// TestBoundTest compares conditions with ranges.
func TestBoundTest(t *testing.T) {
	numbers := func(list ...int64) (out []kalam.Value) {
		for _, n := range list {
			out = append(out, kalam.BigInt(n))
		}
		return out
	}
	for _, test := range []struct {
		op       testOp
		values   []kalam.Value
		any, all bool
	}{
		{isLess, numbers(10), false, false},
		{isLess, numbers(11), true, false},
		{isLess, numbers(20), true, false},
		{isLess, numbers(21), true, true},
		{isLessOrEqual, numbers(9), false, false},
		{isLessOrEqual, numbers(10), true, false},
		{isLessOrEqual, numbers(20), true, true},
		{isGreater, numbers(20), false, false},
		{isGreater, numbers(19), true, false},
		{isGreater, numbers(9), true, true},
		{isGreaterOrEqual, numbers(21), false, false},
		{isGreaterOrEqual, numbers(20), true, false},
		{isGreaterOrEqual, numbers(10), true, true},
		{isAny, numbers(9), false, false},
		{isAny, numbers(15), true, false},
		{isAny, numbers(1, 99), false, false},
		{isAny, numbers(1, 20), true, false},
	} {
		b := boundTest{op: test.op, values: test.values, compare: datatype.Compare(kalam.KindBigInt)}
		any, all := b.of(datatype.Range{Min: kalam.BigInt(10), Max: kalam.BigInt(20), Known: true})
		if any != test.any || all != test.all {
			t.Errorf("%d %v: %v, %v", test.op, test.values, any, all)
		}
		if any, all := b.of(datatype.Range{Nulls: true, Known: true}); any || all {
			t.Errorf("%d %v: a NULL passes", test.op, test.values)
		}
	}
	one := boundTest{op: isAny, values: numbers(5), compare: datatype.Compare(kalam.KindBigInt)}
	if any, all := one.of(datatype.Range{Min: kalam.BigInt(5), Max: kalam.BigInt(5), Known: true}); !any || !all {
		t.Error("a range of one value does not pass")
	}
}
