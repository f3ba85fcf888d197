package maintain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/jobs"
)

// KindOrphans is the kind of the removal of orphans.
const KindOrphans kalam.JobKind = "OR"

// errIncompleteRecord means that it cannot be known which files belong to
// something, so that none may be removed.
var errIncompleteRecord = errors.New("which files are in use cannot be known")

// orphanRemover removes the files that crashes left behind.
type orphanRemover interface {
	// RemoveOrphans moves files that belong to nothing to the trash and deletes
	// what has been there long enough. An error with errIncompleteRecord means that
	// it has touched nothing. It may be repeated after it failed or was interrupted.
	RemoveOrphans(ctx context.Context) (OrphanResult, error)
}

// OrphanFile is a file that was moved to the trash.
type OrphanFile struct {
	Storage kalam.StorageID `json:"storage"`
	Path    string          `json:"path"` // Where it was; in the trash it is below the time of its removal.
	Bytes   int64           `json:"bytes"`
}

// OrphanResult is the result of an orphan job, of its last try.
type OrphanResult struct {
	FilesTrashed   int          `json:"files_trashed"`
	BytesTrashed   int64        `json:"bytes_trashed"`
	FilesProtected int          `json:"files_protected"` // Unknown to the buffer, but a manifest.json speaks for them.
	FilesPurged    int          `json:"files_purged"`    // From the trash.
	BytesPurged    int64        `json:"bytes_purged"`
	Files          []OrphanFile `json:"files,omitempty"` // The first 1,000 that were moved.
}

// Trashed adds a file that was moved.
func (r *OrphanResult) Trashed(f OrphanFile) {
	r.FilesTrashed++
	r.BytesTrashed += f.Bytes
	if len(r.Files) < maxListed {
		r.Files = append(r.Files, f)
	}
}

// removeOrphans is the task that cleans the storages. While the record of what is
// in use is not complete it removes nothing and is skipped.
type removeOrphans struct{ remover orphanRemover }

// Run removes orphans.
func (o *removeOrphans) Run(ctx context.Context, h *jobs.Handle) error {
	result, err := o.remover.RemoveOrphans(ctx)
	if errors.Is(err, errIncompleteRecord) {
		return jobs.Skip("Nothing was removed: " + err.Error())
	}
	text, jsonErr := json.Marshal(result)
	if jsonErr != nil {
		return fmt.Errorf("encode result of the removal of orphans: %w", jsonErr)
	}
	message := fmt.Sprintf("Moved %d file(s) to the trash, deleted %d from it", result.FilesTrashed, result.FilesPurged)
	if result.FilesProtected > 0 {
		message += fmt.Sprintf(", left %d that a manifest.json protects", result.FilesProtected)
	}
	h.SetResult(string(text), message)
	if err != nil {
		return fmt.Errorf("remove orphans: %w", err)
	}
	return nil
}
