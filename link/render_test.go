package link_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/link"
)

// one returns the result of a query that is answered with a schema and rows.
func one(t testing.TB, schema, rows string) *link.Result {
	t.Helper()
	f := newFake(t)
	f.answer(200,
		`{"status":"success","results":[{"schema":`+schema+`,"rows":`+rows+`,"row_count":1,"as_user":"a"}],"took":1}`)
	res, err := f.client(link.Options{}).Query(within(t), "SELECT 1")
	if err != nil {
		t.Fatal(err)
	}
	return res.Results[0]
}

func TestFormatCell(t *testing.T) {
	for _, c := range []struct {
		kind       kalam.Kind
		cell, want string
	}{
		{kalam.KindBoolean, "true", "true"},
		{kalam.KindInt, "-5", "-5"},
		{kalam.KindBigInt, `"9223372036854775807"`, "9223372036854775807"},
		{kalam.KindDecimal, `"-0.50"`, "-0.50"},
		{kalam.KindDouble, "3.0", "3.0"},
		{kalam.KindDouble, `"NaN"`, "NaN"},
		{kalam.KindFloat, "0.10000000149011612", "0.1"},
		{kalam.KindFloat, "3.0", "3.0"},
		{kalam.KindFloat, "1000000.0", "1000000.0"},
		{kalam.KindFloat, "3.4028234663852886e38", "3.4028235e+38"},
		{kalam.KindText, `"a\"\u00e9\n\\"`, "a\"é\n\\"},
		{kalam.KindText, `""`, ""},
		{kalam.KindJSON, `"{\"a\":1}"`, `{"a":1}`},
		{kalam.KindTimestamp, "0", "1970-01-01T00:00:00Z"},
		{kalam.KindTimestamp, "1767323045123456", "2026-01-02T03:04:05.123456Z"},
		{kalam.KindDateTime, "-1", "1969-12-31T23:59:59.999999Z"},
		{kalam.KindTimestamp, "253402300799999999", "9999-12-31T23:59:59.999999Z"},
		{kalam.KindDate, "-719162", "0001-01-01"},
		{kalam.KindDate, "20454", "2026-01-01"},
		{kalam.KindTime, "11045000001", "03:04:05.000001"},
		{kalam.KindTime, "11045100000", "03:04:05.1"},
		{kalam.KindBytes, "[0,255,16]", `\x00ff10`},
		{kalam.KindBytes, "[]", `\x`},
		{kalam.KindUUID, `"0198c5a0-0000-7000-8000-000000000000"`, "0198c5a0-0000-7000-8000-000000000000"},
		{kalam.KindText, "[1,[2]]", "[1,[2]]"},
		{kalam.KindTimestamp, "1.5", "1.5"},
		{kalam.KindBytes, "[300]", "[300]"},
	} {
		got, ok := link.FormatCell(kalam.DataType{Kind: c.kind}, json.RawMessage(c.cell))
		if !ok || got != c.want {
			t.Errorf("%s %s: got %q, want %q", c.kind, c.cell, got, c.want)
		}
	}
	for _, cell := range []string{"null", ""} {
		if _, ok := link.FormatCell(kalam.TypeOf(kalam.KindText), json.RawMessage(cell)); ok {
			t.Errorf("%q is not NULL", cell)
		}
	}
}

func TestJSONAndCSV(t *testing.T) {
	schema := `[{"name":"a","data_type":"BigInt"},{"name":"a","data_type":"Text"},{"name":"a_1","data_type":"Timestamp"},{"name":"<\"é>","data_type":"Text"}]`
	r := one(t, schema, `[["1","x,\"y\"",0,null],["2","",null," b"]]`)
	wantJSON := `[{"a":"1","a_1":"x,\"y\"","a_1_1":0,"<\"é>":null},` + "\n " +
		`{"a":"2","a_1":"","a_1_1":null,"<\"é>":" b"}]`
	if d := cmp.Diff(wantJSON, string(r.JSON())); d != "" {
		t.Error(d)
	}
	if !json.Valid(r.JSON()) {
		t.Error("invalid JSON")
	}
	wantCSV := "a,a,a_1,\"<\"\"é>\"\n1,\"x,\"\"y\"\"\",1970-01-01T00:00:00Z,\n2,\"\",,\" b\"\n"
	if d := cmp.Diff(wantCSV, string(r.CSV())); d != "" {
		t.Error(d)
	}
	empty := one(t, schema, `[]`)
	if string(empty.JSON()) != "[]" || string(empty.CSV()) != "a,a,a_1,\"<\"\"é>\"\n" {
		t.Errorf("empty result: %s, %s", empty.JSON(), empty.CSV())
	}
}

