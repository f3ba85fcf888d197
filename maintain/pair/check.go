package pair

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/buffer/badger"
	"github.com/kalamlake/kalam/catalog"
	"github.com/kalamlake/kalam/lake"
	"github.com/kalamlake/kalam/lake/file"
	"github.com/kalamlake/kalam/lake/layout"
)

// check is what a start knows of the two halves.
type check struct {
	log        *slog.Logger
	now        func() time.Time
	bufferDir  string        // Absolute, for messages.
	storageDir string        // Likewise.
	storage    lake.Storage  // nil while the directory is missing.
	disk       *file.Storage // Likewise: what it is, or wraps.
	backend    buffer.Backend

	mark     lake.Mark
	marked   bool
	record   catalog.LakeRecord
	recorded bool
	tables   int // In the catalog, dropped ones that are not forgotten included.
}

func newCheck(cfg Config, o Options) *check {
	return &check{
		log: o.Logger, now: o.Now,
		bufferDir: Absolute(cfg.BufferPath), storageDir: Absolute(cfg.StoragePath),
	}
}

// refuse is the error of halves that do not belong together. what tells what was
// found, do what to do about it.
func (c *check) refuse(what, do string) error {
	return kalam.Errorf(kalam.CodeInvalidOperation,
		"%s. Nothing was removed and nothing was changed; keep the files. %s", what, do)
}

// adoptAdvice is the advice when the buffer is lost.
const adoptAdvice = "If the write buffer is lost, move what is left of its directory away, and run " +
	"`kalamd repair --adopt` with the same configuration: it brings back what was flushed"

// wayBack is the advice when the buffer is not the one of the storage.
const wayBack = "Mount the volume of the write buffer, point storage.buffer_path to the right directory, " +
	"or restore that directory from a backup. " + adoptAdvice + ". " +
	"To begin a new lake, give it an empty storage directory (storage.default_storage_path)"

// readMark reads the mark of the storage, unless another server uses that.
func (c *check) readMark(ctx context.Context) (err error) {
	if c.storage == nil {
		return nil
	}
	if err := c.disk.Locked(); err != nil {
		return err
	}
	if c.mark, c.marked, err = lake.ReadMark(ctx, c.storage); err != nil {
		return kalam.Wrap(kalam.CodeOf(err), err,
			"the storage %s does not tell which lake it belongs to. "+
				"Nothing was removed and nothing was changed; keep the files. "+
				"Restore %s in it from a backup, or start the version of kalamd that wrote it", c.storageDir,
			layout.MarkPath)
	}
	return nil
}

// checkNewBuffer refuses a directory without a buffer over a storage that has had
// one, before a buffer is made there.
func (c *check) checkNewBuffer(ctx context.Context, dir string) error {
	isNew, err := badger.IsNew(dir)
	if err != nil || !isNew || c.storage == nil {
		return err
	}
	return c.checkUnrecorded(ctx, fmt.Sprintf("The directory %s of the write buffer is empty", c.bufferDir))
}

// checkUnrecorded refuses a buffer that knows no table and no lake over a storage
// that belongs to one. what says so of the buffer.
func (c *check) checkUnrecorded(ctx context.Context, what string) error {
	if c.marked {
		return c.refuse(fmt.Sprintf("%s, but the storage %s belongs to the lake %s, whose write buffer is elsewhere",
			what, c.storageDir, c.mark.LakeID), wayBack)
	}
	found, err := c.findSegment(ctx, lake.FindSegment)
	if err != nil || found == "" {
		return err
	}
	return c.refuse(fmt.Sprintf("%s, but the storage %s holds rows of tables, among others in %s",
		what, c.storageDir, found), wayBack)
}

// segmentFinder is lake.FindSegment or lake.FindNamedSegment.
type segmentFinder func(context.Context, lake.Storage) (string, error)

// findSegment looks for a segment in the storage, if there is a storage.
func (c *check) findSegment(ctx context.Context, find segmentFinder) (string, error) {
	if c.storage == nil {
		return "", nil
	}
	found, err := find(ctx, c.storage)
	if err != nil {
		return "", kalam.Wrap(kalam.CodeOf(err), err,
			"the storage %s cannot be listed; nothing was removed and nothing was changed", c.storageDir)
	}
	return found, nil
}

