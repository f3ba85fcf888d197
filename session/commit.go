package session

import (
	"context"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/session/gate"
)

// commitChanges commits mutations, all of them or none. CodeConflict with kalam.ErrTableChanged: one is of a version of
// its table that is not the newest any more.
func (s *Session) commitChanges(
	ctx context.Context, muts []buffer.Mutation, counts []buffer.Count,
) ([]kalam.Seq, error) {
	tables := gate.Tables(muts)
	if len(tables) == 1 { // Nearly always: it costs no more than it must.
		at := s.server.gates.Of(tables[0].Number)
		if err := at.Enter(ctx); err != nil {
			return nil, err
		}
		defer at.Leave()
		return s.commitNewest(ctx, tables, muts, counts)
	}
	for i, t := range tables {
		if i > 0 && tables[i-1].Number == t.Number {
			// Of two versions that a transaction has met one is not the newest. To enter a gate twice would be to wait
			// for who waits for us to leave it.
			return nil, kalam.TableChanged(t.ID)
		}
		at := s.server.gates.Of(t.Number)
		if err := at.Enter(ctx); err != nil {
			return nil, err
		}
		defer at.Leave()
	}
	return s.commitNewest(ctx, tables, muts, counts)
}

// commitNewest commits mutations of tables whose gates are held.
func (s *Session) commitNewest(
	ctx context.Context, tables []*kalam.Table, muts []buffer.Mutation, counts []buffer.Count,
) ([]kalam.Seq, error) {
	for _, t := range tables {
		if err := s.isNewest(t); err != nil {
			return nil, err
		}
	}
	seqs, err := s.Store.Apply(ctx, muts, counts...)
	s.settled = s.settled || err == nil
	for _, t := range tables {
		if t.Options.MaxStreamBytes > 0 {
			s.server.Maintenance.StreamWritten(t)
		}
	}
	return seqs, err
}

// isNewest returns an error when t is not the newest version of its table.
func (s *Session) isNewest(t *kalam.Table) error {
	now, ok := s.Catalog.TableByNumber(t.Number)
	if ok && now.SchemaVersion != t.SchemaVersion {
		return kalam.TableChanged(t.ID)
	}
	return nil // One that was dropped is Apply's to refuse.
}
