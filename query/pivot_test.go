package query_test

import (
	"context"
	"strings"
	"testing"

	"github.com/kalamlake/kalam/query"
)

// TestPivotKeepsNoValues is case A7: a plan is every user's, so nothing of the values
// that a PIVOT finds stays with it, nor a statement that has them.
func TestPivotKeepsNoValues(t *testing.T) {
	e := newEngine(t)
	const sql = "FROM (PIVOT (PIVOT t ON v USING sum(id) GROUP BY w) ON w)"
	for user, want := range map[string]string{
		"of_alice": "of_alice BIGINT, alice_w BIGINT\n1 1",
		"of_bob":   "of_bob BIGINT, bob_w BIGINT\n1 1",
	} {
		before := e.Stats().Prepared
		w := strings.TrimPrefix(user, "of_") + "_w"
		src := source(t, "id INT, v TEXT, w TEXT", row(big(1), txt(user), txt(w)))
		got := e.mustText(t, sql, map[string]query.Source{"t": src})
		if got = strings.ReplaceAll(strings.ReplaceAll(got, "DECIMAL(38,0)", "BIGINT"), `"`, ""); got != want {
			t.Errorf("%s: got %q, want %q", user, got, want)
		}
		p, err := e.Analyse(context.Background(), testUser, sql)
		if err != nil {
			t.Fatal(err)
		}
		if plan, _, err := e.Explain(context.Background(), p, []query.Source{src}, testArgs(), false); err != nil ||
			!strings.Contains(plan, user) {
			t.Errorf("EXPLAIN: %v\n%s", err, plan)
		}
		texts := e.KeptTexts()
		if prepared := e.Stats().Prepared; prepared != before {
			t.Errorf("%d statements stay prepared, %d before", prepared, before)
		}
		for _, s := range texts {
			if strings.Contains(s, user) || strings.Contains(s, w) {
				t.Errorf("kept: %s", s)
			}
		}
	}
	p, err := e.Analyse(context.Background(), testUser, sql)
	if err != nil || !p.CacheHit() {
		t.Errorf("the plan is not shared: %v", err)
	}
}
