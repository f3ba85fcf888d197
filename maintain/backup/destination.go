package backup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/lake"
	"github.com/kalamlake/kalam/lake/file"
	"github.com/kalamlake/kalam/lake/layout"
)

// Names in a destination.
const (
	// Folder is where backups lie in a storage of the lake.
	Folder          = ".kalam-backup"
	formatPath      = "kalam-backup.json"
	formatText      = "{\"format\":1}\n"
	manifestFolder  = "backups"
	manifestSuffix  = ".json"
	recordFolder    = "records"
	recordSuffix    = ".record"
	objectFolder    = "objects"
	maxManifestSize = 4 << 30
)

// Destination holds backups. It is for one goroutine; Close ends it.
type Destination struct {
	storage lake.Storage
	prefix  string                // Of all paths in the storage; "" in a directory of its own.
	disk    *file.Storage         // nil in a storage of the lake.
	index   map[segmentKey]*Found // Of Find; nil until it is asked.
}

// Open opens the directory of a destination. With make a missing or empty one is made into one; a directory that holds
// anything else is refused.
func Open(ctx context.Context, dir string, makeNew bool) (_ *Destination, err error) {
	disk, err := file.Open(dir, file.Options{Existing: !makeNew})
	if errors.Is(err, lake.ErrNotExist) {
		return nil, kalam.Errorf(kalam.CodeNotFound, "there is no directory of backups at %s", dir)
	}
	if err != nil {
		return nil, err
	}
	d := &Destination{storage: disk, disk: disk}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.Close())
		}
	}()
	found, err := d.exists(ctx, formatPath)
	switch {
	case err != nil || found:
		return d, err
	case !makeNew:
		return nil, kalam.Errorf(kalam.CodeNotFound, "%s is no directory of backups: it has no %s", dir, formatPath)
	}
	if err := checkEmpty(dir); err != nil {
		return nil, err
	}
	return d, d.storage.Replace(ctx, formatPath, []byte(formatText))
}

// checkEmpty refuses a directory that holds anything but what an interrupted Open leaves.
func checkEmpty(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("read %s: %w", dir, err)
	}
	for _, e := range entries {
		if e.Name() != layout.OwnFolder && !strings.HasPrefix(e.Name(), formatPath+".") {
			return kalam.Errorf(kalam.CodeInvalidOperation,
				"%s is no directory of backups and holds other files, among them %s; name an empty or a new directory", dir, e.Name())
		}
	}
	return nil
}

// InStorage returns the destination in a storage of the lake, which stays the caller's.
func InStorage(ctx context.Context, s lake.Storage) (*Destination, error) {
	d := &Destination{storage: s, prefix: Folder}
	found, err := d.exists(ctx, formatPath)
	if err == nil && !found {
		err = s.Replace(ctx, d.path(formatPath), []byte(formatText))
	}
	return d, err
}

// Close ends the use of the destination.
func (d *Destination) Close() error {
	if d.disk == nil {
		return nil
	}
	return d.disk.Close()
}

// lock refuses a directory that another process writes to. A storage of the lake is this server's.
func (d *Destination) lock(ctx context.Context) error {
	if d.disk == nil {
		return nil
	}
	if err := d.disk.Lock(fmt.Sprintf("a backup by the process %d", os.Getpid())); err != nil {
		return err
	}
	var left []string // By a backup that was interrupted.
	err := d.storage.List(ctx, "", func(e lake.Entry) error {
		if strings.HasSuffix(e.Path, ".tmp") {
			left = append(left, e.Path)
		}
		return nil
	})
	for _, p := range left {
		err = errors.Join(err, d.storage.Remove(ctx, p))
	}
	return err
}

func (d *Destination) path(p string) string { return path.Join(d.prefix, p) }

// Location says where it is, for people.
func (d *Destination) Location() string {
	at := d.storage.Properties().Location
	if d.prefix == "" {
		return at
	}
	return strings.TrimSuffix(at, "/") + "/" + d.prefix
}

