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

// PolicyColumns are the columns of system.policies.
const PolicyColumns = `namespace_id TEXT, table_name TEXT, policy_name TEXT, command TEXT, grantees TEXT, using_expr TEXT?
check_expr TEXT?, created_by TEXT, created_at TIMESTAMP`

func (c *Catalog) policyRows(_ context.Context, v Viewer) (rows [][]kalam.Value, _ error) {
	for _, x := range v.Access.AllPolicies(v.Principal) {
		rows = append(rows, PolicyRow(x))
	}
	return rows, nil
}

// PolicyRow returns a row of system.policies.
func PolicyRow(x access.PolicyOn) []kalam.Value {
	return []kalam.Value{
		Text(x.On.ID.Namespace), Text(x.On.ID.Name), kalam.Text(x.Name), kalam.Text(x.Command()), kalam.Text(x.Whom()),
		TextOrNull(x.Using), TextOrNull(x.Check), Text(x.By), Timestamp(x.CreatedAt),
	}
}
