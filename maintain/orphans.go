package maintain

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/jobs"
	"github.com/kalamlake/kalam/lake"
	"github.com/kalamlake/kalam/lake/layout"
	"github.com/kalamlake/kalam/segments"
)

// orphanAge is how old a file that belongs to nothing must be to be removed.
const orphanAge = 24 * time.Hour

// uploadAge is how old an upload must be that nothing goes on with.
const uploadAge = 24 * time.Hour

// tightTrashAge is how long files stay in the trash at most while the disk is nearly full.
const tightTrashAge = time.Hour

// orphanSchedule is when orphans are looked for, beside after each start.
const orphanSchedule = "@daily"

// orphanPriority lets everything else go first.
const orphanPriority = -1

// cleaner removes files that belong to nothing.
type cleaner struct {
	*deps
	mu sync.Mutex // Held by who removes files.
}

// jobType is the removal of orphans.
func (c *cleaner) jobType() jobs.Type {
	submit := func(ctx context.Context) { c.submit(ctx, kalam.Job{Kind: KindOrphans, Priority: orphanPriority}) }
	return jobs.Type{
		Kind: KindOrphans, Name: "orphan_cleanup", Key: constantKey("orphans"),
		Task:     func(kalam.Job) jobs.Task { return &removeOrphans{remover: c} },
		Schedule: orphanSchedule, Due: submit,
		Recover: func(ctx context.Context) error {
			submit(ctx)
			return nil
		},
	}
}

// RemoveOrphans moves files that no manifest names to the trash and deletes what
// has been there for storage.trash_hours. Unless every manifest of record was
// read, the storage still has the mark of this lake, and the buffer is not older
// than the storage, it touches nothing, the trash neither.
func (c *cleaner) RemoveOrphans(ctx context.Context) (result OrphanResult, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pair.Restored() {
		return result, errRestored()
	}
	defer c.staged.watch()() // Before the manifests are read.
	inUse, err := c.segmentsInUse(ctx)
	if err != nil {
		return result, err
	}
	var failed []error
	for _, id := range c.lake.Storages() {
		if err := ctx.Err(); err != nil {
			return result, context.Cause(ctx)
		}
		known := func(path string) bool { return inUse(id, path) }
		err := c.cleanStorage(ctx, id, known, &result)
		if errors.Is(err, errIncompleteRecord) {
			return result, err
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("storage %s: %w", id, err))
		}
	}
	return result, errors.Join(failed...)
}

// inUse reports whether a manifest of record names a segment, somebody reads it, or it is
// being written.
type inUse func(storage kalam.StorageID, path string) bool

// segmentsInUse returns what tells which segments are in use. An error means that nothing
// may be removed. The caller watches the staged segments.
func (c *cleaner) segmentsInUse(ctx context.Context) (inUse, error) {
	named, err := c.namedSegments(ctx)
	if err != nil {
		return nil, err
	}
	if err := c.pair.CheckMark(ctx); err != nil { // The storage must still be the one that the start checked.
		return nil, fmt.Errorf("%w: %w", errIncompleteRecord, err)
	}
	// What the manifests name no more must not come back by a power cut.
	if err := c.pair.Sync(ctx); err != nil {
		return nil, err
	}
	return func(storage kalam.StorageID, path string) bool {
		k := segments.NewKey(storage, path)
		_, ok := named[k]
		return ok || c.obsolete.has(k) || c.staged.has(k)
	}, nil
}

// namedSegments returns the segments that any manifest of record names. An error
// has errIncompleteRecord.
func (c *cleaner) namedSegments(ctx context.Context) (map[segments.Key]struct{}, error) {
	named := map[segments.Key]struct{}{}
	unread := 0
	var first error
	for m, err := range buffer.ScopeRecords(ctx, c.pair.Backend) {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err != nil {
			if unread++; first == nil {
				first = err
			}
			continue
		}
		for i := range m.Record.Segments {
			named[segments.KeyOf(&m.Record.Segments[i])] = struct{}{}
		}
	}
	if unread > 0 {
		c.log.Error("orphans are not removed while manifests cannot be read", "manifests", unread, "error", first)
		return nil, fmt.Errorf("%w: %d manifest(s) cannot be read; the first: %w", errIncompleteRecord, unread, first)
	}
	return named, nil
}

// errRestored says that the buffer is older than the storage.
func errRestored() error {
	return fmt.Errorf("%w: the write buffer was restored from a backup that is older than the storage",
		errIncompleteRecord)
}

