package datatype_test

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
)

// input is a literal for a type and what comes of it: the text of the value, or
// the error's message.
type input struct {
	t    string // kind, or "d<p>,<s>"
	in   string
	want string
	err  string
}

func typeNamed(t testing.TB, name string) kalam.DataType {
	t.Helper()
	switch name {
	case "d10,2":
		return kalam.DataType{Kind: kalam.KindDecimal, Precision: 10, Scale: 2}
	case "d38,0":
		return kalam.DataType{Kind: kalam.KindDecimal, Precision: 38}
	case "d38,38":
		return kalam.DataType{Kind: kalam.KindDecimal, Precision: 38, Scale: 38}
	}
	for _, k := range kalam.Kinds() {
		if k.String() == name {
			return kalam.TypeOf(k)
		}
	}
	t.Fatalf("no type %s", name)
	return kalam.DataType{}
}

func check(t *testing.T, in input, got kalam.Value, err error) {
	t.Helper()
	if in.err != "" {
		if err == nil || err.Error() != in.err || kalam.CodeOf(err) != kalam.CodeConstraint {
			t.Errorf("%s %q: error %v, want %s", in.t, in.in, err, in.err)
		}
		return
	}
	if err != nil || datatype.Format(got) != in.want {
		t.Errorf("%s %q = %q, %v, want %q", in.t, in.in, datatype.Format(got), err, in.want)
	}
	if k := typeNamed(t, in.t).Kind; got.Kind() != k {
		t.Errorf("%s %q has kind %s", in.t, in.in, got.Kind())
	}
}

