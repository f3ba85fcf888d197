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
	create := func(k kalam.TableKind) func(kalam.Role) error {
		return func(r kalam.Role) error { return catalog.CanCreateTable(r, k) }
	}
	alter := func(k kalam.TableKind) func(kalam.Role) error {
		return func(r kalam.Role) error { return catalog.CanAlterTable(r, k) }
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
		{"create USER table", create(user), "-yyyy"},
		{"create STREAM table", create(stream), "-yyyy"},
		{"create SHARED table", create(shared), "--yyy"},
		{"create system table", create(sys), "-----"},
		{"alter USER table", alter(user), "-yyyy"},
		{"alter STREAM table", alter(stream), "-yyyy"},
		{"alter SHARED table", alter(shared), "--yyy"},
		{"alter system table", alter(sys), "-----"},
		{"drop table", catalog.CanDropTable, "---yy"},
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
