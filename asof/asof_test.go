package asof_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/asof"
)

func TestFind(t *testing.T) {
	for _, tt := range []struct {
		sql  string
		want []asof.Clause
	}{
		{"SELECT 1", nil},
		{"SELECT ts AT TIME ZONE 'UTC' FROM t", nil},
		{"SELECT 'x AT (SEQ => 1)' /* t AT (SEQ => 1) */, struct_pack(at := 1), f(a => 1) FROM t", nil},
		{"FROM t AT (SEQ => 5)", []asof.Clause{{Start: 5, End: 20, Parts: []string{"t"}, Value: "5", ValuePos: 18}}},
		{`FROM a."T" "at" (timestamp => TIMESTAMP '2026-01-31') AS x`, []asof.Clause{{Start: 5, End: 53,
			Parts: []string{"a", "t"}, Aliased: true, Time: true, Value: "'2026-01-31'", ValuePos: 40}}},
		{"FROM a.user.t at (SEQ => $2) was, u AT (SEQ=>1) WHERE true", []asof.Clause{
			{Start: 5, End: 28, Parts: []string{"a", "user", "t"}, Aliased: true, Value: "$2", ValuePos: 25},
			{Start: 34, End: 47, Parts: []string{"u"}, Value: "1", ValuePos: 45},
		}},
	} {
		got, err := asof.Find(tt.sql)
		if d := cmp.Diff(tt.want, got); d != "" || err != nil {
			t.Errorf("%s: %v %s", tt.sql, err, d)
		}
	}
}

func TestSeq(t *testing.T) {
	clause := func(text string) asof.Clause {
		list, err := asof.Find("FROM t AT (" + text + ")")
		if err != nil || len(list) != 1 {
			t.Fatalf("%s: %v, %v", text, list, err)
		}
		return list[0]
	}
	params := []kalam.Value{kalam.Text("2026-01-31T12:00:00.5Z"), kalam.BigInt(7)}
	half := kalam.SeqAt(mustTime(t, "2026-01-31T12:00:00.501Z")) - 1
	for text, want := range map[string]kalam.Seq{
		"SEQ => 12_3": 123, "SEQ => '45'": 45, "SEQ => $2": 7, "TIMESTAMP => $1": half, "TIMESTAMP => '2000-01-01'": 0,
		"TIMESTAMP => '2026-01-31 13:00:00.500999+01'": half,
	} {
		c := clause(text)
		if got, err := c.Seq(params); got != want || err != nil {
			t.Errorf("%s: %d, %v, want %d", text, got, err, want)
		}
	}
	for text, says := range map[string]string{
		"SEQ => 'x'": "takes a number", "SEQ => 1e3": "is not a whole number", "SEQ => $3": "has no value here",
		"SEQ => '-1'": "takes a number", "TIMESTAMP => 'soon'": "takes a time",
	} {
		c := clause(text)
		if _, err := c.Seq(params); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// FuzzFind: whatever the text is, a clause lies in it.
func FuzzFind(f *testing.F) {
	f.Add("FROM t AT (SEQ => 5) x")
	f.Add(`"a".b "at" (TIMESTAMP => '2' )`)
	f.Add("AT (SEQ => ")
	f.Fuzz(func(t *testing.T, sql string) {
		list, err := asof.Find(sql)
		if err != nil {
			return
		}
		end := 0
		for i := range list {
			c := &list[i]
			if c.Start < end || c.End <= c.Start || c.End > len(sql) || len(c.Parts) == 0 || c.Value == "" {
				t.Fatalf("%q: %+v", sql, c)
			}
			end = c.End
			if _, err := c.Seq(nil); err != nil && kalam.CodeOf(err) == kalam.CodeInternal {
				t.Fatalf("%q: %v", sql, err)
			}
		}
	})
}

func mustTime(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}
