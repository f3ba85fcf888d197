package buffer

import (
	"context"
	"fmt"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer/rowlog"
)

// Relocate rewrites the manifests of record in a backend that no Store uses: move says where a segment lies now, by
// changing its storage and path. Of scopes that are not live all segments are taken out: their files are not there.
// A record that cannot be read stays as it is. Each record is written whole, but not all in one batch.
func Relocate(ctx context.Context, b Backend, live func(kalam.Scope) bool,
	move func(kalam.Scope, *kalam.Segment) error) error {
	out := NewBatchWriter(b)
	for m, err := range ScopeRecords(ctx, b) {
		if err != nil {
			if kalam.CodeOf(err) == kalam.CodeCorrupt {
				continue // As it was when it was copied; its scope says so.
			}
			return err
		}
		l, err := readRecord(ctx, b, m.Scope)
		if err != nil {
			return err
		}
		if !live(m.Scope) {
			l.Segments, l.vectors = nil, nil
		}
		for i := range l.Segments {
			if err := move(m.Scope, &l.Segments[i]); err != nil {
				return err
			}
		}
		value, err := encodeRecord(l)
		if err != nil {
			return fmt.Errorf("relocate the files of table %d, user '%s': %w", m.Scope.Table, m.Scope.User, err)
		}
		op := Op{Keyspace: rowlog.KeyspaceRecords, Key: rowlog.ScopePrefix(m.Scope), Value: value}
		if err := out.Add(ctx, op); err != nil {
			return err
		}
	}
	return out.Flush(ctx)
}
