package api_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/api"
)

func TestDecodeRequest(t *testing.T) {
	tests := []struct {
		name   string
		body   string
		sql    string
		params []kalam.Value
		ns     kalam.NamespaceID
		err    string // "" for none.
	}{
		{name: "sql only", body: `{"sql":"SELECT 1"}`, sql: "SELECT 1"},
		{name: "blanks", body: " {\n\t\"sql\" : \"SELECT 1\" \r} \n", sql: "SELECT 1"},
		{name: "all members", body: `{"namespace_id":"App","params":[null,true,false,1,-2,1.5,"x"],"sql":"S"}`, sql: "S",
			ns: "app",
			params: []kalam.Value{kalam.Null(), kalam.Bool(true), kalam.Bool(false), kalam.BigInt(1), kalam.BigInt(-2),
				kalam.Double(1.5), kalam.Text("x")}},
		{name: "nulls", body: `{"sql":"S","params":null,"namespace_id":null}`, sql: "S"},
		{name: "no params", body: `{"sql":"S","params":[ ]}`, sql: "S"},
		{name: "unknown members", body: `{"a":{"sql":"no","b":[1,{"c":"]}"}]},"sql":"S","z":null,"n":-1.5e3}`, sql: "S"},
		{name: "largest integer", body: `{"sql":"S","params":[9223372036854775807,-9223372036854775808]}`, sql: "S",
			params: []kalam.Value{kalam.BigInt(9223372036854775807), kalam.BigInt(-9223372036854775808)}},
		{name: "beyond bigint", body: `{"sql":"S","params":[9223372036854775808]}`, sql: "S",
			params: []kalam.Value{kalam.Decimal(0, 9223372036854775808, 0)}},
		{name: "exponent is a float", body: `{"sql":"S","params":[1e3]}`, sql: "S",
			params: []kalam.Value{kalam.Double(1000)}},
		{name: "escapes", body: `{"sql":"a\"\\\/\b\f\n\r\t\u0041\ud83d\ude00é"}`, sql: "a\"\\/\b\f\n\r\tA😀é"},
		{name: "escaped name", body: `{"\u0073ql":"S"}`, sql: "S"},
		{name: "empty sql", body: `{"sql":""}`, sql: ""},

		{name: "empty", body: ``, err: "expected an object"},
		{name: "array", body: `[]`, err: "expected an object"},
		{name: "no sql", body: `{}`, err: "missing field 'sql'"},
		{name: "sql null", body: `{"sql":null}`, err: "'sql' must be a string"},
		{name: "sql number", body: `{"sql":1}`, err: "'sql' must be a string"},
		{name: "case matters", body: `{"SQL":"S"}`, err: "missing field 'sql'"},
		{name: "repeated", body: `{"sql":"A","sql":"B"}`, err: "repeated member 'sql'"},
		{name: "text after", body: `{"sql":"A"}x`, err: "unexpected text"},
		{name: "two objects", body: `{"sql":"A"}{}`, err: "unexpected text"},
		{name: "trailing comma", body: `{"sql":"A",}`, err: "expected the name"},
		{name: "cut", body: `{"sql":"A`, err: "unterminated"},
		{name: "cut escape", body: `{"sql":"A\`, err: "escape"},
		{name: "bad escape", body: `{"sql":"\x"}`, err: "escape"},
		{name: "lone surrogate", body: `{"sql":"\ud800"}`, err: "surrogate"},
		{name: "lone low surrogate", body: `{"sql":"\udc00\ud800"}`, err: "surrogate"},
		{name: "surrogate with letters", body: `{"sql":"\ud800abcdef"}`, err: "surrogate"},
		{name: "control character", body: "{\"sql\":\"a\nb\"}", err: "control character"},
		{name: "invalid utf-8", body: "{\"sql\":\"\xff\"}", err: "invalid UTF-8"},
		{name: "invalid utf-8 beside an escape", body: "{\"sql\":\"\xc3\\n\"}", err: "invalid UTF-8"},
		{name: "overlong utf-8", body: "{\"sql\":\"\xc0\xaf\"}", err: "invalid UTF-8"},
		{name: "invalid utf-8 elsewhere", body: "{\"x\":\"\xff\",\"sql\":\"S\"}", err: "invalid UTF-8"},
		{name: "bad literal", body: `{"sql":"S","params":[nul]}`, err: "expected a parameter"},
		{name: "bad number", body: `{"sql":"S","params":[01]}`, err: "malformed number"},
		{name: "plus", body: `{"sql":"S","params":[+1]}`, err: "expected a parameter"},
		{name: "hex", body: `{"sql":"S","params":[0x1]}`, err: "expected ',' or ']'"},
		{name: "infinite", body: `{"sql":"S","params":[1e999]}`, err: "Parameter $1 invalid: number out of range"},
		{name: "open array parameter", body: `{"sql":"S","params":[1,[2}`, err: "unexpected end"},
		{name: "malformed object parameter", body: `{"sql":"S","params":[{"a":01}]}`, err: "malformed value"},
		{name: "large array parameter", body: `{"sql":"S","params":[["` + strings.Repeat("x", 512<<10) + `"]]}`,
			err: "Parameter $1 is 524292 bytes long (maximum 524288)"},
		{name: "params object", body: `{"sql":"S","params":{}}`, err: "'params' must be an array"},
		{name: "bad skipped value", body: `{"x":tru,"sql":"S"}`, err: "malformed value"},
		{name: "bad skipped array", body: `{"x":[1,,2],"sql":"S"}`, err: "malformed value"},
		{name: "mixed brackets", body: `{"x":[},"sql":"S"}`, err: "malformed value"},
		{name: "namespace", body: `{"sql":"S","namespace_id":"a-b"}`, err: "namespace_id"},
		{name: "empty namespace", body: `{"sql":"S","namespace_id":""}`, err: "namespace_id"},
		{name: "namespace number", body: `{"sql":"S","namespace_id":1}`, err: "'namespace_id' must be a string"},
		{name: "too many parameters", body: `{"sql":"S","params":[` + strings.Repeat("1,", 50) + `1]}`,
			err: "Too many parameters (maximum 50)"},
		{name: "long parameter", body: `{"sql":"S","params":["` + strings.Repeat("x", 512<<10+1) + `"]}`,
			err: "Parameter $1 is 524289 bytes long"},
		{name: "long number", body: `{"sql":"S","params":[` + strings.Repeat("1", 512<<10+1) + `]}`,
			err: "Parameter $1 is 524289 bytes long"},
		{name: "long sql", body: `{"sql":"` + strings.Repeat("x", 1<<20+1) + `"}`,
			err: "SQL query too long: 1048577 bytes (maximum 1048576 bytes)"},
		{name: "deep", body: `{"x":` + strings.Repeat("[", 1<<20) + strings.Repeat("]", 1<<20) + `,"sql":"S"}`,
			err: "malformed value"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			sql, params, ns, err := api.DecodeRequest([]byte(tt.body))
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("error %v, want one with %q", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if sql != tt.sql || ns != tt.ns || !reflect.DeepEqual(params, tt.params) {
				t.Errorf("got %q %v %q, want %q %v %q", sql, params, ns, tt.sql, tt.params, tt.ns)
			}
		})
	}
}

// FuzzDecodeRequest compares the decoder with encoding/json: what it takes,
// encoding/json takes, with the same SQL.
func FuzzDecodeRequest(f *testing.F) {
	for _, seed := range []string{
		`{"sql":"SELECT 1"}`,
		`{"sql":"a\"\\\u00e9\ud83d\ude00","params":[1,null,true,"x",1.5e3],"namespace_id":"app","x":{"y":[1,2]}}`,
		`{"x":tru}`, `{"sql":"\ud800"}`, `{"sql":"é","z":-0}`, `{`, `{"sql":"`, "{\"sql\":\"\xff\"}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		sql, params, _, err := api.DecodeRequest(body)
		if err != nil {
			return
		}
		var want map[string]json.RawMessage
		if jsonErr := json.Unmarshal(body, &want); jsonErr != nil {
			t.Fatalf("%q was taken, encoding/json says %v", body, jsonErr)
		}
		var wantSQL string
		if err := json.Unmarshal(want["sql"], &wantSQL); err != nil || wantSQL != sql {
			t.Fatalf("%q: sql %q, want %q (%v)", body, sql, wantSQL, err)
		}
		var list []any
		if raw, ok := want["params"]; ok {
			if err := json.Unmarshal(raw, &list); err != nil && !errors.As(err, new(*json.UnmarshalTypeError)) {
				t.Fatal(err)
			}
		}
		if len(list) != len(params) {
			t.Fatalf("%q: %d parameters, want %d", body, len(params), len(list))
		}
		for i, v := range list {
			if fmt.Sprint(v == nil) != fmt.Sprint(params[i].IsNull()) {
				t.Fatalf("%q: parameter %d is %v, want %v", body, i, params[i], v)
			}
		}
	})
}

func BenchmarkDecodeRequest(b *testing.B) {
	small := []byte(`{"sql":"SELECT id, body FROM app.notes WHERE id = $1","params":[42]}`)
	row := `(123456,'conversation','user','It\u2019s a \"message\" of some words that somebody wrote to somebody else','2024-01-01T00:00:00Z'),`
	large := []byte(`{"sql":"INSERT INTO chat.messages VALUES ` + strings.Repeat(row, 1000) + `"}`)
	for name, body := range map[string][]byte{"point": small, "rows=1k": large} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				if _, _, _, err := api.DecodeRequest(body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
