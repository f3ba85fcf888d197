package iceberg

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/klauspost/compress/zstd"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/lake"
	"github.com/kalamlake/kalam/lake/layout"
	"github.com/kalamlake/kalam/lake/parquet"
)

// version is one version of a catalog while it is written. Its files have its number in their names, so
// that none of another version is touched.
type version struct {
	plan     *plan
	number   int64
	snapshot int64
	now      time.Time
	compress *zstd.Encoder

	staged  []lake.Staged // In the order in which they are to appear.
	deletes []deleteFile
	records int64 // In the data files.
	deleted int64 // Of those.
	bytes   int64 // Of the data files.
}

// deleteFile is a file with the positions of rows of one data file that do not count.
type deleteFile struct {
	of    *dataFile
	uri   string
	bytes int64
}

// newVersion returns the version with a number; its snapshot has an id that no other one has.
func newVersion(p *plan, number int64, now time.Time) (*version, error) {
	v := &version{plan: p, number: number, now: now}
	var id [8]byte
	rand.Read(id[:]) // never fails
	v.snapshot = int64(binary.LittleEndian.Uint64(id[:])>>1) | 1
	for i := range p.files {
		f := &p.files[i]
		v.records, v.bytes = v.records+f.rows, v.bytes+f.bytes
		if f.dead != nil {
			v.deleted += int64(f.dead.GetCardinality())
		}
	}
	var err error
	v.compress, err = parquet.NewCompressor()
	return v, err
}

func (v *version) name(rest string) string { return "v" + strconv.FormatInt(v.number, 10) + rest }
func (v *version) metadataName() string    { return v.name(".metadata.json") }
func (v *version) listName() string        { return v.name("-manifests.avro") }

// uri returns the name of a file of the catalog for readers.
func (v *version) uri(name string) string {
	return v.plan.uri + strings.TrimPrefix(layout.CatalogPath(v.plan.folder, name), v.plan.folder)
}

// stage writes a file of the version and returns its size. It appears with commit.
func (v *version) stage(ctx context.Context, name string, write func(io.Writer) error) (size int64, err error) {
	s, err := v.plan.storage.Create(ctx, layout.CatalogPath(v.plan.folder, name))
	if err != nil {
		return 0, err
	}
	v.staged = append(v.staged, s)
	if size, err = writeFile(s.LocalPath(), write); err != nil {
		var at *fs.PathError
		if errors.As(err, &at) {
			err = at.Err // Where the storage is concerns nobody who reads the error of a job.
		}
		return 0, fmt.Errorf("write %s: %w", name, err)
	}
	return size, nil
}

// writeFile writes a new file and returns its size.
func writeFile(name string, write func(io.Writer) error) (size int64, err error) {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := write(f); err != nil {
		return 0, err
	}
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// stageBytes is stage of a content.
func (v *version) stageBytes(ctx context.Context, name string, content []byte) error {
	_, err := v.stage(ctx, name, func(w io.Writer) error {
		_, err := w.Write(content)
		return err
	})
	return err
}

// abort removes what was staged.
func (v *version) abort() error {
	var failed []error
	for _, s := range v.staged {
		failed = append(failed, s.Abort())
	}
	return errors.Join(failed...)
}

// Field ids that the format reserves for position deletes.
const (
	idFilePath kalam.ColumnID = 2147483546
	idPos      kalam.ColumnID = 2147483545
)

// deleteColumns are the columns of a delete file.
var deleteColumns = []kalam.Column{
	{ID: idFilePath, Name: "file_path", Type: kalam.TypeOf(kalam.KindText), NotNull: true},
	{ID: idPos, Name: "pos", Type: kalam.TypeOf(kalam.KindBigInt), NotNull: true},
}

// stepRows is after how many rows a task looks whether it is to end.
const stepRows = 10000

// stageDeletes writes the delete file of a data file.
func (v *version) stageDeletes(ctx context.Context, f *dataFile) error {
	name := v.name(fmt.Sprintf("-deletes-%05d.parquet", len(v.deletes)+1))
	size, err := v.stage(ctx, name, func(w io.Writer) error { return v.writeDeletes(ctx, w, f.uri, f.dead) })
	if err != nil {
		return err
	}
	v.deletes = append(v.deletes, deleteFile{of: f, uri: v.uri(name), bytes: size})
	return nil
}

func (v *version) writeDeletes(ctx context.Context, w io.Writer, uri string, dead *roaring.Bitmap) error {
	s, err := parquet.NewStreamOfIDs(w, deleteColumns, v.compress)
	if err != nil {
		return err
	}
	n := 0
	row := []kalam.Value{kalam.Text(uri), kalam.BigInt(0)}
	for it := dead.Iterator(); it.HasNext(); n++ {
		if n%stepRows == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		row[1] = kalam.BigInt(int64(it.Next()))
		if err := s.Add(row); err != nil {
			return err
		}
	}
	return s.Close(nil)
}