// cleanStorage moves orphans to the trash, after it has emptied that of what is
// old.
func (c *cleaner) cleanStorage(
	ctx context.Context, id kalam.StorageID, known func(segmentPath string) bool, result *OrphanResult,
) error {
	if err := c.checkMarkOf(ctx, id); err != nil {
		return err
	}
	list, err := c.lake.Orphans(ctx, lake.OrphanQuery{Storage: id, Age: lake.AnyAge, Known: known})
	if err != nil {
		return fmt.Errorf("list orphans: %w", err)
	}
	if err := c.checkNotOlder(ctx, list); err != nil {
		return err
	}
	if err := c.lake.AbortUploads(ctx, id, c.now().Add(-uploadAge)); err != nil {
		return fmt.Errorf("end uploads of before: %w", err)
	}
	tight := len(c.pair.ShortOfRoom()) > 0
	age := c.config.TrashAge
	if tight {
		age = min(age, tightTrashAge)
	}
	purged, err := c.lake.PurgeTrash(ctx, id, c.now().Add(-age))
	result.FilesPurged += purged.Files
	result.BytesPurged += purged.Bytes
	if err != nil {
		return fmt.Errorf("empty the trash: %w", err)
	}
	for path, why := range list.Untrusted {
		c.log.Warn("nothing is removed from the folder of a manifest.json that cannot be trusted",
			"storage", string(id), "path", path, "error", why)
	}
	for _, o := range list.Protected {
		if o.Age >= orphanAge {
			result.FilesProtected++
		}
	}
	var failed []error
	for _, o := range list.Orphans {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if tight && id == kalam.LocalStorage && o.Kind == layout.StagedFile && c.pair.BeforeStart(o.Modified) {
			failed = append(failed, c.removeStaged(ctx, o, result))
			continue
		}
		if o.Age < orphanAge {
			continue
		}
		moved, err := c.lake.Trash(ctx, o, known)
		if err != nil {
			failed = append(failed, fmt.Errorf("move %s to the trash: %w", o.Path, err))
			continue
		}
		if moved {
			result.Trashed(OrphanFile{Storage: id, Path: o.Path, Bytes: o.Bytes})
			c.log.Info("orphan moved to the trash", "storage", string(id), "path", o.Path, "kind", o.Kind.String())
		}
	}
	return errors.Join(failed...)
}

// checkMarkOf returns an error unless a storage is still this lake's, and no server with a copy
// of the write buffer has used it since the start. The local one was looked at before.
func (c *cleaner) checkMarkOf(ctx context.Context, id kalam.StorageID) error {
	if id == kalam.LocalStorage {
		return nil
	}
	at, _, err := c.lake.Storage(id)
	if err != nil {
		return err
	}
	return c.pair.CheckMarkOf(ctx, id, at)
}

// removeStaged deletes a file that a server before this one was writing. Only one server
// writes to a storage, and nothing reads a staged object. While the disk is nearly full it does
// not wait in the trash.
func (c *cleaner) removeStaged(ctx context.Context, o lake.Orphan, result *OrphanResult) error {
	if err := c.pair.Storage.Remove(ctx, o.Path); err != nil {
		return fmt.Errorf("remove %s: %w", o.Path, err)
	}
	result.FilesPurged++
	result.BytesPurged += o.Bytes
	c.log.Info("the disk is nearly full: an unfinished file of an earlier server is removed",
		"storage", string(o.Storage), "path", o.Path, "bytes", o.Bytes)
	return nil
}

// checkNotOlder refuses a buffer that gave out fewer seqs than a file has that was
// there before the start. So the buffer is a copy of earlier, taken since the start that
// the mark tells of; that is noted for all later starts.
func (c *cleaner) checkNotOlder(ctx context.Context, list lake.OrphanList) error {
	for _, o := range slices.Concat(list.Orphans, list.Protected) {
		// The clock of a remote storage is not ours, and may be coarse: a file of ours can seem to
		// be older than the start.
		_, owner := layout.Classify(o.Path)
		if !c.pair.Older(o.MaxSeq, o.Modified) || c.lake.Gave(o.Storage, owner) {
			continue
		}
		c.log.Error("the write buffer is older than the storage; files that it does not know are kept", "path", o.Path)
		return errors.Join(errRestored(), c.pair.NoteRestored(ctx))
	}
	return nil
}