// TestCSVReadsBack checks that a reader of CSV gets every text back.
func TestCSVReadsBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		fields := rapid.SliceOfN(rapid.String(), 1, 5).Draw(t, "fields")
		var quoted []string
		for _, s := range fields {
			quoted = append(quoted, link.QuoteCSV(s))
		}
		got, err := csv.NewReader(strings.NewReader(strings.Join(quoted, ",") + "\n")).Read()
		if err != nil {
			t.Fatal(err)
		}
		for i := range fields {
			// encoding/csv reads the line end of two bytes as one.
			if want := strings.ReplaceAll(fields[i], "\r\n", "\n"); got[i] != want {
				t.Fatalf("got %q, want %q", got[i], want)
			}
		}
	})
}

// FuzzSplitRows compares the cells with those of encoding/json.
func FuzzSplitRows(f *testing.F) {
	for _, s := range []string{`[]`, ` [ [ 1 , "a" ] , [ null , {"b":[1,"]\"}"]} ] ] `, `[[],[]]`, `[[1],[2,3]]`, `null`,
		`5`, `[5]`, `[["\\"]]`, `[[-1.5e3,true]]`} {
		f.Add([]byte(s), 2)
	}
	f.Fuzz(func(t *testing.T, b []byte, columns int) {
		if columns < 0 || columns > 100 || !json.Valid(b) {
			return
		}
		got, err := link.SplitRows(b, columns)
		var want [][]json.RawMessage
		bad := json.Unmarshal(b, &want) != nil
		for _, row := range want {
			bad = bad || len(row) != columns || row == nil
		}
		if (err != nil) != bad {
			t.Fatalf("error %v for %s with %d columns", err, b, columns)
		}
		if err != nil {
			return
		}
		if len(got) != len(want) || (got == nil) != (want == nil) {
			t.Fatalf("got %d rows, want %d", len(got), len(want))
		}
		for i := range want {
			for j := range want[i] {
				if !bytes.Equal(got[i][j], bytes.TrimSpace(want[i][j])) {
					t.Fatalf("cell %d,%d: got %s, want %s", i, j, got[i][j], want[i][j])
				}
			}
		}
	})
}

// FuzzResponse decodes whatever a server could answer and shows it in every form.
func FuzzResponse(f *testing.F) {
	f.Add(200, []byte(`{"status":"success","results":[{"schema":[{"name":"a","data_type":"Bytes","flags":["pk"]},{"name":"a","data_type":{"Decimal":{"precision":3,"scale":1}}}],"rows":[[[1,2],"0.5"],[null,3]],"row_count":2,"as_user":"a"}],"took":1.5}`))
	f.Add(400, []byte(`{"status":"error","results":[],"took":1,"error":{"code":"INVALID_SQL","message":"m","statement_index":1}}`))
	for _, k := range kalam.Kinds() {
		name, _ := json.Marshal(kalam.TypeOf(k))
		f.Add(200, []byte(`{"status":"success","results":[{"schema":[{"name":"x","data_type":`+string(name)+`}],"rows":[[-9223372036854775808],["\\\u0000"],[{}],[[-1]],[1e400],[true]]}]}`))
	}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		res, err := link.DecodeResponse(status, body)
		if res == nil {
			if err == nil || err.Error() == "" {
				t.Fatalf("neither response nor error, but %v", err)
			}
			return
		}
		for _, r := range res.Results {
			if !json.Valid(r.JSON()) {
				t.Fatalf("invalid JSON %s of %s", r.JSON(), body)
			}
			records, err := csv.NewReader(bytes.NewReader(r.CSV())).ReadAll()
			if err != nil || len(r.Columns()) > 0 && len(records) != len(r.Rows())+1 {
				t.Fatalf("CSV of %d records, %v: %q of %s", len(records), err, r.CSV(), body)
			}
		}
		if _, err := json.Marshal(res.Envelope()); err != nil {
			t.Fatal(err)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	row := `["123456789","some text that is not short",1767323045123456,null,1.5]`
	rows := "[" + strings.TrimSuffix(strings.Repeat(row+",", 1000), ",") + "]"
	b.ReportAllocs()
	b.SetBytes(int64(len(rows)))
	for b.Loop() {
		if _, err := link.SplitRows(json.RawMessage(rows), 5); err != nil {
			b.Fatal(err)
		}
	}
}
