package engine_test

import (
	"context"
	"path"
	"slices"
	"strings"

	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/catalog"
	"github.com/kalamlake/kalam/engine"
	"github.com/kalamlake/kalam/lake"
	"github.com/kalamlake/kalam/lake/layout"
	"github.com/kalamlake/kalam/maintain"
	"github.com/kalamlake/kalam/query"
)

// A hook is called at the points of flushes, compactions and starts, which are the calls
// that change the disk. Tests look at the disk there, as a crash would find it, or wait, or
// return an error, which the call returns then. The points, in their order:
//
//	collected   before the staged object of a segment is made: its rows are known
//	copied      after the query engine wrote a Parquet file
//	written     the Parquet file is written, the key index file is not
//	prepared    both are written, and neither is durable or has its name
//	segment     the files are durable under their names
//	committing  before the commit of a flush or compaction
//	committed   after it
//	trimming    before flushed rows are removed from the log
//	trimmed     after it
//	manifest    before a manifest.json is written
//	removing    before a file is removed
//	removed     after it
//	purging     before deleted values are taken out of the buffer's files
//	recorded    after the lake was recorded in the buffer
//	marked      after the storage was marked
//
// An error at "...ed" is one after the call was done, but for "collected".
type hook func(point string) error

// wrap returns wrappers of the seams that the engine writes through, which call h.
func (h hook) wrap() engine.Wrap {
	return engine.Wrap{
		Backend: func(b buffer.Backend) buffer.Backend { return hookedBackend{b, h} },
		Storage: func(s lake.Storage) lake.Storage { return hookedStorage{s, h} },
		Copier:  func(c maintain.Copier) maintain.Copier { return hookedCopier{c, h} },
	}
}

// hookedCopier is a Copier with points.
type hookedCopier struct {
	maintain.Copier
	hook hook
}

func (c hookedCopier) CopyParquet(ctx context.Context, spec query.CopySpec) (int64, error) {
	rows, err := c.Copier.CopyParquet(ctx, spec)
	if err == nil {
		err = c.hook("copied")
	}
	return rows, err
}

// hookedStorage is a Storage with points.
type hookedStorage struct {
	lake.Storage
	hook hook
}

func (s hookedStorage) Create(ctx context.Context, p string) (lake.Staged, error) {
	point := "collected"
	if strings.HasSuffix(p, ".keys") {
		point = "written"
	}
	if err := s.hook(point); err != nil {
		return nil, err
	}
	return s.Storage.Create(ctx, p)
}

func (s hookedStorage) Commit(ctx context.Context, staged ...lake.Staged) error {
	if err := s.hook("prepared"); err != nil {
		for _, d := range staged {
			_ = d.Abort() // The injected error is the one to see.
		}
		return err
	}
	if err := s.Storage.Commit(ctx, staged...); err != nil {
		return err
	}
	err := s.hook("segment")
	if err != nil {
		for _, d := range staged {
			_ = s.Storage.Remove(ctx, d.Path()) // As above.
		}
	}
	return err
}

func (s hookedStorage) Replace(ctx context.Context, p string, content []byte) error {
	if path.Base(p) == "manifest.json" {
		if err := s.hook("manifest"); err != nil {
			return err
		}
	}
	if err := s.Storage.Replace(ctx, p, content); err != nil || p != layout.MarkPath {
		return err
	}
	return s.hook("marked")
}

func (s hookedStorage) ReplaceAll(ctx context.Context, objects []lake.Content) error {
	if err := s.hook("manifest"); err != nil {
		return err
	}
	return s.Storage.(lake.BatchReplacer).ReplaceAll(ctx, objects)
}

func (s hookedStorage) Remove(ctx context.Context, p string) error {
	if err := s.hook("removing"); err != nil {
		return err
	}
	if err := s.Storage.Remove(ctx, p); err != nil {
		return err
	}
	return s.hook("removed")
}

// hookedBackend is a Backend with points. What Badger can do beside, it can do too.
type hookedBackend struct {
	buffer.Backend
	hook hook
}

func (b hookedBackend) Apply(ctx context.Context, ops []buffer.Op) error {
	before, after := pointsOf(ops)
	if before != "" {
		if err := b.hook(before); err != nil {
			return err
		}
	}
	if err := b.Backend.Apply(ctx, ops); err != nil || after == "" {
		return err
	}
	return b.hook(after)
}

// pointsOf returns the points before and after a batch, "" for none.
func pointsOf(ops []buffer.Op) (before, after string) {
	edits := func(op buffer.Op) bool { return op.Keyspace == "sys_manifest" && !op.Delete }
	keeps := func(op buffer.Op) bool { return op.Keyspace != "sys_rows" || !op.Delete }
	records := func(op buffer.Op) bool { return op.Keyspace == catalog.Keyspace && string(op.Key) == "lake" }
	switch {
	case slices.ContainsFunc(ops, edits):
		return "committing", "committed"
	case !slices.ContainsFunc(ops, keeps):
		return "trimming", "trimmed"
	case slices.ContainsFunc(ops, records):
		return "", "recorded"
	}
	return "", ""
}

func (b hookedBackend) Versions(
	ctx context.Context, keyspace string, start, end []byte,
) (values, deletions int, err error) {
	return b.Backend.(interface {
		Versions(context.Context, string, []byte, []byte) (int, int, error)
	}).Versions(ctx, keyspace, start, end)
}

func (b hookedBackend) Sync(ctx context.Context) error {
	if s, ok := b.Backend.(interface{ Sync(context.Context) error }); ok {
		return s.Sync(ctx)
	}
	return nil
}

func (b hookedBackend) Purge(ctx context.Context) error {
	if err := b.hook("purging"); err != nil {
		return err
	}
	if p, ok := b.Backend.(interface{ Purge(context.Context) error }); ok {
		return p.Purge(ctx)
	}
	return nil
}

func (b hookedBackend) Room() (free, reserve int64, known bool) {
	if r, ok := b.Backend.(interface{ Room() (int64, int64, bool) }); ok {
		return r.Room()
	}
	return 0, 0, false
}
