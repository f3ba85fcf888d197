package lake_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/lake"
	"github.com/kalamlake/kalam/lake/keyindex"
	"github.com/kalamlake/kalam/lake/laketest"
)

// counting is a storage that counts its open objects.
type counting struct {
	lake.Storage
	open, most, opens atomic.Int64
}

func (c *counting) Open(ctx context.Context, p string) (lake.Object, error) {
	o, err := c.Storage.Open(ctx, p)
	if err != nil {
		return nil, err
	}
	c.opens.Add(1)
	n := c.open.Add(1)
	for most := c.most.Load(); n > most && !c.most.CompareAndSwap(most, n); most = c.most.Load() {
	}
	return &countedObject{Object: o, c: c}, nil
}

type countedObject struct {
	lake.Object
	c      *counting
	closed atomic.Bool
}

func (o *countedObject) Close() error {
	if o.closed.Swap(true) {
		return errors.New("closed twice")
	}
	o.c.open.Add(-1)
	return o.Object.Close()
}

func (o *countedObject) ReadAt(b []byte, off int64) (int, error) {
	if o.closed.Load() {
		return 0, errors.New("read after close")
	}
	return o.Object.ReadAt(b, off)
}

// descriptors returns how many files this process has open, -1 where that
// cannot be known.
func descriptors() int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return -1
	}
	return len(entries)
}

