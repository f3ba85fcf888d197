package backup

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/buffer/atrest"
	"github.com/kalamlake/kalam/catalog"
	"github.com/kalamlake/kalam/lake"
	"github.com/kalamlake/kalam/lake/layout"
)

// Source is what is backed up.
type Source struct {
	// Snapshot is what the write buffer stores. The files that it names must stay until Run returns.
	Snapshot buffer.Snapshot
	Lake     *lake.Lake
	// At is a time before the snapshot was taken.
	At time.Time
}

// Options are what Run needs beside them.
type Options struct {
	Progress func(Progress) // nil tells nobody.
}

// Progress says how far a backup is. It rises.
type Progress struct {
	Segments, Done int   // All, and those that were looked at.
	Copied         int   // Files that no earlier backup had.
	Bytes          int64 // Theirs.
	Entries        int64 // Of the record.
}

// Summary is what Run did.
type Summary struct {
	ID          string    `json:"id"`
	Destination string    `json:"destination"`
	Seq         kalam.Seq `json:"seq"`
	Floor       kalam.Seq `json:"floor"`
	Segments    int       `json:"segments"`
	Files       int       `json:"new_files"` // That no earlier backup had.
	Linked      int       `json:"linked_files"`
	Bytes       int64     `json:"new_bytes"` // Of the new files, linked ones included.
	RecordBytes int64     `json:"record_bytes"`
	Buffered    int64     `json:"buffered_rows"`
	// Damaged says what was not as it should be when it was copied.
	Damaged []string `json:"damaged,omitempty"`
}

const (
	// commitTogether is how many segments are made durable at once.
	commitTogether = 64
	// copyAtOnce is how many are read at a time.
	copyAtOnce = 4
	idTime     = "2006-01-02T15-04-05.000Z"
)

// Run adds a backup of the source to the destination. It is whole when there is no error, and not there otherwise.
func Run(ctx context.Context, src Source, d *Destination, o Options) (Summary, error) {
	if o.Progress == nil {
		o.Progress = func(Progress) {}
	}
	w := &writer{src: src, to: d, o: o}
	if err := d.lock(ctx); err != nil {
		return Summary{}, err
	}
	for _, step := range []func(context.Context) error{w.begin, w.readState, w.copySegments, w.copyRecord, w.finish} {
		if err := step(ctx); err != nil {
			return Summary{}, err
		}
	}
	return w.sum, nil
}

// writer is the work of Run.
type writer struct {
	src   Source
	to    *Destination
	o     Options
	m     Manifest
	sum   Summary
	list  []kalam.Segment        // To copy.
	known map[segmentKey]Segment // Of earlier backups.

	mu      sync.Mutex       // guards what follows
	objects map[string]int64 // Bytes of the objects that are there, or staged, by their sums.
	staged  []lake.Staged
	at      Progress
}

// begin reads what the destination has.
func (w *writer) begin(ctx context.Context) error {
	at := w.src.At.UTC().Truncate(time.Millisecond)
	var id [4]byte
	rand.Read(id[:]) // never fails
	w.m.ID = at.Format(idTime) + "-" + hex.EncodeToString(id[:])
	w.m.CreatedAt = at
	w.known, w.objects = map[segmentKey]Segment{}, map[string]int64{}
	err := w.to.storage.List(ctx, w.to.path(objectFolder), func(e lake.Entry) error {
		if sum := e.Path[strings.LastIndexByte(e.Path, '/')+1:]; isSum(sum) {
			w.objects[sum] = e.Bytes
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("list the files of earlier backups: %w", err)
	}
	earlier, err := w.to.List(ctx)
	for _, b := range earlier {
		if b.Manifest == nil {
			continue // What it has is compared anew.
		}
		for _, s := range b.Manifest.Segments {
			if s.Damaged == "" && s.Sums.Known() {
				w.known[s.key()] = s
			}
		}
	}
	return err
}

// readState reads what the snapshot says: segments, seqs, storages. What is damaged is noted, and copied as it is.
func (w *writer) readState(ctx context.Context) error {
	snapshot := w.src.Snapshot
	record, _, err := catalog.ReadLake(ctx, snapshot)
	if err != nil {
		return err
	}
	stored, err := catalog.ReadStored(ctx, snapshot)
	if err != nil {
		return err
	}
	w.m.LakeID, w.m.Tables = record.ID, len(stored.Tables)
	for r, err := range buffer.ScopeRecords(ctx, snapshot) {
		if err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			w.damaged(err.Error())
			continue
		}
		if !stored.Live(r.Scope) {
			continue // Its files may be gone.
		}
		t := stored.Tables[r.Scope.Table]
		w.m.Seq = max(w.m.Seq, r.Record.Watermark)
		if floor := r.Record.Floor(); floor > w.m.Floor {
			w.m.Floor, w.m.FloorOf = floor, scopeName(t, r.Scope)
		}
		w.list = append(w.list, r.Record.Segments...)
	}
	for id, s := range stored.Storages {
		if id != kalam.LocalStorage && usesStorage(id, stored, w.list) {
			w.m.Storages = append(w.m.Storages, Storage{ID: id, Type: string(s.Type), SealedWith: sealedWith(s.Credentials)})
		}
	}
	slices.SortFunc(w.m.Storages, func(a, b Storage) int { return cmp.Compare(a.ID, b.ID) })
	return atrest.ScanLog(ctx, snapshot, func(b atrest.LogBlock) error {
		w.m.Seq = max(w.m.Seq, b.Last)
		w.m.Buffered += int64(b.Rows)
		return nil
	}, func(err error) { w.damaged(err.Error()) })
}

// scopeName names a scope for people.
func scopeName(t *kalam.Table, sc kalam.Scope) string {
	if t.IsShared() {
		return t.ID.String()
	}
	return fmt.Sprintf("%s, user '%s'", t.ID, sc.User)
}

// usesStorage reports whether a table's files go to a storage, or some are there.
func usesStorage(id kalam.StorageID, stored *catalog.Stored, list []kalam.Segment) bool {
	for _, t := range stored.Tables {
		if t.Options.StorageID == id {
			return true
		}
	}
	return slices.ContainsFunc(list, func(s kalam.Segment) bool { return s.Storage == id })
}

// sealedWith returns the id of the key of sealed credentials: kalam1.{id}.{bytes}.
func sealedWith(credentials string) string {
	parts := strings.SplitN(credentials, ".", 3)
	if len(parts) < 3 {
		return ""
	}
	return parts[1]
}

// mostDamaged bounds what a manifest says of damage.
const mostDamaged = 1000

func (w *writer) damaged(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.m.Damaged) < mostDamaged {
		w.m.Damaged = append(w.m.Damaged, what)
	}
}

