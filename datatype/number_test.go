package datatype_test

import (
	"math"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
)

// TestIntegerLiterals checks which number literals are integers: a key that is
// compared with 1.5 must never be found as 1 or 2.
func TestIntegerLiterals(t *testing.T) {
	for _, in := range []input{
		{t: "BIGINT", in: "1.5", err: "Type mismatch: expected BIGINT, got 1.5"},
		{t: "BIGINT", in: "-0.5", err: "Type mismatch: expected BIGINT, got -0.5"},
		{t: "BIGINT", in: "0.9999999999999999999999",
			err: "Type mismatch: expected BIGINT, got 0.9999999999999999999999"},
		{t: "BIGINT", in: "1.0", want: "1"}, {t: "BIGINT", in: "1.", want: "1"},
		{t: "BIGINT", in: "-1.000", want: "-1"}, {t: "BIGINT", in: "1e3", want: "1000"},
		{t: "BIGINT", in: "1.5e1", want: "15"},
		{t: "BIGINT", in: "1.55e1", err: "Type mismatch: expected BIGINT, got 1.55e1"},
		{t: "BIGINT", in: "10e-1", want: "1"},
		{t: "BIGINT", in: "15e-1", err: "Type mismatch: expected BIGINT, got 15e-1"},
		{t: "BIGINT", in: "1e-400", err: "Type mismatch: expected BIGINT, got 1e-400"},
		{t: "BIGINT", in: "-0", want: "0"}, {t: "BIGINT", in: "-0.0", want: "0"},
		{t: "BIGINT", in: "0e999999999", want: "0"}, {t: "BIGINT", in: "007", want: "7"},
		{t: "BIGINT", in: "9223372036854775807", want: "9223372036854775807"},
		{t: "BIGINT", in: "9223372036854775807.0", want: "9223372036854775807"},
		{t: "BIGINT", in: "9223372036854775808", err: "BIGINT value out of range"},
		{t: "BIGINT", in: "-9223372036854775808", want: "-9223372036854775808"},
		{t: "BIGINT", in: "-9223372036854775809", err: "BIGINT value out of range"},
		{t: "BIGINT", in: "9.3e18", err: "BIGINT value out of range"},
		{t: "BIGINT", in: "9007199254740993", want: "9007199254740993"},
		{t: "BIGINT", in: "9007199254740993e0", want: "9007199254740993"},
		{t: "BIGINT", in: "1e999999999999999999999", err: "BIGINT value out of range"},
		{t: "BIGINT", in: strings.Repeat("9", 1<<20), err: "BIGINT value out of range"},
		{t: "BIGINT", in: strings.Repeat("0", 1<<20) + "5", want: "5"},
		{t: "BIGINT", in: "5." + strings.Repeat("0", 1<<20), want: "5"},
		{t: "INT", in: "2147483647.0", want: "2147483647"}, {t: "INT", in: "2147483648", err: "INT value out of range"},
		{t: "INT", in: "-2147483648", want: "-2147483648"},
		{t: "INT", in: "2147483647.5", err: "Type mismatch: expected INT, got 2147483647.5"},
		{t: "SMALLINT", in: "32767", want: "32767"},
		{t: "SMALLINT", in: "3.2768e4", err: "SMALLINT value out of range"},
		{t: "SMALLINT", in: "-32768", want: "-32768"},
		{t: "BIGINT", in: "", err: "Type mismatch: expected BIGINT, got "},
		{t: "BIGINT", in: ".", err: "Type mismatch: expected BIGINT, got ."},
		{t: "BIGINT", in: "e5", err: "Type mismatch: expected BIGINT, got e5"},
		{t: "BIGINT", in: "1e+", err: "Type mismatch: expected BIGINT, got 1e+"},
		{t: "BIGINT", in: "1e5x", err: "Type mismatch: expected BIGINT, got 1e5x"},
		{t: "BIGINT", in: "--1", err: "Type mismatch: expected BIGINT, got --1"},
	} {
		got, err := datatype.FromNumber(typeNamed(t, in.t), in.in)
		check(t, in, got, err)
	}
}

// TestIntegerModel compares integers from literals with math/big.
func TestIntegerModel(t *testing.T) {
	literal := rapid.StringMatching(`-?[0-9]{1,22}(\.[0-9]{0,5})?([eE][+-]?[0-9]{1,2})?`)
	limits := map[kalam.Kind][2]int64{
		kalam.KindSmallInt: {math.MinInt16, math.MaxInt16}, kalam.KindInt: {math.MinInt32, math.MaxInt32},
		kalam.KindBigInt: {math.MinInt64, math.MaxInt64},
	}
	rapid.Check(t, func(t *rapid.T) {
		s := literal.Draw(t, "literal")
		exact, ok := new(big.Rat).SetString(s)
		if !ok {
			t.Fatalf("the reference does not read %q", s)
		}
		for kind, limit := range limits {
			v, err := datatype.FromNumber(kalam.TypeOf(kind), s)
			n := exact.Num()
			fits := exact.IsInt() && n.IsInt64() && n.Int64() >= limit[0] && n.Int64() <= limit[1]
			if fits != (err == nil) || fits && (v != kalam.Integer(kind, n.Int64())) {
				t.Fatalf("%s %q is %s: got %v, %v", kind, s, exact, datatype.Format(v), err)
			}
		}
	})
}

