package transfer

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/kalamlake/kalam/link"
)

// shown is a record in short: its number, its line, and the values by their kinds.
func shown(r record, err error) string {
	var bad *badRecord
	switch {
	case errors.As(err, &bad):
		return fmt.Sprintf("%d@%d bad: %s", bad.number, bad.line, bad.reason)
	case err != nil:
		return err.Error()
	}
	text := fmt.Sprintf("%d@%d", r.number, r.line)
	for _, v := range r.values {
		text += " " + []string{"NULL", "t:", "q:", "n:", "b:", "j:"}[v.kind] + v.text
	}
	return text
}

// records reads all records.
func records(r reader) (out []string) {
	for {
		rec, err := r.next()
		out = append(out, shown(rec, err))
		var bad *badRecord
		if err != nil && !errors.As(err, &bad) {
			return out
		}
	}
}

func TestReaders(t *testing.T) {
	for _, c := range []struct {
		name, format, text string
		options            LoadOptions
		columns            string
		want               []string
	}{
		{name: "csv", format: CSV, text: "a,b\r\n1,\"x \"\"y\"\",\n\r\nz\"\r\n\r\n,\n\"\",'q'", columns: "a,b",
			want: []string{"1@2 t:1 q:x \"y\",\n\r\nz", "2@6 NULL NULL", "3@7 q: t:'q'", "EOF"}},
		{name: "csv of one column", format: CSV, text: "a\n1\n\n2\n", columns: "a",
			want: []string{"1@2 t:1", "2@3 NULL", "3@4 t:2", "EOF"}},
		{name: "csv that is wrong", format: CSV, text: "a,b\n1\n\"x\"y,2\n1,2,3\n5,6\n\"open,1\n", columns: "a,b",
			want: []string{"1@2 bad: 1 fields where the file has 2 columns",
				"2@3 bad: a quoted field that does not end, or goes on behind its quote",
				"3@4 bad: 3 fields where the file has 2 columns", "4@5 t:5 t:6",
				"5@6 bad: a quoted field that does not end, or goes on behind its quote", "EOF"}},
		{name: "null", format: CSV, text: "NA,\"NA\"\n", options: LoadOptions{NoHeader: true, Null: "NA", Columns: []string{"a", "b"}},
			columns: "a,b", want: []string{"1@1 NULL q:NA", "EOF"}},
		{name: "a quote inside", format: CSV, text: "a\nx\"y\n\"z\n", columns: "a",
			want: []string{"1@2 t:x\"y\n\"z", "EOF"}},
		{name: "tsv", format: TSV, text: "a\tb\n\\N\t\n\\\\N\tx\\ty\\n\n\"q\t2\n", columns: "a,b",
			want: []string{"1@2 NULL t:", "2@3 t:\\N t:x\ty\n", "3@4 t:\"q t:2", "EOF"}},
		{name: "ndjson", format: NDJSON, text: "{\"a\":1}\n\n{\"b\":\"x\",\"a\":null}\n[1]\n{\"a\":1}{\n{\"a\":1,\"a\":2}\n{\"a\":{\"x\": 1}}",
			columns: "a,b", want: []string{"1@1 n:1 NULL", "2@3 NULL q:x", "3@4 bad: not a JSON object",
				"4@5 bad: something follows the object", "5@6 bad: member \"a\" comes twice", "6@7 j:{\"x\": 1} NULL", "EOF"}},
		{name: "a late column", format: NDJSON, text: "{\"a\":1}\n{\"a\":true,\"b\":2}\n{\"a\":3}", options: LoadOptions{Sample: 1}, columns: "a",
			want: []string{"1@1 n:1", "2@2 bad: member \"b\" is in none of the first objects, so there is no column for it", "3@3 n:3", "EOF"}},
		{name: "array", format: JSON, text: " [ {\"a\":1}\n,{\"a\":\"\\u00e9\"} ] ", columns: "a", want: []string{"1@0 n:1", "2@0 q:é", "EOF"}},
		{name: "objects", format: JSON, text: "{\"a\":1}\n{\"a\":2}", columns: "a", want: []string{"1@0 n:1", "2@0 n:2", "EOF"}},
		{name: "array that does not end", format: JSON, text: "[{\"a\":1}", columns: "a",
			want: []string{"1@0 n:1", "byte 8: the array does not end: unexpected EOF"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.options.Sample == 0 {
				c.options.Sample = 100
			}
			// A reader that gives one byte at a time finds what a full buffer hides.
			for _, in := range []io.Reader{strings.NewReader(c.text), iotest.OneByteReader(strings.NewReader(c.text))} {
				r, err := openReader(in, c.format, &c.options)
				if err != nil {
					t.Fatal(err)
				}
				if got := strings.Join(r.columns(), ","); got != c.columns {
					t.Errorf("columns %s, want %s", got, c.columns)
				}
				if d := cmp.Diff(c.want, records(r)); d != "" {
					t.Error(d)
				}
			}
		})
	}
}

