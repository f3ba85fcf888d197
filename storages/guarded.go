package storages

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/lake"
	"github.com/kalamlake/kalam/lake/layout"
)

// After a failure a storage is left alone for firstPause; the pauses double up to
// longestPause.
const (
	firstPause   = time.Second
	longestPause = 15 * time.Second
	// attachTime is how long a storage has for what is read and written to know it.
	attachTime = 10 * time.Second
)

// guarded is a storage that is opened at its first use, by what open does, and left alone
// for a while after it did not answer. It implements lake.Storage, with errors that name
// the storage. Of a remote one, objects are begun without asking it.
type guarded struct {
	id    kalam.StorageID
	props lake.Properties
	log   *slog.Logger
	pause time.Duration // The first one.

	cacheBytes int64   // Of a remote storage.
	flights    flights // Likewise.

	open   func() (opened, error)
	attach func(context.Context, lake.Storage) error // Reports why an opened storage is not the right one.
	joined func()                                    // Called once it is attached.

	opening  chan struct{} // Held while the storage is opened or attached.
	current  atomic.Pointer[opened]
	attached atomic.Bool

	mu       sync.Mutex // guards what follows
	failures int        // In a row.
	retryAt  time.Time  // Until then nobody tries; zero while it works.
	last     error      // The last failure.
	failedAt time.Time
	closed   bool
}

// opened is an open storage and what closes it.
type opened struct {
	lake.Storage
	close func() error
}

var (
	_ lake.Storage       = (*guarded)(nil)
	_ lake.BatchReplacer = (*guarded)(nil)
	_ lake.UploadAborter = (*guarded)(nil)
	_ lake.Prefetcher    = (*guarded)(nil)
)

// unavailable is the error of a storage that cannot be used now.
func (g *guarded) unavailable(cause error) error {
	return kalam.Wrap(kalam.CodeUnavailable, cause, "Storage '%s' cannot be used now; try again later", g.id)
}

// mayTry reports why the storage is not to be asked now. Of those who come after a pause
// one tries; the others fail until it knows.
func (g *guarded) mayTry() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.retryAt.IsZero() {
		return nil
	}
	now := time.Now()
	if now.Before(g.retryAt) {
		return g.unavailable(g.last)
	}
	g.retryAt = now.Add(g.pauseLocked())
	return nil
}

// isLeftAlone reports whether the storage has failed just now.
func (g *guarded) isLeftAlone() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	// Whoever tries after a pause has moved retryAt by another one.
	return g.failures > 0 && time.Now().Before(g.failedAt.Add(g.pauseLocked()))
}

func (g *guarded) pauseLocked() time.Duration {
	return min(g.pause<<min(max(g.failures-1, 0), 6), max(longestPause, g.pause))
}

// failed notes that the storage did not answer.
func (g *guarded) failed(err error) {
	g.mu.Lock()
	g.failures++
	g.last, g.failedAt = err, time.Now()
	g.retryAt = g.failedAt.Add(g.pauseLocked())
	first := g.failures == 1
	g.mu.Unlock()
	if first {
		g.log.Warn("a storage cannot be used; what needs it fails until it can", "storage", string(g.id), "error", err)
	}
}

// works notes that the storage answered.
func (g *guarded) works() {
	g.mu.Lock()
	failed := g.failures > 0
	g.failures, g.retryAt, g.last = 0, time.Time{}, nil
	g.mu.Unlock()
	if failed {
		g.log.Info("a storage can be used again", "storage", string(g.id))
	}
}

// failing reports why the storage cannot be used, nil if nothing is known against it.
func (g *guarded) failing() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.last
}

// note keeps account of what the storage said, and names it in an error.
func (g *guarded) note(ctx context.Context, err error) error {
	var known *kalam.Error
	switch {
	case err == nil, errors.Is(err, lake.ErrNotExist), errors.Is(err, lake.ErrExist):
		g.works()
		return err
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
		return err
	case errors.Is(err, lake.ErrUnavailable):
		g.failed(err)
		return g.unavailable(err)
	case errors.As(err, &known):
		return err
	}
	return g.unavailable(err)
}

// begun returns the open storage, which need not have been asked for anything.
func (g *guarded) begun(ctx context.Context) (lake.Storage, error) {
	if s := g.current.Load(); s != nil {
		return s.Storage, nil
	}
	if err := g.lock(ctx); err != nil {
		return nil, err
	}
	defer g.unlock()
	return g.beginLocked()
}

