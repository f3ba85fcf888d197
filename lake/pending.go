package lake

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/lake/integrity"
	"github.com/kalamlake/kalam/lake/keyindex"
	"github.com/kalamlake/kalam/lake/layout"
	"github.com/kalamlake/kalam/lake/parquet"
)

// Pending is a segment that is being written. It belongs to one goroutine.
type Pending struct {
	lake     *Lake
	at       *location
	table    *kalam.Table
	user     kalam.UserID // "" for a SHARED table.
	path     string
	created  time.Time
	maxSeq   kalam.Seq
	parquet  Staged
	keyIndex Staged           // nil until Prepare
	keys     *keyindex.Stream // nil unless asked for
	content  []byte           // Of the Parquet file, until Prepare, when WriteRows wrote it.
	written  int64            // Its rows.
	segment  *kalam.Segment   // nil until Prepare
	closed   bool
}

// A segment with at most SmallRows rows, whose values take at most about SmallBytes,
// may be written by Pending.WriteRows.
const (
	SmallRows  = 2048
	SmallBytes = 1 << 20
)

// SegmentMeta is what a flush knows of the segment it wrote.
type SegmentMeta struct {
	MinSeq, MaxSeq kalam.Seq // Of the rows in the file.
	Rows           int64     // Tombstones included.
	Tombstones     int64
}

// NewSegment begins a segment of user's rows of t (of all rows of a SHARED
// table, whose user is ignored) in the table's own storage. maxSeq, the highest
// seq in it, becomes part of its name. The caller writes the Parquet file to
// LocalTemp and then calls Commit or Abort.
func (l *Lake) NewSegment(ctx context.Context, t *kalam.Table, user kalam.UserID, maxSeq kalam.Seq) (*Pending, error) {
	return l.NewSegmentIn(ctx, "", t, user, maxSeq)
}

// NewSegmentIn is NewSegment in another storage than the table's own, for users
// with a storage of theirs; "" is the table's own.
func (l *Lake) NewSegmentIn(ctx context.Context, storage kalam.StorageID, t *kalam.Table, user kalam.UserID,
	maxSeq kalam.Seq) (*Pending, error) {
	at, folder, err := l.folder(storage, t, user)
	if err != nil {
		return nil, err
	}
	p := &Pending{lake: l, at: at, table: t, user: parquet.OwnerOf(t, user), maxSeq: maxSeq,
		created: l.now().UTC().Truncate(time.Millisecond)}
	if err := p.reserve(ctx, folder); err != nil {
		return nil, err
	}
	if p.parquet, err = at.Storage.Create(ctx, p.path); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

// reserve chooses a free name. A compaction may write the same rows within the
// second in which a flush or another compaction did, whose file may be gone
// already, and a crash may have left one of the two files; then the name moves on
// by a second. A remote storage is not asked: it has no names but those that were given here, and
// what a crash of this very second left, which its Commit finds.
func (p *Pending) reserve(ctx context.Context, folder string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	for at := p.created; ; at = at.Add(time.Second) {
		p.path = path.Join(folder, layout.SegmentName(at, p.maxSeq))
		reserved, err := p.lake.reserve(objectKey{p.at.ID, p.path})
		if err != nil {
			return err
		}
		if !reserved {
			continue
		}
		taken := p.lake.removed.Contains(objectKey{p.at.ID, p.path})
		if !p.at.Storage.Properties().Local {
			known, _ := p.lake.given.ContainsOrAdd(objectKey{p.at.ID, p.path}, struct{}{})
			if taken = taken || known; !taken {
				return nil
			}
		}
		if !taken {
			taken, err = exists(ctx, p.at.Storage, p.path)
		}
		if err == nil && !taken {
			taken, err = exists(ctx, p.at.Storage, layout.KeyIndexPath(p.path))
		}
		if err == nil && !taken {
			return nil
		}
		p.lake.unreserve(objectKey{p.at.ID, p.path})
		if err != nil {
			return err
		}
	}
}

func exists(ctx context.Context, s Storage, p string) (bool, error) {
	object, err := s.Open(ctx, p)
	if errors.Is(err, ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, object.Close()
}

func (l *Lake) reserve(k objectKey) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, retired := l.retired[k.storage]; retired {
		return false, kalam.Errorf(kalam.CodeNotFound, "Storage '%s' is being dropped", k.storage)
	}
	if _, taken := l.pending[k]; taken {
		return false, nil
	}
	l.pending[k] = struct{}{}
	return true, nil
}

func (l *Lake) unreserve(k objectKey) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.pending, k)
}