func TestFromText(t *testing.T) {
	long := strings.Repeat("x", 200)
	for _, in := range []input{
		{t: "BOOLEAN", in: "TRUE", want: "true"}, {t: "BOOLEAN", in: " f ", want: "false"},
		{t: "BOOLEAN", in: "1", want: "true"},
		{t: "BOOLEAN", in: "2", err: "Type mismatch: expected BOOLEAN, got '2'"},
		{t: "INT", in: "abc", err: "Type mismatch: expected INT, got 'abc'"},
		{t: "INT", in: "", err: "Type mismatch: expected INT, got ''"},
		{t: "INT", in: " 12 ", want: "12"}, {t: "INT", in: "+12", want: "12"}, {t: "INT", in: "1e3", want: "1000"},
		{t: "INT", in: "5.0", want: "5"},
		{t: "INT", in: "5.5", err: "Type mismatch: expected INT, got '5.5'"},
		{t: "INT", in: "2147483648", err: "INT value out of range"},
		{t: "INT", in: "-2147483649", err: "INT value out of range"},
		{t: "SMALLINT", in: "32768", err: "SMALLINT value out of range"},
		{t: "BIGINT", in: "9223372036854775808", err: "BIGINT value out of range"},
		{t: "BIGINT", in: "-9223372036854775809", err: "BIGINT value out of range"},
		{t: "BIGINT", in: "-9223372036854775808", want: "-9223372036854775808"},
		{t: "BIGINT", in: "1e400", err: "BIGINT value out of range"}, {t: "BIGINT", in: "0e400", want: "0"},
		{t: "BIGINT", in: "0x10", err: "Type mismatch: expected BIGINT, got '0x10'"},
		{t: "BIGINT", in: "1_000", err: "Type mismatch: expected BIGINT, got '1_000'"},
		{t: "DOUBLE", in: "1e308", want: "1e308"}, {t: "DOUBLE", in: "1e309", err: "DOUBLE value out of range"},
		{t: "DOUBLE", in: "1e-400", want: "0.0"}, {t: "DOUBLE", in: "nan", want: "NaN"},
		{t: "DOUBLE", in: "-Infinity", want: "-Infinity"},
		{t: "DOUBLE", in: "0x1p4", err: "Type mismatch: expected DOUBLE, got '0x1p4'"},
		{t: "FLOAT", in: "1e39", err: "FLOAT value out of range"}, {t: "FLOAT", in: ".5", want: "0.5"},
		{t: "FLOAT", in: "5.", want: "5.0"},
		{t: "d10,2", in: "1.005", want: "1.01"}, {t: "d10,2", in: "-1.005", want: "-1.01"},
		{t: "d10,2", in: "1.0049999", want: "1.00"},
		{t: "d10,2", in: "-0.004", want: "0.00"}, {t: "d10,2", in: "99999999.994", want: "99999999.99"},
		{t: "d10,2", in: "99999999.995", err: "DECIMAL(10,2) value out of range"},
		{t: "d10,2", in: "100000000", err: "DECIMAL(10,2) value out of range"},
		{t: "d10,2", in: "1.2.3", err: "Type mismatch: expected DECIMAL(10,2), got '1.2.3'"},
		{t: "d10,2", in: "12e-1", want: "1.20"}, {t: "d10,2", in: "1e7", want: "10000000.00"},
		{t: "d10,2", in: "e7", err: "Type mismatch: expected DECIMAL(10,2), got 'e7'"},
		{t: "d10,2", in: "1e", err: "Type mismatch: expected DECIMAL(10,2), got '1e'"},
		{t: "d10,2", in: "NaN", err: "Type mismatch: expected DECIMAL(10,2), got 'NaN'"},
		{t: "d38,0", in: strings.Repeat("9", 38) + ".4", want: strings.Repeat("9", 38)},
		{t: "d38,0", in: strings.Repeat("9", 38) + ".5", err: "DECIMAL(38,0) value out of range"},
		{t: "d38,0", in: strings.Repeat("9", 60), err: "DECIMAL(38,0) value out of range"},
		{t: "d38,0", in: strings.Repeat("0", 60) + "7", want: "7"}, {t: "d38,0", in: "1e-99999999999", want: "0"},
		{t: "d38,0", in: "1e99999999999", err: "DECIMAL(38,0) value out of range"},
		{t: "d38,38", in: "0." + strings.Repeat("0", 37) + "15", want: "0." + strings.Repeat("0", 37) + "2"},
		{t: "d38,38", in: "1", err: "DECIMAL(38,38) value out of range"},
		{t: "TEXT", in: "", want: ""}, {t: "TEXT", in: "  ", want: "  "}, {t: "TEXT", in: "a\x00b", want: "a\x00b"},
		{t: "TEXT", in: "a\xffb", err: "Type mismatch: expected TEXT, got 'a\uFFFDb'"},
		{t: "JSON", in: "{", err: "Invalid JSON value: expected object or array"}, {t: "JSON", in: " 5 ", want: " 5 "},
		{t: "UUID", in: "{0123456789ABCDEFfedcba9876543210}", want: "01234567-89ab-cdef-fedc-ba9876543210"},
		{t: "UUID", in: "01234567-89ab-cdef-fedcb-a9876543210",
			err: "Type mismatch: expected UUID, got '01234567-89ab-cdef-fedcb-a9876543210'"},
		{t: "UUID", in: long, err: "Type mismatch: expected UUID, got '" + long[:64] + "...'"},
		{t: "BYTES", in: "0x", want: `\x`}, {t: "BYTES", in: "", want: `\x`},
		{t: "BYTES", in: "0X00fF", want: `\x00ff`}, {t: "BYTES", in: `\xDE`, want: `\xde`},
		{t: "BYTES", in: "0x0", err: "Type mismatch: expected BYTES, got '0x0'"},
		{t: "BYTES", in: "0xZZ", err: "Type mismatch: expected BYTES, got '0xZZ'"},
		{t: "BYTES", in: "aGk=", want: `\x6869`}, {t: "BYTES", in: "aGk", want: `\x6869`},
		{t: "BYTES", in: "aG\nk=", err: "Type mismatch: expected BYTES, got 'aG\nk='"},
		{t: "BYTES", in: "aGl=", err: "Type mismatch: expected BYTES, got 'aGl='"},
		{t: "BYTES", in: "no!", err: "Type mismatch: expected BYTES, got 'no!'"},
	} {
		got, err := datatype.FromText(typeNamed(t, in.t), in.in)
		check(t, in, got, err)
	}
}

