package pair

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/catalog"
	"github.com/kalamlake/kalam/lake"
	"github.com/kalamlake/kalam/lake/file"
	"github.com/kalamlake/kalam/lake/layout"
)

// Config says where the halves of a lake are.
type Config struct {
	DataPath    string // The directory that the others are in by default.
	BufferPath  string
	StoragePath string
	Relaxed     bool // The buffer acknowledges commits before they are synced.
}

// Options are what Open and Inspect need beside the configuration.
type Options struct {
	Logger  *slog.Logger     // nil discards.
	Now     func() time.Time // For the time at which a lake was made; nil is time.Now.
	Backend buffer.Backend   // nil opens Badger in Config.BufferPath.
	Wrap    Wrap
}

// Wrap puts something around the halves of a lake, for tests that look at the disk at a
// call, or fail it. What is nil wraps nothing.
type Wrap struct {
	Backend func(buffer.Backend) buffer.Backend
	Storage func(lake.Storage) lake.Storage
}

// WrapBackend returns b, wrapped.
func (w *Wrap) WrapBackend(b buffer.Backend) buffer.Backend {
	if w.Backend == nil {
		return b
	}
	return w.Backend(b)
}

// WrapStorage returns s, wrapped.
func (w *Wrap) WrapStorage(s lake.Storage) lake.Storage {
	if w.Storage == nil {
		return s
	}
	return w.Storage(s)
}

func (o *Options) setDefaults() {
	o.Logger, o.Now = Defaults(o.Logger, o.Now)
}

// Defaults returns log and now, or where one is nil a logger that discards, and time.Now.
func Defaults(log *slog.Logger, now func() time.Time) (*slog.Logger, func() time.Time) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if now == nil {
		now = time.Now
	}
	return log, now
}

// Pair is both halves of a lake, opened. It is safe for concurrent use.
type Pair struct {
	Backend buffer.Backend // nil if Open failed before it was opened.
	Storage lake.Storage   // Likewise.

	disk      *file.Storage // What Storage is, or wraps.
	log       *slog.Logger
	bufferDir string // As configured.
	dataDir   string // Likewise.
	opened    time.Time

	recordMu  sync.Mutex         // guards what follows
	record    catalog.LakeRecord // Its id and generation do not change after Open.
	openedSeq kalam.Seq
	keepUpTo  kalam.Seq
}

// Close closes the storage, then the buffer.
func (p *Pair) Close() (err error) {
	if p.disk != nil {
		err = p.disk.Close()
	}
	if p.Backend != nil {
		err = errors.Join(err, p.Backend.Close())
	}
	return err
}

// Absolute returns the absolute name of a directory, for messages.
func Absolute(dir string) string {
	if abs, err := filepath.Abs(dir); err == nil {
		return abs
	}
	return dir
}

// Dirs returns the absolute names of the data directory, of that of the write buffer, and of that of the storage.
func (p *Pair) Dirs() []string {
	return []string{Absolute(p.dataDir), Absolute(p.bufferDir), p.disk.Properties().Location}
}

// Overlap reports whether one of two directories is the other, or lies in it.
func Overlap(a, b string) bool {
	within := func(in, of string) bool {
		rel, err := filepath.Rel(of, in)
		return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
	}
	a, b = Absolute(a), Absolute(b)
	return within(a, b) || within(b, a)
}

// SetOpenedSeq tells the pair a seq that is at or above all that the buffer had given out
// when it was opened. It is called once, before anything is written.
func (p *Pair) SetOpenedSeq(ctx context.Context, last kalam.Seq) error {
	p.recordMu.Lock()
	p.openedSeq = last
	restored := p.record.Restored
	p.recordMu.Unlock()
	if restored {
		return p.NoteRestored(ctx)
	}
	return nil
}

