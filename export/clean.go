package export

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/jobs"
	"github.com/kalamlake/kalam/lake/layout"
)

// submitCleanup submits the removal of expired exports, if there are exports at all.
func (e *Exporter) submitCleanup(ctx context.Context) {
	if entries, err := os.ReadDir(e.Dir); err != nil || len(entries) == 0 {
		return // None was made yet.
	}
	_, _, err := e.Submit(ctx, kalam.Job{Kind: KindCleanup, Priority: priority})
	if err != nil && kalam.CodeOf(err) != kalam.CodeShuttingDown {
		e.Logger.Error("the removal of expired exports was not submitted", "error", err)
	}
}

// clean deletes the exports that have expired or that no record names, and what a crash left of others.
func (e *Exporter) clean(ctx context.Context, h *jobs.Handle) error {
	var removed int
	var bytes int64
	var failed []error
	root, err := os.OpenRoot(e.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // Nobody has exported anything.
	}
	if err != nil {
		return fmt.Errorf("open the directory of exports: %w", err)
	}
	defer func() { _ = root.Close() }() // Nothing was written through it.
	err = fs.WalkDir(root.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // It was removed meanwhile.
		}
		if err != nil || entry.IsDir() {
			return errors.Join(err, ctx.Err())
		}
		stays, err := e.isNeeded(ctx, filepath.Join(e.Dir, name))
		if err != nil || stays {
			return err
		}
		if info, err := entry.Info(); err == nil {
			bytes += info.Size()
		}
		if err := root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			failed = append(failed, err)
			return nil
		}
		removed++
		return nil
	})
	if err == nil {
		err = e.removeEmpty()
	}
	h.SetResult(fmt.Sprintf(`{"exports_removed":%d,"bytes_removed":%d}`, removed, bytes),
		fmt.Sprintf("Removed %d expired export(s)", removed))
	return errors.Join(append(failed, err)...)
}

// isNeeded reports whether a file in the folder of exports is one that can be downloaded, or is being made.
func (e *Exporter) isNeeded(ctx context.Context, name string) (bool, error) {
	rel, err := filepath.Rel(e.Dir, name)
	if err != nil {
		return false, fmt.Errorf("folder of exports: %w", err)
	}
	folder, base := filepath.Split(rel)
	user, err := layout.DecodeUserID(strings.TrimSuffix(folder, string(filepath.Separator)))
	if err != nil {
		return true, nil //nolint:nilerr // It is none of ours.
	}
	id, isStaged := strings.CutSuffix(base, stagedSuffix)
	if !isStaged {
		var ok bool
		if id, ok = strings.CutSuffix(base, suffix); !ok {
			return true, nil
		}
	}
	j, ok, err := e.Reader.Catalog.Job(ctx, kalam.JobID(id))
	if err != nil || !ok {
		return false, err
	}
	if !j.Status.Done() {
		return true, nil
	}
	_, err = e.fileOf(&j, user)
	return err == nil && !isStaged, nil
}

// removeEmpty removes the folders of users without exports.
func (e *Exporter) removeEmpty() error {
	entries, err := os.ReadDir(e.Dir)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return fmt.Errorf("list the exports: %w", err)
	}
	for _, entry := range entries {
		if _, err := layout.DecodeUserID(entry.Name()); err == nil && entry.IsDir() {
			// It fails for one that is not empty.
			if err := os.Remove(filepath.Join(e.Dir, entry.Name())); err == nil {
				e.Logger.Debug("folder of exports removed", "folder", entry.Name())
			}
		}
	}
	return syncFolder(e.Dir)
}
