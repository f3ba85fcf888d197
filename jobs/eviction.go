package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/kalamlake/kalam"
)

// StreamEvictor removes old rows of STREAM tables.
type StreamEvictor interface {
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

// EvictStreams is the task that removes expired rows of STREAM tables: of
// Job.Number, or of all when that is 0. Expired rows are invisible already; this
// gives back their space.
type EvictStreams struct {
	Evictor StreamEvictor
	Now     func() time.Time // nil is time.Now.
}

// Run evicts table by table. A table that fails does not stop the others.
func (v *EvictStreams) Run(ctx context.Context, h *Handle) error {
	now := v.Now
	if now == nil {
		now = time.Now
	}
	var (
		result EvictionResult
		failed []error
		only   = h.Job().Number
	)
	for _, t := range v.Evictor.StreamTables() {
		if only != 0 && t.Number != only || t.Options.TTL <= 0 {
			continue
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		n, err := v.Evictor.EvictBefore(ctx, t, now().Add(-t.Options.TTL))
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