// LocalTemp returns the absolute name of the file to write. Its folder exists,
// the file does not; it must be closed before Commit and need not be synced.
func (p *Pending) LocalTemp() string { return p.parquet.LocalPath() }

// Storage returns the id of the storage that the segment will be in.
func (p *Pending) Storage() kalam.StorageID { return p.at.ID }

// Path returns the path that the segment will have in its storage.
func (p *Pending) Path() string { return p.path }

// Metadata returns the key-value metadata to write into the file.
func (p *Pending) Metadata(minSeq kalam.Seq) map[string]string {
	return parquet.FileMetadata(p.table, p.user, minSeq, p.maxSeq)
}

// Keys returns what the caller may add the keys of all rows to, in the order of
// the rows, before Commit, which then has less to do. minSeq is the lowest seq.
func (p *Pending) Keys(minSeq kalam.Seq) *keyindex.Stream {
	p.keys = keyindex.NewStream(minSeq, p.maxSeq)
	return p.keys
}

// Abort removes what was written. After Commit or Abort it does nothing.
func (p *Pending) Abort() error {
	if p.closed {
		return nil
	}
	p.close()
	err := p.parquet.Abort()
	if p.keyIndex != nil {
		err = errors.Join(err, p.keyIndex.Abort())
	}
	return err
}

func (p *Pending) close() {
	p.closed = true
	p.lake.unreserve(objectKey{p.at.ID, p.path})
}

// WriteRows writes the Parquet file of few rows, all that the segment will have, in
// their order: at most SmallRows, which take about SmallBytes. For them it is a
// hundred times faster than a query engine. minSeq is the lowest seq.
func (p *Pending) WriteRows(minSeq kalam.Seq, rows iter.Seq2[kalam.Row, error]) error {
	w := parquet.NewWriter(p.table)
	for r, err := range rows {
		if err != nil {
			return err
		}
		if err := w.Add(&r); err != nil {
			return err
		}
	}
	if w.Rows == 0 || w.Rows > SmallRows {
		return fmt.Errorf("write segment %s: %d rows", p.path, w.Rows)
	}
	p.written = w.Rows
	p.content = w.Finish(p.lake.compressor, p.Metadata(minSeq))
	f, err := os.OpenFile(p.parquet.LocalPath(), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return localError("write "+p.path, err)
	}
	_, err = f.Write(p.content)
	if err := errors.Join(err, f.Close()); err != nil {
		return localError("write "+p.path, err)
	}
	return nil
}

// Commit is Prepare and CommitSegments of one segment.
func (p *Pending) Commit(ctx context.Context, keys []keyindex.Entry, m SegmentMeta) (kalam.Segment, error) {
	if err := p.Prepare(ctx, keys, m); err != nil {
		return kalam.Segment{}, err
	}
	segments, err := p.lake.CommitSegments(ctx, p)
	if err != nil {
		return kalam.Segment{}, err
	}
	return segments[0], nil
}

// Prepare checks the written file and writes its key index file from keys. keys holds one
// entry for every row, in any order; Prepare reorders it. Of a key that is there
// twice the key index file names the newest version. On an error both files are removed.
func (p *Pending) Prepare(ctx context.Context, keys []keyindex.Entry, m SegmentMeta) error {
	if p.closed || p.segment != nil {
		return fmt.Errorf("commit segment %s: it is closed", p.path)
	}
	seg, err := p.prepare(ctx, keys, m)
	p.content = nil
	if err != nil {
		_ = p.Abort() // the first error tells more; what stays is an orphan
		return err
	}
	p.segment = &seg
	return nil
}

