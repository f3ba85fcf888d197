package segments

import (
	"fmt"
	"sync"

	"github.com/kalamlake/kalam"
)

// maxDamaged bounds how many segments are remembered as damaged.
const maxDamaged = 1000

// Damage holds the segments that a scrub or a reader found damaged: why the server is
// degraded, until they are mended. It is safe for concurrent use.
type Damage struct {
	mu       sync.Mutex // guards segments
	segments map[Key]kalam.Segment
}

// Add reports whether the segment was not known to be damaged.
func (d *Damage) Add(seg *kalam.Segment) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, known := d.segments[KeyOf(seg)]; known || len(d.segments) >= maxDamaged {
		return false
	}
	if d.segments == nil {
		d.segments = make(map[Key]kalam.Segment)
	}
	d.segments[KeyOf(seg)] = *seg
	return true
}

// Clear reports whether the segment was known to be damaged; it is not from now on.
func (d *Damage) Clear(seg *kalam.Segment) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, known := d.segments[KeyOf(seg)]
	delete(d.segments, KeyOf(seg))
	return known
}

// List returns the damaged segments.
func (d *Damage) List() (all []kalam.Segment) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, seg := range d.segments {
		all = append(all, seg)
	}
	return all
}

// Reason is what health says of the damage, "" when there is none. It names no file:
// paths have the names of users.
func (d *Damage) Reason() string {
	return d.reason("the lake", func(Key) bool { return true })
}

// In is Reason for one storage.
func (d *Damage) In(storage kalam.StorageID) string {
	id := NewKey(storage, "").Storage
	return d.reason(fmt.Sprintf("storage '%s'", id), func(k Key) bool { return k.Storage == id })
}

func (d *Damage) reason(where string, counts func(Key) bool) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := 0
	for k := range d.segments {
		if counts(k) {
			n++
		}
	}
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(
		"%d segment(s) of %s are damaged: the log and the last scrub job in system.jobs name the files", n, where)
}
