package atrest

import (
	"context"
	"fmt"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
)

// Relocate rewrites the manifests of record in a backend that no Store uses: move says where a segment lies now, by
// changing its storage and path. Of scopes that are not live all segments are taken out: their files are not there.
// A record that cannot be read stays as it is. Each record is written whole, but not all in one batch.
func Relocate(ctx context.Context, b buffer.Backend, live func(kalam.Scope) bool,
	move func(kalam.Scope, *kalam.Segment) error) error {
	out := buffer.NewBatchWriter(b)
	for record, err := range buffer.ScopeRecords(ctx, b) {
		if err != nil {
			if kalam.CodeOf(err) == kalam.CodeCorrupt {
				continue // As it was when it was copied; its scope says so.
			}
			return err
		}
		m, err := buffer.ReadManifest(ctx, b, record.Scope)
		if err != nil {
			return err
		}
		if !live(record.Scope) {
			m.TakeSegments()
		}
		for i := range m.Segments() {
			if err := move(record.Scope, &m.Segments()[i]); err != nil {
				return err
			}
		}
		op, err := m.Op()
		if err != nil {
			return fmt.Errorf("relocate the files of table %d, user '%s': %w", record.Scope.Table, record.Scope.User, err)
		}
		if err := out.Add(ctx, op); err != nil {
			return err
		}
	}
	return out.Flush(ctx)
}