// FuzzDelimited reads what encoding/csv writes, and any text without a panic.
func FuzzDelimited(f *testing.F) {
	f.Add("a", "b\"", "c,\n")
	f.Add("", "\r", " x ")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		if r, err := newDelimited(strings.NewReader(a+b+c), ',', "", []string{"x", "y"}); err == nil {
			records(r)
		}
		var text strings.Builder
		w := csv.NewWriter(&text)
		if err := w.WriteAll([][]string{{"h", "i", "j"}, {a, b, c}}); err != nil {
			t.Fatal(err)
		}
		r, err := newDelimited(strings.NewReader(text.String()), ',', "", nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := r.next()
		if err != nil {
			t.Fatalf("%q: %v", text.String(), err)
		}
		for i, want := range []string{a, b, c} {
			if got.values[i].text != want {
				t.Fatalf("%q: field %d is %q, want %q", text.String(), i, got.values[i].text, want)
			}
		}
		if line := link.QuoteCSV(a) + "," + link.QuoteCSV(b) + "," + link.QuoteCSV(c) + "\n"; line != "" {
			r, err := newDelimited(strings.NewReader(line), ',', "", []string{"h", "i", "j"})
			if err != nil {
				t.Fatal(err)
			}
			if got, err := r.next(); err != nil || got.values[0].text != a || got.values[0].kind == null {
				t.Fatalf("%q: %v, %v", line, got, err)
			}
		}
	})
}

func TestGuessedTypes(t *testing.T) {
	for _, c := range []struct{ values, want string }{
		{"", "TEXT"},
		{"true|FALSE|", "BOOLEAN"},
		{"1|-7|9223372036854775807", "BIGINT"},
		{"1|2.5|1e9", "DOUBLE"},
		{"1|9223372036854775808", "TEXT"}, // A DOUBLE would lose digits.
		{"01234|12345", "TEXT"},
		{"+4912345", "TEXT"},
		{"1|x", "TEXT"},
		{"2026-01-31|2026-02-01", "DATE"},
		{"2026-01-31|2026-02-01 12:00", "TIMESTAMP"},
		{"2026-01-31T12:00:00Z|2026-01-31 12:00:00.123456+02:00", "TIMESTAMP"},
		{"2026-02-30", "TEXT"},
		{"31.01.2026", "TEXT"},
		{"12:30|23:59:59.5", "TIME"},
		{"123e4567-e89b-12d3-a456-426614174000", "UUID"},
		{"{\"a\":1}|[1]", "JSON"},
		{"{a}", "TEXT"},
		{"[1|2]", "TEXT"},
	} {
		var sample []record
		for v := range strings.SplitSeq(c.values, "|") {
			sample = append(sample, record{values: []value{{text, v}}})
		}
		g := guessTypes(1, sample)
		if got := g[0].kind().String(); got != c.want {
			t.Errorf("%q is guessed %s, want %s", c.values, got, c.want)
		}
	}
}

func TestIdentifiers(t *testing.T) {
	names := []string{"id", "First Name", "First-Name", "1st", "", "Straße", strings.Repeat("x", 80), "_seq", "order", "ORDER"}
	want := []string{"id", "first_name", "first_name_2", "c_1st", "column_5", "stra_e", strings.Repeat("x", 60), "seq", "order", "order_2"}
	if d := cmp.Diff(want, identifiers(names)); d != "" {
		t.Error(d)
	}
}

func TestReadableFigures(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", -1234567: "-1,234,567"} {
		if got := Count(n); got != want {
			t.Errorf("Count(%d) = %s, want %s", n, got, want)
		}
	}
	for n, want := range map[int64]string{1023: "1023 B", 1024: "1.0 KiB", 10 << 20: "10.0 MiB", 1 << 50: "1024.0 TiB"} {
		if got := Bytes(n); got != want {
			t.Errorf("Bytes(%d) = %s, want %s", n, got, want)
		}
	}
}

func TestStateSpans(t *testing.T) {
	s := &state{}
	for _, d := range []span{{5, 7}, {1, 3}, {9, 10}, {3, 5}, {7, 9}} {
		s.finish(d)
	}
	if d := cmp.Diff([]span{{1, 10}}, s.Done); d != "" {
		t.Error(d)
	}
	s = &state{Done: []span{{1, 3}, {5, 6}}}
	for record, want := range map[int64]bool{0: false, 1: true, 2: true, 3: false, 5: true, 6: false} {
		if within(s.Done, record) != want {
			t.Errorf("record %d: %t", record, !want)
		}
	}
}
