package engine

import (
	"context"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/maintain"
)

// Record returns the manifest of record of a scope.
func (e *Engine) Record(ctx context.Context, sc kalam.Scope) (buffer.ScopeRecord, error) {
	return e.store.ScopeRecord(ctx, sc)
}

// Maintain returns the maintenance.
func (e *Engine) Maintain() *maintain.Maintainer { return e.maintain }

// Restored is that of the pair.
func (e *Engine) Restored() bool { return e.pair.Restored() }

// TableBytes returns the buffered versions of a table and their bytes.
func (e *Engine) TableBytes(n kalam.TableNumber) (rows, bytes int64) {
	rows, bytes, _ = e.store.TableStats(n)
	return rows, bytes
}

// LastSeq returns the seq that was given out last.
func (e *Engine) LastSeq() kalam.Seq { return e.store.Clock().Last() }
