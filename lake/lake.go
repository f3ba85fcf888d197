package lake

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/klauspost/compress/zstd"
	"golang.org/x/sync/singleflight"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/lake/keyindex"
	"github.com/kalamlake/kalam/lake/layout"
	"github.com/kalamlake/kalam/lake/parquet"
)

// Defaults of Options.
const (
	defaultOpenFiles  = 256
	defaultCacheBytes = 64 << 20
	defaultRowCache   = 32 << 20
)

// Location is one registered storage with its templates.
type Location struct {
	ID             kalam.StorageID
	Storage        Storage // Not closed by the Lake.
	UserTemplate   string  // "" means DefaultUserTemplate.
	SharedTemplate string  // "" means DefaultSharedTemplate.
}

// Options tune a Lake. The zero value is the default.
type Options struct {
	Now func() time.Time // nil means time.Now.

	// OpenFiles bounds the files kept open between reads, separately for
	// key index files and for Parquet files; CacheBytes bounds the memory of their
	// indexes and footers likewise. 0 means 256 files and 64 MiB.
	OpenFiles  int
	CacheBytes int64
	// RowCacheBytes bounds the decoded row groups kept for point reads. 0 means
	// 32 MiB, a negative number none.
	RowCacheBytes int64

	// Strategies are shard strategies beside the built-in ones, by name.
	Strategies map[string]layout.Sharder
	// DefaultStrategy is what SHARD_STRATEGY 'default' means; "" is alphabetic.
	DefaultStrategy string
	// HashShards is the number of shards of the strategy "hash"; 0 is 16. It
	// must not change once files exist, or one user's files spread.
	HashShards int
}

// Lake reads and writes segments on its locations.
type Lake struct {
	now    func() time.Time
	shards layout.Strategies

	compressor *zstd.Encoder // Of WriteRows.

	keyIndexes *handleCache[*keyindex.File]
	parquets   *handleCache[*parquet.File]
	groups     *groupCache
	bounds     *handleCache[*parquet.Bounds]

	registering sync.Mutex // serialises changes of locations
	locations   atomic.Pointer[map[kalam.StorageID]*location]

	checked  *lru.Cache[objectKey, wholeFile] // The Parquet files that checkLocal found whole.
	removed  *lru.Cache[objectKey, struct{}]  // Segments that Remove deleted: their names are not given again.
	given    *lru.Cache[objectKey, struct{}]  // Names of segments in remote storages, which are not asked for them.
	checking singleflight.Group

	holds holds

	mu      sync.Mutex // guards what follows
	pending map[objectKey]struct{}
	retired map[kalam.StorageID]struct{} // Storages that take no new segments.
}

// location is a Location with its templates parsed.
type location struct {
	Location
	templates layout.Templates
}

// objectKey names an object across storages.
type objectKey struct {
	storage kalam.StorageID
	path    string
}

// New returns a Lake over the given locations. Close releases its open files.
func New(o Options, locations ...Location) (*Lake, error) {
	shards, err := layout.NewStrategies(o.Strategies, o.DefaultStrategy, o.HashShards)
	if err != nil {
		return nil, err
	}
	if o.OpenFiles == 0 {
		o.OpenFiles = defaultOpenFiles
	}
	if o.CacheBytes == 0 {
		o.CacheBytes = defaultCacheBytes
	}
	if o.RowCacheBytes == 0 {
		o.RowCacheBytes = defaultRowCache
	}
	l := &Lake{
		now: o.Now, shards: shards,
		keyIndexes: newHandleCache[*keyindex.File](o.OpenFiles, o.CacheBytes),
		parquets:   newHandleCache[*parquet.File](o.OpenFiles, o.CacheBytes),
		groups:     newGroupCache(o.RowCacheBytes),
		bounds:     newHandleCache[*parquet.Bounds](maxChecked, boundsBytes),
		pending:    make(map[objectKey]struct{}),
		retired:    make(map[kalam.StorageID]struct{}),
	}
	if l.compressor, err = parquet.NewCompressor(); err != nil {
		return nil, fmt.Errorf("make compressor: %w", err)
	}
	if l.checked, err = lru.New[objectKey, wholeFile](maxChecked); err != nil {
		return nil, err
	}
	if l.removed, err = lru.New[objectKey, struct{}](maxChecked); err != nil {
		return nil, err
	}
	if l.given, err = lru.New[objectKey, struct{}](maxChecked); err != nil {
		return nil, err
	}
	if l.now == nil {
		l.now = time.Now
	}
	l.locations.Store(&map[kalam.StorageID]*location{})
	for _, at := range locations {
		if err := l.Register(at); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// Close closes the files that were kept open. Reads that still run finish; no
// other method may be called afterwards. The storages stay open.
func (l *Lake) Close() error {
	return errors.Join(l.keyIndexes.close(), l.parquets.close(), l.groups.handles.close(), l.bounds.close())
}

// Register adds a storage, or replaces the one of its id: later segments follow
// the new templates, and what was cached of the old one is dropped. It checks
// the templates (CheckTemplates) and does no I/O.
func (l *Lake) Register(at Location) error {
	templates, err := layout.ParseTemplates(at.UserTemplate, at.SharedTemplate)
	if err != nil {
		return err
	}
	l.registering.Lock()
	defer l.registering.Unlock()
	next := maps.Clone(*l.locations.Load())
	next[at.ID] = &location{Location: at, templates: templates}
	l.locations.Store(&next)
	l.forgetStorage(at.ID)
	return nil
}

// Unregister forgets a storage that no table, user or segment refers to.
func (l *Lake) Unregister(id kalam.StorageID) {
	l.registering.Lock()
	defer l.registering.Unlock()
	next := maps.Clone(*l.locations.Load())
	delete(next, id)
	l.locations.Store(&next)
	l.forgetStorage(id)
	for _, k := range l.given.Keys() { // What comes in its place may have other files of those names.
		if k.storage == id {
			l.given.Remove(k)
		}
	}
}

// Gave reports whether this Lake has given the name of a segment in a remote storage to a file that it
// began. It may have forgotten the oldest of very many.
func (l *Lake) Gave(storage kalam.StorageID, segmentPath string) bool {
	return l.given.Contains(objectKey{storage, segmentPath})
}

// Retire has a storage take no new segments until resume is called. It is refused while one
// is being written there: CodeConflict.
func (l *Lake) Retire(id kalam.StorageID) (resume func(), err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for k := range l.pending {
		if k.storage == id {
			return nil, kalam.Errorf(kalam.CodeConflict, "Storage '%s' is being written to; try again later", id)
		}
	}
	l.retired[id] = struct{}{}
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.retired, id)
	}, nil
}

