package dialect

import (
	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/sqltext"
)

// maxGrantees bounds what one GRANT or REVOKE takes.
const maxGrantees = 100

// grant parses GRANT privileges ON [TABLE] t | NAMESPACE ns TO USER u | ROLE r {, ..}.
func (p *parser) grant() (ast.Statement, error) {
	p.advance()
	return p.grantOf(&ast.Grant{}, "TO")
}

// revoke parses REVOKE TOKENS FOR USER u, and the opposite of GRANT.
func (p *parser) revoke() (ast.Statement, error) {
	if p.nextIs("TOKENS") {
		return p.revokeTokens()
	}
	p.advance()
	return p.grantOf(&ast.Grant{Revoke: true}, "FROM")
}

// grantOf parses what follows GRANT and REVOKE; word is before the grantees.
func (p *parser) grantOf(st *ast.Grant, word string) (ast.Statement, error) {
	if err := p.privileges(st); err != nil {
		return nil, err
	}
	if err := p.expect("ON"); err != nil {
		return nil, err
	}
	var err error
	if p.is("NAMESPACE") && !p.nextIs(word) {
		p.advance()
		var ns ast.Ident
		ns, err = p.namespaceName()
		st.Namespace = &ns
	} else {
		p.accept("TABLE")
		st.Table, err = p.tableName()
	}
	if err != nil {
		return nil, err
	}
	if err := p.expect(word); err != nil {
		return nil, err
	}
	for len(st.To) < maxGrantees {
		to, err := p.grantee()
		if err != nil {
			return nil, err
		}
		st.To = append(st.To, to)
		if !p.acceptPunct(',') {
			return st, nil
		}
	}
	return nil, syntaxError(p.tok.Pos, "%s takes at most %d users and roles", st.Verb(), maxGrantees)
}

// privileges parses ALL [PRIVILEGES] or a list of SELECT, INSERT, UPDATE and DELETE.
func (p *parser) privileges(st *ast.Grant) error {
	if p.accept("ALL") {
		p.accept("PRIVILEGES")
		return nil
	}
	for {
		if !p.isAny(" SELECT INSERT UPDATE DELETE ") {
			return p.unexpected("SELECT, INSERT, UPDATE, DELETE or ALL")
		}
		st.Privileges = append(st.Privileges, sqltext.Upper(p.text(p.tok)))
		p.advance()
		if p.isPunct('(') {
			return unsupported(p.tok.Pos, "Rights on single columns are not supported; grant on a view that leaves columns out")
		}
		if !p.acceptPunct(',') {
			return nil
		}
	}
}

// grantee parses USER u or ROLE user | service.
func (p *parser) grantee() (to ast.Grantee, err error) {
	switch {
	case p.accept("USER"):
		to.User, to.Pos, err = p.userName()
	case p.accept("ROLE"):
		to.Pos = p.tok.Pos
		if to.Role, err = p.role(); err == nil && to.Role > kalam.RoleService {
			err = kalam.Errorf(kalam.CodeInvalidInput,
				"rights are granted to ROLE user or service; role %s has them without", to.Role).At(to.Pos)
		}
	default:
		err = p.unexpected("USER or ROLE")
	}
	return to, err
}

// showGrants parses what follows SHOW GRANTS: [FOR USER u | ON [TABLE] t].
func (p *parser) showGrants() (ast.Statement, error) {
	st := &ast.ShowGrants{}
	var err error
	switch {
	case p.accept("FOR"):
		if err := p.expect("USER"); err != nil {
			return nil, err
		}
		st.User, _, err = p.userName()
	case p.accept("ON"):
		p.accept("TABLE")
		var t ast.Name
		t, err = p.tableName()
		st.Table = &t
	}
	return st, err
}
