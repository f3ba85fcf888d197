package buffer

import (
	"context"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer/rowlog"
)

// Manifest is a manifest of record that was read from a backend, to be changed where no Store uses that. It is for one
// goroutine.
type Manifest struct {
	scope kalam.Scope
	state *lakeState
}

// ReadManifest returns the manifest of record of a scope, an empty one if it has none. One that is damaged is
// CodeCorrupt.
func ReadManifest(ctx context.Context, from Reader, scope kalam.Scope) (*Manifest, error) {
	l, err := readRecord(ctx, from, scope)
	return &Manifest{scope, l}, err
}

// Watermark returns the seq up to which the rows of the scope are in its segments.
func (m *Manifest) Watermark() kalam.Seq { return m.state.Watermark }

// Segments returns the segments, the oldest first. They are the manifest's own: a change is written by Op.
func (m *Manifest) Segments() []kalam.Segment { return m.state.Segments }

// TakeSegments takes all segments out.
func (m *Manifest) TakeSegments() { m.state.Segments, m.state.vectors = nil, nil }

// Revive takes a row out of the delete vector of segment i, and reports whether it was in it.
func (m *Manifest) Revive(i int, row uint32) bool {
	dead := m.state.vectors[i].dead
	return dead != nil && dead.CheckedRemove(row)
}

// Op returns what writes the manifest.
func (m *Manifest) Op() (Op, error) {
	value, err := encodeRecord(m.state)
	return Op{Keyspace: rowlog.KeyspaceRecords, Key: rowlog.ScopePrefix(m.scope), Value: value}, err
}

// Intents returns the seqs of writes that were begun in a backend and not committed: nothing of them counts.
func Intents(ctx context.Context, from Reader) ([]rowlog.SeqRange, error) {
	return readIntents(ctx, from)
}