// TestOpenFilesAreBounded reads many segments with room for few: what stays open
// is within the bounds however long it goes on, and nothing after Close.
func TestOpenFilesAreBounded(t *testing.T) {
	const segments, workers, bound = 24, 6, 4
	for name, o := range map[string]lake.Options{"by number": {OpenFiles: bound},
		"by bytes": {CacheBytes: bound << 10}} {
		t.Run(name, func(t *testing.T) {
			b := newBed(t, lake.Options{})
			store := &counting{Storage: b.store}
			rows := noteRows(200, 0)
			var segs []kalam.Segment
			for i := range segments {
				segs = append(segs, write(t, b.lake, notes(), kalam.UserID(fmt.Sprint(i)), rows,
					laketest.ParquetOptions{}))
			}
			o.Now = nowOf(b)
			l, err := lake.New(o, lake.Location{ID: kalam.LocalStorage, Storage: store})
			if err != nil {
				t.Fatal(err)
			}
			before := descriptors()
			var g errgroup.Group
			for w := range workers {
				r := rand.New(rand.NewPCG(uint64(w), 0))
				g.Go(func() error {
					for range 60 {
						seg := &segs[r.IntN(segments)]
						id := int64(r.IntN(200))
						at, err := l.Find(t.Context(), seg, [][]byte{noteKey(id)})
						if err != nil || at[0] != id {
							return fmt.Errorf("find %d: %v, %w", id, at, err)
						}
						got, err := l.ReadRows(t.Context(), notes(), seg, at)
						if err != nil || !sameRow(got[0], rows[id]) {
							return fmt.Errorf("read row %d: %v, %w", id, got, err)
						}
					}
					return nil
				})
			}
			if err := g.Wait(); err != nil {
				t.Fatal(err)
			}
			// A worker may hold two files beside those that are cached.
			if most := store.most.Load(); most > 2*bound+2*workers {
				t.Errorf("%d files were open at once", most)
			}
			if open := store.open.Load(); open > 2*bound {
				t.Errorf("%d files stay open", open)
			}
			if after := descriptors(); after > before+2*bound {
				t.Errorf("%d descriptors, %d before", after, before)
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			if open := store.open.Load(); open != 0 {
				t.Errorf("%d files are open after Close", open)
			}
		})
	}
}

// TestFilesAreOpenedOnce has many readers of one segment at once.
func TestFilesAreOpenedOnce(t *testing.T) {
	b := newBed(t, lake.Options{})
	rows := noteRows(200, 0)
	seg := write(t, b.lake, notes(), "alice", rows, laketest.ParquetOptions{})
	store := &counting{Storage: b.store}
	l := newLake(t, store, lake.Options{}, nowOf(b))
	var g errgroup.Group
	for w := range 16 {
		g.Go(func() error {
			got, err := l.ReadRows(t.Context(), notes(), &seg, []int64{int64(w)})
			if err != nil || !sameRow(got[0], rows[w]) {
				return fmt.Errorf("read row %d: %v, %w", w, got, err)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	if n := store.opens.Load(); n != 2 {
		t.Errorf("two files were opened %d times", n)
	}
}

// TestCancelledOpenIsNotShared has one reader whose context ends while it opens
// a file for others.
func TestCancelledOpenIsNotShared(t *testing.T) {
	b := newBed(t, lake.Options{})
	rows := noteRows(200, 0)
	seg := write(t, b.lake, notes(), "alice", rows, laketest.ParquetOptions{})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var first sync.Once
	inside, wait := make(chan struct{}), make(chan struct{})
	l := newLake(t, &laketest.Faulty{Storage: b.store, Fail: func(op, _ string) error {
		var err error
		if op == "Open" {
			first.Do(func() {
				close(inside)
				<-wait
				err = ctx.Err()
			})
		}
		return err
	}}, lake.Options{}, nowOf(b))
	var g errgroup.Group
	g.Go(func() error {
		if _, err := l.ReadRows(ctx, notes(), &seg, []int64{1}); !errors.Is(err, context.Canceled) {
			return fmt.Errorf("the cancelled reader got %w", err)
		}
		return nil
	})
	<-inside
	for range 8 {
		g.Go(func() error {
			got, err := l.ReadRows(t.Context(), notes(), &seg, []int64{1})
			if err != nil || !sameRow(got[0], rows[1]) {
				return fmt.Errorf("another reader got %v, %w", got, err)
			}
			return nil
		})
	}
	// One that gives up while it waits does not wait for the opener.
	impatient, stop := context.WithCancel(t.Context())
	stop()
	if _, err := l.Find(impatient, &seg, [][]byte{noteKey(1)}); !errors.Is(err, context.Canceled) {
		t.Errorf("the impatient reader got %v", err)
	}
	cancel()
	close(wait)
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
}

// TestRowCacheIsBounded reads every group often enough to be kept: what stays in
// memory is about what was allowed.
func TestRowCacheIsBounded(t *testing.T) {
	rows := noteRows(20000, 0)
	for _, cache := range []int64{-1, 400 << 10, 2 << 20} {
		b := newBed(t, lake.Options{RowCacheBytes: cache})
		seg := write(t, b.lake, notes(), "alice", rows, laketest.ParquetOptions{RowGroup: 512})
		if _, err := b.lake.ReadRows(t.Context(), notes(), &seg, []int64{0}); err != nil {
			t.Fatal(err)
		}
		before := live()
		for i := range 160 { // each group four times in a row
			at := []int64{int64(i/4*512 + i%4)}
			if at[0] >= int64(len(rows)) {
				break
			}
			got, err := b.lake.ReadRows(t.Context(), notes(), &seg, at)
			if err != nil {
				t.Fatal(err)
			}
			wantRows(t, got, rows, at)
		}
		if grown := live() - before; grown > max(cache, 0)*3/2+1<<20 {
			t.Errorf("with %d bytes allowed %d are kept", cache, grown)
		}
	}
}

// live returns the bytes in use after a collection.
func live() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // the first one only empties pools
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// crowd is the state of TestEverythingAtOnce: the segments that may be read.
type crowd struct {
	lake *lake.Lake
	rows []kalam.Row

	mu   sync.Mutex // guards live and uses
	live []kalam.Segment
	uses map[string]int // readers by path
}

// borrow picks a live segment; it is not removed before giveBack.
func (c *crowd) borrow(r *rand.Rand) (kalam.Segment, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.live) == 0 {
		return kalam.Segment{}, false
	}
	seg := c.live[r.IntN(len(c.live))]
	c.uses[seg.Path]++
	return seg, true
}

func (c *crowd) giveBack(seg kalam.Segment) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.uses[seg.Path]--
}

// retire takes an unused segment out of the live ones.
func (c *crowd) retire() (kalam.Segment, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, seg := range c.live {
		if c.uses[seg.Path] == 0 && len(c.live) > 4 {
			c.live = slices.Delete(c.live, i, i+1)
			return seg, true
		}
	}
	return kalam.Segment{}, false
}

func (c *crowd) add(seg kalam.Segment) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.live = append(c.live, seg)
}

func (c *crowd) knows(p string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.ContainsFunc(c.live, func(s kalam.Segment) bool { return s.Path == p })
}

// read checks one random row of a segment by key and by position.
func (c *crowd) read(ctx context.Context, r *rand.Rand, seg kalam.Segment) error {
	id := int64(r.IntN(len(c.rows)))
	found, err := c.lake.Locate(ctx, &seg, [][]byte{noteKey(id), noteKey(-5)})
	if err != nil || found[0].Row != id || found[1].Row != -1 {
		return fmt.Errorf("locate %d: %v, %w", id, found, err)
	}
	got, err := c.lake.ReadRows(ctx, notes(), &seg, []int64{id, 0})
	if err != nil || !sameRow(got[0], c.rows[id]) || !sameRow(got[1], c.rows[0]) {
		return fmt.Errorf("read row %d: %v, %w", id, got, err)
	}
	return nil
}

// step does one random thing that a server does with a lake.
func (c *crowd) step(t *testing.T, r *rand.Rand, user kalam.UserID) error {
	ctx := t.Context()
	switch r.IntN(12) {
	case 0:
		seg, err := tryWrite(t, c.lake, notes(), user, c.rows, laketest.ParquetOptions{RowGroup: 64})
		if err != nil {
			return fmt.Errorf("write: %w", err)
		}
		c.add(seg)
		return nil
	case 1:
		if seg, ok := c.retire(); ok {
			return c.lake.Remove(ctx, &seg)
		}
		return nil
	case 2:
		_, err := c.lake.Orphans(ctx, lake.OrphanQuery{Known: c.knows})
		return err
	case 3:
		_, err := c.lake.SyncManifest(ctx, lake.ScopeManifest{
			Table: notes(), User: user, Manifest: lake.Manifest{Version: int64(r.IntN(3))},
		})
		if errors.Is(err, lake.ErrNewerManifest) {
			return nil
		}
		return err
	}
	seg, ok := c.borrow(r)
	if !ok {
		return nil
	}
	defer c.giveBack(seg)
	switch r.IntN(8) {
	case 0:
		return c.lake.Rebuild(ctx, notes(), &seg)
	case 1:
		return scrub(ctx, c.lake, &seg)
	case 2:
		return c.lake.EachKey(ctx, &seg, func(keyindex.Entry) error { return nil })
	case 3:
		f, err := c.lake.LocalPath(ctx, &seg)
		if err != nil {
			return err
		}
		defer f.Release()
		return f.Unchanged(ctx)
	}
	return c.read(ctx, r, seg)
}

// TestEverythingAtOnce lets workers write, read, remove, rebuild and list at
// once, with caches that are too small, for the race detector and for wrong rows.
func TestEverythingAtOnce(t *testing.T) {
	const workers, rounds = 8, 40
	b := newBed(t, lake.Options{OpenFiles: 3, RowCacheBytes: 100 << 10})
	c := &crowd{lake: b.lake, rows: noteRows(300, 0), uses: make(map[string]int)}
	var g errgroup.Group
	for w := range workers {
		r := rand.New(rand.NewPCG(uint64(w), 7))
		g.Go(func() error {
			for i := range rounds {
				if err := c.step(t, r, kalam.UserID(fmt.Sprintf("user%d", w%3))); err != nil {
					return fmt.Errorf("worker %d round %d: %w", w, i, err)
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	if got := orphans(t, b.lake, c.knows); len(got) != 0 {
		t.Errorf("orphans %v", got)
	}
	for _, seg := range c.live {
		wantSegment(t, b.lake, notes(), seg, c.rows)
	}
}
