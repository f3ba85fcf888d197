package dialect

import (
	"strings"

	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/sqltext"
)

// createPolicy parses what follows CREATE POLICY: name ON [TABLE] t [FOR command] [TO PUBLIC | USER u | ROLE r, ..]
// [USING (condition)] [WITH CHECK (condition)].
func (p *parser) createPolicy() (ast.Statement, error) {
	st := &ast.CreatePolicy{}
	var err error
	if st.Name, st.Table, err = p.policyOn(); err != nil {
		return nil, err
	}
	if p.accept("FOR") {
		if !p.isAny(" ALL SELECT INSERT UPDATE DELETE ") {
			return nil, p.unexpected("ALL, SELECT, INSERT, UPDATE or DELETE")
		}
		if st.Command = sqltext.Upper(p.text(p.tok)); st.Command == "ALL" {
			st.Command = ""
		}
		p.advance()
	}
	if p.accept("TO") && !p.accept("PUBLIC") {
		for {
			to, err := p.grantee()
			if err != nil {
				return nil, err
			}
			if st.To = append(st.To, to); len(st.To) > maxGrantees {
				return nil, syntaxError(to.Pos, "CREATE POLICY takes at most %d users and roles", maxGrantees)
			}
			if !p.acceptPunct(',') {
				break
			}
		}
	}
	return st, p.policyConditions(st)
}

// policyOn parses name ON [TABLE] t.
func (p *parser) policyOn() (name ast.Ident, t ast.Name, err error) {
	if name, err = p.stored("policy name"); err != nil {
		return name, t, err
	}
	name.Name = strings.Clone(name.Name)
	if err := p.expect("ON"); err != nil {
		return name, t, err
	}
	p.accept("TABLE")
	t, err = p.tableName()
	return name, t, err
}

// policyConditions parses USING and WITH CHECK, of which a command takes those that mean something for it.
func (p *parser) policyConditions(st *ast.CreatePolicy) (err error) {
	pos := p.tok.Pos
	if p.accept("USING") {
		if st.Command == "INSERT" {
			return syntaxError(pos, "A policy FOR INSERT takes WITH CHECK: there is no row before it that USING could be about")
		}
		if st.Using, err = p.rowCondition(); err != nil {
			return err
		}
	}
	pos = p.tok.Pos
	if p.accept("WITH", "CHECK") {
		if st.Command == "SELECT" || st.Command == "DELETE" {
			return syntaxError(pos, "A policy FOR %s takes USING: it writes no row that WITH CHECK could be about", st.Command)
		}
		if st.Check, err = p.rowCondition(); err != nil {
			return err
		}
	}
	switch {
	case p.highest > 0:
		return syntaxError(st.Name.Pos, "The conditions of a policy take no placeholders")
	case st.Using.SQL == "" && st.Command != "INSERT":
		return p.unexpected("USING (condition)")
	case st.Using.SQL == "" && st.Check.SQL == "":
		return p.unexpected("WITH CHECK (condition)")
	}
	return nil
}

// rowCondition parses a condition in parentheses.
func (p *parser) rowCondition() (x ast.RawSQL, err error) {
	if err := p.expectPunct('('); err != nil {
		return x, err
	}
	if x.SQL, x.Pos, err = p.capture(nil); err != nil {
		return x, err
	}
	if x.SQL == "" {
		return x, p.unexpected("a condition")
	}
	x.SQL = strings.Clone(x.SQL)
	return x, p.expectPunct(')')
}

// dropPolicy parses what follows DROP POLICY: [IF EXISTS] name ON t.
func (p *parser) dropPolicy() (ast.Statement, error) {
	st := &ast.DropPolicy{IfExists: p.accept("IF", "EXISTS")}
	var err error
	st.Name, st.Table, err = p.policyOn()
	return st, err
}

// showPolicies parses what follows SHOW POLICIES: [ON t].
func (p *parser) showPolicies() (ast.Statement, error) {
	st := &ast.ShowPolicies{}
	if !p.accept("ON") {
		return st, nil
	}
	p.accept("TABLE")
	t, err := p.tableName()
	st.Table = &t
	return st, err
}
