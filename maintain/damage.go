package maintain

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/lake"
	"github.com/kalamlake/kalam/segments"
)

// recheckDamage is how often it is looked whether damaged files were mended.
const recheckDamage = time.Minute

// watchDamage looks from time to time whether damaged segments were mended, by who put
// the right files back, or are not there any more. It returns when ctx ends.
func (s *scrubs) watchDamage(ctx context.Context) {
	s.recallDamage(ctx)
	tick := time.NewTicker(recheckDamage)
	defer tick.Stop()
	for {
		s.recheckDamaged(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (s *scrubs) recheckDamaged(ctx context.Context) {
	for _, seg := range s.segments.Damage().List() {
		if !s.names(ctx, &seg) {
			s.segments.Damage().Clear(&seg)
			continue
		}
		if _, err := s.scrubSegment(ctx, &seg); err == nil && s.segments.Damage().Clear(&seg) {
			s.log.Info("a damaged segment is whole again", "table", s.segments.TableName(seg.Table), "segment",
				seg.Path)
		}
	}
}

// names reports whether the manifest of record has seg. One that cannot be read may.
func (s *scrubs) names(ctx context.Context, seg *kalam.Segment) bool {
	if _, ok := s.catalog.TableByNumber(seg.Table); !ok {
		return false
	}
	m, err := s.store.ScopeRecord(ctx, kalam.Scope{Table: seg.Table, User: seg.User})
	if err != nil {
		return true
	}
	for i := range m.Segments {
		if segments.KeyOf(&m.Segments[i]) == segments.KeyOf(seg) {
			return true
		}
	}
	return false
}

// scrubSegment compares both files of a segment with the record, at the rate of a
// scrub, and makes a key file that is missing anew. rebuilt says that it did.
func (s *scrubs) scrubSegment(ctx context.Context, seg *kalam.Segment) (rebuilt bool, err error) {
	sums, err := s.lake.Scrub(ctx, seg, s.pace)
	if errors.Is(err, lake.ErrNoKeyIndex) && s.damageOf(ctx, seg, err) {
		if err = s.segments.Rebuild(ctx, seg); err != nil {
			return false, err
		}
		rebuilt = true
		sums, err = s.lake.Scrub(ctx, seg, s.pace)
	}
	if err != nil || seg.Sums.Known() {
		return rebuilt, err
	}
	t, ok := s.catalog.TableByNumber(seg.Table)
	if !ok {
		return rebuilt, nil
	}
	err = s.store.RecordSums(ctx, t, kalam.Scope{Table: seg.Table, User: seg.User}, seg.ID, sums)
	if kalam.CodeOf(err) == kalam.CodeConflict || kalam.CodeOf(err) == kalam.CodeTableNotFound {
		err = nil // The next scrub does it.
	}
	return rebuilt, err
}

// damageOf reports whether err, of the scrub of seg, is damage: not if the segment
// was replaced meanwhile, or its table dropped, and its files were removed.
func (s *scrubs) damageOf(ctx context.Context, seg *kalam.Segment, err error) bool {
	return kalam.CodeOf(err) == kalam.CodeCorrupt && ctx.Err() == nil && s.names(ctx, seg)
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
