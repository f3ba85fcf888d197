package dialect

import (
	"strings"

	"github.com/kalamlake/kalam/dialect/ast"
)

// maxKeyDays and maxScopes bound what CREATE API KEY takes.
const (
	maxKeyDays = 3650
	maxScopes  = 100
)

// createAPIKey parses what follows CREATE API KEY: 'name' FOR USER u [SCOPES list] [EXPIRES IN n DAYS].
func (p *parser) createAPIKey() (ast.Statement, error) {
	st := &ast.CreateAPIKey{Pos: p.tok.Pos}
	name, err := p.str("name of the key")
	if err != nil {
		return nil, err
	}
	st.Name = strings.Clone(name)
	if err := p.expect("FOR", "USER"); err != nil {
		return nil, err
	}
	if st.User, st.UserPos, err = p.userName(); err != nil {
		return nil, err
	}
	if p.accept("SCOPES") {
		if err := p.scopes(st); err != nil {
			return nil, err
		}
	}
	if !p.accept("EXPIRES", "IN") {
		return st, nil
	}
	pos := p.tok.Pos
	days, err := p.integer("EXPIRES IN", maxKeyDays)
	if err != nil {
		return nil, err
	}
	if days == 0 {
		return nil, syntaxError(pos, "EXPIRES IN must be at least 1 day")
	}
	st.Days = int(days)
	if !p.accept("DAYS") && !p.accept("DAY") {
		return nil, p.unexpected("DAYS")
	}
	return st, nil
}

// scopes parses a list, with or without parentheses, of READ ONLY, NAMESPACE ns and TABLE [ns.]t.
func (p *parser) scopes(st *ast.CreateAPIKey) error {
	open := p.acceptPunct('(')
	for n := 0; ; n++ {
		if n == maxScopes {
			return syntaxError(p.tok.Pos, "SCOPES takes at most %d scopes", maxScopes)
		}
		switch {
		case p.accept("READ", "ONLY"):
			st.ReadOnly = true
		case p.accept("NAMESPACE"):
			ns, err := p.namespaceName()
			if err != nil {
				return err
			}
			st.Namespaces = append(st.Namespaces, ns)
		case p.accept("TABLE"):
			t, err := p.tableName()
			if err != nil {
				return err
			}
			st.Tables = append(st.Tables, t)
		default:
			return p.unexpected("READ ONLY, NAMESPACE or TABLE")
		}
		if !p.acceptPunct(',') {
			break
		}
	}
	if open {
		return p.expectPunct(')')
	}
	return nil
}

// dropAPIKey parses what follows DROP API KEY: the id.
func (p *parser) dropAPIKey() (ast.Statement, error) {
	pos := p.tok.Pos
	id, err := p.bare("id of an API key")
	return &ast.DropAPIKey{ID: strings.Clone(id), Pos: pos}, err
}

// revokeTokens parses REVOKE TOKENS FOR USER u.
func (p *parser) revokeTokens() (ast.Statement, error) {
	if err := p.expect("REVOKE", "TOKENS", "FOR", "USER"); err != nil {
		return nil, err
	}
	user, pos, err := p.userName()
	return &ast.RevokeTokens{User: user, Pos: pos}, err
}
