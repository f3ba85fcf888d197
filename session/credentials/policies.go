package credentials

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/access"
	"github.com/kalamlake/kalam/catalog/rights"
	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/systables"
)

// onTable returns the table of a statement on policies, if p may make them there.
func (m *Manager) onTable(p kalam.Principal, ns kalam.NamespaceID, name ast.Name) (*kalam.Table, error) {
	a, err := m.Access.Resolve(p, ns, name, access.See)
	if err == nil {
		err = kalam.Positioned(m.Access.MayGrant(p, a.Table), name.Pos)
	}
	return a.Table, err
}

func (m *Manager) createPolicy(
	ctx context.Context, p kalam.Principal, ns kalam.NamespaceID, st *ast.CreatePolicy,
) (Answer, error) {
	t, err := m.onTable(p, ns, st.Table)
	if err != nil {
		return Answer{}, err
	}
	if err := kalam.CheckIdentifier("policy", st.Name.Name); err != nil {
		return Answer{}, kalam.Positioned(err, st.Name.Pos)
	}
	x := rights.Policy{
		Name: st.Name.Name, Table: t.Number, Commands: rights.All, Using: st.Using.SQL, Check: st.Check.SQL, By: p.User,
	}
	if st.Command != "" {
		if x.Commands, err = rights.ParsePrivileges(st.Command); err != nil {
			return Answer{}, err
		}
	}
	for _, g := range st.To {
		x.To = append(x.To, rights.Grantee{User: g.User, Role: g.Role})
	}
	for _, c := range []ast.RawSQL{st.Using, st.Check} {
		if c.SQL == "" {
			continue
		}
		columns, err := m.Condition(ctx, t, c.SQL)
		if err != nil {
			return Answer{}, within(err, c)
		}
		x.Columns = append(x.Columns, columns...)
	}
	slices.Sort(x.Columns)
	x.Columns = slices.Compact(x.Columns)
	may := func(now *kalam.Table) error {
		if now.SchemaVersion != t.SchemaVersion {
			return kalam.TableChanged(t.ID)
		}
		return m.Access.MayGrant(p, now)
	}
	err = m.Catalog.ChangeRights(ctx, rights.Object{Table: t.Number}, x.To, may,
		func(e *rights.Edit) error { return kalam.Positioned(e.PutPolicy(x), st.Name.Pos) })
	if err != nil {
		return Answer{}, err
	}
	m.endChanged(t)
	return Answer{Text: fmt.Sprintf("Policy %s created on table '%s'", x.Name, t.ID)}, nil
}

// within returns an error about a part of a statement with its position in the statement.
func within(err error, part ast.RawSQL) error {
	var ke *kalam.Error
	if errors.As(err, &ke) && ke.Position > 0 {
		return kalam.Positioned(kalam.Unpositioned(err), part.Pos+ke.Position-1)
	}
	return kalam.Positioned(err, part.Pos)
}

func (m *Manager) dropPolicy(
	ctx context.Context, p kalam.Principal, ns kalam.NamespaceID, st *ast.DropPolicy,
) (Answer, error) {
	t, err := m.onTable(p, ns, st.Table)
	if err != nil {
		return Answer{}, err
	}
	dropped := false
	may := func(now *kalam.Table) error { return m.Access.MayGrant(p, now) }
	err = m.Catalog.ChangeRights(ctx, rights.Object{Table: t.Number}, nil, may, func(e *rights.Edit) error {
		dropped = e.DropPolicy(t.Number, st.Name.Name)
		return nil
	})
	switch {
	case err != nil:
		return Answer{}, err
	case dropped:
		m.endChanged(t)
		return Answer{Text: fmt.Sprintf("Policy %s dropped from table '%s'", st.Name.Name, t.ID)}, nil
	case st.IfExists:
		return Answer{Text: fmt.Sprintf("Policy %s does not exist (skipped)", st.Name.Name)}, nil
	}
	return Answer{}, kalam.Errorf(kalam.CodeNotFound, "Policy %s of table '%s' does not exist", st.Name.Name, t.ID).
		At(st.Name.Pos)
}

// endChanged ends the live queries of a table whose policies are others now: their clients load anew.
func (m *Manager) endChanged(t *kalam.Table) { m.Live.CloseTable(t.Number, kalam.TableChanged(t.ID)) }

// showPolicies lists the policies that p may know of.
func (m *Manager) showPolicies(p kalam.Principal, ns kalam.NamespaceID, st *ast.ShowPolicies) (Answer, error) {
	on, err := m.only(p, ns, st.Table)
	if err != nil {
		return Answer{}, err
	}
	out := Answer{Columns: systables.Columns(systables.PolicyColumns), Rows: [][]kalam.Value{}}
	for _, x := range m.Access.AllPolicies(p) {
		if on == nil || on.Number == x.Table {
			out.Rows = append(out.Rows, systables.PolicyRow(x))
		}
	}
	return out, nil
}
