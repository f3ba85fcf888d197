package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/lake"
)

const (
	// recheckDamage is how often it is looked whether damaged files were mended.
	recheckDamage = time.Minute
	// maxDamaged bounds how many segments are remembered as damaged.
	maxDamaged = 1000
)

// damaged are the segments that a scrub or a reader found damaged: why the server is
// degraded, until they are mended.
type damaged struct {
	mu       sync.Mutex // guards segments
	segments map[segmentKey]kalam.Segment
}

// add reports whether the segment was not known to be damaged.
func (d *damaged) add(seg *kalam.Segment) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, known := d.segments[keyOf(seg)]; known || len(d.segments) >= maxDamaged {
		return false
	}
	if d.segments == nil {
		d.segments = make(map[segmentKey]kalam.Segment)
	}
	d.segments[keyOf(seg)] = *seg
	return true
}

// clear reports whether the segment was known to be damaged.
func (d *damaged) clear(seg *kalam.Segment) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, known := d.segments[keyOf(seg)]
	delete(d.segments, keyOf(seg))
	return known
}

func (d *damaged) list() (all []kalam.Segment) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, seg := range d.segments {
		all = append(all, seg)
	}
	return all
}

// reason is what health says of it. It names no file: paths have the names of users.
func (d *damaged) reason() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.segments) == 0 {
		return ""
	}
	return fmt.Sprintf("%d segment(s) of the lake are damaged: the log and the last scrub job in system.jobs name the files", len(d.segments))
}

// noteDamage remembers that err, which reading seg gave, says that it is damaged.
func (e *Engine) noteDamage(seg *kalam.Segment, err error) {
	if kalam.CodeOf(err) == kalam.CodeCorrupt && e.damaged.add(seg) {
		e.log.Error("a segment is damaged", "table", e.tableName(seg.Table), "user", string(seg.User), "segment", seg.Path, "error", err)
	}
}

// tableName returns the name of a table for messages.
func (e *Engine) tableName(n kalam.TableNumber) string {
	if t, ok := e.catalog.TableByNumber(n); ok {
		return t.ID.String()
	}
	return fmt.Sprint(n)
}

// watchDamage looks from time to time whether damaged segments were mended, by who put
// the right files back, or are not there any more. It returns when ctx ends.
func (e *Engine) watchDamage(ctx context.Context) {
	e.recallDamage(ctx)
	tick := time.NewTicker(recheckDamage)
	defer tick.Stop()
	for {
		e.recheckDamaged(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (e *Engine) recheckDamaged(ctx context.Context) {
	for _, seg := range e.damaged.list() {
		if !e.names(ctx, &seg) {
			e.damaged.clear(&seg)
			continue
		}
		if _, err := e.scrubSegment(ctx, &seg); err == nil && e.damaged.clear(&seg) {
			e.log.Info("a damaged segment is whole again", "table", e.tableName(seg.Table), "segment", seg.Path)
		}
	}
}

// names reports whether the manifest of record has seg. One that cannot be read may.
func (e *Engine) names(ctx context.Context, seg *kalam.Segment) bool {
	if _, ok := e.catalog.TableByNumber(seg.Table); !ok {
		return false
	}
	m, err := e.store.Manifest(ctx, kalam.Scope{Table: seg.Table, User: seg.User})
	if err != nil {
		return true
	}
	for i := range m.Segments {
		if keyOf(&m.Segments[i]) == keyOf(seg) {
			return true
		}
	}
	return false
}

// scrubSegment compares both files of a segment with the record, at the rate of a
// scrub, and makes a key file that is missing anew. rebuilt says that it did.
func (e *Engine) scrubSegment(ctx context.Context, seg *kalam.Segment) (rebuilt bool, err error) {
	sums, err := e.lake.Scrub(ctx, seg, e.pace)
	if errors.Is(err, lake.ErrNoSidecar) && e.damageOf(ctx, seg, err) {
		if err = (segments{e}).rebuild(ctx, seg); err != nil {
			return false, err
		}
		rebuilt = true
		sums, err = e.lake.Scrub(ctx, seg, e.pace)
	}
	if err != nil || seg.Sums.Known() {
		return rebuilt, err
	}
	t, ok := e.catalog.TableByNumber(seg.Table)
	if !ok {
		return rebuilt, nil
	}
	err = e.store.RecordSums(ctx, t, kalam.Scope{Table: seg.Table, User: seg.User}, seg.ID, sums)
	if kalam.CodeOf(err) == kalam.CodeConflict || kalam.CodeOf(err) == kalam.CodeTableNotFound {
		err = nil // The next scrub does it.
	}
	return rebuilt, err
}

// damageOf reports whether err, of the scrub of seg, is damage: not if the segment
// was replaced meanwhile, or its table dropped, and its files were removed.
func (e *Engine) damageOf(ctx context.Context, seg *kalam.Segment, err error) bool {
	return kalam.CodeOf(err) == kalam.CodeCorrupt && ctx.Err() == nil && e.names(ctx, seg)
}
