package datatype_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/kalamlake/kalam"
)

// sample is a value of a type with its text and its JSON cell.
type sample struct {
	t    kalam.DataType
	v    kalam.Value
	text string
	cell string
}

func dec(t testing.TB, hi int64, lo uint64, scale uint8) kalam.Value {
	t.Helper()
	return kalam.Decimal(hi, lo, scale)
}

// samples holds, in rising order within a type, the extremes of every type.
// TestEveryKindHasSamples fails when a kind is missing.
func samples(tb testing.TB) []sample {
	tb.Helper()
	ty := kalam.TypeOf
	dec102 := kalam.DataType{Kind: kalam.KindDecimal, Precision: 10, Scale: 2}
	dec38 := kalam.DataType{Kind: kalam.KindDecimal, Precision: 38}
	dec3838 := kalam.DataType{Kind: kalam.KindDecimal, Precision: 38, Scale: 38}
	long := strings.Repeat("é", 5000)
	nines := strings.Repeat("9", 38)
	const hi38, lo38 = 0x4B3B4CA85A86C47A, 0x098A223FFFFFFFFF // 10^38 - 1
	in := func(k kalam.Kind, n int64, text, cell string) sample {
		return sample{ty(k), kalam.Integer(k, n), text, cell}
	}
	return []sample{
		{ty(kalam.KindBoolean), kalam.Bool(false), "false", "false"},
		{ty(kalam.KindBoolean), kalam.Bool(true), "true", "true"},
		in(kalam.KindSmallInt, math.MinInt16, "-32768", "-32768"),
		in(kalam.KindSmallInt, 0, "0", "0"),
		in(kalam.KindSmallInt, math.MaxInt16, "32767", "32767"),
		in(kalam.KindInt, math.MinInt32, "-2147483648", "-2147483648"),
		in(kalam.KindInt, -1, "-1", "-1"),
		in(kalam.KindInt, math.MaxInt32, "2147483647", "2147483647"),
		in(kalam.KindBigInt, math.MinInt64, "-9223372036854775808", `"-9223372036854775808"`),
		in(kalam.KindBigInt, -1, "-1", `"-1"`),
		in(kalam.KindBigInt, 0, "0", `"0"`),
		in(kalam.KindBigInt, math.MaxInt64, "9223372036854775807", `"9223372036854775807"`),
		{ty(kalam.KindFloat), kalam.Float(float32(math.Inf(-1))), "-Infinity", `"-Infinity"`},
		{ty(kalam.KindFloat), kalam.Float(-math.MaxFloat32), "-3.4028235e38", "-3.4028235e38"},
		{ty(kalam.KindFloat), kalam.Float(0.1), "0.1", "0.1"},
		{ty(kalam.KindFloat), kalam.Float(3), "3.0", "3.0"},
		{ty(kalam.KindFloat), kalam.Float(float32(math.NaN())), "NaN", `"NaN"`},
		{ty(kalam.KindDouble), kalam.Double(math.Inf(-1)), "-Infinity", `"-Infinity"`},
		{ty(kalam.KindDouble), kalam.Double(-math.MaxFloat64), "-1.7976931348623157e308", "-1.7976931348623157e308"},
		{ty(kalam.KindDouble), kalam.Double(-1.5), "-1.5", "-1.5"},
		{ty(kalam.KindDouble), kalam.Double(math.SmallestNonzeroFloat64), "5e-324", "5e-324"},
		{ty(kalam.KindDouble), kalam.Double(0.00001), "0.00001", "0.00001"},
		{ty(kalam.KindDouble), kalam.Double(0.1), "0.1", "0.1"},
		{ty(kalam.KindDouble), kalam.Double(3), "3.0", "3.0"},
		{ty(kalam.KindDouble), kalam.Double(1234567890123456), "1234567890123456.0", "1234567890123456.0"},
		{ty(kalam.KindDouble), kalam.Double(1e16), "1e16", "1e16"},
		{ty(kalam.KindDouble), kalam.Double(1.25e21), "1.25e21", "1.25e21"},
		{ty(kalam.KindDouble), kalam.Double(math.Inf(1)), "Infinity", `"Infinity"`},
		{ty(kalam.KindDouble), kalam.Double(math.NaN()), "NaN", `"NaN"`},
		{dec102, dec(tb, -1, ^uint64(9999999998), 2), "-99999999.99", `"-99999999.99"`},
		{dec102, dec(tb, -1, ^uint64(49), 2), "-0.50", `"-0.50"`},
		{dec102, dec(tb, 0, 0, 2), "0.00", `"0.00"`},
		{dec102, dec(tb, 0, 5, 2), "0.05", `"0.05"`},
		{dec102, dec(tb, 0, 9999999999, 2), "99999999.99", `"99999999.99"`},
		{dec38, dec(tb, ^int64(hi38), ^uint64(lo38)+1, 0), "-" + nines, `"-` + nines + `"`},
		{dec38, dec(tb, 0, 7, 0), "7", `"7"`},
		{dec38, dec(tb, 1, 0, 0), "18446744073709551616", `"18446744073709551616"`},
		{dec38, dec(tb, hi38, lo38, 0), nines, `"` + nines + `"`},
		{dec3838, dec(tb, hi38, lo38, 38), "0." + nines, `"0.` + nines + `"`},
		{ty(kalam.KindText), kalam.Text(""), "", `""`},
		{ty(kalam.KindText), kalam.Text("  "), "  ", `"  "`},
		{ty(kalam.KindText), kalam.Text("a"), "a", `"a"`},
		{ty(kalam.KindText), kalam.Text("a\x00"), "a\x00", `"a\u0000"`},
		{ty(kalam.KindText), kalam.Text("a\x00b"), "a\x00b", `"a\u0000b"`},
		{ty(kalam.KindText), kalam.Text("a\x01"), "a\x01", `"a\u0001"`},
		{ty(kalam.KindText), kalam.Text("line\n\"\\</é\U0001F600"), "line\n\"\\</é\U0001F600", `"line\n\"\\</é😀"`},
		{ty(kalam.KindText), kalam.Text(long), long, `"` + long + `"`},
		in(kalam.KindTimestamp, -62135596800000000, "0001-01-01 00:00:00", "-62135596800000000"),
		in(kalam.KindTimestamp, -1, "1969-12-31 23:59:59.999999", "-1"),
		in(kalam.KindTimestamp, 0, "1970-01-01 00:00:00", "0"),
		in(kalam.KindTimestamp, 4133980799123456, "2100-12-31 23:59:59.123456", "4133980799123456"),
		in(kalam.KindTimestamp, 253402300799999999, "9999-12-31 23:59:59.999999", "253402300799999999"),
		in(kalam.KindDateTime, -1, "1969-12-31 23:59:59.999999+00", "-1"),
		in(kalam.KindDateTime, 1709164800500000, "2024-02-29 00:00:00.5+00", "1709164800500000"),
		in(kalam.KindDate, -719162, "0001-01-01", "-719162"),
		in(kalam.KindDate, 0, "1970-01-01", "0"),
		in(kalam.KindDate, 19782, "2024-02-29", "19782"),
		in(kalam.KindDate, 2932896, "9999-12-31", "2932896"),
		in(kalam.KindTime, 0, "00:00:00", "0"),
		in(kalam.KindTime, 86399999999, "23:59:59.999999", "86399999999"),
		{ty(kalam.KindJSON), kalam.JSON(`"x"`), `"x"`, `"\"x\""`},
		{ty(kalam.KindJSON), kalam.JSON(`[1, 2]`), `[1, 2]`, `"[1, 2]"`},
		{ty(kalam.KindJSON), kalam.JSON(`{"a":null}`), `{"a":null}`, `"{\"a\":null}"`},
		{ty(kalam.KindBytes), kalam.Bytes(""), `\x`, "[]"},
		{ty(kalam.KindBytes), kalam.Bytes("\x00"), `\x00`, "[0]"},
		{ty(kalam.KindBytes), kalam.Bytes("\x00\x01\xff"), `\x0001ff`, "[0,1,255]"},
		{ty(kalam.KindBytes), kalam.Bytes("\xff"), `\xff`, "[255]"},
		{ty(kalam.KindUUID), kalam.UUID([16]byte{}), "00000000-0000-0000-0000-000000000000",
			`"00000000-0000-0000-0000-000000000000"`},
		{ty(kalam.KindUUID), kalam.UUID([16]byte{0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0xfe, 0xdc, 0xba, 0x98,
			0x76, 0x54, 0x32, 0x10}),
			"01234567-89ab-cdef-fedc-ba9876543210", `"01234567-89ab-cdef-fedc-ba9876543210"`},
		{ty(kalam.KindUUID), kalam.UUID([16]byte{0xff}), "ff000000-0000-0000-0000-000000000000",
			`"ff000000-0000-0000-0000-000000000000"`},
	}
}

