package storages

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/catalog"
	"github.com/kalamlake/kalam/lake"
	"github.com/kalamlake/kalam/lake/file"
	"github.com/kalamlake/kalam/lake/layout"
	"github.com/kalamlake/kalam/lake/s3"
)

// dirSep stands in the name of a directory between the id of its storage and a hash.
const dirSep = "-"

// dirOf returns the directory of a remote storage on this machine. It is another one for each
// definition: two clients never share one.
func (r *Registry) dirOf(st *catalog.Storage) string {
	sum := sha256.Sum256([]byte(st.URI + "\x00" + st.Config + "\x00" + st.Credentials))
	return filepath.Join(r.o.Config.Dir, string(st.ID)+dirSep+hex.EncodeToString(sum[:8]))
}

// isDirName reports whether dirOf gives such names.
func isDirName(name string) bool {
	at := strings.LastIndex(name, dirSep)
	if at < 1 || len(name)-at-1 != 16 {
		return false
	}
	_, err := hex.DecodeString(name[at+1:])
	return err == nil && kalam.CheckIdentifier("storage", name[:at]) == nil
}

// guard returns a storage of the catalog, not opened yet.
func (r *Registry) guard(st catalog.Storage) *guarded {
	g := &guarded{
		id: st.ID, log: r.log, pause: r.o.Pause, cacheBytes: cmp.Or(r.o.Config.CacheBytes,
			s3.DefaultCacheBytes), opening: make(chan struct{}, 1),
		attach: func(ctx context.Context, s lake.Storage) error { return r.attach(ctx, st.ID, s) },
		joined: r.setDirs, flights: flights{suspect: r.o.Suspect},
	}
	if st.Type == catalog.StorageFilesystem {
		g.props = lake.Properties{Kind: string(st.Type), Location: st.BaseDirectory, Local: true}
		g.open = func() (opened, error) { return r.openFiles(&st) }
		return g
	}
	g.props = lake.Properties{Kind: string(st.Type), Location: strings.TrimSuffix(st.URI, "/") + "/"}
	g.open = func() (opened, error) { return r.openS3(&st) }
	return g
}

// openFiles opens and locks the directory of a storage, which must be there: one that is not
// mounted must not be made anew.
func (r *Registry) openFiles(st *catalog.Storage) (opened, error) {
	s, err := file.Open(st.BaseDirectory, file.Options{Existing: true})
	if err != nil {
		return opened{}, err
	}
	if r.o.Inspect {
		return opened{s, s.Close}, nil
	}
	if err := s.Lock(fmt.Sprintf("kalamd with pid %d, as storage %s", os.Getpid(), st.ID)); err != nil {
		return opened{}, errors.Join(err, s.Close())
	}
	return opened{s, s.Close}, nil
}

// openS3 makes the client of a bucket. The server is not asked.
func (r *Registry) openS3(st *catalog.Storage) (opened, error) {
	o, err := r.s3Options(st)
	if err != nil {
		return opened{}, err
	}
	s, err := s3.Open(o)
	if err != nil {
		return opened{}, err
	}
	return opened{s, s.Close}, nil
}

// s3Options returns the options of a storage in a bucket.
func (r *Registry) s3Options(st *catalog.Storage) (o s3.Options, err error) {
	credentials := ""
	if st.Credentials != "" {
		if credentials, err = r.keys.open(st.ID, st.Credentials); err != nil {
			return o, err
		}
	}
	if o, err = s3.Parse(st.URI, st.Config, credentials); err != nil {
		return o, err
	}
	c := &r.o.Config
	o.Dir, o.CacheBytes, o.Logger = r.dirOf(st), c.CacheBytes, r.log
	o.RequestTimeout, o.ConnectTimeout = c.RequestTimeout, c.ConnectTimeout
	o.RetryWait, o.Retries, o.PartBytes = r.o.RetryWait, r.o.Retries, r.o.PartBytes
	return o, nil
}

// attach reports why an opened storage is not that of its id in this lake. An empty directory
// where a disk should be mounted is one without a mark.
func (r *Registry) attach(ctx context.Context, id kalam.StorageID, s lake.Storage) error {
	mark, found, err := lake.ReadMark(ctx, s)
	if err != nil {
		return err
	}
	switch {
	case !found:
		return fmt.Errorf("it has no mark of this lake (%s): another directory or bucket is in its place, "+
			"or nothing is mounted there", layout.MarkPath)
	case mark.LakeID != r.o.Mark.LakeID:
		return fmt.Errorf("it belongs to the lake %s, and this is the lake %s", mark.LakeID, r.o.Mark.LakeID)
	case mark.Storage != id:
		return fmt.Errorf("what is in its place is the storage '%s' of this lake", mark.Storage)
	case mark.Generation > r.o.Mark.Generation:
		return errors.New("another server has used it since, which has a copy of this server's data: " +
			"one of the two must go")
	}
	if r.o.Inspect || mark.Generation == r.o.Mark.Generation {
		return nil
	}
	return lake.WriteMark(ctx, s, r.markOf(id))
}

// markOf returns the mark of a storage.
func (r *Registry) markOf(id kalam.StorageID) lake.Mark {
	m := r.o.Mark
	m.Storage = id
	return m
}

// Open registers the storages of the catalog with the lake. The caller closes the Registry
// after everything that uses the lake.
func Open(ctx context.Context, o Options) (*Registry, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Pause == 0 {
		o.Pause = firstPause
	}
	var err error
	if o.Config.Dir, err = filepath.Abs(o.Config.Dir); err != nil {
		return nil, fmt.Errorf("directory of remote storages: %w", err)
	}
	r := &Registry{
		o: o, log: o.Logger, storages: map[kalam.StorageID]*guarded{},
		keys: &keyring{configured: o.Config.CredentialsKey, file: o.Config.KeyFile},
	}
	all := o.Catalog.Storages()
	if err := r.openDir(all); err != nil {
		return nil, err
	}
	for _, st := range all {
		if st.ID == kalam.LocalStorage {
			continue
		}
		if err := r.register(st, r.guard(st)); err != nil { // Its tables cannot be read; others can.
			r.log.Error("a storage of the catalog cannot be used", "storage", string(st.ID), "error", err)
		}
	}
	for _, g := range r.all() { // What is on this machine is asked now, so that the log tells at the start.
		if g.props.Local {
			_, _ = g.attachNow(ctx, true) // It is in the log.
		}
	}
	return r, nil
}

// openDir makes the directory of remote storages and removes what is cached there of storages
// that are not there any more, or not as they were.
func (r *Registry) openDir(all []catalog.Storage) error {
	if r.o.Inspect {
		return nil
	}
	if err := os.MkdirAll(r.o.Config.Dir, 0o700); err != nil {
		return kalam.Wrap(kalam.CodeInvalidInput, err, "storage.remote_path: '%s' cannot be made", r.o.Config.Dir)
	}
	used := map[string]bool{}
	for i := range all {
		used[filepath.Base(r.dirOf(&all[i]))] = true
	}
	found, err := os.ReadDir(r.o.Config.Dir)
	if err != nil {
		r.log.Warn("what is cached of storages cannot be listed", "error", err)
	}
	for _, e := range found {
		if !e.IsDir() || used[e.Name()] || !isDirName(e.Name()) {
			continue
		}
		if err := os.RemoveAll(filepath.Join(r.o.Config.Dir, e.Name())); err != nil {
			r.log.Warn("what is cached of a storage that is gone was not removed", "error", err)
		}
	}
	return nil
}
