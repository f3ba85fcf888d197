package datatype_test

import (
	"bytes"
	"cmp"
	"math"
	"strings"
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
)

func key(table *kalam.Table, vals ...kalam.Value) []byte {
	return datatype.EncodeKey(nil, table, vals)
}

// TestKeyOrder relies on the samples of a type being in rising order.
func TestKeyOrder(t *testing.T) {
	ss := samples(t)
	for i := range ss {
		table := columnTable(ss[i].t)
		a := key(table, ss[i].v)
		got, err := datatype.DecodeKey(table, a)
		if err != nil || got[0] != ss[i].v {
			t.Errorf("DecodeKey(%s %s) = %v, %v", ss[i].t, ss[i].text, got, err)
		}
		for j := i + 1; j < len(ss) && ss[j].t == ss[i].t; j++ {
			b := key(table, ss[j].v)
			if bytes.Compare(a, b) >= 0 {
				t.Errorf("%s: key of %s is not below key of %s", ss[i].t, ss[i].text, ss[j].text)
			}
			if bytes.HasPrefix(b, a) {
				t.Errorf("%s: key of %s is a prefix of that of %s", ss[i].t, ss[i].text, ss[j].text)
			}
		}
		for cut := range a {
			if _, err := datatype.DecodeKey(table, a[:cut]); kalam.CodeOf(err) != kalam.CodeCorrupt {
				t.Errorf("%s: DecodeKey of %d of %d bytes gives %v", ss[i].t, cut, len(a), err)
			}
		}
		if _, err := datatype.DecodeKey(table, append(a, 0)); kalam.CodeOf(err) != kalam.CodeCorrupt {
			t.Errorf("%s: DecodeKey takes a longer key: %v", ss[i].t, err)
		}
	}
}

func TestKeyEquality(t *testing.T) {
	double, float := columnTable(kalam.TypeOf(kalam.KindDouble)), columnTable(kalam.TypeOf(kalam.KindFloat))
	if !bytes.Equal(key(double, kalam.Double(0)), key(double, kalam.Double(math.Copysign(0, -1)))) {
		t.Error("0.0 and -0.0 are two keys")
	}
	if !bytes.Equal(key(double, kalam.Double(math.NaN())),
		key(double, kalam.Double(math.Float64frombits(0xFFF8000000000001)))) {
		t.Error("two NaNs are two keys")
	}
	if !bytes.Equal(key(float, kalam.Float(float32(math.NaN()))),
		key(float, kalam.Float(math.Float32frombits(0xFFC00001)))) {
		t.Error("two FLOAT NaNs are two keys")
	}
}

func compositeTable() *kalam.Table {
	ty := kalam.TypeOf
	return &kalam.Table{ID: kalam.TableID{Namespace: "ns", Name: "t"}, PrimaryKey: []int{2, 0, 1},
		Columns: []kalam.Column{
			{ID: 1, Name: "n", Type: ty(kalam.KindBigInt)}, {ID: 2, Name: "b", Type: ty(kalam.KindBytes)},
			{ID: 3, Name: "s", Type: ty(kalam.KindText)},
		}}
}

func TestKeyText(t *testing.T) {
	vals := []kalam.Value{kalam.BigInt(7), kalam.Bytes("\x01"), kalam.Text("abc")}
	if got := datatype.KeyText(compositeTable(), vals); got != `abc, 7, \x01` {
		t.Errorf("KeyText = %s", got)
	}
	if got := datatype.KeyText(columnTable(kalam.TypeOf(kalam.KindBigInt)), vals); got != "7" {
		t.Errorf("KeyText = %s", got)
	}
}

// FuzzKeyOrder checks a composite key: the order of the bytes is that of the
// columns, equal bytes mean equal keys, and decoding is the inverse.
func FuzzKeyOrder(f *testing.F) {
	f.Add("a", int64(1), "b", "a\x00", int64(-1), "b")
	f.Add("a\x00\x01", int64(0), "", "a", int64(0), "\x00")
	f.Add("", int64(math.MinInt64), "\xff", "", int64(math.MaxInt64), "\xff\x00")
	table := compositeTable()
	f.Fuzz(func(t *testing.T, s1 string, n1 int64, b1, s2 string, n2 int64, b2 string) {
		v1 := []kalam.Value{kalam.BigInt(n1), kalam.Bytes(b1), kalam.Text(s1)}
		v2 := []kalam.Value{kalam.BigInt(n2), kalam.Bytes(b2), kalam.Text(s2)}
		k1, k2 := key(table, v1...), key(table, v2...)
		want := cmp.Or(strings.Compare(s1, s2), cmp.Compare(n1, n2), strings.Compare(b1, b2))
		if got := bytes.Compare(k1, k2); got != want {
			t.Errorf("order of % x and % x is %d, want %d", k1, k2, got, want)
		}
		if want != 0 && bytes.HasPrefix(k2, k1) {
			t.Errorf("% x is a prefix of % x", k1, k2)
		}
		got, err := datatype.DecodeKey(table, k1)
		if err != nil || got[0] != v1[2] || got[1] != v1[0] || got[2] != v1[1] {
			t.Errorf("DecodeKey = %v, %v", got, err)
		}
	})
}

// FuzzKeyOrderNumbers does the same for the numeric kinds.
func FuzzKeyOrderNumbers(f *testing.F) {
	f.Add(1.5, -2.5, int64(3), int64(-3))
	f.Add(math.Inf(1), math.NaN(), int64(math.MinInt64), int64(0))
	f.Fuzz(func(t *testing.T, f1, f2 float64, n1, n2 int64) {
		orderFloat := func(a, b float64) int { // cmp.Compare, but NaN is the greatest
			return -cmp.Compare(-a, -b)
		}
		double := columnTable(kalam.TypeOf(kalam.KindDouble))
		if got, want := bytes.Compare(key(double, kalam.Double(f1)), key(double, kalam.Double(f2))),
			orderFloat(f1, f2); got != want {
			t.Errorf("DOUBLE order of %v and %v is %d, want %d", f1, f2, got, want)
		}
		float := columnTable(kalam.TypeOf(kalam.KindFloat))
		if got, want := bytes.Compare(key(float, kalam.Float(float32(f1))), key(float, kalam.Float(float32(f2)))),
			orderFloat(float64(float32(f1)), float64(float32(f2))); got != want {
			t.Errorf("FLOAT order of %v and %v is %d, want %d", f1, f2, got, want)
		}
		for _, k := range []kalam.Kind{kalam.KindBigInt, kalam.KindTimestamp, kalam.KindDateTime, kalam.KindTime} {
			table := columnTable(kalam.TypeOf(k))
			if got, want := bytes.Compare(key(table, kalam.Integer(k, n1)), key(table, kalam.Integer(k, n2))),
				cmp.Compare(n1, n2); got != want {
				t.Errorf("%s order of %d and %d is %d, want %d", k, n1, n2, got, want)
			}
		}
		decimal := columnTable(kalam.DataType{Kind: kalam.KindDecimal, Precision: 38})
		d1, d2 := kalam.Decimal(n1, uint64(n2), 0), kalam.Decimal(n2, uint64(n1), 0)
		want := cmp.Or(cmp.Compare(n1, n2), cmp.Compare(uint64(n2), uint64(n1)))
		if got := bytes.Compare(key(decimal, d1), key(decimal, d2)); got != want {
			t.Errorf("DECIMAL order is %d, want %d", got, want)
		}
	})
}
