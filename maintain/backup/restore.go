package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/kalamlake/kalam/internal/syncdir"

	"github.com/google/uuid"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/buffer/atrest"
	"github.com/kalamlake/kalam/buffer/badger"
	"github.com/kalamlake/kalam/catalog"
	"github.com/kalamlake/kalam/lake"
	"github.com/kalamlake/kalam/lake/file"
	"github.com/kalamlake/kalam/lake/layout"
	"github.com/kalamlake/kalam/maintain/pair"
)

// Kind is the kind of the jobs that make backups: a restored server does not go on with them.
const Kind kalam.JobKind = "BK"

// RestoreOptions say what is restored, and where.
type RestoreOptions struct {
	Pair            pair.Config // Directories that are missing or empty.
	DefaultStrategy string      // What SHARD_STRATEGY 'default' means.
	ID              string      // Of the backup; "" is the newest that fits.
	AtSeq           kalam.Seq   // As of which; 0 is all of the backup.
	At              time.Time   // Likewise; zero is none.
	// ToLocal brings what was in other storages to "local".
	ToLocal bool
	Now     func() time.Time // nil is time.Now.
	Logger  *slog.Logger     // nil discards.
}

// Restored is what Restore did.
type Restored struct {
	ID       string    // Of the backup.
	LakeID   string    // Of the restored lake: a new one.
	Seq      kalam.Seq // Of the newest row, at most.
	Segments int
	Bytes    int64
	Entries  int64
	Moved    int      // Segments that were in other storages.
	Damaged  []string // What was damaged already when the backup was made.
	Storages []Storage
}

// restoring ends the name of the write buffer until all else is there.
const restoring = ".restoring"

// Restore makes a data directory of a backup. Everything is compared with its checksum: damage is CodeCorrupt, by the
// name of the file. After an error nothing is left; a crash leaves a directory in which no server starts, and which
// another Restore refuses, as it refuses every one that is not empty.
func Restore(ctx context.Context, d *Destination, o RestoreOptions) (_ *Restored, err error) {
	o.Logger, o.Now = pair.Defaults(o.Logger, o.Now)
	m, seq, err := o.choose(ctx, d)
	if err != nil {
		return nil, err
	}
	if len(m.Storages) > 0 && !o.ToLocal {
		return nil, kalam.Errorf(kalam.CodeInvalidOperation, "the backup %s has tables or files in the storages %s; a restored lake "+
			"does not use the storages of the one that it is a copy of: --storages-to-local brings them to the storage 'local'",
			m.ID, names(m.Storages))
	}
	undo, err := claim(&o.Pair)
	if err != nil {
		return nil, err
	}
	r := &restorer{from: d, m: m, seq: seq, o: o}
	r.out = Restored{ID: m.ID, Seq: seq, Damaged: m.Damaged, Storages: m.Storages}
	if err := r.run(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("restore the backup %s: %w", m.ID, err), undo())
	}
	return &r.out, nil
}

func names(list []Storage) string {
	var ids []string
	for _, s := range list {
		ids = append(ids, "'"+string(s.ID)+"'")
	}
	return strings.Join(ids, ", ")
}

// claim makes sure that nothing is in the directories of a lake. undo removes what is written to them from then on.
func claim(c *pair.Config) (undo func() error, err error) {
	dirs := []string{c.DataPath, c.BufferPath, c.StoragePath}
	for i, dir := range dirs {
		entries, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("restore: %w", err)
		}
		for _, e := range entries {
			if i == 0 && e.Name() == "credentials.key" {
				continue // It is not in the backup, and may be put back before.
			}
			return nil, kalam.Errorf(kalam.CodeInvalidOperation, "%s holds %s: a backup is restored into an empty directory. "+
				"Nothing was changed; what an interrupted restore left must be removed by hand", pair.Absolute(dir), e.Name())
		}
	}
	return func() error {
		var failed []error
		for _, dir := range append(dirs[1:], c.BufferPath+restoring) {
			failed = append(failed, os.RemoveAll(dir))
		}
		return errors.Join(failed...)
	}, nil
}

// restorer is the work of Restore.
type restorer struct {
	from *Destination
	m    *Manifest
	seq  kalam.Seq
	o    RestoreOptions
	out  Restored

	disk    *file.Storage
	backend *badger.Backend
	stored  *catalog.Stored
	places  map[segmentPlace]string // Where segments of other storages go.
}

type segmentPlace struct {
	storage kalam.StorageID
	path    string
}

// run writes the files, then the write buffer under another name, then the mark, and last gives the buffer its name.
func (r *restorer) run(ctx context.Context) (err error) {
	if err := r.from.read(ctx, recordPath(r.m.ID), r.m.Record, io.Discard); err != nil {
		return err
	}
	if r.disk, err = file.New(r.o.Pair.StoragePath); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.disk.Close()) }()
	temporary := r.o.Pair.BufferPath + restoring
	if r.backend, err = badger.Open(temporary, badger.Options{Logger: r.o.Logger}); err != nil {
		return err
	}
	record, err := r.fill(ctx)
	if err = errors.Join(err, r.backend.Close()); err != nil {
		return err
	}
	mark := lake.Mark{LakeID: record.ID, CreatedAt: record.CreatedAt, Generation: record.Generation}
	if err := lake.WriteMark(ctx, r.disk, mark); err != nil {
		return err
	}
	if err := os.Rename(temporary, r.o.Pair.BufferPath); err != nil {
		return err
	}
	return syncdir.Sync(filepath.Dir(r.o.Pair.BufferPath))
}