// copySegments copies the files that the destination does not have.
func (w *writer) copySegments(ctx context.Context) error {
	defer w.abort()
	w.m.Segments = make([]Segment, len(w.list))
	w.at.Segments = len(w.list)
	for begin := 0; begin < len(w.list); begin += commitTogether {
		end := min(begin+commitTogether, len(w.list))
		g, gctx := errgroup.WithContext(ctx)
		g.SetLimit(copyAtOnce)
		for i := begin; i < end; i++ {
			g.Go(func() (err error) {
				w.m.Segments[i], err = w.segment(gctx, &w.list[i])
				return err
			})
		}
		if err := g.Wait(); err != nil {
			return err
		}
		staged := w.staged
		w.staged = nil
		if err := w.to.storage.Commit(ctx, staged...); err != nil {
			return fmt.Errorf("copy files of segments: %w", err)
		}
		w.at.Done = end
		w.o.Progress(w.at)
	}
	return nil
}

// abort gives up what was copied and not made durable.
func (w *writer) abort() {
	for _, s := range w.staged {
		_ = s.Abort() // The backup has failed already; a file that stays is removed by the next one.
	}
	w.staged = nil
}

// segment copies both files of a segment, unless an earlier backup has them.
func (w *writer) segment(ctx context.Context, seg *kalam.Segment) (Segment, error) {
	out := Segment{
		Storage: cmp.Or(seg.Storage, kalam.LocalStorage), Path: seg.Path, Table: seg.Table, Bytes: seg.Bytes, Sums: seg.Sums,
	}
	if old, ok := w.known[out.key()]; ok && w.has(old.Parquet) && w.has(old.Keys) {
		out.Parquet, out.Keys = old.Parquet, old.Keys
		return out, nil
	}
	at, _, err := w.src.Lake.Storage(seg.Storage)
	if err != nil {
		return out, err
	}
	if out.Parquet, err = w.file(ctx, at, seg.Path); err != nil {
		return out, err
	}
	if out.Keys, err = w.file(ctx, at, layout.KeyIndexPath(seg.Path)); err != nil {
		return out, err
	}
	if _, err := w.src.Lake.Scrub(ctx, seg, nil); err != nil {
		if ctx.Err() != nil || kalam.CodeOf(err) != kalam.CodeCorrupt {
			return out, err
		}
		out.Damaged = err.Error()
		w.damaged(out.Damaged)
	}
	return out, nil
}

// has reports whether the destination has an object.
func (w *writer) has(o Object) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	size, ok := w.objects[o.Sum]
	return ok && o.fits(size)
}

