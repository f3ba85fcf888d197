package s3

import (
	"cmp"
	"container/list"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/kalamlake/kalam"
)

// touchEvery is how often the use of a cached file is noted on the disk.
const touchEvery = time.Minute

// cache keeps whole objects as files of one directory, the least recently used of which
// go when the budget is met. A file that is lent stays. All is safe for concurrent use.
type cache struct {
	dir    string
	place  string // Which objects they are: a path has another content in another bucket.
	budget int64
	now    func() time.Time

	mu      sync.Mutex // guards all below
	used    int64      // Bytes of files, of removed ones that are lent, and reserved ones.
	entries map[string]*entry
	recent  *list.List // Of *entry; the one used last is in front.
	flights map[string]*flight
}

// entry is one cached object.
type entry struct {
	cachedName
	file     string // Absolute.
	checked  bool   // The checksum was compared since the start.
	lent     int
	gone     bool // Not in the cache any more: the last release removes the file.
	touched  time.Time
	position *list.Element
}

// openCache opens the cache in dir: it takes over the files that an earlier one left, and
// removes those that are no whole ones.
func openCache(dir, place string, budget int64, now func() time.Time) (*cache, error) {
	c := &cache{
		dir: dir, place: place, budget: budget, now: now,
		entries: make(map[string]*entry), recent: list.New(), flights: make(map[string]*flight),
	}
	if err := makeDir(dir); err != nil {
		return nil, err
	}
	found, err := scanCache(dir)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range found { // The newest is the last.
		old := c.entries[e.id]
		c.used += e.size
		c.insertLocked(e)
		if old != nil {
			_ = os.Remove(old.file) // A file that stays is found by the next start.
		}
	}
	for _, e := range c.shrinkLocked(0) {
		_ = os.Remove(e.file) // A file that stays is found by the next start.
	}
	return c, nil
}

// idOf returns the name of the object at p in the cache.
func (c *cache) idOf(p string) string {
	sum := sha256.Sum256([]byte(c.place + "\x00" + p))
	return hex.EncodeToString(sum[:16])
}

// insertLocked makes e the entry of its object. Its bytes are in used already. The entry
// before it is not one any more, and its file is left to the caller unless it is lent.
func (c *cache) insertLocked(e *entry) {
	if old := c.entries[e.id]; old != nil {
		c.deleteLocked(old)
	}
	c.entries[e.id] = e
	e.position = c.recent.PushFront(e)
}

// deleteLocked takes e out of the cache and reports whether its file is to be removed now.
func (c *cache) deleteLocked(e *entry) bool {
	if e.gone {
		return false
	}
	e.gone = true
	delete(c.entries, e.id)
	c.recent.Remove(e.position)
	if e.lent > 0 {
		return false
	}
	c.used -= e.size
	return true
}

// shrinkLocked makes room for n more bytes, unless too many are lent, and returns the
// entries whose files are to be removed.
func (c *cache) shrinkLocked(n int64) []*entry {
	if c.used+n <= c.budget {
		return nil
	}
	idle := int64(0)
	for _, e := range c.entries {
		if e.lent == 0 {
			idle += e.size
		}
	}
	if c.used-idle+n > c.budget {
		return nil
	}
	var out []*entry
	for at := c.recent.Back(); at != nil && c.used+n > c.budget; {
		e, next := at.Value.(*entry), at.Prev()
		if e.lent == 0 && c.deleteLocked(e) {
			out = append(out, e)
		}
		at = next
	}
	return out
}

// reserve makes room for n bytes and counts them as used.
func (c *cache) reserve(n int64) error {
	c.mu.Lock()
	out := c.shrinkLocked(n)
	used, ok := c.used, c.used+n <= c.budget
	if ok {
		c.used += n
	}
	c.mu.Unlock()
	for _, e := range out {
		_ = os.Remove(e.file) // A file that stays is found by the next start.
	}
	if !ok {
		return kalam.Errorf(kalam.CodeResourceExhausted,
			"the local cache of %d bytes has no room for %d: %d are in use; give it more", c.budget, n, used)
	}
	return nil
}

// unreserve gives back what reserve counted.
func (c *cache) unreserve(n int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.used -= n
}

// drop removes the object at p from the cache. What a download of it brings that began
// before is not cached.
func (c *cache) drop(p string) {
	id := c.idOf(p)
	c.mu.Lock()
	for _, f := range c.flights {
		f.stale = f.stale || f.id == id
	}
	e := c.entries[id]
	remove := e != nil && c.deleteLocked(e)
	c.mu.Unlock()
	if remove {
		_ = os.Remove(e.file) // A restart would find it; its checks are those of any file.
	}
}

