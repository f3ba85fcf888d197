package datatype_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/kalamlake/kalam/datatype"
)

func TestCheckJSON(t *testing.T) {
	nest := func(n int) string { return strings.Repeat(`{"a":[`, n/2) + strings.Repeat("]}", n/2) }
	good := []string{
		"{}", "[]", " [ ] ", `{"a":1}`, `{"a":1,"b":[true,false,null,"x"]}`, "0", "-0.5e-10", "1E+3", `""`,
		`"\u00e9\ud83d\ude00\n\/"`,
		"null", "true", "\n\t\r {} \n", `{"a":1,"a":2}`, nest(100), nest(datatype.MaxJSONDepth), `["é😀"]`,
		"[" + strings.Repeat("1,", 9999) + "1]", "123456789012345678901234567890",
	}
	bad := []string{
		"", " ", "{", "}", "[1,]", "[,1]", `{"a"}`, `{"a":}`, `{"a":1,}`, `{a:1}`, `{'a':1}`, "[1 2]", "01", "1.", ".5",
		"-", "+1", "1e", "0x10",
		"tru", "nul", "True", "NaN", `"`, `"\x"`, `"\u12"`, `"\ud800"`, `"\ud800x"`, `"\ud800\u0041"`, `"\udc00"`,
		"\"\n\"", "\"\xff\"", "{} {}", "[]]",
		"[}", "{]", `{"a":[}`, nest(datatype.MaxJSONDepth + 2), "\ufeff{}", "// c\n{}", `"a" "b"`, `{"a":1 "b":2}`,
		`{1:2}`, `["\u00g0"]`, `"\`, `"\u`,
	}
	for _, s := range good {
		if err := datatype.CheckJSON(s); err != nil {
			t.Errorf("%.60s: %v", s, err)
		}
	}
	for _, s := range bad {
		if err := datatype.CheckJSON(s); err == nil {
			t.Errorf("%.60q was taken", s)
		}
	}
}

// FuzzCheckJSON compares with encoding/json, which also takes lone surrogates,
// invalid UTF-8 and deeper nesting.
func FuzzCheckJSON(f *testing.F) {
	for _, s := range []string{`{"a":[1,2.5e3,"\u00e9",null,true]}`, "[[[]]]", `"\ud83d\ude00"`, "-0", " 1 ", "[1,]",
		`{"a":{"b":[]}}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, want := datatype.CheckJSON(s) == nil, json.Valid([]byte(s))
		lenient := !utf8.ValidString(s) || strings.Contains(strings.ToLower(s), `\ud`) ||
			strings.Count(s, "{")+strings.Count(s, "[") > datatype.MaxJSONDepth
		if got && !want || want && !got && !lenient {
			t.Errorf("CheckJSON(%q) = %v, encoding/json says %v", s, got, want)
		}
	})
}
