package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"golang.org/x/time/rate"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/jobs"
)

var _ jobs.Scrubber = (*Engine)(nil)

// scrubPriority lets everything else go first.
const scrubPriority = -1

// scrubPiece is what a scrub reads at once, at most.
const scrubPiece = 1 << 20

// scrubProgress is how often a scrub says how far it is.
const scrubProgress = 5 * time.Second

// openScrub schedules the scrub of the lake.
func (e *Engine) openScrub() error {
	e.scrubRate = rate.NewLimiter(rate.Limit(e.config.Storage.ScrubBytesPerSecond), scrubPiece)
	if e.config.Storage.ScrubSchedule == "" {
		return nil
	}
	_, err := e.runner.Schedule(e.config.Storage.ScrubSchedule, func(ctx context.Context) {
		e.submitQuietly(ctx, kalam.Job{Kind: kalam.JobScrub, Key: "scrub", Priority: scrubPriority})
	})
	if err != nil {
		return fmt.Errorf("storage.scrub_schedule: %w", err)
	}
	return nil
}

// pace waits until a scrub may read that many bytes, and ends it when the server stops.
func (e *Engine) pace(ctx context.Context, bytes int) error {
	for bytes > 0 {
		n := min(bytes, e.scrubRate.Burst())
		r := e.scrubRate.ReserveN(time.Now(), n)
		select {
		case <-time.After(r.Delay()):
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-e.stopping:
			return jobs.ErrStopping
		}
		bytes -= n
	}
	return nil
}

// Scrub compares the files of all segments with the record. Damage is logged, and a
// reason for health to call the server degraded until it is mended. What an early
// version did not record is recorded.
func (e *Engine) Scrub(ctx context.Context, progress func(jobs.ScrubResult)) (result jobs.ScrubResult, err error) {
	said := time.Now()
	var unread []error
	for m, err := range buffer.Manifests(ctx, e.pair.Backend) {
		if ctx.Err() != nil {
			return result, context.Cause(ctx)
		}
		if err != nil {
			e.log.Error("a manifest cannot be read; its files are not scrubbed", "error", err)
			unread = append(unread, err)
			continue
		}
		for i := range m.Manifest.Segments {
			if err := e.scrubOne(ctx, &m.Manifest.Segments[i], &result); err != nil {
				return result, err
			}
			if now := time.Now(); now.Sub(said) > scrubProgress {
				said = now
				progress(result)
			}
		}
	}
	return result, errors.Join(unread...)
}

// scrubOne scrubs a segment and adds to the result. An error ends the scrub.
func (e *Engine) scrubOne(ctx context.Context, seg *kalam.Segment, result *jobs.ScrubResult) error {
	if _, ok := e.catalog.TableByNumber(seg.Table); !ok {
		return nil
	}
	rebuilt, err := e.scrubSegment(ctx, seg)
	switch {
	case errors.Is(err, jobs.ErrStopping), ctx.Err() != nil:
		return err
	case err == nil:
		e.segments.Damage().Clear(seg)
	case !e.names(ctx, seg):
		return nil // It was replaced meanwhile.
	default:
		e.segments.NoteDamage(seg, err)
		result.AddDamaged(jobs.DamagedFile{Storage: seg.Storage, Path: seg.Path, Table: seg.Table, User: seg.User, Error: err.Error()})
	}
	result.Segments++
	result.Bytes += seg.Bytes + seg.Sums.KeysBytes
	if rebuilt {
		result.Rebuilt++
	}
	if err == nil && !seg.Sums.Known() {
		result.Recorded++
	}
	return nil
}

// recallDamage takes over what the last scrub before the start found damaged.
func (e *Engine) recallDamage(ctx context.Context) {
	var last kalam.Job
	for j, err := range e.catalog.Jobs(ctx) {
		if err != nil {
			e.log.Warn("what the last scrub found cannot be read", "error", err)
			return
		}
		if j.Kind == kalam.JobScrub && j.Status.Done() && j.FinishedAt.After(last.FinishedAt) {
			last = j
		}
	}
	var found jobs.ScrubResult
	if last.Result == "" || json.Unmarshal([]byte(last.Result), &found) != nil {
		return
	}
	for _, f := range found.Files {
		m, err := e.store.Manifest(ctx, kalam.Scope{Table: f.Table, User: f.User})
		if err != nil {
			continue // It says itself that it cannot be read.
		}
		for i := range m.Segments {
			if seg := &m.Segments[i]; seg.Path == f.Path && seg.Storage == f.Storage {
				e.segments.Damage().Add(seg)
			}
		}
	}
}
