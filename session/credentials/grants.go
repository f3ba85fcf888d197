package credentials

import (
	"context"
	"fmt"
	"strings"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/access"
	"github.com/kalamlake/kalam/catalog/rights"
	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/subscribe"
	"github.com/kalamlake/kalam/systables"
)

// grant runs GRANT and REVOKE. Who may not know of the table gets the answer of one that is not there.
func (m *Manager) grant(ctx context.Context, p kalam.Principal, ns kalam.NamespaceID, st *ast.Grant) (Answer, error) {
	on, name, err := m.object(p, ns, st)
	if err != nil {
		return Answer{}, err
	}
	which := rights.All
	if len(st.Privileges) > 0 {
		which = 0
		for _, word := range st.Privileges {
			one, err := rights.ParsePrivileges(word)
			if err != nil {
				return Answer{}, err
			}
			which |= one
		}
	}
	var to []rights.Grantee
	for _, g := range st.To {
		to = append(to, rights.Grantee{User: g.User, Role: g.Role})
	}
	var changed []string
	may := func(t *kalam.Table) error { return m.Access.MayGrant(p, t) }
	err = m.Catalog.ChangeRights(ctx, on, to, may, func(e *rights.Edit) error {
		for _, g := range to {
			var done rights.Privileges
			if st.Revoke {
				done = e.Revoke(on, g, which)
			} else {
				done = e.Grant(on, g, which, p.User)
			}
			if done != 0 {
				changed = append(changed, fmt.Sprintf("%s of %s", done, g))
			}
		}
		return nil
	})
	if err != nil {
		return Answer{}, err
	}
	m.endRefused(on)
	return Answer{Text: answer(st, name, changed)}, nil
}

// answer says what a statement changed.
func answer(st *ast.Grant, name string, changed []string) string {
	switch {
	case len(changed) > 0 && st.Revoke:
		return fmt.Sprintf("Revoked on %s: %s", name, strings.Join(changed, "; "))
	case len(changed) > 0:
		return fmt.Sprintf("Granted on %s: %s", name, strings.Join(changed, "; "))
	case st.Revoke:
		return fmt.Sprintf(
			"Nothing was revoked on %s: it was not granted. What roles may by the access level of a table stays",
			name,
		)
	}
	return fmt.Sprintf("Nothing was granted on %s: it was before", name)
}

// object returns what a statement names, if p may grant on it.
func (m *Manager) object(
	p kalam.Principal, ns kalam.NamespaceID, st *ast.Grant,
) (on rights.Object, name string, err error) {
	if st.Namespace != nil {
		if err := m.Access.MayGrant(p, nil); err != nil {
			return on, "", err
		}
		id := kalam.NamespaceID(st.Namespace.Name)
		if access.IsComputed(id) || !m.Access.SeesNamespace(p, id) {
			return on, "", kalam.Errorf(kalam.CodeNotFound, "Namespace '%s' does not exist", id).
				Lacks(kalam.MissingNamespace, st.Namespace.Name).At(st.Namespace.Pos)
		}
		return rights.Object{Namespace: id}, "namespace '" + st.Namespace.Name + "'", nil
	}
	a, err := m.Access.Resolve(p, ns, st.Table, access.See)
	if err != nil {
		return on, "", err
	}
	if err := m.Access.MayGrant(p, a.Table); err != nil {
		return on, "", kalam.Positioned(err, st.Table.Pos)
	}
	return rights.Object{Table: a.Table.Number}, "table '" + a.Table.ID.String() + "'", nil
}

// endRefused ends the live queries on an object whose users may not follow it any more.
func (m *Manager) endRefused(on rights.Object) {
	m.Live.CloseRefused(func(s *subscribe.Spec) error {
		if s.Table.Number != on.Table && s.Table.ID.Namespace != on.Namespace {
			return nil
		}
		return m.Access.MayStill(kalam.Principal{User: s.User, Role: s.Role}, s.Table, access.Follow)
	})
}

// only returns the table to which a list is confined, nil for a name that is not given.
func (m *Manager) only(p kalam.Principal, ns kalam.NamespaceID, name *ast.Name) (*kalam.Table, error) {
	if name == nil {
		return nil, nil
	}
	a, err := m.Access.Resolve(p, ns, *name, access.See)
	return a.Table, err
}

// showGrants lists the grants that p may know of, to a user and on a table if the statement names them.
func (m *Manager) showGrants(p kalam.Principal, ns kalam.NamespaceID, st *ast.ShowGrants) (Answer, error) {
	on, err := m.only(p, ns, st.Table)
	if err != nil {
		return Answer{}, err
	}
	out := Answer{Columns: systables.Columns(systables.GrantColumns), Rows: [][]kalam.Value{}}
	for _, g := range m.Access.Grants(p) {
		switch {
		case st.User != "" && g.User != st.User:
		case on != nil && g.Table != on.Number && g.Namespace != on.ID.Namespace:
		default:
			out.Rows = append(out.Rows, systables.GrantRow(systables.Viewer{Principal: p, Access: m.Access}, g))
		}
	}
	return out, nil
}
