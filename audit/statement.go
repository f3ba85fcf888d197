package audit

import (
	"context"
	"fmt"
	"sync"

	"github.com/kalamlake/kalam/buffer"
)

// Statement is something under way that is to be in the log. End is called once; it is safe for concurrent use.
type Statement struct {
	log *Log

	mu      sync.Mutex // guards what follows
	event   Event
	written bool
	ended   bool
}

// Begin begins what e is about. Its outcome is that of End.
func (l *Log) Begin(e Event) *Statement { return &Statement{log: l, event: e} }

type statementKey struct{}

// With returns a context with which the first commit of the catalog writes the record, too. A context is the way
// because the commit is several calls away, and none of those between has to know of the log.
func (s *Statement) With(ctx context.Context) context.Context {
	return context.WithValue(ctx, statementKey{}, s)
}

// End notes how it ended, unless its record says that already. A statement that failed after its first commit has
// two records.
func (s *Statement) End(err error) {
	s.mu.Lock()
	s.ended = true
	written, e := s.written, s.event
	s.mu.Unlock()
	if written && err == nil {
		return
	}
	e.Outcome = OutcomeOf(err)
	s.log.Note(e)
}

// Backend returns the backend for those whose commits carry the records of statements. It is closed by who closes the
// log's own.
func (l *Log) Backend() buffer.Backend { return &backend{Backend: l.backend, log: l} }

// backend adds records to batches.
type backend struct {
	buffer.Backend
	log *Log
}

const (
	// recordOps and recordBytes are the room for a record in a batch.
	recordOps   = 2
	recordBytes = 32 << 10
	// maxChanged is how many keys a record names.
	maxChanged = 20
)

// MaxBatch leaves room for a record.
func (b *backend) MaxBatch() buffer.Limits {
	l := b.Backend.MaxBatch()
	if l.Ops > 2*recordOps {
		l.Ops -= recordOps
	}
	if l.Bytes > 2*recordBytes {
		l.Bytes -= recordBytes
	}
	return l
}

// Apply writes ops, and with them the record of the statement in ctx if it is its first commit.
func (b *backend) Apply(ctx context.Context, ops []buffer.Op) error {
	s, ok := ctx.Value(statementKey{}).(*Statement)
	if !ok {
		return b.Backend.Apply(ctx, ops)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.written || s.ended {
		return b.Backend.Apply(ctx, ops)
	}
	e := s.event
	e.Outcome = OK
	for i := range ops {
		if i == maxChanged {
			e.Changed = append(e.Changed, fmt.Sprintf("and %d more", len(ops)-i))
			break
		}
		e.Changed = append(e.Changed, short(string(ops[i].Key)))
	}
	if err := b.log.batch(ctx, ops, false, []Event{e}); err != nil {
		return err
	}
	s.written = true
	return nil
}
