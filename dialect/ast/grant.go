package ast

import "github.com/kalamlake/kalam"

// Grant is GRANT and REVOKE of rights.
type Grant struct {
	Revoke     bool
	Privileges []string // Of SELECT, INSERT, UPDATE and DELETE, in upper case; none: all.
	Table      Name
	Namespace  *Ident // nil: the table.
	To         []Grantee
}

// Grantee is whom a GRANT names: a user, or without one a role.
type Grantee struct {
	User kalam.UserID
	Role kalam.Role
	Pos  int
}

// ShowGrants is SHOW GRANTS.
type ShowGrants struct {
	User  kalam.UserID // "": of anybody.
	Table *Name        // nil: on anything.
}

// Verb returns "GRANT" or "REVOKE".
func (g *Grant) Verb() string {
	if g.Revoke {
		return "REVOKE"
	}
	return "GRANT"
}

// Verb returns "SHOW GRANTS".
func (*ShowGrants) Verb() string { return "SHOW GRANTS" }
