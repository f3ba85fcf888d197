package access_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/access"
	"github.com/kalamlake/kalam/buffer/memory"
	"github.com/kalamlake/kalam/catalog"
	"github.com/kalamlake/kalam/dialect/ast"
)

var root = kalam.Principal{User: "root", Role: kalam.RoleSystem}

// newResolver returns a resolver over a catalog with app.mine (USER), app.events (STREAM), app.public and app.admins
// (SHARED), which the user ann created, and system.jobs (open) and system.users (closed).
func newResolver(t *testing.T, o access.Options) *access.Resolver {
	t.Helper()
	c, err := catalog.Open(t.Context(), memory.New(), catalog.Options{BcryptCost: 4, Rules: access.Rules{}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.CreateNamespace(t.Context(), "app", nil, false); err != nil {
		t.Fatal(err)
	}
	for _, spec := range []kalam.Table{
		{ID: kalam.TableID{Name: "mine"}, Kind: kalam.KindUserTable},
		{ID: kalam.TableID{Name: "events"}, Kind: kalam.KindStreamTable, Options: kalam.TableOptions{TTL: 1e9}},
		{ID: kalam.TableID{Name: "public"}, Kind: kalam.KindSharedTable,
			Options: kalam.TableOptions{Access: kalam.AccessPublic}},
		{ID: kalam.TableID{Name: "admins"}, Kind: kalam.KindSharedTable,
			Options: kalam.TableOptions{Access: kalam.AccessDBA}},
	} {
		spec.ID.Namespace = "app"
		spec.Columns = []kalam.Column{{Name: "id", Type: kalam.TypeOf(kalam.KindBigInt), NotNull: true}}
		spec.PrimaryKey = []int{0}
		if _, err := c.CreateTable(t.Context(), root, spec); err != nil {
			t.Fatal(err)
		}
	}
	o.Computed = []*kalam.Table{
		{ID: kalam.TableID{Namespace: access.System, Name: "users"}, Kind: kalam.KindSystemTable},
		{ID: kalam.TableID{Namespace: access.System, Name: "jobs"}, Kind: kalam.KindSystemTable,
			Options: kalam.TableOptions{Access: kalam.AccessPublic}},
	}
	return access.New(c, o)
}

// TestResolve resolves names for what principals want.
func TestResolve(t *testing.T) {
	r := newResolver(t, access.Options{})
	as := func(role kalam.Role) kalam.Principal { return kalam.Principal{User: "ann", Role: role} }
	anonymous, user, service, dba := as(kalam.RoleAnonymous), as(kalam.RoleUser), as(kalam.RoleService),
		as(kalam.RoleDBA)
	for _, tt := range []struct {
		p      kalam.Principal
		name   string
		intent access.Intent
		user   kalam.UserID // Of the scope.
		err    string       // "" for none.
		code   kalam.Code
	}{
		{user, "mine", access.Read, "ann", "", 0},
		{user, "app.mine", access.Insert, "ann", "", 0},
		{user, "app.user.mine", access.Read, "ann", "", 0},
		{user, "app.user.events", access.Read, "ann", "", 0},
		{user, "app.user.public", access.Read, "", "The '.user.' qualifier is only valid for USER tables",
			kalam.CodeInvalidOperation},
		{user, "app.other.mine", access.Read, "", "relation 'app.other.mine' does not exist", kalam.CodeTableNotFound},
		{user, "a.b.c.d", access.Read, "", "relation 'a.b.c.d' does not exist", kalam.CodeTableNotFound},
		{anonymous, "mine", access.Read, "", "relation 'app.mine' does not exist", kalam.CodeTableNotFound},
		{anonymous, "public", access.Read, "", "", 0},
		{user, "public", access.Insert, "", "role user cannot write table 'app.public'", kalam.CodePermissionDenied},
		{service, "public", access.Insert, "", "", 0},
		{service, "public", access.WriteAs, "",
			"EXECUTE AS USER is not allowed on SHARED tables (table 'app.public')." +
				" AS USER impersonation is only supported for USER and STREAM tables.", kalam.CodeInvalidOperation},
		{service, "mine", access.WriteAs, "ann", "", 0},
		{service, "admins", access.Read, "", "relation 'app.admins' does not exist", kalam.CodeTableNotFound},
		{service, "absent", access.Read, "", "relation 'app.absent' does not exist", kalam.CodeTableNotFound},
		{service, "admins", access.Drop, "", "relation 'app.admins' does not exist", kalam.CodeTableNotFound},
		{dba, "admins", access.Update, "", "", 0},
		{user, "mine", access.Maintain, "", "role user cannot run storage maintenance", kalam.CodePermissionDenied},
		{user, "absent", access.Maintain, "", "role user cannot run storage maintenance", kalam.CodePermissionDenied},
		{service, "mine", access.Maintain, "ann", "", 0},
		{user, "mine", access.Follow, "ann", "", 0},
		{dba, "public", access.Follow, "", "Live query subscriptions not supported on shared tables",
			kalam.CodeUnsupported},
		{dba, "system.jobs", access.Follow, "", "Live query subscriptions not supported on system tables",
			kalam.CodeUnsupported},
		{user, "system.jobs", access.Read, "", "", 0},
		{user, "system.users", access.Read, "", "Permission denied: system.users is for the roles dba and system",
			kalam.CodePermissionDenied},
		{user, "system.users", access.See, "", "Permission denied: system.users is for the roles dba and system",
			kalam.CodePermissionDenied},
		{user, "system.users", access.Serve, "", "", 0},
		{dba, "system.users", access.Read, "", "", 0},
		{user, "system.users", access.Insert, "", "role user cannot manage users", kalam.CodePermissionDenied},
		{service, "system.users", access.Update, "", "role service cannot manage users", kalam.CodePermissionDenied},
		{anonymous, "system.users", access.Delete, "", "role anonymous cannot manage users", kalam.CodePermissionDenied},
		{dba, "system.users", access.Insert, "", "", 0},
		{dba, "system.users", access.Update, "", "", 0},
		{dba, "system.users", access.Delete, "", "", 0},
		{service, "system.storages", access.Delete, "", "role service cannot manage storages", kalam.CodePermissionDenied},
		{dba, "system.storages", access.Insert, "", "Cannot insert system table 'system.storages'",
			kalam.CodeInvalidOperation},
		{dba, "system.jobs", access.Delete, "", "Cannot delete system table 'system.jobs'", kalam.CodeInvalidOperation},
		{dba, "information_schema.users", access.Insert, "", "Cannot insert system table 'information_schema.users'",
			kalam.CodeInvalidOperation},
		{dba, "system.users", access.Truncate, "", "Cannot truncate system table 'system.users'",
			kalam.CodeInvalidOperation},
		{dba, "system.users", access.Drop, "", "relation 'system.users' does not exist", kalam.CodeTableNotFound},
		{dba, "system.absent", access.Read, "", "relation 'system.absent' does not exist", kalam.CodeTableNotFound},
		{dba, "system.storage_locations", access.Read, "",
			"relation 'system.storage_locations' does not exist; use system.storages", kalam.CodeTableNotFound},
	} {
		name := ast.Name{Parts: strings.Split(tt.name, "."), Pos: 6}
		a, err := r.Resolve(tt.p, "app", name, tt.intent)
		if tt.err == "" {
			if err != nil || a.Scope.User != tt.user || string(a.Table.ID.Name) != name.Parts[len(name.Parts)-1] ||
				!a.Table.IsComputed() && a.Scope.Table != a.Table.Number {
				t.Errorf("%s %s as %s: %+v, %v", tt.intent, tt.name, tt.p.Role, a, err)
			}
			continue
		}
		if a.Table != nil || err == nil || err.Error() != tt.err || kalam.CodeOf(err) != tt.code {
			t.Errorf("%s %s as %s: table %v, error %v", tt.intent, tt.name, tt.p.Role, a.Table, err)
		}
	}
	shared := newResolver(t, access.Options{FollowShared: true})
	if _, err := shared.Resolve(anonymous, "app", ast.Name{Parts: []string{"public"}}, access.Follow); err != nil {
		t.Errorf("follow a shared table where it is allowed: %v", err)
	}
}

// TestVisible is what each role learns from lists.
func TestVisible(t *testing.T) {
	r := newResolver(t, access.Options{})
	for _, tt := range []struct {
		role       kalam.Role
		tables     string
		computed   string
		namespaces string
	}{
		{kalam.RoleAnonymous, "public", "jobs", "app:1 default:0"},
		{kalam.RoleUser, "events mine public", "jobs", "app:3 default:0"},
		{kalam.RoleService, "events mine public", "jobs", "app:3 default:0"},
		{kalam.RoleDBA, "admins events mine public", "jobs users", "app:4 default:0"},
	} {
		p := kalam.Principal{User: "ann", Role: tt.role}
		names := func(list []*kalam.Table) string {
			var out []string
			for _, t := range list {
				out = append(out, string(t.ID.Name))
			}
			return strings.Join(out, " ")
		}
		var spaces []string
		for _, ns := range r.Namespaces(p) {
			spaces = append(spaces, string(ns.ID)+":"+string(rune('0'+ns.TableCount)))
			if !r.SeesNamespace(p, ns.ID) {
				t.Errorf("%s is listed for %s but not seen", ns.ID, tt.role)
			}
		}
		slices.Sort(spaces)
		got := []string{names(r.Tables(p)), names(r.Computed(p)), strings.Join(spaces, " ")}
		if diff := cmp.Diff([]string{tt.tables, tt.computed, tt.namespaces}, got); diff != "" {
			t.Errorf("as %s: %s", tt.role, diff)
		}
		if r.SeesNamespace(p, "absent") {
			t.Errorf("%s sees a namespace that does not exist", tt.role)
		}
	}
}