// lend returns the file of the object at p, which stays until release. Without an etag,
// that is an object which cannot have been replaced; with one, the object that has it.
func (c *cache) lend(p, etag string) (name string, release func(), ok bool) {
	e, checked, touch := c.pin(p, etag)
	if e == nil {
		return "", nil, false
	}
	if err := e.whole(checked); err != nil {
		c.mu.Lock()
		c.deleteLocked(e)
		c.mu.Unlock()
		c.unpin(e)
		return "", nil, false
	}
	c.mu.Lock()
	e.checked = true
	c.mu.Unlock()
	if touch {
		_ = os.Chtimes(e.file, c.now(), c.now()) // It only orders what a restart finds.
	}
	return e.file, sync.OnceFunc(func() { c.unpin(e) }), true
}

// pin finds an entry and counts it as lent. checked is the entry's, touch asks to note its
// use on the disk.
func (c *cache) pin(p, etag string) (e *entry, checked, touch bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e = c.entries[c.idOf(p)]
	if e == nil || etag == "" && !e.fixed || etag != "" && e.etag != tagOf(etag) {
		return nil, false, false
	}
	e.lent++
	c.recent.MoveToFront(e.position)
	if now := c.now(); now.Sub(e.touched) >= touchEvery {
		e.touched, touch = now, true
	}
	return e, e.checked, touch
}

// unpin ends a lending.
func (c *cache) unpin(e *entry) {
	c.mu.Lock()
	e.lent--
	remove := e.gone && e.lent == 0
	if remove {
		c.used -= e.size
	}
	c.mu.Unlock()
	if remove {
		_ = os.Remove(e.file) // As in drop.
	}
}

// whole reports why the file of a lent entry is not the object: it must have its size,
// and, the first time after a restart, its checksum.
func (e *entry) whole(checked bool) error {
	info, err := os.Stat(e.file)
	if err != nil {
		return err
	}
	if info.Size() != e.size {
		return fmt.Errorf("%d bytes, not %d", info.Size(), e.size)
	}
	if checked {
		return nil
	}
	sum, err := sumOf(e.file)
	if err == nil && sum != e.sum {
		err = errWrongSum
	}
	return err
}

// sumOf returns the SHA-256 of a file, hexadecimal.
func sumOf(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close() //nolint:errcheck // It was only read.
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// adopt takes over the file of an object that was just made, when there is room for it.
func (c *cache) adopt(p, etag, sum string, size int64, file string) {
	if etag == "" || c.reserve(size) != nil {
		return
	}
	n := cachedName{id: c.idOf(p), etag: tagOf(etag), size: size, sum: sum, fixed: true}
	e := &entry{cachedName: n, file: filepath.Join(c.dir, n.text()), checked: true, touched: c.now()}
	if err := os.Rename(file, e.file); err != nil {
		c.unreserve(size)
		return
	}
	c.add(e, nil)
}

// add makes e, whose bytes are reserved, the entry of its object, and reports whether it
// did: not when the object was dropped during the download f that brought it.
func (c *cache) add(e *entry, f *flight) bool {
	c.mu.Lock()
	if f != nil && f.stale {
		c.mu.Unlock()
		return false
	}
	old := c.entries[e.id]
	remove := old != nil && c.deleteLocked(old)
	c.insertLocked(e)
	c.mu.Unlock()
	if remove {
		_ = os.Remove(old.file) // As in drop.
	}
	return true
}

// flight is a download that several callers wait for.
type flight struct {
	id      string        // Of the path.
	done    chan struct{} // Closed at its end.
	err     error         // Set before done is closed.
	cancel  context.CancelFunc
	waiting int  // Guarded by cache.mu.
	stale   bool // Guarded by cache.mu: what it brings must not be cached.
}

// scanCache returns the whole files of the cache's directory, the one used last at the
// end, and removes all others.
func scanCache(dir string) ([]*entry, error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var found []*entry
	for _, f := range files {
		name := filepath.Join(dir, f.Name())
		n, used, err := cachedFile(f)
		if err != nil {
			if err := os.RemoveAll(name); err != nil {
				return nil, err
			}
			continue
		}
		found = append(found, &entry{cachedName: n, file: name, touched: used})
	}
	slices.SortFunc(found, func(a, b *entry) int {
		return cmp.Or(a.touched.Compare(b.touched), cmp.Compare(a.file, b.file))
	})
	return found, nil
}

// cachedFile reads the name of a file, whose size must be what it says.
func cachedFile(f fs.DirEntry) (cachedName, time.Time, error) {
	n, err := parseCachedName(f.Name())
	if err != nil {
		return n, time.Time{}, err
	}
	info, err := f.Info()
	if err == nil && (!info.Mode().IsRegular() || info.Size() != n.size) {
		err = errors.New("not the size that the name says")
	}
	if err != nil {
		return n, time.Time{}, err
	}
	return n, info.ModTime(), nil
}