func TestFromTextTimes(t *testing.T) {
	bad := func(k, in string) input {
		return input{t: k, in: in, err: "Type mismatch: expected " + k + ", got '" + in + "'"}
	}
	for _, in := range []input{
		{t: "TIMESTAMP", in: "2024-03-31 02:30:00", want: "2024-03-31 02:30:00"},
		{t: "TIMESTAMP", in: "2024-03-31T02:30:00+01:00", want: "2024-03-31 01:30:00"},
		{t: "TIMESTAMP", in: "2024-03-31T03:00:00+02:00", want: "2024-03-31 01:00:00"},
		{t: "TIMESTAMP", in: "2024-01-01T00:30:00.5-0130", want: "2024-01-01 02:00:00.5"},
		{t: "TIMESTAMP", in: "2024-01-01 00:30:00 +05:30", want: "2023-12-31 19:00:00"},
		{t: "TIMESTAMP", in: "2024-01-01 00:30:00+14", want: "2023-12-31 10:30:00"},
		{t: "TIMESTAMP", in: "2024-01-01T00:00:00Z", want: "2024-01-01 00:00:00"},
		{t: "TIMESTAMP", in: "2024-01-01 00:00 UTC", want: "2024-01-01 00:00:00"},
		{t: "TIMESTAMP", in: " 2024-02-29 ", want: "2024-02-29 00:00:00"},
		{t: "TIMESTAMP", in: "1970-01-01T00:00:00.000001Z", want: "1970-01-01 00:00:00.000001"},
		{t: "TIMESTAMP", in: "2100-12-31T23:59:59.999999999Z", want: "2100-12-31 23:59:59.999999"},
		{t: "DATETIME", in: "2024-06-01 12:00:00+02", want: "2024-06-01 10:00:00+00"},
		{t: "TIMESTAMP", in: "0001-01-01 00:00:00+01", err: "TIMESTAMP value out of range"},
		bad("TIMESTAMP", "2024-01-01 23:59:60"), bad("TIMESTAMP", "2024-01-01 24:00:00"),
		bad("TIMESTAMP", "2023-02-29 00:00:00"),
		bad("TIMESTAMP", "1900-02-29"), bad("TIMESTAMP", "2024-13-01"), bad("TIMESTAMP", "2024-00-01"),
		bad("TIMESTAMP", "2024-04-31"),
		bad("TIMESTAMP", "0000-01-01"), bad("TIMESTAMP", "2024-1-1"), bad("TIMESTAMP", "20240101"),
		bad("TIMESTAMP", "01/02/2024"), bad("TIMESTAMP", ""),
		bad("TIMESTAMP", "2024-01-01 "+"x"), bad("TIMESTAMP", "2024-01-01T"), bad("TIMESTAMP", "2024-01-01 12"),
		bad("TIMESTAMP", "2024-01-01 12:00:00."),
		bad("TIMESTAMP", "2024-01-01 12:00:00.1234567890"), bad("TIMESTAMP", "2024-01-01 12:00:00+"),
		bad("TIMESTAMP", "2024-01-01 12:00:00+1"),
		bad("TIMESTAMP", "2024-01-01 12:00:00+01:"), bad("TIMESTAMP", "2024-01-01 12:00:00+01:60"),
		bad("TIMESTAMP", "2024-01-01 12:00:00+16:00"),
		bad("TIMESTAMP", "2024-01-01 12:00:00 Mars/Olympus"), bad("TIMESTAMP", "now"), bad("TIMESTAMP", "infinity"),
		bad("TIMESTAMP", "2024-01-01 12:00:00\x00"),
		{t: "DATE", in: "2024-02-29", want: "2024-02-29"}, bad("DATE", "2024-02-29 00:00:00"),
		bad("DATE", "2024-02-30"),
		{t: "TIME", in: "12:34", want: "12:34:00"}, {t: "TIME", in: "23:59:59.9", want: "23:59:59.9"},
		bad("TIME", "23:59:60"), bad("TIME", "24:00:00"),
		bad("TIME", "12:00:00Z"), bad("TIME", "1:00"),
	} {
		got, err := datatype.FromText(typeNamed(t, in.t), in.in)
		check(t, in, got, err)
	}
}

// TestCalendar compares with package time for every day of 1 to 9999.
func TestCalendar(t *testing.T) {
	day := time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)
	for ; day.Year() < 10000; day = day.AddDate(0, 0, 1) {
		text := day.Format(time.DateOnly)
		got, err := datatype.FromText(kalam.TypeOf(kalam.KindDate), text)
		if err != nil || got.Int() != day.Unix()/86400 && got.Int()*86400 != day.Unix() {
			t.Fatalf("%s = %d, %v", text, got.Int(), err)
		}
		if s := datatype.Format(got); s != text {
			t.Fatalf("%s is formatted as %s", text, s)
		}
	}
}