// fill writes the write buffer and the files.
func (r *restorer) fill(ctx context.Context) (record catalog.LakeRecord, err error) {
	if err := r.load(ctx); err != nil {
		return record, err
	}
	if r.stored, err = catalog.ReadStored(ctx, r.backend); err != nil {
		return record, err
	}
	if err := r.relocate(ctx); err != nil {
		return record, err
	}
	if err := r.files(ctx); err != nil {
		return record, err
	}
	if r.seq < r.m.Seq {
		if err := r.rewind(ctx); err != nil {
			return record, err
		}
	}
	if err := catalog.DropActiveJobs(ctx, r.backend, Kind); err != nil {
		return record, err
	}
	record, _, err = catalog.ReadLake(ctx, r.backend)
	if err != nil {
		return record, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return record, fmt.Errorf("make the id of the lake: %w", err)
	}
	// A lake of its own: it must not take over the storages of the one that it is a copy of.
	record.ID, record.Unconfirmed = id.String(), false
	record.Restored, record.RestoredSeq = false, 0 // All files that are there are known.
	r.out.LakeID = record.ID
	return record, catalog.WriteLake(ctx, r.backend, record)
}

// load writes what the record holds.
func (r *restorer) load(ctx context.Context) error {
	out := buffer.NewBatchWriter(r.backend)
	n, err := r.from.eachEntry(ctx, r.m, func(name string) error {
		return r.backend.CreateKeyspace(ctx, name)
	}, func(keyspace string, key, value []byte) error {
		return out.Add(ctx, buffer.Op{Keyspace: keyspace, Key: key, Value: value})
	})
	r.out.Entries = n
	if err != nil {
		return err
	}
	return out.Flush(ctx)
}

// relocate rewrites what is in other storages to be in "local", and where new files go.
func (r *restorer) relocate(ctx context.Context) (err error) {
	r.places = map[segmentPlace]string{}
	local, err := r.lake()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, local.Close()) }()
	err = atrest.Relocate(ctx, r.backend, r.stored.Live,
		func(sc kalam.Scope, seg *kalam.Segment) error {
			if seg.Storage == "" || seg.Storage == kalam.LocalStorage {
				return nil
			}
			_, folder, err := local.Folder(kalam.LocalStorage, r.stored.Tables[sc.Table], sc.User)
			if err != nil {
				return err
			}
			from := segmentPlace{seg.Storage, seg.Path}
			seg.Storage, seg.Path = kalam.LocalStorage, folder+"/"+filepath.Base(seg.Path)
			r.places[from] = seg.Path
			r.out.Moved++
			return nil
		})
	if err != nil || len(r.m.Storages) == 0 {
		return err
	}
	return r.moveTables(ctx)
}

// lake opens the storage that is being filled.
func (r *restorer) lake() (*lake.Lake, error) {
	return lake.New(lake.Options{DefaultStrategy: r.o.DefaultStrategy},
		lake.Location{ID: kalam.LocalStorage, Storage: r.disk})
}

// moveTables has new files of tables and users go to "local".
func (r *restorer) moveTables(ctx context.Context) (err error) {
	c, err := catalog.Open(ctx, r.backend, catalog.Options{Logger: r.o.Logger, Now: r.o.Now})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	for _, t := range c.Tables("") {
		if id := t.Options.StorageID; id == "" || id == kalam.LocalStorage {
			continue
		}
		if _, err := c.MoveTable(ctx, t.Number, kalam.LocalStorage); err != nil {
			return err
		}
	}
	local := kalam.LocalStorage
	by := kalam.Principal{User: "system", Role: kalam.RoleSystem}
	for _, u := range c.Users() {
		if u.StorageID == "" || u.StorageID == local || !u.DeletedAt.IsZero() {
			continue
		}
		if _, err := c.AlterUser(ctx, by, u.ID, catalog.UserChange{StorageID: &local}); err != nil {
			return err
		}
	}
	return nil
}

// files copies the files of all segments.
func (r *restorer) files(ctx context.Context) error {
	var staged []lake.Staged
	defer func() {
		for _, s := range staged {
			_ = s.Abort() // It fails for one that is committed; after an error the whole directory is removed.
		}
	}()
	for i := range r.m.Segments {
		s := &r.m.Segments[i]
		p := s.Path
		if s.Storage != kalam.LocalStorage {
			to, named := r.places[segmentPlace{s.Storage, s.Path}]
			if !named {
				continue
			}
			p = to
		}
		for _, f := range []struct {
			object Object
			path   string
		}{{s.Parquet, p}, {s.Keys, layout.KeyIndexPath(p)}} {
			if f.object.none() {
				continue // It was missing when the backup was made.
			}
			one, err := r.file(ctx, f.object, f.path)
			if err != nil {
				return err
			}
			staged = append(staged, one)
			r.out.Bytes += f.object.Bytes
		}
		r.out.Segments++
		if len(staged) >= commitTogether || i == len(r.m.Segments)-1 {
			batch := staged
			staged = nil
			if err := r.disk.Commit(ctx, batch...); err != nil {
				return err
			}
		}
	}
	return nil
}

// file copies a file from the backup.
func (r *restorer) file(ctx context.Context, o Object, p string) (_ lake.Staged, err error) {
	staged, err := r.disk.Create(ctx, p)
	if err != nil {
		return nil, err
	}
	if err := r.from.Extract(ctx, o, staged.LocalPath()); err != nil {
		return nil, errors.Join(err, staged.Abort())
	}
	return staged, nil
}

// rewind takes out the rows above the wanted seq.
func (r *restorer) rewind(ctx context.Context) (err error) {
	whole, err := atrest.WholeUpTo(ctx, r.backend, r.seq)
	if err != nil {
		return err
	}
	if !r.o.At.IsZero() {
		r.seq = max(whole, r.m.Floor)
		r.out.Seq = r.seq
	}
	local, err := r.lake()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, local.Close()) }()
	return atrest.Rewind(ctx, r.backend, r.seq, local, r.stored.Live)
}
