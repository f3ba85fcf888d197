package maintain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/jobs"
)

// KindScrub is the kind of the comparison of the lake with its checksums.
const KindScrub kalam.JobKind = "SC"

// scrubber reads the files of the lake and compares them with their checksums.
type scrubber interface {
	// Scrub reads every file that a manifest of record names, at a bounded rate, and
	// calls progress from time to time. Damage is in the result; an error, beside a
	// result of what was done, means that not all files were looked at. The error has
	// jobs.ErrStopping when the server stops.
	Scrub(ctx context.Context, progress func(ScrubResult)) (ScrubResult, error)
}

// DamagedFile is a file that is not what the record says.
type DamagedFile struct {
	Storage kalam.StorageID   `json:"storage"`
	Path    string            `json:"path"` // Of the segment: its Parquet file.
	Table   kalam.TableNumber `json:"table"`
	User    kalam.UserID      `json:"user,omitempty"`
	Error   string            `json:"error"` // It names the file.
}

// ScrubResult is the result of a scrub job.
type ScrubResult struct {
	Segments int           `json:"segments"` // That were looked at: two files each.
	Bytes    int64         `json:"bytes"`
	Recorded int           `json:"recorded"` // Whose checksums the record did not know before.
	Rebuilt  int           `json:"rebuilt"`  // Whose key file was missing and was made anew.
	Damaged  int           `json:"damaged"`
	Files    []DamagedFile `json:"files,omitempty"` // The first 1,000 that are damaged.
	// Unreachable are those in storages that did not answer.
	Unreachable int `json:"unreachable,omitempty"`

	total int64 // Bytes that there are to look at, as far as that is known.
}

// AddDamaged adds a damaged file.
func (r *ScrubResult) AddDamaged(f DamagedFile) {
	r.Damaged++
	if len(r.Files) < maxListed {
		r.Files = append(r.Files, f)
	}
}

// scrubLake is the task that scrubs. It fails when a file is damaged.
type scrubLake struct{ scrubber scrubber }

// Run scrubs.
func (s *scrubLake) Run(ctx context.Context, h *jobs.Handle) error {
	result, err := s.scrubber.Scrub(ctx, func(r ScrubResult) {
		h.SetDone(r.Bytes, max(r.total, r.Bytes), fmt.Sprintf("Checked %d segment(s), %d bytes; %d damaged", r.Segments,
			r.Bytes, r.Damaged))
	})
	text, jsonErr := json.Marshal(result)
	if jsonErr != nil {
		return jobs.Permanent(fmt.Errorf("encode result of the scrub: %w", jsonErr))
	}
	h.SetResult(string(text), fmt.Sprintf(
		"Checked %d segment(s), %d bytes: %d damaged", result.Segments, result.Bytes, result.Damaged))
	if err != nil && ctx.Err() != nil {
		return err
	}
	if result.Damaged > 0 {
		f := result.Files[0]
		err = errors.Join(fmt.Errorf("%d segment(s) are damaged; the first, %s: %s", result.Damaged, f.Path, f.Error),
			err)
	} else if errors.Is(err, jobs.ErrStopping) {
		return jobs.Skip("The server stops; the next scrub begins anew")
	}
	if err != nil {
		return jobs.Permanent(err) // Another try would read everything once more.
	}
	return nil
}