// Older reports whether a file tells that the buffer is older than the storage: the file
// was there before the start, and has a seq that the buffer had not given out. A crash
// leaves no such file: rows are in the buffer before they are in a file.
func (p *Pair) Older(maxSeq kalam.Seq, modified time.Time) bool {
	p.recordMu.Lock()
	defer p.recordMu.Unlock()
	return maxSeq > p.openedSeq && p.BeforeStart(modified)
}

// BeforeStart reports whether a file was last modified before Open.
func (p *Pair) BeforeStart(modified time.Time) bool { return modified.Before(p.opened) }

// NoteRestored records that the buffer is older than the storage, and up to which
// seq it may share its segments with newer copies of it, which the operator may put
// back.
func (p *Pair) NoteRestored(ctx context.Context) error {
	p.recordMu.Lock()
	defer p.recordMu.Unlock()
	r := &p.record
	var err error
	if !r.Restored || r.RestoredSeq == 0 {
		r.Restored, r.RestoredSeq = true, p.openedSeq
		err = catalog.WriteLake(ctx, p.Backend, *r)
	}
	p.keepUpTo = r.RestoredSeq
	if kalam.CodeOf(err) == kalam.CodeResourceExhausted {
		return nil // The next start finds it again, and then keeps more.
	}
	if err != nil {
		return fmt.Errorf("record in the write buffer that it is older than the storage: %w", err)
	}
	return nil
}

// Restored reports whether the buffer was found to be older than the storage.
func (p *Pair) Restored() bool {
	p.recordMu.Lock()
	defer p.recordMu.Unlock()
	return p.record.Restored
}

// Shares reports whether a newer copy of a restored buffer may name a segment, which is
// kept then.
func (p *Pair) Shares(seg *kalam.Segment) bool {
	p.recordMu.Lock()
	defer p.recordMu.Unlock()
	return seg.MaxSeq <= p.keepUpTo
}

// CheckMark returns an error unless the storage is still the one that Open checked.
func (p *Pair) CheckMark(ctx context.Context) error {
	mark, found, err := lake.ReadMark(ctx, p.Storage)
	switch {
	case err != nil:
		return fmt.Errorf("the mark of the storage cannot be read: %w", err)
	case !found || mark.LakeID != p.record.ID || mark.Generation > p.record.Generation:
		return fmt.Errorf("the mark %s of the storage is gone or another's", layout.MarkPath)
	}
	return nil
}

// CheckMarkOf is CheckMark of another storage of the lake.
func (p *Pair) CheckMarkOf(ctx context.Context, id kalam.StorageID, s lake.Storage) error {
	mark, found, err := lake.ReadMark(ctx, s)
	switch {
	case err != nil:
		return fmt.Errorf("the mark of the storage cannot be read: %w", err)
	case !found || mark.LakeID != p.record.ID || mark.Storage != id || mark.Generation > p.record.Generation:
		return fmt.Errorf("the mark %s of the storage is gone or another's", layout.MarkPath)
	}
	return nil
}

// Mark returns what marks storages as those of this lake, since this start.
func (p *Pair) Mark() lake.Mark {
	return lake.Mark{LakeID: p.record.ID, CreatedAt: p.record.CreatedAt, Generation: p.record.Generation}
}

// syncer is a backend whose writes may be durable later than they return.
type syncer interface {
	Sync(ctx context.Context) error
}

// Sync returns when everything that was committed is durable. Files are removed after
// it, whose last name a commit took: with buffer.durability = relaxed, a power cut
// could otherwise bring back the state that needs them.
func (p *Pair) Sync(ctx context.Context) error { return syncBackend(ctx, p.Backend) }

func syncBackend(ctx context.Context, b buffer.Backend) error {
	if s, ok := b.(syncer); ok {
		return s.Sync(ctx)
	}
	return nil
}

// purger is a backend that can take deleted values out of its files.
type purger interface {
	Purge(ctx context.Context) error
}

// Purge takes deleted values out of the files of the buffer, if it can.
func (p *Pair) Purge(ctx context.Context) error {
	if b, ok := p.Backend.(purger); ok {
		return b.Purge(ctx)
	}
	return nil
}
