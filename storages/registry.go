package storages

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/catalog"
	"github.com/kalamlake/kalam/lake"
	"github.com/kalamlake/kalam/lake/s3"
)

// Config is the configuration of the storages beside "local".
type Config struct {
	// CredentialsKey is what ParseKey takes; "" keeps a key of the server's own in KeyFile.
	CredentialsKey string
	KeyFile        string
	// Dir is a directory of the server's own, for what goes to remote storages and what is
	// cached of them.
	Dir            string
	CacheBytes     int64         // Of what is cached of one storage; 0 is 4 GiB.
	RequestTimeout time.Duration // 0 is a minute.
	ConnectTimeout time.Duration // 0 is ten seconds.
	// Reserved are directories of the server's own, in which no storage may lie, and Data the
	// one that they are in, which may lie in no storage.
	Reserved []string
	Data     string
}

// Options are what Open needs. Catalog, Lake and Mark must be set.
type Options struct {
	Config  Config
	Catalog *catalog.Catalog
	Lake    *lake.Lake
	Mark    lake.Mark // Of the lake: its id, and the number of this start.
	// Inspect leaves the marks as they are, for a command that only looks.
	Inspect bool
	Logger  *slog.Logger // nil discards.
	// Tests set what follows.
	Pause     time.Duration // For which a storage is left alone after its first failure; 0 is a second.
	Suspect   time.Duration // After which an operation has its storage asked beside it; 0 is five seconds.
	RetryWait time.Duration // Of package s3; 0 is its default.
	Retries   int           // Likewise.
	PartBytes int64         // Likewise.
}

// Registry keeps the storages of a server beside "local". It is safe for concurrent use.
type Registry struct {
	o    Options
	keys *keyring
	log  *slog.Logger
	dirs atomic.Pointer[[]string]

	changing sync.Mutex // Held by Create, Alter, Drop and Close.

	mu       sync.Mutex // guards what follows
	storages map[kalam.StorageID]*guarded
	retired  []*guarded // Replaced by Alter; something may still use them.
}

// register makes a storage known to the lake, instead of the one of its id.
func (r *Registry) register(st catalog.Storage, g *guarded) error {
	err := r.o.Lake.Register(lake.Location{
		ID: st.ID, Storage: g, UserTemplate: st.UserTemplate, SharedTemplate: st.SharedTemplate,
	})
	if err != nil {
		return err
	}
	r.mu.Lock()
	if old := r.storages[st.ID]; old != nil && old != g {
		r.retired = append(r.retired, old)
	}
	r.storages[st.ID] = g
	r.mu.Unlock()
	r.setDirs()
	return nil
}

// setDirs computes what Dirs returns. A directory where nothing is mounted yet is none of them.
func (r *Registry) setDirs() {
	r.mu.Lock()
	defer r.mu.Unlock()
	dirs := []string{r.o.Config.Dir}
	for _, g := range r.storages {
		if g.props.Local && g.attached.Load() {
			dirs = append(dirs, g.props.Location)
		}
	}
	slices.Sort(dirs)
	r.dirs.Store(&dirs)
}

// Dirs returns the directories in which files of segments lie, beside that of "local". The
// caller does not change it.
func (r *Registry) Dirs() []string {
	if d := r.dirs.Load(); d != nil {
		return *d
	}
	return []string{r.o.Config.Dir}
}

// all returns the storages by id.
func (r *Registry) all() (list []*guarded) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, g := range r.storages {
		list = append(list, g)
	}
	slices.SortFunc(list, func(a, b *guarded) int { return compareIDs(a.id, b.id) })
	return list
}

func compareIDs(a, b kalam.StorageID) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// Failing says which storages are known not to answer.
func (r *Registry) Failing() (reasons []string) {
	for _, g := range r.all() {
		if g.failing() != nil {
			reasons = append(reasons, fmt.Sprintf("storage '%s' cannot be used", g.id))
		}
	}
	return reasons
}

// Credentials returns what may be shown of the credentials of a storage: its keys, with
// no value; "" when it has none.
func (r *Registry) Credentials(st *catalog.Storage) string {
	if st.Credentials == "" {
		return ""
	}
	text, err := r.keys.open(st.ID, st.Credentials)
	if err != nil {
		return `"***"` // STORAGE CHECK tells why.
	}
	return s3.Mask(text)
}

// Close closes every storage. Nothing may use the lake any more.
func (r *Registry) Close() error {
	r.changing.Lock()
	defer r.changing.Unlock()
	r.mu.Lock()
	list := r.retired
	for _, g := range r.storages {
		list = append(list, g)
	}
	r.storages, r.retired = nil, nil
	r.mu.Unlock()
	var failed []error
	for _, g := range list {
		failed = append(failed, g.shut())
	}
	return errors.Join(failed...)
}