func TestFromNumber(t *testing.T) {
	for _, in := range []input{
		{t: "INT", in: "-12", want: "-12"}, {t: "INT", in: "1.5", err: "Type mismatch: expected INT, got 1.5"},
		{t: "INT", in: "3000000000", err: "INT value out of range"},
		{t: "DOUBLE", in: "12", want: "12.0"}, {t: "FLOAT", in: "1.5e3", want: "1500.0"},
		{t: "d10,2", in: "1.5e3", want: "1500.00"},
		{t: "TEXT", in: "1.50", want: "1.50"}, {t: "JSON", in: "1.50", want: "1.50"},
		{t: "JSON", in: ".5", err: "Invalid JSON value: expected object or array"},
		{t: "BOOLEAN", in: "1", want: "true"}, {t: "BOOLEAN", in: "0", want: "false"},
		{t: "BOOLEAN", in: "2", err: "Type mismatch: expected BOOLEAN, got 2"},
		{t: "TIMESTAMP", in: "1709164800500000", want: "2024-02-29 00:00:00.5"},
		{t: "TIMESTAMP", in: "9e18", err: "TIMESTAMP value out of range"},
		{t: "TIMESTAMP", in: "9e40", err: "TIMESTAMP value out of range"},
		{t: "TIMESTAMP", in: "1.5", err: "Type mismatch: expected TIMESTAMP, got 1.5"},
		{t: "DATE", in: "19782", want: "2024-02-29"}, {t: "DATE", in: "3000000", err: "DATE value out of range"},
		{t: "TIME", in: "1000000", want: "00:00:01"}, {t: "TIME", in: "-1", err: "TIME value out of range"},
		{t: "TIME", in: "86400000000", err: "TIME value out of range"},
		{t: "UUID", in: "1", err: "Type mismatch: expected UUID, got 1"},
		{t: "BYTES", in: "1", err: "Type mismatch: expected BYTES, got 1"},
	} {
		got, err := datatype.FromNumber(typeNamed(t, in.t), in.in)
		check(t, in, got, err)
	}
}

func TestFromBool(t *testing.T) {
	for _, in := range []input{
		{t: "BOOLEAN", in: "true", want: "true"}, {t: "TEXT", in: "false", want: "false"},
		{t: "JSON", in: "true", want: "true"},
		{t: "INT", in: "true", err: "Type mismatch: expected INT, got true"},
		{t: "DATE", in: "false", err: "Type mismatch: expected DATE, got false"},
	} {
		got, err := datatype.FromBool(typeNamed(t, in.t), in.in == "true")
		check(t, in, got, err)
	}
}

func TestCast(t *testing.T) {
	ts := kalam.Integer(kalam.KindTimestamp, -1)
	for _, c := range []struct {
		to   string
		v    kalam.Value
		want string
		err  string
	}{
		{to: "INT", v: kalam.BigInt(7), want: "7"},
		{to: "INT", v: kalam.BigInt(1 << 40), err: "INT value out of range"},
		{to: "INT", v: kalam.Double(7), want: "7"},
		{to: "INT", v: kalam.Double(7.5), err: "Type mismatch: expected INT, got 7.5"},
		{to: "BIGINT", v: kalam.Double(-1 << 63), want: "-9223372036854775808"},
		{to: "BIGINT", v: kalam.Double(1 << 63), err: "BIGINT value out of range"},
		{to: "BIGINT", v: kalam.Double(math.NaN()), err: "Type mismatch: expected BIGINT, got NaN"},
		{to: "BIGINT", v: kalam.Decimal(0, 12300, 2), want: "123"},
		{to: "BIGINT", v: kalam.Decimal(0, 12345, 2), err: "Type mismatch: expected BIGINT, got 123.45"},
		{to: "BIGINT", v: kalam.Decimal(1, 0, 0), err: "BIGINT value out of range"},
		{to: "BIGINT", v: kalam.Decimal(-1, 1<<63, 0), want: "-9223372036854775808"},
		{to: "d10,2", v: kalam.Double(0.1), want: "0.10"}, {to: "d10,2", v: kalam.Float(0.1), want: "0.10"},
		{to: "d10,2", v: kalam.Double(1e20), err: "DECIMAL(10,2) value out of range"},
		{to: "d10,2", v: kalam.Double(math.Inf(1)), err: "Type mismatch: expected DECIMAL(10,2), got Infinity"},
		{to: "d10,2", v: kalam.BigInt(-5), want: "-5.00"}, {to: "d10,2", v: kalam.Decimal(0, 12345, 4), want: "1.23"},
		{to: "d10,2", v: kalam.Decimal(0, 12350, 4), want: "1.24"},
		{to: "d10,2", v: kalam.Decimal(0, 10_000_000_000, 2), err: "DECIMAL(10,2) value out of range"},
		{to: "d38,38", v: kalam.Decimal(0, 1, 0), err: "DECIMAL(38,38) value out of range"},
		{to: "d38,0", v: kalam.Decimal(0x4B3B4CA85A86C47A, 0x098A223FFFFFFFFF, 38), want: "1"},
		{to: "DOUBLE", v: kalam.Decimal(0, 1, 1), want: "0.1"}, {to: "FLOAT", v: kalam.Decimal(0, 1, 1), want: "0.1"},
		{to: "FLOAT", v: kalam.Double(1e300), err: "FLOAT value out of range"},
		{to: "BOOLEAN", v: kalam.BigInt(1), want: "true"},
		{to: "BOOLEAN", v: kalam.BigInt(3), err: "Type mismatch: expected BOOLEAN, got 3"},
		{to: "DATE", v: ts, want: "1969-12-31"}, {to: "TIME", v: ts, want: "23:59:59.999999"},
		{to: "DATETIME", v: ts, want: "1969-12-31 23:59:59.999999+00"},
		{to: "TIMESTAMP", v: kalam.Integer(kalam.KindDate, -1), want: "1969-12-31 00:00:00"},
		{to: "TIMESTAMP", v: kalam.Integer(kalam.KindTime, 1),
			err: "Type mismatch: expected TIMESTAMP, got '00:00:00.000001'"},
		{to: "BIGINT", v: ts, err: "Type mismatch: expected BIGINT, got '1969-12-31 23:59:59.999999'"},
		{to: "JSON", v: kalam.Text("[1"), err: "Invalid JSON value: expected object or array"},
		{to: "JSON", v: kalam.BigInt(1), want: "1"}, {to: "TEXT", v: kalam.JSON("{}"), want: "{}"},
		{to: "INT", v: kalam.JSON("5"), err: "Type mismatch: expected INT, got '5'"},
		{to: "TEXT", v: kalam.Bytes("\xff"), want: `\xff`},
		{to: "BYTES", v: kalam.UUID([16]byte{}),
			err: "Type mismatch: expected BYTES, got '00000000-0000-0000-0000-000000000000'"},
	} {
		got, err := datatype.Cast(typeNamed(t, c.to), c.v)
		check(t, input{t: c.to, in: datatype.Format(c.v), want: c.want, err: c.err}, got, err)
	}
}

