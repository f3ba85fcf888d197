package catalog

import "github.com/kalamlake/kalam"

// Rules say who may do what. The catalog asks them inside its writes, when what they depend on cannot change any more.
// nil means yes; no is an error with CodePermissionDenied.
type Rules interface {
	// CreateTable says whether p may create a table of the kind in ns, which need not exist: then it is a Namespace
	// with an ID alone.
	CreateTable(p kalam.Principal, kind kalam.TableKind, ns Namespace) error
	// IsLimited reports whether Options.MaxTablesPerUser is for p.
	IsLimited(p kalam.Principal) bool
	// ManageUsers says whether p may create, change and drop users at all.
	ManageUsers(p kalam.Principal) error
	// ManageUser says whether p may create, change or drop a user of the role.
	ManageUser(p kalam.Principal, role kalam.Role) error
	// Grant says whether p may give the role to a user.
	Grant(p kalam.Principal, role kalam.Role) error
	// ManageKeys says whether p may make and end credentials of a user of the role.
	ManageKeys(p kalam.Principal, user kalam.UserID, role kalam.Role) error
}

// noRules refuse everything.
type noRules struct{}

func refused() error {
	return kalam.Errorf(kalam.CodePermissionDenied, "this catalog was opened without rules")
}

func (noRules) CreateTable(kalam.Principal, kalam.TableKind, Namespace) error { return refused() }
func (noRules) IsLimited(kalam.Principal) bool                                { return true }
func (noRules) ManageUsers(kalam.Principal) error                             { return refused() }
func (noRules) ManageUser(kalam.Principal, kalam.Role) error                  { return refused() }
func (noRules) Grant(kalam.Principal, kalam.Role) error                       { return refused() }

func (noRules) ManageKeys(kalam.Principal, kalam.UserID, kalam.Role) error { return refused() }
