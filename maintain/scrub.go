package maintain

import (
	"context"
	"errors"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/jobs"
)

// scrubPriority lets everything else go first.
const scrubPriority = -1

// scrubProgress is how often a scrub says how far it is.
const scrubProgress = 5 * time.Second

// jobType is the scrub of the lake.
func (s *scrubs) jobType() jobs.Type {
	return jobs.Type{
		Kind: KindScrub, Name: "scrub", Key: constantKey("scrub"),
		Task:     func(kalam.Job) jobs.Task { return &scrubLake{scrubber: s} },
		Schedule: s.config.ScrubSchedule,
		Due:      func(ctx context.Context) { s.submit(ctx, kalam.Job{Kind: KindScrub, Priority: scrubPriority}) },
	}
}

// Scrub compares the files of all segments with the record. Damage is logged, and a
// reason for health to call the server degraded until it is mended. What an early
// version did not record is recorded.
func (s *scrubs) Scrub(ctx context.Context, progress func(ScrubResult)) (result ScrubResult, err error) {
	said := time.Now()
	var unread []error
	for m, err := range buffer.ScopeRecords(ctx, s.pair.Backend) {
		if err != nil {
			continue // It is told below.
		}
		for i := range m.Record.Segments {
			result.total += m.Record.Segments[i].Bytes + m.Record.Segments[i].Sums.KeysBytes
		}
	}
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
	if _, ok := s.catalog.TableByNumber(seg.Table); !ok || s.store.IsBarred(seg.User) {
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
