package systables

import (
	"context"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/access"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/catalog"
)

// Manifests is what system.manifest is computed from.
type Manifests struct {
	Catalog *catalog.Catalog
	Store   *buffer.Store
	// JSON returns what manifest.json says of a scope whose manifest of record is given.
	JSON func(t *kalam.Table, sc kalam.Scope, r buffer.ScopeRecord) ([]byte, error)
}

// States of a scope in system.manifest.
const (
	manifestInSync  = "in_sync"       // All of it is in files.
	manifestPending = "pending_write" // Rows wait for a flush.
	manifestError   = "error"         // The manifest of record cannot be read.
)

// Tables returns the table.
func (m *Manifests) Tables() []Table {
	return []Table{{Open(access.System, "manifest", `cache_key TEXT, namespace_id TEXT, table_name TEXT, scope TEXT
etag TEXT?, last_refreshed TIMESTAMP?, last_accessed TIMESTAMP?, in_memory BOOLEAN, sync_state TEXT, manifest_json JSON?
segments BIGINT, buffered_rows BIGINT, complete_from BIGINT?`), m.rows}}
}

// rows lists the scopes with files or buffered rows: each viewer's own, and for those who may count all rows of a table
// all of them.
func (m *Manifests) rows(ctx context.Context, v Viewer) ([][]kalam.Value, error) {
	var rows [][]kalam.Value
	for _, t := range v.Access.Tables(v.Principal) {
		if !t.Flushable() {
			continue
		}
		if v.Access.IsRestricted(v.Principal, t) {
			continue // The ranges of keys are of the rows of all.
		}
		if v.Access.May(v.Principal, t, access.Count) != nil {
			row, err := m.row(ctx, t, t.ScopeOf(v.Principal.User))
			if err != nil {
				return nil, err
			}
			if row != nil {
				rows = append(rows, row)
			}
			continue
		}
		for sc, err := range m.Store.Scopes(ctx, t.Number) {
			if err != nil {
				return nil, err
			}
			row, err := m.row(ctx, t, sc)
			if err != nil {
				return nil, err
			}
			if row != nil {
				rows = append(rows, row)
			}
		}
	}
	return rows, nil
}

// row is the row of a scope, nil when nothing is there.
func (m *Manifests) row(ctx context.Context, t *kalam.Table, sc kalam.Scope) ([]kalam.Value, error) {
	scope := "shared"
	if t.HasScopePerUser() {
		scope = string(sc.User)
	}
	buffered := m.Store.BufferedRows(sc)
	state, manifest, complete := manifestInSync, kalam.Null(), kalam.Null()
	if buffered > 0 {
		state = manifestPending
	}
	r, err := m.Store.ScopeRecord(ctx, sc)
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case err != nil: // One scope that is damaged does not hide the others; health tells of it.
		state, r = manifestError, buffer.ScopeRecord{}
	case r.Version == 0 && buffered == 0:
		return nil, nil
	case r.Version > 0:
		text, err := m.JSON(t, sc, r)
		if err != nil {
			return nil, err
		}
		manifest = kalam.JSON(string(text))
		complete = kalam.BigInt(int64(r.HistoryFrom()))
	}
	return []kalam.Value{
		kalam.Text(colonID(t) + ":" + scope), Text(t.ID.Namespace), Text(t.ID.Name), kalam.Text(scope), kalam.Null(),
		Timestamp(r.UpdatedAt), kalam.Null(), kalam.Bool(buffered > 0), kalam.Text(state), manifest,
		kalam.BigInt(int64(len(r.Segments))), kalam.BigInt(buffered), complete,
	}, nil
}
