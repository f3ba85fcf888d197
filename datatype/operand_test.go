package datatype_test

import (
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
)

// TestOperand lists what literals and parameters mean beside expressions.
func TestOperand(t *testing.T) {
	dec := kalam.DataType{Kind: kalam.KindDecimal, Precision: 10, Scale: 2}
	wide := kalam.TypeOf(kalam.KindDecimal)
	ts := kalam.TypeOf(kalam.KindTimestamp)
	moment := kalam.Integer(kalam.KindTimestamp, 1767225600000000)
	for _, tt := range []struct {
		t     kalam.DataType
		v     kalam.Value
		want  kalam.Value
		keeps bool // The operand keeps its type.
		err   string
	}{
		{t: ts, v: kalam.Text("2026-01-01T02:00+02:00"), want: moment},
		{t: ts, v: kalam.BigInt(1767225600000000), want: moment},
		{t: ts, v: kalam.Double(1767225600000000), want: moment},
		{t: ts, v: kalam.Decimal(0, 17672256000000000, 1), want: moment},
		{t: ts, v: kalam.BigInt(99_999_999), want: kalam.Integer(kalam.KindTimestamp, 99_999_999)},
		{t: ts, v: kalam.BigInt(10_000_000_000_000), want: kalam.Integer(kalam.KindTimestamp, 10_000_000_000_000)},
		{t: ts, v: kalam.BigInt(100_000_000), err: coarse("TIMESTAMP", "100000000")},
		{t: ts, v: kalam.BigInt(-9_999_999_999_999), err: coarse("TIMESTAMP", "-9999999999999")},
		{t: kalam.TypeOf(kalam.KindDateTime), v: kalam.Double(1767225600000), err: coarse("DATETIME", "1767225600000")},
		{t: ts, v: kalam.Double(0.5), err: "Type mismatch: expected TIMESTAMP, got 0.5"},
		{t: ts, v: kalam.Null(), want: kalam.Null(), keeps: true},
		{t: ts, v: kalam.Bool(true), want: kalam.Bool(true), keeps: true},
		{t: kalam.TypeOf(kalam.KindDate), v: kalam.BigInt(20454), want: kalam.Integer(kalam.KindDate, 20454)},
		{t: kalam.TypeOf(kalam.KindDate), v: kalam.BigInt(1767225600), err: "DATE value out of range"},
		{t: kalam.TypeOf(kalam.KindTime), v: kalam.BigInt(1), want: kalam.Integer(kalam.KindTime, 1)},
		{t: kalam.TypeOf(kalam.KindText), v: kalam.Text("on"), want: kalam.Text("on"), keeps: true},
		{t: kalam.TypeOf(kalam.KindJSON), v: kalam.Text("[1]"), want: kalam.JSON("[1]")},
		{t: kalam.DataType{}, v: kalam.Text("x"), want: kalam.Text("x"), keeps: true},
		{t: kalam.TypeOf(kalam.KindBytes), v: kalam.Text("[222, 173]"), want: kalam.Bytes("\xde\xad")},
		{t: kalam.TypeOf(kalam.KindBytes), v: kalam.Text("[]"), want: kalam.Bytes("")},
		{t: kalam.TypeOf(kalam.KindBytes), v: kalam.Text(`\xDE\xAD`), want: kalam.Bytes("\xde\xad")},
		{t: kalam.TypeOf(kalam.KindBytes), v: kalam.Text(`\xDE\xA\xDB`),
			err: `Type mismatch: expected BYTES, got '\xDE\xA\xDB'`},
		{t: kalam.TypeOf(kalam.KindBytes), v: kalam.Text("[1,]"), err: "Type mismatch: expected BYTES, got '[1,]'"},
		{t: kalam.TypeOf(kalam.KindBytes), v: kalam.Text("[-1]"), err: "Type mismatch: expected BYTES, got '[-1]'"},
		{t: dec, v: kalam.Text("1.239"), want: kalam.Decimal(0, 124, 2)},
		{t: dec, v: kalam.Decimal(0, 1239, 3), want: kalam.Decimal(0, 1239, 3), keeps: true},
		{t: dec, v: kalam.Double(1.24), want: kalam.Decimal(0, 124, 2)},
		{t: dec, v: kalam.Double(1.239), want: kalam.Double(1.239), keeps: true},
		{t: wide, v: kalam.Double(123456789012.345), want: kalam.Decimal(66, 17082781258619593344, 10)},
		{t: kalam.TypeOf(kalam.KindInt), v: kalam.Double(1.5), want: kalam.Double(1.5), keeps: true},
		{t: kalam.TypeOf(kalam.KindInt), v: kalam.Text("1.5"), err: "Type mismatch: expected INT, got '1.5'"},
		{t: kalam.TypeOf(kalam.KindFloat), v: kalam.Double(0.1), want: kalam.Float(0.1)},
		{t: kalam.TypeOf(kalam.KindFloat), v: kalam.Double(1e300), want: kalam.Double(1e300), keeps: true},
		{t: kalam.TypeOf(kalam.KindDouble), v: kalam.Decimal(0, 30000000000000004, 17),
			want: kalam.Double(0.30000000000000004)},
	} {
		got, typed, err := datatype.Operand(tt.t, tt.v)
		switch {
		case tt.err != "":
			if err == nil || err.Error() != tt.err {
				t.Errorf("%v as %s: %v, want %s", tt.v, tt.t, err, tt.err)
			}
		case err != nil || got != tt.want || typed == tt.keeps:
			t.Errorf("%v as %s: %v, %v, %v; want %v", tt.v, tt.t, got, typed, err, tt.want)
		}
	}
}

func coarse(t, n string) string {
	return "Type mismatch: expected " + t + ", got " + n + ", which looks like seconds or milliseconds since 1970; " +
		"give microseconds or a text such as '2026-01-31T12:00:00Z'"
}
