package systables

import (
	"context"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/access"
)

// GrantColumns are the columns of system.grants.
const GrantColumns = `object_type TEXT, namespace_id TEXT, table_name TEXT?, grantee_type TEXT, grantee TEXT
privileges TEXT, granted_by TEXT?, created_at TIMESTAMP, updated_at TIMESTAMP`

func (c *Catalog) grantRows(_ context.Context, v Viewer) (rows [][]kalam.Value, _ error) {
	for _, g := range v.Access.Grants(v.Principal) {
		rows = append(rows, GrantRow(v, g))
	}
	return rows, nil
}

// GrantRow returns a row of system.grants. Who granted is told to those who may.
func GrantRow(v Viewer, g access.Granted) []kalam.Value {
	object, ns, table, by := "namespace", g.Namespace, kalam.Null(), kalam.Null()
	if g.On != nil {
		object, ns, table = "table", g.On.ID.Namespace, Text(g.On.ID.Name)
	}
	if v.Access.MayGrant(v.Principal, g.On) == nil {
		by = Text(g.By)
	}
	return []kalam.Value{
		kalam.Text(object), Text(ns), table, kalam.Text(g.Kind()), kalam.Text(g.Name()), kalam.Text(g.Privileges.String()),
		by, Timestamp(g.CreatedAt), Timestamp(g.UpdatedAt),
	}
}