// CommitSegments makes prepared segments durable under their names, each after its
// key index file; those of one local storage share its syncs, those of a remote one are uploaded
// side by side. The segments it returns belong to
// nothing yet: the manifest of record adopts them, or they are orphans. On an error
// the files of all are removed.
func (l *Lake) CommitSegments(ctx context.Context, pendings ...*Pending) ([]kalam.Segment, error) {
	groups := map[*location][][]Staged{} // Of what is committed at once.
	segments := make([]kalam.Segment, len(pendings))
	for i, p := range pendings {
		if p.closed || p.segment == nil {
			return nil, errors.Join(fmt.Errorf("commit segment %s: it is not prepared", p.path), abortAll(pendings))
		}
		pair := []Staged{p.keyIndex, p.parquet}
		if all := groups[p.at]; len(all) > 0 && p.at.Storage.Properties().Local { // They share its syncs.
			all[0] = append(all[0], pair...)
		} else {
			groups[p.at] = append(all, pair)
		}
		segments[i] = *p.segment
	}
	if err := commitGroups(ctx, groups); err != nil {
		_ = abortAll(pendings) // the first error tells more; what stays is an orphan
		return nil, err
	}
	for _, p := range pendings {
		p.close()
	}
	return segments, nil
}

// commitParallel is how many commits to remote storages are under way at a time.
const commitParallel = 8

// commitGroups commits each group by itself, some at a time. On an error what was committed of
// others is removed: it belongs to nothing.
func commitGroups(ctx context.Context, groups map[*location][][]Staged) error {
	work, ctx := errgroup.WithContext(ctx)
	work.SetLimit(commitParallel)
	var mu sync.Mutex // guards committed
	committed := map[*location][]Staged{}
	for at, all := range groups {
		for _, staged := range all {
			work.Go(func() error {
				if err := at.Storage.Commit(ctx, staged...); err != nil {
					return err
				}
				mu.Lock()
				defer mu.Unlock()
				committed[at] = append(committed[at], staged...)
				return nil
			})
		}
	}
	err := work.Wait()
	if err == nil {
		return nil
	}
	clean := context.WithoutCancel(ctx)
	for at, staged := range committed {
		for _, d := range staged {
			_ = at.Storage.Remove(clean, d.Path()) // the first error tells more; what stays is an orphan
		}
	}
	return err
}

func abortAll(pendings []*Pending) (err error) {
	for _, p := range pendings {
		err = errors.Join(err, p.Abort())
	}
	return err
}

func (p *Pending) prepare(ctx context.Context, keys []keyindex.Entry, m SegmentMeta) (kalam.Segment, error) {
	seg := kalam.Segment{
		Storage: p.at.ID, Path: p.path, MinSeq: m.MinSeq, MaxSeq: m.MaxSeq, Rows: m.Rows, Tombstones: m.Tombstones,
		SchemaVersion: p.table.SchemaVersion, Table: p.table.Number, CreatedAt: p.created, User: p.user,
	}
	if m.Rows < 1 || m.Rows > 1<<32 || m.Tombstones < 0 || m.Tombstones > m.Rows || m.MinSeq > m.MaxSeq ||
		m.MaxSeq > p.maxSeq || int64(len(keys)) != m.Rows {
		return seg, fmt.Errorf("commit segment %s: %d keys, %+v", p.path, len(keys), m)
	}
	spec := keyindex.Contents{Table: seg.Table}
	var err error
	if p.keys.Complete(m.Rows, m.MinSeq, m.MaxSeq) {
		spec.Stream = p.keys
		low, high := p.keys.Range()
		seg.MinKey, seg.MaxKey = bytes.Clone(low), bytes.Clone(high)
	} else {
		if spec.Keys, err = keyindex.Prepare(keys, m.Rows, m.MinSeq, m.MaxSeq); err != nil {
			return seg, fmt.Errorf("commit segment %s: %w", p.path, err)
		}
		seg.MinKey, seg.MaxKey = bytes.Clone(spec.Keys[0].Key), bytes.Clone(spec.Keys[len(spec.Keys)-1].Key)
	}
	if spec.Parquet, err = p.examine(ctx, &seg); err != nil {
		return seg, err
	}
	spec.ParquetBytes, spec.ParquetRows = seg.Bytes, seg.Rows
	if p.keyIndex, err = p.at.Storage.Create(ctx, layout.KeyIndexPath(p.path)); err != nil {
		return seg, err
	}
	if seg.Sums.Keys, seg.Sums.KeysBytes, err = writeLocal(p.keyIndex.LocalPath(), &spec); err != nil {
		return seg, localError("write "+layout.KeyIndexPath(p.path), err)
	}
	return seg, nil
}

