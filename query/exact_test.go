package query_test

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/kalamlake/kalam"
)

// stock runs a query of one text in a DuckDB of its own, where nothing is edited.
func stock(t *testing.T, db *sql.DB, q string) (string, error) {
	t.Helper()
	var out sql.NullString
	err := db.QueryRow(q).Scan(&out)
	return out.String, err
}

// joins makes random FROM clauses over four small tables.
type joins struct {
	rng  *rand.Rand
	next int
}

// tree returns a join of tables next to last, and whether it needs brackets to the
// right of another.
func (j *joins) tree(leaves int) string {
	if leaves == 1 {
		j.next++
		return fmt.Sprintf("(VALUES (1), (%d), (%d), (NULL)) %c(x%d)", j.next+1, j.next*2, 'a'+j.next-1, j.next)
	}
	left := 1 + j.rng.IntN(leaves-1)
	first := j.next + 1
	l := j.tree(left)
	middle := j.next + 1
	r := j.tree(leaves - left)
	if leaves-left > 1 {
		r = "(" + r + ")"
	}
	if left > 1 && j.rng.IntN(2) == 0 {
		l = "(" + l + ")"
	}
	on := fmt.Sprintf(" ON %c.x%d = %c.x%d", 'a'+first-1, first, 'a'+middle-1, middle)
	switch j.rng.IntN(6) {
	case 0, 1:
		return l + " CROSS JOIN " + r
	case 2:
		return l + " LEFT JOIN " + r + on
	case 3:
		return l + " RIGHT JOIN " + r + on
	case 4:
		return l + " FULL JOIN " + r + on
	}
	return l + " JOIN " + r + on
}

// TestTextOfTheTree runs joins of every shape as they are and through the edited
// tree, which is written as text again (case A4).
func TestTextOfTheTree(t *testing.T) {
	e := newEngine(t)
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 3))
	for range 400 {
		j := &joins{rng: rng}
		leaves := 2 + rng.IntN(3)
		from := j.tree(leaves)
		var cols []string
		for i := 1; i <= leaves; i++ {
			cols = append(cols, fmt.Sprintf("coalesce(%c.x%d::VARCHAR, '-')", 'a'+i-1, i))
		}
		q := "SELECT string_agg(r, ';' ORDER BY r) AS all FROM (SELECT concat_ws(',', " + strings.Join(
			cols,
			", ",
		) + ") AS r FROM " + from + ")"
		want, err := stock(t, db, strings.Replace(q, "AS all", `AS "all"`, 1))
		if err != nil {
			t.Fatalf("%s: %v", q, err)
		}
		got := e.mustText(t, strings.Replace(q, "AS all", `AS "all"`, 1), nil)
		if _, got, _ = strings.Cut(got, "\n"); strings.Trim(got, `"`) != want {
			t.Fatalf("%s\ngot  %.500s\nwant %.500s", q, got, want)
		}
	}
}

// TestExactExpressions compares what expressions give and of which type they are.
func TestExactExpressions(t *testing.T) {
	e := newEngine(t)
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, x := range []string{
		"1e0", "0.1e0 + 0.2e0 = 0.3e0", "0.1 + 0.2 = 0.3", "5. // 2", "5.", "1 / -0e0", "1/0e0", ".5", "1_000", "1e300",
		"1.50", "00.10", "-00.50", "000", "0.000", "12345678901234567890.5", "-.5",
		"-1e0", "- -1e0", "1e-5", "123456789012345678901234567890", "1234567890123456789012345678901234567890",
		"-9223372036854775808",
		"170141183460469231731687303715884105727", "2 ** 3", "-2 ** 2", "7 // 2", "7 / 2", "7 % 4", "0.1::FLOAT",
		"1e0::DECIMAL(5,2)",
		"(~1) + 2", "~1 + 2", "~(1 + 2)", "2 + ~1", "(~ -2) << 2", "~ -2 << 2", "- (~1)", "~ -1", "(@ -3) - 5",
		"@ -3 - 5", "(~1)::VARCHAR", "(~1) = -2", "~1 = -2", "(~1) IN (-2)", "(~1) BETWEEN -2 AND 0", "(~5) % 4",
		"(@ -7) ** 2", "@ -7 ** 2", "(~1) || 'x'",
		"[1, 2.5, 1e0]", "{'a': 1e0}", "CASE WHEN true THEN 1 ELSE 1e0 END", "INTERVAL 1 DAY", "INTERVAL '1.5' HOURS",
		"1 IN (1e0, 2)",
		"NOT true AND false", "(1, 2e0)", "MAP {1e0: 2}", "round(2.5e0)", "1e0 BETWEEN 0 AND 2", "'x' || 1e0",
	} {
		q := "SELECT typeof(v) || ' ' || v::VARCHAR FROM (SELECT " + x + " AS v)"
		want, err := stock(t, db, q)
		if err != nil {
			t.Fatalf("%s: %v", q, err)
		}
		_, got, _ := strings.Cut(e.mustText(t, q, nil), "\n")
		if strings.Trim(got, `"`) != want {
			t.Errorf("%s gives %s, want %s", x, got, want)
		}
	}
	for q, name := range map[string]string{
		"SELECT 1e0": "1.0", "SELECT 5. + x AS y FROM (SELECT 1 AS x)": "y", "SELECT 0.5 * 2e0": "(0.5 * 2.0)",
	} {
		if head, _, _ := strings.Cut(e.mustText(t, q, nil), "\n"); !strings.HasPrefix(head, name+" ") {
			t.Errorf("%s names its column %q, want %q", q, head, name)
		}
	}
	var ke *kalam.Error
	if _, err := e.text(t.Context(), "SELECT 1e400", testArgs(), nil); !asKalam(err, &ke) ||
		!strings.Contains(ke.Msg, "out of the range of DOUBLE") {
		t.Errorf("1e400: %v", err)
	}
	const nested = "SELECT * FROM (SELECT 1 AS x) a NATURAL JOIN ((SELECT 1 AS x) b JOIN (SELECT 2 AS y) c ON true)"
	if _, err := e.text(t.Context(), nested, testArgs(), nil); kalam.CodeOf(err) != kalam.CodeUnsupported {
		t.Errorf("%s: %v", nested, err)
	}
}
