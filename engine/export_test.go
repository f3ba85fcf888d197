package engine

import (
	"context"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
)

// Record returns the manifest of record of a scope.
func (e *Engine) Record(ctx context.Context, sc kalam.Scope) (buffer.Manifest, error) {
	return e.store.Manifest(ctx, sc)
}

// SyncManifest is syncManifest.
func (e *Engine) SyncManifest(ctx context.Context, t *kalam.Table, sc kalam.Scope, m buffer.Manifest) error {
	return e.syncManifest(ctx, t, sc, m)
}

// Restored is restored.
func (e *Engine) Restored() bool { return e.pair.Restored() }