// TestNumberEdges covers forms of numbers that only few types read.
func TestNumberEdges(t *testing.T) {
	for _, c := range []struct {
		to   string
		v    kalam.Value
		want string
		err  string
	}{
		{to: "BOOLEAN", v: kalam.Double(1), want: "true"}, {to: "BOOLEAN", v: kalam.Float(0), want: "false"},
		{to: "BOOLEAN", v: kalam.Double(0.5), err: "Type mismatch: expected BOOLEAN, got 0.5"},
		{to: "TIMESTAMP", v: kalam.Double(1.5), err: "Type mismatch: expected TIMESTAMP, got 1.5"},
		{to: "UUID", v: kalam.Decimal(0, 15, 1), err: "Type mismatch: expected UUID, got 1.5"},
		{to: "BYTES", v: kalam.Bool(true), err: "Type mismatch: expected BYTES, got true"},
		{to: "TIMESTAMP", v: kalam.Integer(kalam.KindDate, 1<<40), err: "TIMESTAMP value out of range"},
		{to: "d38,0", v: kalam.Decimal(0x4B3B4CA85A86C47A, 0x098A224000000000, 0),
			err: "DECIMAL(38,0) value out of range"},
		{to: "d38,38", v: kalam.Decimal(0, 0, 0), want: "0." + strings.Repeat("0", 38)},
		{to: "d38,38", v: kalam.Decimal(1, 0, 0), err: "DECIMAL(38,38) value out of range"},
	} {
		got, err := datatype.Cast(typeNamed(t, c.to), c.v)
		check(t, input{t: c.to, in: datatype.Format(c.v), want: c.want, err: c.err}, got, err)
	}
	for _, in := range []input{
		{t: "TIMESTAMP", in: "2024-01-01_12:00", err: "Type mismatch: expected TIMESTAMP, got '2024-01-01_12:00'"},
		{t: "TIMESTAMP", in: "2024-01-01 12:00 ", want: "2024-01-01 12:00:00"},
		{t: "d10,2", in: "1e+", err: "Type mismatch: expected DECIMAL(10,2), got '1e+'"},
		{t: "d10,2", in: "1ex", err: "Type mismatch: expected DECIMAL(10,2), got '1ex'"},
		{t: "UUID", in: "0123456789abcdefghijklmnopqrstuv",
			err: "Type mismatch: expected UUID, got '0123456789abcdefghijklmnopqrstuv'"},
		{t: "UUID", in: strings.Repeat("é", 40),
			err: "Type mismatch: expected UUID, got '" + strings.Repeat("é", 32) + "...'"},
		{t: "UUID", in: "x" + strings.Repeat("é", 40),
			err: "Type mismatch: expected UUID, got 'x" + strings.Repeat("é", 31) + "...'"},
	} {
		got, err := datatype.FromText(typeNamed(t, in.t), in.in)
		check(t, in, got, err)
	}
	if got := datatype.Format(kalam.Null()); got != "NULL" {
		t.Errorf("NULL is %s", got)
	}
}

// TestLongText checks that 1 MB of anything is refused or taken in one pass, with
// a short message.
func TestLongText(t *testing.T) {
	for _, piece := range []string{"9", "0", "[", "{\"a\":", "\"", "a", "-", ".", "e", " ", "é", "\x00", "\xff", "0x",
		"ff", "2024-01-01 "} {
		s := strings.Repeat(piece, (1<<20)/len(piece))
		for _, k := range kalam.Kinds() {
			if _, err := datatype.FromText(kalam.TypeOf(k), s); err != nil && len(err.Error()) > 200 {
				t.Errorf("%s of %q...: message of %d bytes", k, piece, len(err.Error()))
			}
			if _, err := datatype.FromNumber(kalam.TypeOf(k), s); err != nil && len(err.Error()) > 200 {
				t.Errorf("%s of number %q...: message of %d bytes", k, piece, len(err.Error()))
			}
		}
	}
}

// TestNumber: a number of JSON keeps its digits or is refused (case A8).
func TestNumber(t *testing.T) {
	for text, want := range map[string]string{
		"1": "BIGINT 1", "-9223372036854775808": "BIGINT -9223372036854775808",
		"9007199254740993":    "BIGINT 9007199254740993",
		"9223372036854775808": "DECIMAL 9223372036854775808", "-18446744073709551617": "DECIMAL -18446744073709551617",
		"0.1": "DOUBLE 0.1", "0.10": "DOUBLE 0.1",
		"1.0": "DOUBLE 1.0", "1e3": "DOUBLE 1000.0", "-0.0": "DOUBLE -0.0", "0e9": "DOUBLE 0.0",
		"1e300": "DOUBLE 1e300", "5e-324": "DOUBLE 5e-324", "0.30000000000000004": "DOUBLE 0.30000000000000004",
		"9007199254740993.0": "DECIMAL 9007199254740993", "0.1000000000000000055": "DECIMAL 0.1000000000000000055",
		"123456789012345678.25":                   "DECIMAL 123456789012345678.25",
		"12345678901234567890123456789012345678":  "DECIMAL 12345678901234567890123456789012345678",
		"123456789012345678901234567890123456789": "", "1e400": "", "-1e400": "", "1e-400": "",
		"1.00000000000000000000000000000000000000001": "", "x": "",
	} {
		v, ok := datatype.Number(text)
		got := ""
		if ok {
			got = v.Kind().String() + " " + datatype.Format(v)
		}
		if got != want {
			t.Errorf("%s is %q, want %q", text, got, want)
		}
	}
}