// checkAdopted refuses a buffer that is half filled from the files of a lake.
func (c *check) checkAdopted(ctx context.Context) error {
	adopting, err := catalog.IsAdopting(ctx, c.backend)
	if err != nil {
		return fmt.Errorf("write buffer %s: %w", c.bufferDir, err)
	}
	if !adopting {
		return nil
	}
	return c.refuse(fmt.Sprintf("The write buffer %s is that of an adoption which did not finish", c.bufferDir),
		"Run `kalamd repair --adopt` again")
}

// check decides whether the buffer and the storage belong together.
func (c *check) check(ctx context.Context) (err error) {
	if err := c.checkAdopted(ctx); err != nil {
		return err
	}
	if c.record, c.recorded, err = catalog.ReadLake(ctx, c.backend); err != nil {
		return fmt.Errorf("write buffer %s: %w", c.bufferDir, err)
	}
	if c.tables, err = catalog.CountTables(ctx, c.backend); err != nil {
		return fmt.Errorf("write buffer %s: %w", c.bufferDir, err)
	}
	switch {
	case c.marked && !c.recorded:
		return c.checkUnrecorded(ctx, fmt.Sprintf("The write buffer %s belongs to no lake", c.bufferDir))
	case c.marked && c.record.ID != c.mark.LakeID:
		return c.refuse(
			fmt.Sprintf("The write buffer %s belongs to the lake %s, and the storage %s to the lake %s",
				c.bufferDir, c.record.ID, c.storageDir, c.mark.LakeID),
			"Point storage.buffer_path and storage.default_storage_path to directories of one lake")
	case c.marked:
		return c.checkSame(ctx)
	case c.recorded && !c.record.Unconfirmed:
		return c.checkUnmarked(ctx)
	case c.tables == 0:
		if err := c.checkUnrecorded(ctx, fmt.Sprintf("The write buffer %s knows no table", c.bufferDir)); err != nil {
			return err
		}
	}
	return c.checkAdoption(ctx)
}

// checkSame refuses a buffer that has lost its tables. Segments of a dropped table
// are gone before its record is, and what a crash leaves is named by no
// manifest.json.
func (c *check) checkSame(ctx context.Context) error {
	if c.tables > 0 {
		return nil
	}
	found, err := c.findSegment(ctx, lake.FindNamedSegment)
	if err != nil || found == "" {
		return err
	}
	what := fmt.Sprintf("The write buffer %s knows no table, but the storage %s of the same lake holds rows of "+
		"tables, "+
		"among others in %s", c.bufferDir, c.storageDir, found)
	return c.refuse(what, "Restore the directory of the write buffer from a backup. "+adoptAdvice)
}

// checkUnmarked refuses a storage without mark under a buffer that has written to
// one with it, unless nothing was ever kept in either.
func (c *check) checkUnmarked(ctx context.Context) error {
	const do = "Mount the volume of the storage, or point storage.default_storage_path to the right directory"
	what := fmt.Sprintf("The write buffer %s belongs to the lake %s, but the storage %s has no mark of it (%s)",
		c.bufferDir, c.record.ID, c.storageDir, layout.MarkPath)
	found, err := c.findSegment(ctx, lake.FindSegment)
	if err != nil {
		return err
	}
	if found != "" {
		return c.refuse(what+" and holds rows of tables, among others in "+found,
			do+", or restore the mark from a backup")
	}
	for m, err := range buffer.ScopeRecords(ctx, c.backend) {
		if err != nil {
			return c.refuse(fmt.Sprintf("%s, and a manifest of the write buffer cannot be read: %v", what, err), do)
		}
		if len(m.Record.Segments) > 0 {
			return c.refuse(fmt.Sprintf("%s and lacks %s, which holds rows", what, m.Record.Segments[0].Path), do)
		}
	}
	return nil
}

