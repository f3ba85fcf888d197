package credentials

import (
	"context"
	"fmt"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/access"
	"github.com/kalamlake/kalam/catalog"
	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/subscribe"
	"github.com/kalamlake/kalam/systables"
)

// Manager carries out statements on credentials. It is safe for concurrent use.
type Manager struct {
	Catalog *catalog.Catalog
	Access  *access.Resolver
	Live    *subscribe.Hub // Whose live queries end with the rights to them.
	// Condition returns the columns of a table that the condition of a policy names, or why it is none.
	Condition func(ctx context.Context, t *kalam.Table, text string) ([]string, error)
}

// Answer is what a statement gives: rows if it has columns, and a text.
type Answer struct {
	Columns []kalam.Column
	Rows    [][]kalam.Value
	Text    string
}

// created are the columns of CREATE API KEY.
var created = systables.Columns(`key_id TEXT, name TEXT, user_id TEXT, api_key TEXT, scopes TEXT?
expires_at TIMESTAMP?`)

// Run carries out st on behalf of p, whose default namespace is ns. It takes CREATE API KEY, DROP API KEY, REVOKE
// TOKENS, GRANT, REVOKE, SHOW GRANTS, CREATE POLICY, DROP POLICY and SHOW POLICIES; another statement is
// CodeUnsupported. Errors are those of the catalog, with positions in the statement.
func (m *Manager) Run(
	ctx context.Context, p kalam.Principal, ns kalam.NamespaceID, st ast.Statement,
) (Answer, error) {
	switch st := st.(type) {
	case *ast.CreateAPIKey:
		return m.create(ctx, p, ns, st)
	case *ast.DropAPIKey:
		if _, err := m.Catalog.DropKey(ctx, p, st.ID); err != nil {
			return Answer{}, kalam.Positioned(err, st.Pos)
		}
		return Answer{Text: fmt.Sprintf("API key '%s' dropped", st.ID)}, nil
	case *ast.RevokeTokens:
		if err := m.Catalog.RevokeTokens(ctx, p, st.User); err != nil {
			return Answer{}, kalam.Positioned(err, st.Pos)
		}
		return Answer{Text: fmt.Sprintf("Tokens of user '%s' revoked", st.User)}, nil
	case *ast.Grant:
		return m.grant(ctx, p, ns, st)
	case *ast.ShowGrants:
		return m.showGrants(p, ns, st)
	case *ast.CreatePolicy:
		return m.createPolicy(ctx, p, ns, st)
	case *ast.DropPolicy:
		return m.dropPolicy(ctx, p, ns, st)
	case *ast.ShowPolicies:
		return m.showPolicies(p, ns, st)
	}
	return Answer{}, kalam.Errorf(kalam.CodeUnsupported, "this statement is not supported by this version")
}

func (m *Manager) create(
	ctx context.Context, p kalam.Principal, ns kalam.NamespaceID, st *ast.CreateAPIKey,
) (Answer, error) {
	restriction, err := m.restriction(p, ns, st)
	if err != nil {
		return Answer{}, err
	}
	k, text, err := m.Catalog.CreateKey(ctx, p, catalog.NewKey{
		Name: st.Name, User: st.User, Restriction: restriction, Life: time.Duration(st.Days) * 24 * time.Hour,
	})
	if err != nil {
		return Answer{}, kalam.Positioned(err, st.Pos)
	}
	return Answer{
		Columns: created,
		Rows: [][]kalam.Value{{
			kalam.Text(k.ID), kalam.Text(k.Name), systables.Text(k.User), kalam.Text(text.Reveal()),
			systables.TextOrNull(k.Restriction.String()), systables.Timestamp(k.ExpiresAt),
		}},
		Text: fmt.Sprintf("API key '%s' created. It is shown this once: keep it", k.Name),
	}, nil
}

// restriction turns the scopes of a statement into a restriction. Names must mean something that p may know of, so that
// a misspelled one is no key that opens nothing.
func (m *Manager) restriction(
	p kalam.Principal, ns kalam.NamespaceID, st *ast.CreateAPIKey,
) (kalam.Restriction, error) {
	s := kalam.Scopes{ReadOnly: st.ReadOnly}
	for _, name := range st.Namespaces {
		id := kalam.NamespaceID(name.Name)
		if !access.IsComputed(id) && !m.Access.SeesNamespace(p, id) {
			return "", kalam.Errorf(kalam.CodeNotFound, "Namespace '%s' does not exist", id).
				Lacks(kalam.MissingNamespace, name.Name).At(name.Pos)
		}
		s.Namespaces = append(s.Namespaces, id)
	}
	for _, name := range st.Tables {
		t, err := m.Access.Resolve(p, ns, name, access.See)
		if err != nil {
			return "", err
		}
		s.Tables = append(s.Tables, t.Table.ID)
	}
	return s.Restriction()
}