// examine checks that the written file is what seg says, sets its size and sums and
// returns the checksums of its blocks.
func (p *Pending) examine(ctx context.Context, seg *kalam.Segment) (sums integrity.Blocks, err error) {
	if p.content != nil { // WriteRows wrote it for this table and segment.
		if p.written != seg.Rows {
			return sums, fmt.Errorf("commit segment %s: it has %d rows instead of %d", p.path, p.written, seg.Rows)
		}
		seg.Bytes = int64(len(p.content))
		footer := int(binary.LittleEndian.Uint32(p.content[len(p.content)-8:])) + 8
		seg.Sums.Footer = integrity.Checksum(p.content[len(p.content)-footer:])
		return p.sumOf(ctx, seg, bytes.NewReader(p.content))
	}
	local, err := os.Open(p.parquet.LocalPath())
	if err != nil {
		return sums, localError("open "+p.path, err)
	}
	defer local.Close() //nolint:errcheck // It was only read.
	info, err := local.Stat()
	if err != nil {
		return sums, localError("open "+p.path, err)
	}
	o := &localObject{local, info.Size()}
	if err := p.check(seg, o); err != nil {
		return sums, err
	}
	return p.sumOf(ctx, seg, integrity.ReaderOf(o))
}

// sumOf returns the checksums of the blocks of the Parquet file, and sets that of
// the whole.
func (p *Pending) sumOf(ctx context.Context, seg *kalam.Segment, content io.Reader) (integrity.Blocks, error) {
	sums, err := integrity.SumBlocks(ctx, content, seg.Bytes)
	seg.Sums.File = sums.Sum()
	return sums, err
}

// check compares the footer of the Parquet file o with seg, whose size it sets, and
// with the table.
func (p *Pending) check(seg *kalam.Segment, o *localObject) error {
	seg.Bytes = o.size
	f := parquet.New(p.path, o, integrity.Blocks{})
	if err := f.OpenAny(seg); err != nil {
		return err
	}
	seg.Sums.Footer = f.FooterChecksum()
	if err := f.CheckTable(p.table); err != nil {
		return err
	}
	return f.CheckOwner(seg)
}

// localObject is a local file as an Object.
type localObject struct {
	file *os.File
	size int64
}

// ReadAt implements Object.
func (o *localObject) ReadAt(b []byte, off int64) (int, error) {
	n, err := o.file.ReadAt(b, off)
	if err != nil && !errors.Is(err, io.EOF) {
		err = localError("read", err)
	}
	return n, err
}

// Size implements Object.
func (o *localObject) Size() int64 { return o.size }

// Close implements Object; the file belongs to the caller.
func (o *localObject) Close() error { return nil }

// writeLocal writes a key index file to the local file name and returns its checksum and
// size.
func writeLocal(name string, s *keyindex.Contents) (sum uint32, size int64, err error) {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return 0, 0, err
	}
	sum, size, err = keyindex.Write(f, s)
	return sum, size, errors.Join(err, f.Close())
}