// TestCastAllPairs checks that every pair of kinds gives the wanted kind or a
// constraint error.
func TestCastAllPairs(t *testing.T) {
	for _, s := range samples(t) {
		for _, k := range kalam.Kinds() {
			got, err := datatype.Cast(kalam.TypeOf(k), s.v)
			switch {
			case err == nil && got.Kind() != k:
				t.Errorf("Cast(%s, %s %s) has kind %s", k, s.t, s.text, got.Kind())
			case err != nil && kalam.CodeOf(err) != kalam.CodeConstraint:
				t.Errorf("Cast(%s, %s %s): %v", k, s.t, s.text, err)
			}
		}
	}
}

func TestForColumn(t *testing.T) {
	_, rangeErr := datatype.FromText(kalam.TypeOf(kalam.KindInt), "99999999999")
	for _, c := range []struct {
		err  error
		want string
	}{
		{rangeErr, "INT value out of range for column 'c'"},
		{datatype.CheckJSON("["), "Invalid JSON value for column 'c': expected object or array"},
		{errors.New("other"), "other"},
	} {
		if got := datatype.ForColumn(c.err, "c"); got.Error() != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
	if datatype.ForColumn(nil, "c") != nil {
		t.Error("nil became an error")
	}
}

func TestTextDoesNotAllocate(t *testing.T) {
	text, num := strings.Repeat("é", 100), kalam.TypeOf(kalam.KindBigInt)
	doc := `{"a":[1,2,{"b":"\u00e9"}]}`
	table, vals := wideTable(samples(t))
	buf := datatype.EncodeRow(nil, table, vals)
	scratch := make([]byte, 0, len(buf))
	dst := make([]kalam.Value, len(vals))
	for name, f := range map[string]func() error{
		"TEXT":   func() error { _, err := datatype.FromText(kalam.TypeOf(kalam.KindText), text); return err },
		"BIGINT": func() error { _, err := datatype.FromNumber(num, "-12345"); return err },
		"JSON":   func() error { return datatype.CheckJSON(doc) },
		"TIMESTAMP": func() error {
			_, err := datatype.FromText(kalam.TypeOf(kalam.KindTimestamp), "2024-01-01T00:00:00.5+01:00")
			return err
		},
		"DECIMAL": func() error {
			_,
				err := datatype.FromText(kalam.TypeOf(kalam.KindDecimal), "12345.678")
			return err
		},
		"EncodeRow": func() error { datatype.EncodeRow(scratch, table, vals); return nil },
		"EncodeKey": func() error { datatype.EncodeKey(scratch, table, vals); return nil },
		"DecodeRow": func() error { _, err := datatype.DecodeRow(table, buf, dst); return err },
	} {
		if n := testing.AllocsPerRun(100, func() {
			if err := f(); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}