// checkAdoption refuses halves without id, as older versions made them, unless the
// storage holds every segment that the buffer names.
func (c *check) checkAdoption(ctx context.Context) error {
	const do = "Point storage.buffer_path and storage.default_storage_path to the directories of one lake, " +
		"mount what is missing, or restore it from a backup"
	named := 0
	for m, err := range buffer.ScopeRecords(ctx, c.backend) {
		if err != nil {
			return c.refuse(fmt.Sprintf("The write buffer %s has no lake id yet and a manifest of it cannot be "+
				"read: %v",
				c.bufferDir, err), do)
		}
		for i := range m.Record.Segments {
			named++
			if err := c.checkSegment(ctx, &m.Record.Segments[i]); err != nil {
				return c.refuse(fmt.Sprintf("The write buffer %s names the segment %s, which the storage %s "+
					"does not have: %v",
					c.bufferDir, m.Record.Segments[i].Path, c.storageDir, err), do)
			}
		}
	}
	if named > 0 {
		return nil
	}
	found, err := c.findSegment(ctx, lake.FindNamedSegment)
	if err != nil || found == "" {
		return err
	}
	return c.refuse(fmt.Sprintf("The write buffer %s names no segment, but the storage %s holds rows of tables, "+
		"among others in %s", c.bufferDir, c.storageDir, found), do)
}

// checkSegment reports that a segment is not in the storage.
func (c *check) checkSegment(ctx context.Context, seg *kalam.Segment) error {
	if id := seg.Storage; id != kalam.LocalStorage && id != "" {
		return kalam.Errorf(kalam.CodeNotFound, "there is no storage '%s'", id)
	}
	if c.storage == nil {
		return fmt.Errorf("the directory is missing")
	}
	o, err := c.storage.Open(ctx, seg.Path)
	if err != nil {
		return err
	}
	return o.Close()
}

// confirm writes record and mark of this start, the record first: a crash in
// between leaves a record that says so, or is one generation ahead. It is called
// with both halves locked.
func (c *check) confirm(ctx context.Context) error {
	mark, marked, err := lake.ReadMark(ctx, c.storage)
	if err != nil {
		return fmt.Errorf("read the mark of the storage %s: %w", c.storageDir, err)
	}
	if marked != c.marked || mark.LakeID != c.mark.LakeID {
		what := fmt.Sprintf("The mark of the storage %s changed while the server started", c.storageDir)
		return c.refuse(what, "Start it again")
	}
	agreed := c.marked && !c.record.Unconfirmed
	if err := c.nextGeneration(); err != nil {
		return err
	}
	err = c.write(ctx)
	if agreed && kalam.CodeOf(err) == kalam.CodeResourceExhausted {
		c.log.Warn("the start is not counted; the write buffer and its backups of this run look alike", "error", err)
		return nil // A server must start on a full disk, to give space back.
	}
	return err
}

// write stores the record, then the mark, and confirms a first record.
func (c *check) write(ctx context.Context) error {
	err := errors.Join(catalog.WriteLake(ctx, c.backend, c.record), syncBackend(ctx, c.backend))
	if err != nil {
		return fmt.Errorf("record the lake in the write buffer %s: %w", c.bufferDir, err)
	}
	next := lake.Mark{LakeID: c.record.ID, CreatedAt: c.record.CreatedAt, Generation: c.record.Generation}
	if err := lake.WriteMark(ctx, c.storage, next); err != nil {
		return fmt.Errorf("mark the storage %s: %w", c.storageDir, err)
	}
	if !c.record.Unconfirmed {
		return nil
	}
	c.record.Unconfirmed = false
	if err := catalog.WriteLake(ctx, c.backend, c.record); err != nil {
		return fmt.Errorf("record the lake in the write buffer %s: %w", c.bufferDir, err)
	}
	c.log.Info("the write buffer and the storage are of one lake from now on", "lake", c.record.ID, "tables", c.tables)
	return nil
}

// nextGeneration makes the record that this start writes, and notes if the buffer
// is older than the storage: somebody has restored it from a backup.
func (c *check) nextGeneration() error {
	if !c.recorded {
		id, err := uuid.NewV7()
		if err != nil {
			return fmt.Errorf("make the id of the lake: %w", err)
		}
		created := c.now().UTC().Truncate(time.Millisecond)
		c.record = catalog.LakeRecord{ID: id.String(), CreatedAt: created, Unconfirmed: true}
	}
	if c.mark.Generation > c.record.Generation {
		c.record.Restored, c.record.RestoredSeq = true, 0
	}
	if c.record.Restored {
		c.log.Error("the write buffer is older than the storage; files that it does not know are kept",
			"buffer", c.bufferDir, "storage", c.storageDir)
	}
	c.record.Generation = max(c.record.Generation, c.mark.Generation) + 1
	return nil
}
