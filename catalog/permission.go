package catalog

import "github.com/kalamlake/kalam"

// The rules of who may do what (AUTH-012). They look at nothing but their
// arguments. nil means yes; no is an error with CodePermissionDenied.

func denied(format string, args ...any) error {
	return kalam.Errorf(kalam.CodePermissionDenied, format, args...)
}

// CanCreateTable says whether p may create a table of the kind in ns, which need not
// exist: then it is a Namespace with an ID alone. Service and above may in every
// namespace; role user no SHARED tables, and others in the namespace of their own name
// and where the namespace allows it.
func CanCreateTable(p kalam.Principal, kind kalam.TableKind, ns Namespace) error {
	perUser := kind == kalam.KindUserTable || kind == kalam.KindStreamTable
	switch {
	case perUser && p.Role >= kalam.RoleService, kind == kalam.KindSharedTable && p.Role >= kalam.RoleService:
		return nil
	case !perUser || p.Role < kalam.RoleUser:
		return denied("role %s cannot create %s tables", p.Role, kind)
	case isOwn(p, ns.ID) || ns.AllowsUserTables():
		return nil
	}
	return denied("role %s cannot create tables in namespace '%s': it is allowed in the namespace of the user's own name,"+
		" and where a dba ran ALTER NAMESPACE %s SET OPTIONS (%s = true)", p.Role, ns.ID, ns.ID, OptionUserTables)
}

// isOwn reports whether ns is the namespace of p's own name.
func isOwn(p kalam.Principal, ns kalam.NamespaceID) bool {
	return p.Role >= kalam.RoleUser && string(p.User) == string(ns) && !IsReservedNamespace(ns)
}

// CanAlterTable says whether p may alter t: service and above, and of the tables that
// are not SHARED also the user who created it.
func CanAlterTable(p kalam.Principal, t *kalam.Table) error {
	switch t.Kind {
	case kalam.KindUserTable, kalam.KindStreamTable:
		if p.Role >= kalam.RoleService || p.Role >= kalam.RoleUser && t.Creator == p.User {
			return nil
		}
	case kalam.KindSharedTable:
		if p.Role >= kalam.RoleService {
			return nil
		}
	}
	return denied("role %s cannot alter %s table '%s'", p.Role, t.Kind, t.ID)
}

// CanDropTable says whether p may drop t: dba and system every table, others those that
// they created in the namespace of their own name.
func CanDropTable(p kalam.Principal, t *kalam.Table) error {
	if p.Role.IsAdmin() || t.Creator == p.User && isOwn(p, t.ID.Namespace) {
		return nil
	}
	return denied("role %s cannot drop table '%s': only a dba may, or the user who created it, in the namespace of that user's name",
		p.Role, t.ID)
}

// CanRead says whether p may read t. For USER and STREAM tables that is p's own
// rows, which the scope of the read sees to; for SHARED tables it depends on the
// access level; system tables are for dba and system.
func CanRead(p kalam.Principal, t *kalam.Table) error {
	ok := false
	switch t.Kind {
	case kalam.KindUserTable, kalam.KindStreamTable:
		ok = p.Role >= kalam.RoleUser
	case kalam.KindSharedTable:
		switch t.Options.Access {
		case kalam.AccessPublic:
			ok = true
		case kalam.AccessPrivate, kalam.AccessRestricted:
			ok = p.Role >= kalam.RoleService
		case kalam.AccessDBA:
			ok = p.Role.IsAdmin()
		}
	case kalam.KindSystemTable:
		ok = p.Role.IsAdmin()
	}
	if ok {
		return nil
	}
	return denied("role %s cannot read table '%s'", p.Role, t.ID)
}

// CanWrite says whether p may insert into, update and delete from t: own rows of
// USER and STREAM tables everybody but anonymous, SHARED tables service and
// above, of the level dba only dba and system. System tables are never written
// through it.
func CanWrite(p kalam.Principal, t *kalam.Table) error {
	ok := false
	switch t.Kind {
	case kalam.KindUserTable, kalam.KindStreamTable:
		ok = p.Role >= kalam.RoleUser
	case kalam.KindSharedTable:
		ok = p.Role >= kalam.RoleService
		if t.Options.Access == kalam.AccessDBA {
			ok = p.Role.IsAdmin()
		}
	}
	if ok {
		return nil
	}
	return denied("role %s cannot write table '%s'", p.Role, t.ID)
}

// CanMaintain says whether role may run STORAGE FLUSH TABLE and STORAGE COMPACT
// TABLE: service and above.
func CanMaintain(role kalam.Role) error {
	if role >= kalam.RoleService {
		return nil
	}
	return denied("role %s cannot run storage maintenance", role)
}

// CanAdmin says whether role may do what only dba and system may: read system
// tables, manage namespaces, storages and users, KILL JOB, STORAGE FLUSH ALL,
// CLEAR CACHE. what completes "role user cannot ...".
func CanAdmin(role kalam.Role, what string) error {
	if role.IsAdmin() {
		return nil
	}
	return denied("role %s cannot %s", role, what)
}

// CanGrant says whether by may give the role to a user: system every role, dba
// every role but system.
func CanGrant(by, role kalam.Role) error {
	switch {
	case by == kalam.RoleSystem, by == kalam.RoleDBA && role != kalam.RoleSystem:
		return nil
	}
	return denied("role %s cannot grant role %s", by, role)
}

// CanManageUser says whether by may create, change or drop a user of the given
// role. A dba may not touch a user of role system: setting that user's password
// would be a way to become one.
func CanManageUser(by, target kalam.Role) error {
	switch {
	case by == kalam.RoleSystem, by == kalam.RoleDBA && target != kalam.RoleSystem:
		return nil
	}
	return denied("role %s cannot manage users of role %s", by, target)
}