// wideTable has one column per sample, the first being the key.
func wideTable(ss []sample) (*kalam.Table, []kalam.Value) {
	t := &kalam.Table{ID: kalam.TableID{Namespace: "ns", Name: "t"}, Number: 1, Kind: kalam.KindUserTable,
		PrimaryKey: []int{0}, SchemaVersion: 1}
	var vals []kalam.Value
	for i, s := range ss {
		t.Columns = append(t.Columns, kalam.Column{ID: kalam.ColumnID(i*3 + 1), Name: fmt.Sprintf("c%d", i), Type: s.t})
		vals = append(vals, s.v)
	}
	return t, vals
}

// columnTable has the single key column c of type dt.
func columnTable(dt kalam.DataType) *kalam.Table {
	return &kalam.Table{
		ID: kalam.TableID{Namespace: "ns", Name: "t"}, Number: 1, Kind: kalam.KindUserTable, PrimaryKey: []int{0},
		Columns: []kalam.Column{{ID: 1, Name: "c", Type: dt, NotNull: true}}, SchemaVersion: 1,
	}
}

func TestEveryKindHasSamples(t *testing.T) {
	have := map[kalam.Kind]int{}
	for _, s := range samples(t) {
		have[s.t.Kind]++
	}
	for _, k := range kalam.Kinds() {
		if have[k] < 2 {
			t.Errorf("kind %s has %d samples, want at least 2: a new kind needs a case in every conversion", k, have[k])
		}
	}
}
