package buffer

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/kalamlake/kalam"
)

// FlushOutcome is what CommitFlushes did of one of its flushes.
type FlushOutcome struct {
	Segment kalam.Segment // With its id; meaningless after an error.
	Err     error
}

// CommitFlushes is CommitFlush for the segments of several scopes. Those that are
// as they should be are committed together, in few batches and mostly in one, so
// that they share its sync; the others get an error of their own. Each scope
// advances whole or not at all. Outcomes are in the order of flushes; of two
// flushes of one scope the second is CodeConflict.
func (s *Store) CommitFlushes(ctx context.Context, flushes []FlushCommit) []FlushOutcome {
	out := make([]FlushOutcome, len(flushes))
	e := &flushBatch{limits: s.limits}
	// All take the scopes in one order, so that none waits for another in a circle.
	order := make([]int, len(flushes))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return compareScopes(flushes[a].Scope, flushes[b].Scope) })
	for n, i := range order {
		if n > 0 && flushes[order[n-1]].Scope == flushes[i].Scope {
			out[i].Err = staleFlush(flushes[i].Table)
			continue
		}
		a, err := s.prepareFlush(ctx, &flushes[i])
		if err != nil {
			out[i].Err = err
			continue
		}
		defer s.release(a.scope)
		defer a.scope.flushing.Unlock()
		e.todo = append(e.todo, pendingFlush{edit: a, outcome: &out[i]})
	}
	for len(e.todo) > 0 {
		err := s.submit(ctx, &request{work: e, alone: true})
		e.finish(err)
	}
	return out
}

func compareScopes(a, b kalam.Scope) int {
	if c := cmp.Compare(a.Table, b.Table); c != 0 {
		return c
	}
	return bytes.Compare([]byte(a.User), []byte(b.User))
}

// prepareFlush does all that can be done outside of the committer. It pins the
// scope and holds scope.flushing unless it returns an error.
func (s *Store) prepareFlush(ctx context.Context, fc *FlushCommit) (_ *flushEdit, err error) {
	sc, err := s.acquire(ctx, fc.Table, fc.Scope)
	if err != nil {
		return nil, err
	}
	sc.flushing.Lock()
	defer func() {
		if err != nil {
			sc.flushing.Unlock()
			s.release(sc)
		}
	}()
	a, err := s.newFlushEdit(sc, fc.Watermark)
	if err != nil {
		return nil, err
	}
	if fc.Segment.MinSeq <= a.before.Watermark {
		return nil, staleFlush(fc.Table)
	}
	if err := a.addSegment(fc); err != nil {
		return nil, err
	}
	s.catchUp(a)
	return a, a.encode()
}

// flushBatch is the work of CommitFlushes: the flush edits of several scopes in
// one batch. What does not fit into the batch stays to do.
type flushBatch struct {
	limits Limits
	todo   []pendingFlush
	now    []pendingFlush // The first of todo: those of this batch, refused ones among them.
	staged []*flushEdit
}

type pendingFlush struct {
	edit    *flushEdit
	outcome *FlushOutcome
}

// errAllRefused means that no edit of a batch could be staged; each has its error.
var errAllRefused = errors.New("no flush edit could be staged")

// stage implements work.
func (e *flushBatch) stage(c *committer) error {
	e.now, e.staged = e.todo[:0], e.staged[:0]
	var size int64
	for i := range e.todo {
		ops, restore := len(c.ops), len(c.restore)
		err := e.todo[i].edit.stage(c)
		if err == nil {
			op := &c.ops[ops]
			size += e.limits.Size(len(op.Key), len(op.Value))
			if len(e.staged) > 0 &&
				(ops+1 > e.limits.Ops-spareOps || size > min(maxGroupBytes, e.limits.Bytes-spareBytes)) {
				c.ops, c.restore = c.ops[:ops], c.restore[:restore]
				break
			}
			e.staged = append(e.staged, e.todo[i].edit)
		}
		e.todo[i].outcome.Err = err
		e.now = e.todo[:i+1]
	}
	if len(e.staged) == 0 {
		return errAllRefused
	}
	return nil
}

// finish notes the outcome of the batch, whose error is err.
func (e *flushBatch) finish(err error) {
	done := e.now
	if len(done) == 0 { // It was never begun; nor will the others be.
		done = e.todo
	}
	for _, f := range done {
		switch {
		case f.outcome.Err != nil:
		case err != nil:
			f.outcome.Err = err
		default:
			f.outcome.Segment = f.edit.after.Segments[len(f.edit.after.Segments)-1]
		}
	}
	e.todo, e.now = e.todo[len(done):], nil
}

func (e *flushBatch) rollback() {}

// publish implements work.
func (e *flushBatch) publish() {
	for _, a := range e.staged {
		a.publish()
	}
}

// afterCommit implements work.
func (e *flushBatch) afterCommit(c *committer) {
	for _, a := range e.staged {
		a.afterCommit(c)
	}
}

func (e *flushBatch) touched() []*scope {
	scopes := make([]*scope, len(e.staged))
	for i, a := range e.staged {
		scopes[i] = a.scope
	}
	return scopes
}

// CommitFlush adds a durable segment to its scope, in one atomic step with the
// rise of the watermark: the delete vectors get what versions up to the
// watermark replaced, and the rows of the segment that were replaced since are
// marked dead. It returns the segment with its id. A segment that is not the
// whole log up to the watermark, because another flush was faster, is
// CodeConflict. After any error the segment is not part of the scope, but its
// file must stay until the next successful commit of the scope or the next start.
func (s *Store) CommitFlush(ctx context.Context, fc FlushCommit) (kalam.Segment, error) {
	done := s.CommitFlushes(ctx, []FlushCommit{fc})[0]
	return done.Segment, done.Err
}
