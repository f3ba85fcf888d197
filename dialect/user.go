package dialect

import (
	"strings"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/sqltext"
)

// userName consumes the name of a user, bare or quoted in any way; its case is
// kept.
func (p *parser) userName() (kalam.UserID, int, error) {
	pos := p.tok.Pos
	s, err := p.bare("user name")
	if err != nil {
		return "", pos, err
	}
	id, err := kalam.ParseUserID(strings.Clone(s))
	if err != nil {
		return "", pos, located(err, pos)
	}
	return id, pos, nil
}

// ownerID refuses the option that KalamDB once had.
func (p *parser) ownerID() error {
	if !p.is("OWNER_ID") {
		return nil
	}
	return syntaxError(p.tok.Pos, "OWNER_ID is not supported. A user owns the rows that the user writes.")
}

// createUser parses what follows CREATE USER: the name and, in any order, WITH
// PASSWORD 'p' | OAUTH ['json'] | INTERNAL, ROLE r, EMAIL 'e', STORAGE id.
func (p *parser) createUser() (ast.Statement, error) {
	st := &ast.CreateUser{Role: kalam.RoleUser, IfNotExists: p.accept("IF", "NOT", "EXISTS")}
	var err error
	if st.User, st.Pos, err = p.userName(); err != nil {
		return nil, err
	}
	p.secrecy = secretQuoted
	seen := map[string]bool{}
	for p.tok.Kind == sqltext.Word {
		with := p.accept("WITH")
		pos := p.tok.Pos
		clause, err := p.userClause(st)
		if err != nil {
			return nil, err
		}
		if clause == "" {
			if with {
				return nil, p.unexpected("PASSWORD, OAUTH or INTERNAL")
			}
			break
		}
		if seen[clause] {
			return nil, syntaxError(pos, "CREATE USER takes one %s", clause)
		}
		seen[clause] = true
	}
	if p.tok.Kind != sqltext.EOF && !p.isPunct(';') {
		return nil, p.unexpected("WITH, ROLE, EMAIL or STORAGE")
	}
	if st.Auth == ast.AuthNone {
		return nil, p.unexpected("WITH PASSWORD 'password', WITH OAUTH '{json}' or WITH INTERNAL")
	}
	return st, nil
}

// userClause consumes one clause of CREATE USER and returns what it sets, "" if
// the current word begins none.
func (p *parser) userClause(st *ast.CreateUser) (string, error) {
	if err := p.ownerID(); err != nil {
		return "", err
	}
	var err error
	switch {
	case p.is("PASSWORD"), p.is("IDENTIFIED"):
		st.Auth = ast.AuthPassword
		st.Password, err = p.password()
		return "way to sign in", err
	case p.accept("OAUTH"):
		st.Auth = ast.AuthOAuth
		if p.isString() {
			var s string
			s, err = p.jsonObject("OAUTH")
			st.OAuth = ast.Secret(s)
		}
		return "way to sign in", err
	case p.accept("INTERNAL"):
		st.Auth = ast.AuthInternal
		return "way to sign in", nil
	case p.accept("ROLE"):
		st.Role, err = p.role()
		return "ROLE", err
	case p.accept("EMAIL"):
		p.acceptOp("=")
		s, err := p.str("email address")
		st.Email = strings.Clone(s)
		return "EMAIL", err
	case p.accept("STORAGE"), p.accept("STORAGE_ID"):
		st.Storage, err = p.userStorage()
		return "STORAGE", err
	}
	return "", nil
}

// userStorage consumes the id of a storage, or NULL, which is "".
func (p *parser) userStorage() (kalam.StorageID, error) {
	p.acceptOp("=")
	if p.accept("NULL") {
		return "", nil
	}
	return p.storageID()
}

// password consumes PASSWORD 'p' or IDENTIFIED BY 'p'.
func (p *parser) password() (ast.Secret, error) {
	if p.accept("IDENTIFIED") {
		if err := p.expect("BY"); err != nil {
			return "", err
		}
	} else {
		p.advance()
		p.acceptOp("=")
	}
	p.secrecy = secretAll
	pos := p.tok.Pos
	if !p.isString() {
		return "", p.unexpected("a quoted password")
	}
	s, err := p.stringText()
	if err == nil && s == "" {
		err = syntaxError(pos, "The password is empty")
	}
	return ast.Secret(strings.Clone(s)), err
}

// role consumes the name of a role, bare or quoted.
func (p *parser) role() (kalam.Role, error) {
	p.acceptOp("=")
	pos := p.tok.Pos
	s, err := p.bare("role")
	if err != nil {
		return 0, err
	}
	r, err := kalam.ParseRole(sqltext.Fold(sqltext.Short(s)))
	if err == nil && r == kalam.RoleAnonymous {
		err = kalam.Errorf(kalam.CodeInvalidInput, "role 'anonymous' cannot be given to a user")
	}
	if err != nil {
		return 0, located(err, pos)
	}
	return r, nil
}

// alterUser parses what follows ALTER USER: the name and SET PASSWORD 'p' |
// ROLE r | EMAIL 'e' | STORAGE id, of which several may be given; or RESTORE.
func (p *parser) alterUser() (ast.Statement, error) {
	st := &ast.AlterUser{}
	var err error
	if st.User, st.Pos, err = p.userName(); err != nil {
		return nil, err
	}
	if p.accept("RESTORE") {
		return &ast.RestoreUser{User: st.User, Pos: st.Pos}, nil
	}
	p.secrecy = secretQuoted
	for {
		set := p.accept("SET") || p.accept("WITH")
		if err := p.ownerID(); err != nil {
			return nil, err
		}
		pos, again := p.tok.Pos, false
		switch {
		case p.is("PASSWORD"), p.is("IDENTIFIED"):
			again = st.Password != nil
			var s ast.Secret
			s, err = p.password()
			st.Password = &s
		case p.accept("ROLE"):
			again = st.Role != nil
			var r kalam.Role
			r, err = p.role()
			st.Role = &r
		case p.accept("EMAIL"):
			again = st.Email != nil
			var s string
			s, err = p.email()
			st.Email = &s
		case p.accept("STORAGE"), p.accept("STORAGE_ID"):
			again = st.Storage != nil
			var id kalam.StorageID
			id, err = p.userStorage()
			st.Storage = &id
		default:
			if !set && (st.Password != nil || st.Role != nil || st.Email != nil || st.Storage != nil) {
				return st, nil
			}
			return nil, p.unexpected("SET PASSWORD, SET ROLE, SET EMAIL or SET STORAGE")
		}
		if err != nil {
			return nil, err
		}
		if again {
			return nil, syntaxError(pos, "ALTER USER takes each of PASSWORD, ROLE, EMAIL and STORAGE once")
		}
		p.acceptPunct(',')
	}
}

// email consumes 'address' or NULL, which is "".
func (p *parser) email() (string, error) {
	p.acceptOp("=")
	if p.accept("NULL") {
		return "", nil
	}
	s, err := p.str("email address")
	return strings.Clone(s), err
}

func (p *parser) dropUser() (ast.Statement, error) {
	st := &ast.DropUser{IfExists: p.accept("IF", "EXISTS")}
	var err error
	if st.User, st.Pos, err = p.userName(); err == nil {
		st.Purge = p.accept("PURGE")
	}
	return st, err
}
