package maintain

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"golang.org/x/time/rate"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/jobs"
)

// scrubPriority lets everything else go first.
const scrubPriority = -1

// scrubPiece is what a scrub reads at once, at most.
const scrubPiece = 1 << 20

// scrubProgress is how often a scrub says how far it is.
const scrubProgress = 5 * time.Second

// scrubs compares the lake with its record, and looks after what it finds damaged.
type scrubs struct {
	*deps
	rate     *rate.Limiter
	stopping chan struct{} // Closed when the server begins to stop.
}

func newScrubs(d *deps) *scrubs {
	limit := rate.NewLimiter(rate.Limit(d.config.ScrubBytesPerSecond), scrubPiece)
	return &scrubs{deps: d, rate: limit, stopping: make(chan struct{})}
}

// jobType is the scrub of the lake.
func (s *scrubs) jobType() jobs.Type {
	return jobs.Type{
		Kind: KindScrub, Name: "scrub", Key: constantKey("scrub"),
		Task:     func(kalam.Job) jobs.Task { return &scrubLake{scrubber: s} },
		Schedule: s.config.ScrubSchedule,
		Due:      func(ctx context.Context) { s.submit(ctx, kalam.Job{Kind: KindScrub, Priority: scrubPriority}) },
	}
}

// pace waits until a scrub may read that many bytes, and ends it when the server stops.
func (s *scrubs) pace(ctx context.Context, bytes int) error {
	for bytes > 0 {
		n := min(bytes, s.rate.Burst())
		r := s.rate.ReserveN(time.Now(), n)
		select {
		case <-time.After(r.Delay()):
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-s.stopping:
			return jobs.ErrStopping
		}
		bytes -= n
	}
	return nil
}

// Scrub compares the files of all segments with the record. Damage is logged, and a
// reason for health to call the server degraded until it is mended. What an early
// version did not record is recorded.
func (s *scrubs) Scrub(ctx context.Context, progress func(ScrubResult)) (result ScrubResult, err error) {
	said := time.Now()
	var unread []error
	for m, err := range buffer.ScopeRecords(ctx, s.pair.Backend) {
		if ctx.Err() != nil {
			return result, context.Cause(ctx)
		}
		if err != nil {
			s.log.Error("a manifest cannot be read; its files are not scrubbed", "error", err)
			unread = append(unread, err)
			continue
		}
		for i := range m.Record.Segments {
			if err := s.scrubOne(ctx, &m.Record.Segments[i], &result); err != nil {
				return result, err
			}
			if now := time.Now(); now.Sub(said) > scrubProgress {
				said = now
				progress(result)
			}
		}
	}
	if result.Unreachable > 0 {
		unread = append(unread, kalam.Errorf(kalam.CodeUnavailable,
			"%d segment(s) are in storages that do not answer; STORAGE CHECK tells why", result.Unreachable))
	}
	return result, errors.Join(unread...)
}

// scrubOne scrubs a segment and adds to the result. An error ends the scrub.
func (s *scrubs) scrubOne(ctx context.Context, seg *kalam.Segment, result *ScrubResult) error {
	if _, ok := s.catalog.TableByNumber(seg.Table); !ok {
		return nil
	}
	rebuilt, err := s.scrubSegment(ctx, seg)
	switch {
	case errors.Is(err, jobs.ErrStopping), ctx.Err() != nil:
		return err
	case err == nil:
		s.segments.Damage().Clear(seg)
	case kalam.CodeOf(err) == kalam.CodeUnavailable: // That says nothing of the file.
		result.Unreachable++
		return nil
	case !s.names(ctx, seg):
		return nil // It was replaced meanwhile.
	default:
		s.segments.NoteDamage(seg, err)
		result.AddDamaged(DamagedFile{
			Storage: seg.Storage, Path: seg.Path, Table: seg.Table, User: seg.User, Error: err.Error(),
		})
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
func (s *scrubs) recallDamage(ctx context.Context) {
	var last kalam.Job
	for j, err := range s.catalog.Jobs(ctx) {
		if err != nil {
			s.log.Warn("what the last scrub found cannot be read", "error", err)
			return
		}
		if j.Kind == KindScrub && j.Status.Done() && j.FinishedAt.After(last.FinishedAt) {
			last = j
		}
	}
	var found ScrubResult
	if last.Result == "" || json.Unmarshal([]byte(last.Result), &found) != nil {
		return
	}
	for _, f := range found.Files {
		m, err := s.store.ScopeRecord(ctx, kalam.Scope{Table: f.Table, User: f.User})
		if err != nil {
			continue // It says itself that it cannot be read.
		}
		for i := range m.Segments {
			if seg := &m.Segments[i]; seg.Path == f.Path && seg.Storage == f.Storage {
				s.segments.Damage().Add(seg)
			}
		}
	}
}
