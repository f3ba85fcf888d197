package engine_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/live"
)

// TestArrayParameters binds arrays and objects in every kind of statement, over buffered and flushed rows.
func TestArrayParameters(t *testing.T) {
	s := newServer(t)
	ann := userOf("ann")
	s.must(root, `CREATE NAMESPACE app; CREATE USER TABLE app.t (id BIGINT PRIMARY KEY, u UUID, at TIMESTAMP, j JSON, note TEXT)
		FLUSH_POLICY 'manual'`)
	doc := func(v any) kalam.Value {
		raw, err := json.Marshal(v)
		must(t, err)
		return kalam.JSON(string(raw))
	}
	uuid := func(i int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", i) }
	for i := range 10 {
		s.must(ann, "INSERT INTO app.t VALUES ($1, $2, '2026-01-01', $3, 'n')", kalam.BigInt(int64(i)), kalam.Text(uuid(i)),
			doc(map[string]any{"n": i, "list": []int{i}}))
		if i == 4 {
			s.flush()
		}
	}
	s.must(userOf("bob"), "INSERT INTO app.t (id) VALUES (3), (4)") // Whom nothing here may see.
	ids := doc([]any{3, 7, 99, nil})
	for _, c := range []struct {
		sql    string
		params []kalam.Value
		want   string
	}{
		{"SELECT id FROM app.t WHERE id = ANY($1) ORDER BY id", []kalam.Value{ids}, "3 7"},
		{"SELECT id FROM app.t WHERE id IN ($1) ORDER BY id", []kalam.Value{ids}, "3 7"},
		{"SELECT id FROM app.t WHERE id IN $1 AND id > $2 ORDER BY id", []kalam.Value{ids, kalam.BigInt(3)}, "7"},
		{"SELECT count(*) FROM app.t WHERE id NOT IN $1", []kalam.Value{doc([]int{3, 7})}, "8"},
		{"SELECT count(*) FROM app.t WHERE id = ANY($1)", []kalam.Value{doc([]int{})}, "0"},
		{"SELECT count(*) FROM app.t WHERE u NOT IN ($1)", []kalam.Value{doc([]int{})}, "10"},
		{"SELECT id FROM app.t WHERE u = ANY($1)", []kalam.Value{doc([]string{uuid(4), strings.ToUpper(uuid(4))})}, "4"},
		{"SELECT count(*) FROM app.t WHERE at IN $1", []kalam.Value{doc([]string{"2026-01-01T00:00:00Z"})}, "10"},
		{"SELECT id FROM app.t WHERE id < ALL($1)", []kalam.Value{doc([]int{1, 5})}, "0"},
		{"SELECT v FROM unnest($1) AS x(v) ORDER BY v", []kalam.Value{doc([]int{2, 1})}, "1 2"},
		{"SELECT len($1)", []kalam.Value{doc([]int{})}, "0"},
		{"SELECT id FROM app.t WHERE j->>'n' = $1->>'n'", []kalam.Value{doc(map[string]any{"n": 6})}, "6"},
		{"SELECT x.id FROM (SELECT id FROM app.t WHERE id IN $1) AS x WHERE x.id = ANY($1) ORDER BY 1", []kalam.Value{ids}, "3 7"},
		{"WITH x AS (SELECT id FROM app.t WHERE id IN $1) SELECT count(*) FROM x", []kalam.Value{ids}, "2"},
	} {
		r := s.must(ann, c.sql, c.params...)
		var got []string
		for _, row := range r.rows {
			got = append(got, strings.Trim(row[0], `"`))
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s gives %q, want %q", c.sql, got, c.want)
		}
	}
	for _, c := range []struct {
		sql      string
		params   []kalam.Value
		affected int64
	}{
		{"UPDATE app.t SET note = 'u' WHERE id = ANY($1)", []kalam.Value{ids}, 2},
		{"UPDATE app.t SET j = $2 WHERE id IN $1", []kalam.Value{ids, doc([]int{1, 2})}, 2},
		{"DELETE FROM app.t WHERE id IN ($1)", []kalam.Value{doc([]int{7, 8})}, 2},
		{"INSERT INTO app.t (id, j) SELECT v, $2 FROM unnest($1) AS x(v)", []kalam.Value{doc([]int{21, 22}), doc([]string{"a"})}, 2},
	} {
		if r := s.must(ann, c.sql, c.params...); r.count != c.affected {
			t.Errorf("%s: %d rows, want %d", c.sql, r.count, c.affected)
		}
	}
	if got := s.single(ann, "SELECT j FROM app.t WHERE id = 3"); got != `"[1,2]"` {
		t.Errorf("the array is stored as %s", got)
	}
	if got := s.single(ann, "SELECT j FROM app.t WHERE id = 21"); got != `"[\"a\"]"` {
		t.Errorf("the array of a SELECT is stored as %s", got)
	}
}

// TestArrayParametersPrune reads by keys of an array what it would by the same keys written out.
func TestArrayParametersPrune(t *testing.T) {
	s := newServer(t)
	ann := userOf("ann")
	s.must(root, "CREATE NAMESPACE app; CREATE USER TABLE app.t (id BIGINT PRIMARY KEY) FLUSH_POLICY 'manual'")
	for i := range 4 {
		s.must(ann, fmt.Sprintf("INSERT INTO app.t SELECT %d + i FROM range(100) AS r(i)", i*100))
		s.flush()
	}
	plan := func(sql string, params ...kalam.Value) (out string) {
		for _, row := range s.must(ann, "EXPLAIN "+sql, params...).rows {
			if strings.Contains(row[0], "Leaves out") {
				out = row[0]
			}
		}
		return out
	}
	want := plan("SELECT * FROM app.t WHERE id IN (5, 105, 105, 105)")
	if got := plan("SELECT * FROM app.t WHERE id = ANY($1)", kalam.JSON("[5, 105, 105]")); got != want || got == "" {
		t.Errorf("an array: %q, the list: %q", got, want)
	}
}

// TestArrayParametersWrong names the parameter and its place.
func TestArrayParametersWrong(t *testing.T) {
	s := newServer(t)
	s.must(root, "CREATE NAMESPACE app; CREATE USER TABLE app.t (id BIGINT PRIMARY KEY, j JSON)")
	s.must(userOf("ann"), "INSERT INTO app.t VALUES (1, NULL)")
	for _, c := range []struct {
		sql, param string
		code       kalam.Code
		message    string
	}{
		{"SELECT * FROM app.t WHERE id IN $1", `["x"]`, 0, "x"},
		{"SELECT * FROM app.t WHERE id = $1", `[1]`, 0, ""},
		{"SELECT * FROM app.t WHERE id = $1", `{"a":1}`, 0, ""},
		{"INSERT INTO app.t (id) VALUES ($1)", `[1]`, kalam.CodeParameterMismatch, "expected BIGINT for column 'id', got JSON"},
		{"SELECT id, wrong FROM app.t WHERE id IN $1 ", `[1, 2, 3]`, 0, "wrong"},
	} {
		_, err := s.try(userOf("ann"), c.sql, kalam.JSON(c.param))
		if err == nil || !strings.Contains(messageOf(err), c.message) || c.code != 0 && kalam.CodeOf(err) != c.code {
			t.Errorf("%s with %s: %v", c.sql, c.param, err)
		}
	}
}

// TestLiveArrayParameters follows conditions over an array: one that is compiled, and one that DuckDB evaluates.
func TestLiveArrayParameters(t *testing.T) {
	s := newServer(t)
	ann := userOf("ann")
	s.must(root, "CREATE NAMESPACE app; CREATE USER TABLE app.t (id BIGINT PRIMARY KEY, word TEXT)")
	s.must(ann, "INSERT INTO app.t VALUES (1, 'a'), (2, 'b')")
	words := kalam.JSON(`["b", "c"]`)
	for i, condition := range []string{"word = ANY($1)", "list_contains($1, reverse(word))"} {
		f := s.follow(ann, "SELECT id, word FROM app.t WHERE "+condition, &live.Options{LastRows: 10}, true, words)
		if len(f.rows) != 1+i || f.rows[`"2"`] != `"2" "b"` {
			t.Errorf("%s: initial rows %v", condition, f.rows)
		}
		s.must(ann, fmt.Sprintf("INSERT INTO app.t VALUES (%d, 'd'), (%d, 'c')", 10+2*i, 11+2*i))
		f.read(1)
		if want := fmt.Sprintf(`insert "%d" "c"`, 11+2*i); !strings.EqualFold(f.events[0], want) {
			t.Errorf("%s: event %s, want %s", condition, f.events[0], want)
		}
		f.close()
	}
}