func objectPath(sum string) string    { return path.Join(objectFolder, sum[:2], sum) }
func recordPath(id string) string     { return path.Join(recordFolder, id+recordSuffix) }
func manifestPathOf(id string) string { return path.Join(manifestFolder, id+manifestSuffix) }
func (o Object) path() string         { return objectPath(o.Sum) }
func isSum(s string) bool {
	raw, err := hex.DecodeString(s)
	return err == nil && len(raw) == sha256.Size
}
func missing(p string) error {
	return kalam.Errorf(kalam.CodeCorrupt, "%s of the backup is missing", p)
}
func (o Object) fits(size int64) bool { return o.Bytes == size }

func (d *Destination) exists(ctx context.Context, p string) (bool, error) {
	o, err := d.storage.Open(ctx, d.path(p))
	if errors.Is(err, lake.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, o.Close()
}

// read copies an object to w and compares it with its checksum.
func (d *Destination) read(ctx context.Context, p string, want Object, w io.Writer) (err error) {
	o, err := d.storage.Open(ctx, d.path(p))
	if errors.Is(err, lake.ErrNotExist) {
		return missing(p)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, o.Close()) }()
	if !want.fits(o.Size()) {
		return damaged(p, fmt.Sprintf("it has %d bytes instead of %d", o.Size(), want.Bytes))
	}
	h := sha256.New()
	if _, err := io.Copy(io.MultiWriter(w, h), &ctxReader{ctx, io.NewSectionReader(o, 0, o.Size())}); err != nil {
		return fmt.Errorf("read %s: %w", p, err)
	}
	if hex.EncodeToString(h.Sum(nil)) != want.Sum {
		return damaged(p, "its checksum does not match")
	}
	return nil
}

// ctxReader ends with its context.
type ctxReader struct {
	ctx  context.Context
	from io.Reader
}

func (r *ctxReader) Read(b []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, context.Cause(r.ctx)
	}
	return r.from.Read(b)
}

// Listed is a backup in a destination, or why it cannot be read.
type Listed struct {
	ID       string
	Manifest *Manifest // nil when Err is set.
	Err      error     // It names the file.
}

// List returns the backups of a destination, the oldest first.
func (d *Destination) List(ctx context.Context) ([]Listed, error) {
	var ids []string
	err := d.storage.List(ctx, d.path(manifestFolder), func(e lake.Entry) error {
		if id, ok := strings.CutSuffix(path.Base(e.Path), manifestSuffix); ok {
			ids = append(ids, id)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list backups: %w", err)
	}
	slices.Sort(ids)
	out := make([]Listed, len(ids))
	for i, id := range ids {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		out[i].ID = id
		out[i].Manifest, out[i].Err = d.manifest(ctx, id)
	}
	return out, nil
}

// manifest reads the manifest of a backup.
func (d *Destination) manifest(ctx context.Context, id string) (_ *Manifest, err error) {
	p := manifestPathOf(id)
	o, err := d.storage.Open(ctx, d.path(p))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, o.Close()) }()
	if o.Size() > maxManifestSize {
		return nil, damaged(p, fmt.Sprintf("it is %d bytes long", o.Size()))
	}
	raw, err := io.ReadAll(io.NewSectionReader(o, 0, o.Size()))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", p, err)
	}
	m, err := decodeManifest(p, raw)
	if err != nil {
		return nil, err
	}
	if m.ID != id {
		return nil, damaged(p, fmt.Sprintf("it is that of the backup %s", m.ID))
	}
	return m, checkPaths(p, m)
}

// checkPaths refuses a manifest that names files outside of their places.
func checkPaths(p string, m *Manifest) error {
	for i := range m.Segments {
		s := &m.Segments[i]
		if err := layout.CheckPath(s.Path); err != nil {
			return damaged(p, err.Error())
		}
		for _, o := range []Object{s.Parquet, s.Keys} {
			if !o.none() && !isSum(o.Sum) {
				return damaged(p, fmt.Sprintf("%q is no checksum", o.Sum))
			}
		}
	}
	return nil
}