// forgetStorage drops what is cached of a storage. Its files were only read, so
// that an error of closing them says nothing.
func (l *Lake) forgetStorage(id kalam.StorageID) {
	own := func(k objectKey) bool { return k.storage == id }
	for _, k := range l.checked.Keys() {
		if own(k) {
			l.checked.Remove(k)
		}
	}
	_ = errors.Join(l.keyIndexes.dropAll(own), l.parquets.dropAll(own), l.groups.handles.dropAll(own),
		l.bounds.dropAll(own))
}

// Storages returns the ids of the registered storages in order.
func (l *Lake) Storages() []kalam.StorageID {
	return slices.Sorted(maps.Keys(*l.locations.Load()))
}

// CheckStrategy reports whether a table may name strategy as its
// SHARD_STRATEGY; "" and "default" always are. The error has CodeInvalidInput.
func (l *Lake) CheckStrategy(strategy string) error {
	_, err := l.shards.Find(strategy)
	return err
}

// Strategies returns the names of the shard strategies in order.
func (l *Lake) Strategies() []string { return l.shards.Names() }

// Check probes a storage.
func (l *Lake) Check(ctx context.Context, id kalam.StorageID) (Health, error) {
	at, err := l.location(id)
	if err != nil {
		return Health{}, err
	}
	return at.Storage.Check(ctx), nil
}

// Storage returns a registered storage, "" being the local one, and its templates.
func (l *Lake) Storage(id kalam.StorageID) (Storage, layout.Templates, error) {
	at, err := l.location(id)
	if err != nil {
		return nil, layout.Templates{}, err
	}
	return at.Location.Storage, at.templates, nil
}

func (l *Lake) location(id kalam.StorageID) (*location, error) {
	if id == "" {
		id = kalam.LocalStorage
	}
	at, ok := (*l.locations.Load())[id]
	if !ok {
		return nil, kalam.Errorf(kalam.CodeNotFound, "Storage '%s' does not exist", id)
	}
	return at, nil
}

// Folder returns the folder of a scope in a storage ("" is the table's own),
// relative to the storage's root, and the storage's location for messages:
// FLUSH results name both. Earlier segments of the scope may lie elsewhere.
func (l *Lake) Folder(storage kalam.StorageID, t *kalam.Table, user kalam.UserID) (location, folder string, err error) {
	at, folder, err := l.folder(storage, t, user)
	if err != nil {
		return "", "", err
	}
	return at.Storage.Properties().Location, folder, nil
}

func (l *Lake) folder(storage kalam.StorageID, t *kalam.Table, user kalam.UserID) (*location, string, error) {
	if storage == "" {
		storage = t.Options.StorageID
	}
	at, err := l.location(storage)
	if err != nil {
		return nil, "", err
	}
	shard, err := l.shards.ShardOf(t, user)
	if err != nil {
		return nil, "", err
	}
	folder, err := at.templates.Folder(t, user, shard)
	return at, folder, err
}

// Remove deletes the files of a segment that no manifest of record names and no
// snapshot reads any more. Files that are gone already are no error. The name is
// not given again until the next start: readers may have noted things by it.
func (l *Lake) Remove(ctx context.Context, seg *kalam.Segment) error {
	at, err := l.location(seg.Storage)
	if err != nil {
		return err
	}
	if err := l.holds.begin(); err != nil {
		return err
	}
	defer l.holds.end()
	l.removed.Add(objectKey{at.ID, seg.Path}, struct{}{})
	l.forget(at.ID, seg.Path)
	if err := at.Storage.Remove(ctx, seg.Path); err != nil {
		return err
	}
	return at.Storage.Remove(ctx, layout.KeyIndexPath(seg.Path))
}

// Forget drops what is cached of a segment whose files were changed by others.
func (l *Lake) Forget(seg *kalam.Segment) {
	l.forget(cmp.Or(seg.Storage, kalam.LocalStorage), seg.Path)
}

// forget drops what is cached of the segment at p, whose files were changed or removed.
func (l *Lake) forget(storage kalam.StorageID, p string) {
	l.checked.Remove(objectKey{storage, p})
	l.keyIndexes.drop(objectKey{storage, layout.KeyIndexPath(p)})
	l.parquets.drop(objectKey{storage, p})
	l.bounds.drop(objectKey{storage, p})
	l.groups.forget(storage, p)
}

func (l *Lake) isPending(k objectKey) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, ok := l.pending[k]
	return ok
}

// MissingIsCorrupt turns the absence of a file that a manifest names into
// damage; other errors pass.
func MissingIsCorrupt(p string, err error) error {
	if errors.Is(err, ErrNotExist) {
		return kalam.Wrap(kalam.CodeCorrupt, err, "%s is missing", p)
	}
	return err
}
