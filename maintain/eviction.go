package maintain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/jobs"
)

// KindEviction is the kind of the removal of expired rows.
const KindEviction kalam.JobKind = "SE"

// evictionSchedule is how often expired rows of STREAM tables are looked for.
const evictionSchedule = "@every 30s"

// streams removes expired rows of STREAM tables.
type streams struct {
	*deps
	grown chan struct{} // Holds a token when a table may be above its limit.
}

// jobType is the removal of expired rows, submitted when there are any.
func (s *streams) jobType() jobs.Type {
	return jobs.Type{
		Kind: KindEviction, Name: "stream_eviction", Key: constantKey("stream-eviction"),
		Task:     func(kalam.Job) jobs.Task { return &evictStreams{evictor: s, Now: s.now} },
		Schedule: evictionSchedule, Due: s.submitEviction,
	}
}

// submitEviction submits an eviction when a STREAM table holds expired rows.
func (s *streams) submitEviction(ctx context.Context) {
	for _, t := range s.StreamTables() {
		rows, _, oldest := s.store.TableStats(t.Number)
		if rows > 0 && oldest < kalam.SeqAt(s.now().Add(-t.Options.TTL)) {
			s.submit(ctx, kalam.Job{Kind: KindEviction})
			return
		}
	}
}

// StreamTables lists the STREAM tables.
func (s *streams) StreamTables() []*kalam.Table {
	var list []*kalam.Table
	for _, t := range s.catalog.Tables("") {
		if t.Expires() {
			list = append(list, t)
		}
	}
	return list
}

// EvictBefore removes the rows of a STREAM table that were written before the
// given time.
func (s *streams) EvictBefore(ctx context.Context, t *kalam.Table, before time.Time) (int64, error) {
	limit := kalam.SeqAt(before)
	var evicted int64
	var failed []error
	for _, st := range s.store.Dirty(t.Number) {
		if st.Oldest >= limit {
			continue
		}
		n, err := s.store.EvictBefore(ctx, t, st.Scope, limit)
		evicted += int64(n)
		failed = append(failed, err)
	}
	return evicted, errors.Join(failed...)
}

// streamEvictor removes old rows of STREAM tables.
type streamEvictor interface {
	// StreamTables lists the STREAM tables; Options.TTL says how long rows live.
	StreamTables() []*kalam.Table
	// EvictBefore removes the rows of t that were written before the given time
	// and returns how many.
	EvictBefore(ctx context.Context, t *kalam.Table, before time.Time) (int64, error)
}

// EvictionResult is the result of an eviction job.
type EvictionResult struct {
	RowsEvicted int64 `json:"rows_evicted"`
	Tables      int   `json:"tables"`
}

// evictStreams is the task that removes expired rows of STREAM tables: of
// Job.Number, or of all when that is 0. Expired rows are invisible already; this
// gives back their space.
type evictStreams struct {
	evictor streamEvictor
	Now     func() time.Time // nil is time.Now.
}

// Run evicts table by table. A table that fails does not stop the others.
func (v *evictStreams) Run(ctx context.Context, h *jobs.Handle) error {
	now := v.Now
	if now == nil {
		now = time.Now
	}
	var (
		result EvictionResult
		failed []error
		only   = h.Job().Number
	)
	for _, t := range v.evictor.StreamTables() {
		if only != 0 && t.Number != only || t.Options.TTL <= 0 {
			continue
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		n, err := v.evictor.EvictBefore(ctx, t, now().Add(-t.Options.TTL))
		if err != nil {
			failed = append(failed, fmt.Errorf("evict rows of %s: %w", t.ID, err))
			continue
		}
		result.RowsEvicted += n
		result.Tables++
	}
	text, err := json.Marshal(result)
	if err != nil {
		return fmt.Errorf("encode result of eviction: %w", err)
	}
	h.SetResult(string(text), fmt.Sprintf("Evicted %d row(s) of %d STREAM table(s)", result.RowsEvicted, result.Tables))
	return errors.Join(failed...)
}
