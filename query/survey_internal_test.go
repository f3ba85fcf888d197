package query

import (
	"testing"

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
			got, ok := o.bound(test.want)
			if ok != (test.bound >= 0) || ok && got.Int() != test.bound {
				t.Errorf("bound(%d) = %v, %v", test.want, got.Int(), ok)
			}
		})
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
