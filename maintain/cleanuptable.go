package maintain

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/jobs"
)

// KindCleanup is the kind of the removal of a dropped table.
const KindCleanup kalam.JobKind = "CL"

// tableRemover removes what a dropped table leaves behind. Each call may be
// repeated after it succeeded or was interrupted.
type tableRemover interface {
	// Segments lists the files of every scope of the table.
	Segments(ctx context.Context, n kalam.TableNumber) ([]kalam.Segment, error)
	// RemoveSegment removes one file; a missing one is no error. CodeConflict
	// means that a query still reads it.
	RemoveSegment(ctx context.Context, s kalam.Segment) error
	// RemoveRows removes buffered rows, manifests and empty folders.
	RemoveRows(ctx context.Context, n kalam.TableNumber) error
	// ForgetDropped ends the catalog's note of the table.
	ForgetDropped(ctx context.Context, n kalam.TableNumber) error
}

// CleanupResult is the result of a cleanup job, of its last try.
type CleanupResult struct {
	FilesRemoved int   `json:"files_removed"`
	FilesInUse   int   `json:"files_in_use,omitempty"`
	BytesRemoved int64 `json:"bytes_removed"`
}

// cleanupTable is the task of the job that DROP TABLE starts: it removes the
// files, then the rows and manifests of Job.Number, and last the note that makes
// the next start repeat it. The manifests go after the files, since they are
// what names them.
type cleanupTable struct{ remover tableRemover }

// Run removes the table. While queries read files of it, it removes the others
// and fails, to be tried again.
func (c *cleanupTable) Run(ctx context.Context, h *jobs.Handle) error {
	job := h.Job()
	segments, err := c.remover.Segments(ctx, job.Number)
	if err != nil {
		return fmt.Errorf("list files of dropped table: %w", err)
	}
	var result CleanupResult
	for i, s := range segments {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		err := c.remover.RemoveSegment(ctx, s)
		switch {
		case kalam.CodeOf(err) == kalam.CodeConflict:
			result.FilesInUse++
			continue
		case err != nil:
			return fmt.Errorf("remove file %s: %w", s.Path, err)
		}
		result.FilesRemoved++
		result.BytesRemoved += s.Bytes
		h.SetDone(int64(i+1), int64(len(segments)), fmt.Sprintf("%d of %d files removed", i+1, len(segments)))
	}
	text, err := json.Marshal(result)
	if err != nil {
		return fmt.Errorf("encode result of cleanup: %w", err)
	}
	h.SetResult(string(text), fmt.Sprintf(
		"Removed %d file(s) of dropped table %s.%s", result.FilesRemoved, job.Namespace, job.Table))
	if result.FilesInUse > 0 {
		return fmt.Errorf("%d file(s) are still read by queries", result.FilesInUse)
	}
	if err := c.remover.RemoveRows(ctx, job.Number); err != nil {
		return fmt.Errorf("remove rows of dropped table: %w", err)
	}
	if err := c.remover.ForgetDropped(ctx, job.Number); err != nil {
		return fmt.Errorf("forget dropped table: %w", err)
	}
	return nil
}