func (g *guarded) lock(ctx context.Context) error {
	select {
	case g.opening <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (g *guarded) unlock() { <-g.opening }

// beginLocked opens the storage if it is not open yet.
func (g *guarded) beginLocked() (lake.Storage, error) {
	if s := g.current.Load(); s != nil {
		return s.Storage, nil
	}
	g.mu.Lock()
	closed := g.closed
	g.mu.Unlock()
	if closed {
		return nil, kalam.Errorf(kalam.CodeNotFound, "Storage '%s' does not exist any more", g.id)
	}
	s, err := g.open()
	if err != nil {
		return nil, err
	}
	g.current.Store(&s)
	return s.Storage, nil
}

// ready returns the storage once it is known to be the right one.
func (g *guarded) ready(ctx context.Context) (lake.Storage, error) {
	if g.attached.Load() {
		return g.current.Load().Storage, g.mayTry()
	}
	if err := g.mayTry(); err != nil {
		return nil, err
	}
	return g.attachNow(ctx, false)
}

// attachNow opens the storage and finds out whether it is the right one. Who waited while another
// failed does not try the same, unless asked is set.
func (g *guarded) attachNow(ctx context.Context, asked bool) (lake.Storage, error) {
	if err := g.lock(ctx); err != nil {
		return nil, err
	}
	defer g.unlock()
	if g.attached.Load() {
		return g.current.Load().Storage, nil
	}
	if g.isLeftAlone() && !asked {
		return nil, g.unavailable(g.failing())
	}
	s, err := g.beginLocked()
	if err == nil {
		limited, cancel := context.WithTimeout(ctx, attachTime)
		if err = g.attach(limited, s); err != nil {
			g.giveUpLocked()
		}
		cancel()
	}
	if err != nil && ctx.Err() != nil {
		return nil, err
	}
	if err != nil {
		g.failed(err)
		return nil, g.unavailable(err)
	}
	g.attached.Store(true)
	g.joined()
	g.works()
	return s, nil
}

// giveUpLocked closes a directory that is not the right one: the next try opens what is in its
// place then. A client of a server stays, as something may be begun there.
func (g *guarded) giveUpLocked() {
	s := g.current.Load()
	if !g.props.Local || s == nil {
		return
	}
	g.current.Store(nil)
	if err := s.close(); err != nil {
		g.log.Warn("a directory was not closed", "storage", string(g.id), "error", err)
	}
}

// shut closes the storage. Nothing may use it any more.
func (g *guarded) shut() error {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.flights.wait()
	if s := g.current.Load(); s != nil {
		return s.close()
	}
	return nil
}

// Properties implements lake.Storage.
func (g *guarded) Properties() lake.Properties { return g.props }

// Create implements lake.Storage. What a remote storage is to get is begun here.
func (g *guarded) Create(ctx context.Context, path string) (lake.Staged, error) {
	use := g.ready
	if !g.props.Local {
		use = g.begun
	}
	s, err := use(ctx)
	if err != nil {
		return nil, g.note(ctx, err)
	}
	staged, err := s.Create(ctx, path)
	if err != nil {
		return nil, g.note(ctx, err)
	}
	return staged, nil
}

// Commit implements lake.Storage.
func (g *guarded) Commit(ctx context.Context, staged ...lake.Staged) error {
	s, err := g.ready(ctx)
	if err != nil {
		for _, d := range staged {
			_ = d.Abort() // It was not asked for anything; what stays of a file the next start removes.
		}
		return err
	}
	return g.run(ctx, s, func(ctx context.Context, s lake.Storage) error { return s.Commit(ctx, staged...) })
}

// do runs f with the storage.
func (g *guarded) do(ctx context.Context, f func(context.Context, lake.Storage) error) error {
	s, err := g.ready(ctx)
	if err != nil {
		return err
	}
	return g.run(ctx, s, f)
}

// run runs f with the storage. A remote one that falls silent meanwhile ends it.
func (g *guarded) run(ctx context.Context, s lake.Storage, f func(context.Context, lake.Storage) error) error {
	watched, land := g.flights.begin(ctx, g)
	defer land()
	err := f(watched, s)
	if err != nil && errors.Is(context.Cause(watched), errSilent) {
		return g.unavailable(errSilent)
	}
	return g.note(ctx, err)
}

// Replace implements lake.Storage.
func (g *guarded) Replace(ctx context.Context, path string, content []byte) error {
	return g.do(ctx, func(ctx context.Context, s lake.Storage) error { return s.Replace(ctx, path, content) })
}

// ReplaceAll implements lake.BatchReplacer.
func (g *guarded) ReplaceAll(ctx context.Context, objects []lake.Content) error {
	return g.do(ctx, func(ctx context.Context, s lake.Storage) error {
		if b, ok := s.(lake.BatchReplacer); ok {
			return b.ReplaceAll(ctx, objects)
		}
		for _, o := range objects {
			if err := s.Replace(ctx, o.Path, o.Bytes); err != nil {
				return err
			}
		}
		return nil
	})
}

// AbortUploads implements lake.UploadAborter.
func (g *guarded) AbortUploads(ctx context.Context, before time.Time) (n int, err error) {
	err = g.do(ctx, func(ctx context.Context, s lake.Storage) (err error) {
		if a, ok := s.(lake.UploadAborter); ok {
			n, err = a.AbortUploads(ctx, before)
		}
		return err
	})
	return n, err
}

// Open implements lake.Storage. Of a remote one, what is cached is read from there, also
// while it does not answer. The keys of a segment are small and read often: they are cached as
// a whole.
func (g *guarded) Open(ctx context.Context, path string) (lake.Object, error) {
	if c := g.cacher(ctx); c != nil {
		if o, ok := c.OpenCached(path); ok {
			return o, nil
		}
		if kind, _ := layout.Classify(path); kind == layout.KeyIndexFile {
			if o, err := g.fetched(ctx, c, path); o != nil || err != nil {
				return o, err
			}
		}
	}
	var o lake.Object
	err := g.do(ctx, func(ctx context.Context, s lake.Storage) (err error) {
		o, err = s.Open(ctx, path)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &guardedObject{Object: o, of: g}, nil
}

// fetched opens an object that is cached for that; nil if the cache has no room.
func (g *guarded) fetched(ctx context.Context, c cacher, path string) (lake.Object, error) {
	_, release, err := g.LocalPath(ctx, path)
	if kalam.CodeOf(err) == kalam.CodeResourceExhausted {
		return nil, nil //nolint:nilnil // Its comment says so.
	}
	if err != nil {
		return nil, err
	}
	defer release()
	o, ok := c.OpenCached(path)
	if !ok {
		return nil, nil //nolint:nilnil // As above: it is read in parts.
	}
	return o, nil
}

// guardedObject is an object of a guarded storage.
type guardedObject struct {
	lake.Object
	of *guarded
}

// ReadAt implements lake.Object.
func (o *guardedObject) ReadAt(b []byte, off int64) (int, error) {
	n, err := o.Object.ReadAt(b, off)
	if errors.Is(err, lake.ErrUnavailable) {
		o.of.failed(err)
		err = o.of.unavailable(err)
	}
	return n, err
}

// LocalPath implements lake.Storage. What is cached of a remote storage can be read while it
// does not answer.
func (g *guarded) LocalPath(ctx context.Context, path string) (name string, release func(), err error) {
	if c := g.cacher(ctx); c != nil {
		if name, release, ok := c.Cached(path); ok {
			return name, release, nil
		}
	}
	err = g.do(ctx, func(ctx context.Context, s lake.Storage) (err error) {
		name, release, err = s.LocalPath(ctx, path)
		return err
	})
	return name, release, err
}

// prefetched is how many objects Prefetch brings at a time.
const prefetched = 8

// Prefetch implements lake.Prefetcher. It takes half of the cache at most, or what it brings would
// drive itself out.
func (g *guarded) Prefetch(ctx context.Context, objects []lake.Entry) {
	c := g.cacher(ctx)
	if c == nil || len(objects) < 2 {
		return
	}
	work, ctx := errgroup.WithContext(ctx)
	work.SetLimit(prefetched)
	left := g.cacheBytes / 2
	for _, o := range objects {
		if _, release, ok := c.Cached(o.Path); ok {
			release()
			continue
		}
		if left -= o.Bytes; left < 0 {
			break
		}
		work.Go(func() error {
			_, release, err := g.LocalPath(ctx, o.Path)
			if err == nil {
				release()
			}
			return err // Ends the others: who reads will be told.
		})
	}
	_ = work.Wait() // As above.
}

// cacher is a storage that has a copy of some objects here.
type cacher interface {
	// Cached lends the local file of an object, as LocalPath does, if that can be done
	// without asking for it.
	Cached(path string) (name string, release func(), ok bool)
	// OpenCached opens it.
	OpenCached(path string) (lake.Object, bool)
}

// cacher returns the storage as a cacher, nil if it is none.
func (g *guarded) cacher(ctx context.Context) cacher {
	if g.props.Local {
		return nil
	}
	s, err := g.begun(ctx)
	if err != nil {
		return nil //nolint:nilerr // Whoever asks the storage is told.
	}
	c, _ := s.(cacher)
	return c
}

// Remove implements lake.Storage.
func (g *guarded) Remove(ctx context.Context, path string) error {
	return g.do(ctx, func(ctx context.Context, s lake.Storage) error { return s.Remove(ctx, path) })
}

// Move implements lake.Storage.
func (g *guarded) Move(ctx context.Context, from, to string) error {
	return g.do(ctx, func(ctx context.Context, s lake.Storage) error { return s.Move(ctx, from, to) })
}

// List implements lake.Storage. An error of visit is none of the storage.
func (g *guarded) List(ctx context.Context, prefix string, visit func(lake.Entry) error) error {
	var stopped error
	err := g.do(ctx, func(ctx context.Context, s lake.Storage) error {
		err := s.List(ctx, prefix, func(e lake.Entry) error {
			stopped = visit(e)
			return stopped
		})
		if stopped != nil {
			err = nil
		}
		return err
	})
	if stopped != nil {
		return stopped
	}
	return err
}

// Check implements lake.Storage. It asks the storage also when that has just failed.
func (g *guarded) Check(ctx context.Context) lake.Health {
	s, err := g.attachNow(ctx, true)
	if err != nil {
		var known *kalam.Error
		if errors.As(err, &known) && known.Err != nil {
			err = known.Err // Who may check a storage may see why.
		}
		return lake.Health{Err: err, TestedAt: time.Now().UTC()}
	}
	h := s.Check(ctx)
	if h.Err == nil {
		g.works()
	}
	return h
}
