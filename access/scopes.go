package access

import "github.com/kalamlake/kalam"

// changes are the intents that read-only credentials are refused.
var changes = [intents]bool{
	Insert: true, Update: true, Delete: true, Truncate: true, WriteAs: true, Maintain: true, Create: true, Alter: true,
	Drop: true,
}

// inScope reports whether a restriction leaves what is wanted with a table. information_schema is always left: it shows
// no more than what the principal may know of; so do the texts of the server's own.
func inScope(r kalam.Restriction, t *kalam.Table, want Intent) bool {
	switch {
	case r == "":
		return true
	case r.IsReadOnly() && changes[want], want == Share: // Who has a part of the rights gives none on.
		return false
	case t.ID.Namespace == Information, t.IsComputed() && want == Serve:
		return true
	}
	return r.AllowsTable(t.ID)
}

// leaves reports whether a restriction leaves a power. One that names tables leaves none: powers are about the whole
// server, or all that a user has.
func leaves(r kalam.Restriction, power Power) bool {
	switch {
	case r == "":
		return true
	case r.NamesTables():
		return false
	case r.IsReadOnly():
		return powerRules[power].reads
	}
	return power != MintTokens && power != ManageUsers && power != GrantOnNamespaces
}

// createsIn reports whether a restriction leaves creating something in a namespace.
func createsIn(r kalam.Restriction, ns kalam.NamespaceID) bool {
	return r == "" || !r.IsReadOnly() && r.AllowsNamespace(ns)
}

// outOfScope words what a restriction does not leave.
func outOfScope(p kalam.Principal, what string) error {
	return denied("the scopes of these credentials (%s) do not allow to %s", p.Restriction, what)
}
