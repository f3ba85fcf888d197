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

// CreatePolicy is CREATE POLICY.
type CreatePolicy struct {
	Name    Ident
	Table   Name
	Command string    // SELECT, INSERT, UPDATE or DELETE; "": all.
	To      []Grantee // None: everybody.
	Using   RawSQL
	Check   RawSQL
}

// DropPolicy is DROP POLICY.
type DropPolicy struct {
	Name     Ident
	Table    Name
	IfExists bool
}

// ShowPolicies is SHOW POLICIES.
type ShowPolicies struct {
	Table *Name // nil: of all tables.
}

// Verb returns "CREATE POLICY".
func (*CreatePolicy) Verb() string { return "CREATE POLICY" }

// Verb returns "DROP POLICY".
func (*DropPolicy) Verb() string { return "DROP POLICY" }

// Verb returns "SHOW POLICIES".
func (*ShowPolicies) Verb() string { return "SHOW POLICIES" }