// file copies a file of a storage. One that is missing gives no object.
func (w *writer) file(ctx context.Context, from lake.Storage, p string) (o Object, err error) {
	name, release, err := from.LocalPath(ctx, p)
	if errors.Is(err, lake.ErrNotExist) {
		return o, nil
	}
	if err != nil {
		return o, err
	}
	defer release()
	if o, err = hashFile(ctx, name); err != nil {
		return o, fmt.Errorf("read %s: %w", p, err)
	}
	w.mu.Lock()
	size, there := w.objects[o.Sum]
	w.objects[o.Sum] = o.Bytes
	w.mu.Unlock()
	if there {
		if !o.fits(size) {
			return o, damaged(o.path(), fmt.Sprintf("it has %d bytes instead of %d", size, o.Bytes))
		}
		return o, nil
	}
	staged, err := w.to.storage.Create(ctx, w.to.path(o.path()))
	if err != nil {
		return o, err
	}
	linked := os.Link(name, staged.LocalPath()) == nil
	if !linked {
		if err := copyFile(ctx, name, staged.LocalPath(), o); err != nil {
			return o, errors.Join(fmt.Errorf("copy %s: %w", p, err), staged.Abort())
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.staged = append(w.staged, staged)
	w.at.Copied++
	w.at.Bytes += o.Bytes
	if linked {
		w.sum.Linked++
	}
	return o, nil
}

// hashFile reads a file.
func hashFile(ctx context.Context, name string) (o Object, err error) {
	f, err := os.Open(name)
	if err != nil {
		return o, err
	}
	defer f.Close() //nolint:errcheck // It was only read.
	h := sha256.New()
	o.Bytes, err = io.Copy(h, &ctxReader{ctx, f})
	o.Sum = hex.EncodeToString(h.Sum(nil))
	return o, err
}

// copyFile copies a file whose content is known. The copy is not synced.
func copyFile(ctx context.Context, name, to string, want Object) (err error) {
	from, err := os.Open(name)
	if err != nil {
		return err
	}
	defer from.Close() //nolint:errcheck // It was only read.
	f, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	h := sha256.New()
	n, err := io.Copy(io.MultiWriter(f, h), &ctxReader{ctx, from})
	if err = errors.Join(err, f.Close()); err != nil {
		return noSpace(err)
	}
	if n != want.Bytes || hex.EncodeToString(h.Sum(nil)) != want.Sum {
		return errors.New("it was changed while it was copied")
	}
	return nil
}

// noSpace gives the error of a full disk its code.
func noSpace(err error) error {
	if lake.IsNoSpace(err) {
		return kalam.Wrap(kalam.CodeResourceExhausted, err, "there is no room left in the destination of the backup")
	}
	return err
}

// copyRecord copies what the write buffer stores.
func (w *writer) copyRecord(ctx context.Context) error {
	staged, err := w.to.storage.Create(ctx, w.to.path(recordPath(w.m.ID)))
	if err != nil {
		return err
	}
	if w.m.Record, err = w.writeRecord(ctx, staged.LocalPath()); err != nil {
		return errors.Join(fmt.Errorf("copy the write buffer: %w", noSpace(err)), staged.Abort())
	}
	if err := w.to.storage.Commit(ctx, staged); err != nil {
		return fmt.Errorf("copy the write buffer: %w", err)
	}
	return nil
}

func (w *writer) writeRecord(ctx context.Context, name string) (o Object, err error) {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return o, err
	}
	h := sha256.New()
	out := &countingWriter{to: io.MultiWriter(f, h)}
	_, err = writeRecord(ctx, out, w.src.Snapshot, func(n int64) {
		w.at.Entries = n
		w.o.Progress(w.at)
	})
	return Object{Sum: hex.EncodeToString(h.Sum(nil)), Bytes: out.n}, errors.Join(err, f.Close())
}

// countingWriter counts what goes through it.
type countingWriter struct {
	to io.Writer
	n  int64
}

func (c *countingWriter) Write(b []byte) (int, error) {
	n, err := c.to.Write(b)
	c.n += int64(n)
	return n, err
}

// finish writes the manifest, by which the backup is there.
func (w *writer) finish(ctx context.Context) error {
	raw, err := encodeManifest(&w.m)
	if err != nil {
		return err
	}
	staged, err := w.to.storage.Create(ctx, w.to.path(manifestPathOf(w.m.ID)))
	if err != nil {
		return err
	}
	if err := os.WriteFile(staged.LocalPath(), raw, 0o600); err != nil {
		return errors.Join(noSpace(err), staged.Abort())
	}
	if err := w.to.storage.Commit(ctx, staged); err != nil {
		return fmt.Errorf("write the manifest of the backup: %w", err)
	}
	w.sum.ID, w.sum.Destination, w.sum.Seq, w.sum.Floor = w.m.ID, w.to.Location(), w.m.Seq, w.m.Floor
	w.sum.Segments, w.sum.Files, w.sum.Bytes = len(w.m.Segments), w.at.Copied, w.at.Bytes
	w.sum.RecordBytes, w.sum.Buffered, w.sum.Damaged = w.m.Record.Bytes, w.m.Buffered, w.m.Damaged
	return nil
}
