package access

import (
	"fmt"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/catalog"
)

// Has reports whether p has a power.
func Has(p kalam.Principal, power Power) bool {
	return powerRules[power].who.allows(p.Role, false) && leaves(p.Restriction, power)
}

// Check returns nil if p has a power, otherwise an error with CodePermissionDenied.
func Check(p kalam.Principal, power Power) error {
	if Has(p, power) {
		return nil
	}
	if powerRules[power].who.allows(p.Role, false) {
		return outOfScope(p, powerRules[power].words)
	}
	return denied("role %s cannot %s", p.Role, powerRules[power].words)
}

// ActFor returns the principal in force when p acts for a user whose role counts as rank: that user with role user, or
// p itself for its own name. What restricts p goes on to do so. ok is false when p may not.
func ActFor(p kalam.Principal, user kalam.UserID, rank kalam.Role) (as kalam.Principal, ok bool) {
	if user != p.User && !actsFor.covers(p.Role, rank) {
		return kalam.Principal{}, false
	}
	return kalam.Principal{User: user, Role: kalam.RoleUser, Restriction: p.Restriction}, true
}

// DefaultKind is the kind of CREATE TABLE without one: SHARED, but USER for a user or service that creates it in the
// namespace of its own name.
func DefaultKind(p kalam.Principal, ns kalam.NamespaceID) kalam.TableKind {
	if string(p.User) == string(ns) && !admins.allows(p.Role, false) {
		return kalam.KindUserTable
	}
	return kalam.KindSharedTable
}

// Rules answer what the catalog asks inside a write, when what it depends on cannot change any more.
type Rules struct{}

var _ catalog.Rules = Rules{}

// CreateTable says whether p may create a table of the kind in ns: role user only in the namespace of the own name, and
// where the namespace allows it.
func (Rules) CreateTable(p kalam.Principal, kind kalam.TableKind, ns catalog.Namespace) error {
	if !createsIn(p.Restriction, ns.ID) {
		return outOfScope(p, fmt.Sprintf("create tables in namespace '%s'", ns.ID))
	}
	who := rules[Create][classOf(kind, kalam.AccessPrivate)]
	if who.allows(p.Role, ownsNamespace(p, ns.ID) || ns.AllowsUserTables()) {
		return nil
	}
	if !who.allows(p.Role, true) {
		return denied("role %s cannot create %s tables", p.Role, kind)
	}
	return denied("role %s cannot create tables in namespace '%s':"+
		" it is allowed in the namespace of the user's own name,"+
		" and where a dba ran ALTER NAMESPACE %s SET OPTIONS (%s = true)", p.Role, ns.ID, ns.ID,
		catalog.OptionUserTables)
}

// IsLimited reports whether the number of tables that p creates has a limit.
func (Rules) IsLimited(p kalam.Principal) bool { return !Has(p, Unlimited) }

// ManageUsers says whether p may create, change and drop users at all.
func (Rules) ManageUsers(p kalam.Principal) error { return Check(p, ManageUsers) }

// ManageUser says whether p may create, change or drop a user of a role.
func (Rules) ManageUser(p kalam.Principal, role kalam.Role) error {
	if p.Restriction != "" {
		return outOfScope(p, "manage users")
	}
	if manages.covers(p.Role, role) {
		return nil
	}
	return denied("role %s cannot manage users of role %s", p.Role, role)
}

// Grant says whether p may give a role to a user.
func (Rules) Grant(p kalam.Principal, role kalam.Role) error {
	if p.Restriction != "" {
		return outOfScope(p, "manage users")
	}
	if manages.covers(p.Role, role) {
		return nil
	}
	return denied("role %s cannot grant role %s", p.Role, role)
}

// ManageKeys says whether p may create, see and drop the credentials of a user of a role, API keys and tokens: its own,
// or those of the users that it manages. Credentials that are restricted make and end no others, or their restriction
// would be none.
func (Rules) ManageKeys(p kalam.Principal, user kalam.UserID, role kalam.Role) error {
	switch {
	case p.Restriction != "":
		return outOfScope(p, "manage credentials")
	case user == p.User && users.allows(p.Role, true), manages.covers(p.Role, role):
		return nil
	}
	return denied("role %s cannot manage the credentials of other users", p.Role)
}
