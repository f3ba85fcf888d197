package metrics

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/dialect/ast"
)

// TestKinds puts verbs into classes.
func TestKinds(t *testing.T) {
	for verb, want := range map[string]string{
		"SELECT": "select", "INSERT": "insert", "UPDATE": "update", "DELETE": "delete", "BEGIN": "transaction",
		"ROLLBACK": "transaction", "TRUNCATE": "schema", "CREATE TABLE": "schema", "ALTER USER": "schema", "DROP VIEW": "schema",
		"SHOW STATS": "show", "DESCRIBE PREPARED": "show", "EXPLAIN": "show", "STORAGE FLUSH TABLE": "maintenance",
		"KILL QUERY": "maintenance", "BACKUP DATABASE": "maintenance", "SET": "other", "EXECUTE AS USER": "other", "": "other",
	} {
		if got := kindNames[kindOf(verb)]; got != want {
			t.Errorf("%s is %s, want %s", verb, got, want)
		}
	}
}

// TestObserved counts statements by kind and role, also by a role that it does not know, and makes no garbage.
func TestObserved(t *testing.T) {
	o := NewObserved()
	o.Statement(&ast.Select{}, kalam.RoleUser, time.Millisecond, nil)
	o.Statement(&ast.Select{}, kalam.Role(200), time.Millisecond, errors.New("broken"))
	o.Statement(&ast.Begin{}, kalam.RoleUser, time.Millisecond, kalam.Errorf(kalam.CodeTimeout, "late"))
	if n := testutil.CollectAndCount(o.statements); n != 3 {
		t.Errorf("%d histograms, want 3", n)
	}
	for code, want := range map[string]float64{"internal": 1, "timeout": 1} {
		if got := testutil.ToFloat64(o.errors.WithLabelValues(code)); got != want {
			t.Errorf("errors %s: %v", code, got)
		}
	}
	st := &ast.Select{}
	if n := testing.AllocsPerRun(100, func() {
		o.Statement(st, kalam.RoleUser, time.Millisecond, nil)
		o.Committed(time.Millisecond)
		o.Synced(3, 5, time.Millisecond)
		o.Delivered(time.Millisecond)
	}); n != 0 {
		t.Errorf("observations make %v allocations", n)
	}
}

// TestLargest gives tables figures of their own as long as there is room, the largest first.
func TestLargest(t *testing.T) {
	var list []tableFigures
	for i := range 5 {
		list = append(list, tableFigures{
			id:   kalam.TableID{Namespace: "n", Name: kalam.TableName(fmt.Sprintf("t%d", i))},
			rows: 1, bytes: int64(i), lag: time.Duration(i), lake: lakeSum{segments: 1, bytes: 10},
		})
	}
	names := func(most int) (names []string, rows, bytes, lake int64) {
		for _, f := range largest(append([]tableFigures(nil), list...), most) {
			names = append(names, string(f.id.Name))
			rows, bytes, lake = rows+f.rows, bytes+f.bytes, lake+f.lake.bytes
		}
		return names, rows, bytes, lake
	}
	for most, want := range map[int][]string{
		0: {"(others)"}, 2: {"t4", "t3", "(others)"}, 5: {"t4", "t3", "t2", "t1", "t0"}, 9: {"t4", "t3", "t2", "t1", "t0"},
	} {
		got, rows, bytes, lake := names(most)
		if d := cmp.Diff(want, got); d != "" || rows != 5 || bytes != 10 || lake != 50 {
			t.Errorf("at most %d: %s rows %d, bytes %d, in the lake %d", most, d, rows, bytes, lake)
		}
	}
}

func BenchmarkObserved(b *testing.B) {
	o := NewObserved()
	st := &ast.Insert{}
	for b.Loop() {
		o.Statement(st, kalam.RoleUser, 170*time.Microsecond, nil)
		o.Committed(150 * time.Microsecond)
	}
}
