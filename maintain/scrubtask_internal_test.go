package maintain

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/jobs"
)

type scrubFake func() (ScrubResult, error)

func (f scrubFake) Scrub(_ context.Context, progress func(ScrubResult)) (ScrubResult, error) {
	r, err := f()
	progress(r)
	return r, err
}

// TestScrubLake: how a scrub ends is what its job says.
func TestScrubLake(t *testing.T) {
	whole := ScrubResult{Segments: 3, Bytes: 100}
	bad := whole
	bad.AddDamaged(DamagedFile{Storage: "local", Path: "u/a.parquet", Error: "u/a.keys is damaged"})
	tests := []struct {
		name   string
		result ScrubResult
		err    error
		status kalam.JobStatus
		says   string
	}{
		{"whole", whole, nil, kalam.JobCompleted, "Checked 3 segment(s), 100 bytes: 0 damaged"},
		{"damaged", bad, nil, kalam.JobFailed, "1 segment(s) are damaged; the first, u/a.parquet: u/a.keys is damaged"},
		{"damaged, and the server stops", bad, jobs.ErrStopping, kalam.JobFailed, "1 segment(s) are damaged"},
		{"a manifest is unread", whole, errors.New("manifest of table 7"), kalam.JobFailed, "manifest of table 7"},
		{"the server stops", whole, jobs.ErrStopping, kalam.JobSkipped, "the next scrub begins anew"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			j := one(t, &scrubLake{scrubber: scrubFake(func() (ScrubResult, error) { return tt.result, tt.err })},
				kalam.Job{MaxRetries: 3})
			if j.Status != tt.status || !strings.Contains(j.Message+j.Error, tt.says) || j.Retries != 0 {
				t.Errorf("job %s after %d retries: %q, %q", j.Status, j.Retries, j.Message, j.Error)
			}
		})
	}
}
