package access

import (
	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/catalog"
)

// owns reports whether a table is p's own: the right to alter it and to share it is that of its creator, and to drop
// it as well if it is in the namespace of the creator's name.
func owns(p kalam.Principal, t *kalam.Table, want Intent) bool {
	switch want {
	case Alter, Share:
		return t.Creator == p.User
	case Drop:
		return t.Creator == p.User && ownsNamespace(p, t.ID.Namespace)
	default:
		return false
	}
}

// ownsNamespace reports whether ns is the namespace of p's own name.
func ownsNamespace(p kalam.Principal, ns kalam.NamespaceID) bool {
	return string(p.User) == string(ns) && !catalog.IsReservedNamespace(ns)
}

// refusal words what p may not do. restricted says that the reason is that policies show p a part of the rows.
func refusal(p kalam.Principal, t *kalam.Table, want Intent, restricted bool) error {
	if !inScope(p.Restriction, t, want) {
		return outOfScope(p, want.String()+" table '"+t.ID.String()+"'")
	}
	if restricted {
		return denied("role %s cannot %s table '%s': it has row policies, which show a part of its rows", p.Role, want, t.ID)
	}
	switch want {
	case Insert, Update, Delete, Truncate:
		return denied("role %s cannot write table '%s'", p.Role, t.ID)
	case WriteAs:
		if t.IsShared() { // Its rows belong to nobody: acting for a user there would only blur who wrote.
			return kalam.Errorf(kalam.CodeInvalidOperation,
				"EXECUTE AS USER is not allowed on SHARED tables (table '%s')."+
					" AS USER impersonation is only supported for USER and STREAM tables.", t.ID)
		}
		return denied("role %s cannot write table '%s'", p.Role, t.ID)
	case Count:
		return denied("role %s cannot count the rows of all users of table '%s'", p.Role, t.ID)
	case Maintain:
		return denied("role %s cannot run storage maintenance", p.Role)
	case Alter:
		return denied("role %s cannot alter %s table '%s'", p.Role, t.Kind, t.ID)
	case Drop:
		return denied("role %s cannot drop table '%s':"+
			" only a dba may, or the user who created it, in the namespace of that user's name",
			p.Role, t.ID)
	case Share:
		return denied("role %s cannot grant or revoke rights on table '%s':"+
			" only a dba may, or the service that created it", p.Role, t.ID)
	default:
		return denied("role %s cannot read table '%s'", p.Role, t.ID)
	}
}

func denied(format string, args ...any) *kalam.Error {
	return kalam.Errorf(kalam.CodePermissionDenied, format, args...)
}
