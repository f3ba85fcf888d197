package catalog_test

import (
	"fmt"
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/catalog"
)

// TestPermissions is the matrix of AUTH-012, cell by cell: a column for each role
// in rising order from anonymous to system, y for may and - for may not.
func TestPermissions(t *testing.T) {
	roles := []kalam.Role{kalam.RoleAnonymous, kalam.RoleUser, kalam.RoleService, kalam.RoleDBA, kalam.RoleSystem}
	user, shared, stream, sys := kalam.KindUserTable, kalam.KindSharedTable, kalam.KindStreamTable, kalam.KindSystemTable
	open := catalog.Namespace{ID: "open", Options: map[string]kalam.Value{catalog.OptionUserTables: kalam.Bool(true)}}
	shut := catalog.Namespace{ID: "shut", Options: map[string]kalam.Value{catalog.OptionUserTables: kalam.Bool(false)}}
	odd := catalog.Namespace{ID: "odd", Options: map[string]kalam.Value{catalog.OptionUserTables: kalam.Text("true")}}
	create := func(k kalam.TableKind, ns catalog.Namespace) func(kalam.Role) error {
		return func(r kalam.Role) error { return catalog.CanCreateTable(kalam.Principal{User: "u", Role: r}, k, ns) }
	}
	made := func(k kalam.TableKind, ns kalam.NamespaceID, by kalam.UserID) *kalam.Table {
		return &kalam.Table{ID: kalam.TableID{Namespace: ns, Name: "t"}, Kind: k, Creator: by}
	}
	alter := func(k kalam.TableKind, by kalam.UserID) func(kalam.Role) error {
		return func(r kalam.Role) error {
			return catalog.CanAlterTable(kalam.Principal{User: "u", Role: r}, made(k, "app", by))
		}
	}
	drop := func(ns kalam.NamespaceID, by kalam.UserID) func(kalam.Role) error {
		return func(r kalam.Role) error {
			return catalog.CanDropTable(kalam.Principal{User: "u", Role: r}, made(user, ns, by))
		}
	}
	ofDefault := func(can func(kalam.Principal) error) func(kalam.Role) error {
		return func(r kalam.Role) error { return can(kalam.Principal{User: "default", Role: r}) }
	}
	table := func(k kalam.TableKind, a kalam.AccessLevel) *kalam.Table {
		return &kalam.Table{ID: kalam.TableID{Namespace: "app", Name: "t"}, Kind: k, Options: kalam.TableOptions{Access: a}}
	}
	read := func(k kalam.TableKind, a kalam.AccessLevel) func(kalam.Role) error {
		return func(r kalam.Role) error { return catalog.CanRead(kalam.Principal{User: "u", Role: r}, table(k, a)) }
	}
	write := func(k kalam.TableKind, a kalam.AccessLevel) func(kalam.Role) error {
		return func(r kalam.Role) error { return catalog.CanWrite(kalam.Principal{User: "u", Role: r}, table(k, a)) }
	}
	admin := func(what string) func(kalam.Role) error {
		return func(r kalam.Role) error { return catalog.CanAdmin(r, what) }
	}
	grant := func(role kalam.Role) func(kalam.Role) error {
		return func(r kalam.Role) error { return catalog.CanGrant(r, role) }
	}
	manage := func(role kalam.Role) func(kalam.Role) error {
		return func(r kalam.Role) error { return catalog.CanManageUser(r, role) }
	}
	tests := []struct {
		name string
		can  func(kalam.Role) error
		want string // anonymous, user, service, dba, system
	}{
		{"create USER table", create(user, catalog.Namespace{ID: "app"}), "--yyy"},
		{"create USER table where users may", create(user, open), "-yyyy"},
		{"create USER table where users may not", create(user, shut), "--yyy"},
		{"create USER table, option of another type", create(user, odd), "--yyy"},
		{"create USER table in the own namespace", create(user, catalog.Namespace{ID: "u"}), "-yyyy"},
		{"create USER table in default by a user of that name", ofDefault(func(p kalam.Principal) error {
			return catalog.CanCreateTable(p, user, catalog.Namespace{ID: "default"})
		}), "--yyy"},
		{"create STREAM table", create(stream, shut), "--yyy"},
		{"create STREAM table where users may", create(stream, open), "-yyyy"},
		{"create STREAM table in the own namespace", create(stream, catalog.Namespace{ID: "u"}), "-yyyy"},
		{"create SHARED table", create(shared, shut), "--yyy"},
		{"create SHARED table where users may", create(shared, open), "--yyy"},
		{"create SHARED table in the own namespace", create(shared, catalog.Namespace{ID: "u"}), "--yyy"},
		{"create system table", create(sys, open), "-----"},
		{"alter USER table", alter(user, "v"), "--yyy"},
		{"alter own USER table", alter(user, "u"), "-yyyy"},
		{"alter USER table of an unknown creator", alter(user, ""), "--yyy"},
		{"alter STREAM table", alter(stream, "v"), "--yyy"},
		{"alter own STREAM table", alter(stream, "u"), "-yyyy"},
		{"alter SHARED table", alter(shared, "u"), "--yyy"},
		{"alter system table", alter(sys, "u"), "-----"},
		{"drop table", drop("app", "v"), "---yy"},
		{"drop own table elsewhere", drop("app", "u"), "---yy"},
		{"drop own table in the own namespace", drop("u", "u"), "-yyyy"},
		{"drop another's table in the own namespace", drop("u", "v"), "---yy"},
		{"drop table of an unknown creator in the own namespace", drop("u", ""), "---yy"},
		{"read USER table", read(user, 0), "-yyyy"},
		{"read STREAM table", read(stream, 0), "-yyyy"},
		{"read SHARED public", read(shared, kalam.AccessPublic), "yyyyy"},
		{"read SHARED private", read(shared, kalam.AccessPrivate), "--yyy"},
		{"read SHARED restricted", read(shared, kalam.AccessRestricted), "--yyy"},
		{"read SHARED dba", read(shared, kalam.AccessDBA), "---yy"},
		{"read SHARED of an unknown level", read(shared, 9), "-----"},
		{"read system table", read(sys, 0), "---yy"},
		{"read table of no kind", read(0, kalam.AccessPublic), "-----"},
		{"write USER table", write(user, 0), "-yyyy"},
		{"write STREAM table", write(stream, 0), "-yyyy"},
		{"write SHARED public", write(shared, kalam.AccessPublic), "--yyy"},
		{"write SHARED private", write(shared, kalam.AccessPrivate), "--yyy"},
		{"write SHARED restricted", write(shared, kalam.AccessRestricted), "--yyy"},
		{"write SHARED dba", write(shared, kalam.AccessDBA), "---yy"},
		{"write system table", write(sys, 0), "-----"},
		{"flush or compact one table", catalog.CanMaintain, "--yyy"},
		{"create namespaces", admin("create namespaces"), "---yy"},
		{"manage storages", admin("manage storages"), "---yy"},
		{"manage users", admin("manage users"), "---yy"},
		{"KILL JOB", admin("kill jobs"), "---yy"},
		{"STORAGE FLUSH ALL", admin("flush all tables"), "---yy"},
		{"CLEAR CACHE", admin("clear caches"), "---yy"},
		{"grant user", grant(kalam.RoleUser), "---yy"},
		{"grant service", grant(kalam.RoleService), "---yy"},
		{"grant dba", grant(kalam.RoleDBA), "---yy"},
		{"grant system", grant(kalam.RoleSystem), "----y"},
		{"manage a user", manage(kalam.RoleUser), "---yy"},
		{"manage a dba", manage(kalam.RoleDBA), "---yy"},
		{"manage a system user", manage(kalam.RoleSystem), "----y"},
	}
	for _, tt := range tests {
		for i, role := range roles {
			err := tt.can(role)
			if got := err == nil; got != (tt.want[i] == 'y') {
				t.Errorf("%s as %s: %v", tt.name, role, err)
			}
			if err != nil && kalam.CodeOf(err) != kalam.CodePermissionDenied {
				t.Errorf("%s as %s: code %d", tt.name, role, kalam.CodeOf(err))
			}
		}
	}
	err := catalog.CanRead(kalam.Principal{User: "u", Role: kalam.RoleUser}, table(shared, kalam.AccessDBA))
	if got := fmt.Sprint(err); got != "role user cannot read table 'app.t'" {
		t.Errorf("text %s", got)
	}
}
