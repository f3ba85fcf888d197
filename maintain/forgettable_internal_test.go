package maintain

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/kalamlake/kalam"
)

// tracesFake is a traceRemover that counts its calls.
type tracesFake struct {
	calls int
	fail  error
}

func (r *tracesFake) RemoveTraces(context.Context, kalam.TableNumber) (traces, error) {
	r.calls++
	return traces{Removed: 3, Read: 2}, r.fail
}

// TestForgetTable: the rows are flushed, then every user is compacted, then the rest is
// removed; what fails is tried again and does not stop the rest. Case D8.
func TestForgetTable(t *testing.T) {
	noRetry := aJob()
	noRetry.MaxRetries = -1
	gone := kalam.Errorf(kalam.CodeTableNotFound, "gone")
	for _, c := range []struct {
		name       string
		compaction error
		rest       error
		want       kalam.JobStatus
		text       string // Of the message and the error.
		calls      int
	}{
		{"all well", nil, nil, kalam.JobCompleted,
			"became 1, 2 overwritten rows and 1 tombstones dropped; 3 files of before removed; 2 segments are " +
				"still read by queries", 1},
		{"a user fails", errors.New("no space"), nil, kalam.JobFailed,
			"compaction of 1 of 1 users failed: ann: no space", 1},
		{"the rest fails", nil, errors.New("no room"), kalam.JobFailed, "no room", 1},
		{"dropped before the compaction", gone, nil, kalam.JobSkipped, "Table app.t was dropped", 0},
		{"dropped after it", nil, gone, kalam.JobSkipped, "Table app.t was dropped", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			flusher, remover := &table{rows: map[kalam.UserID]int64{"ann": 2, "bob": 1}}, &tracesFake{fail: c.rest}
			l := &lakeFake{segments: map[kalam.UserID]int{"ann": 3}}
			l.fail = func(context.Context, kalam.UserID) error {
				if len(flusher.flushed) != 2 {
					t.Errorf("users flushed before the compaction: %v", flusher.flushed)
				}
				return c.compaction
			}
			j := one(t, &forgetTable{flusher: flusher, compactor: l, remover: remover}, noRetry)
			if j.Status != c.want || !strings.Contains(j.Message+"\n"+j.Error, c.text) || remover.calls != c.calls {
				t.Errorf("the job is %s after %d calls: %s; %s", j.Status, remover.calls, j.Message, j.Error)
			}
		})
	}
}

// TestRetainHours reads the hours out of job records, of earlier versions too. Case D8.
func TestRetainHours(t *testing.T) {
	for text, want := range map[string]int{
		"": -1, `{"table_id":"app.t","table_type":"user","scopes":"all"}`: -1,
		`{"table_id":"app.t","scopes":"all","retain_hours":0}`: 0, `{"retain_hours":24}`: 24,
	} {
		hours, err := retainHours(&kalam.Job{Parameters: text})
		got := -1
		if hours != nil {
			got = *hours
		}
		if err != nil || got != want {
			t.Errorf("%q: %d, %v", text, got, err)
		}
	}
	if _, err := retainHours(&kalam.Job{ID: "CO-1", Parameters: `{"retain_hours":"x"}`}); err == nil {
		t.Error("hours that are no number are taken for none")
	}
}
