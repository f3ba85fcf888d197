package access_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/access"
	"github.com/kalamlake/kalam/catalog"
)

// roles are the columns of a cell: anonymous, user, service, dba, system.
var roles = []kalam.Role{kalam.RoleAnonymous, kalam.RoleUser, kalam.RoleService, kalam.RoleDBA, kalam.RoleSystem}

// classes are the columns of the tables below.
const classes = "user   stream public private restricted dba    open   closed level9 nokind"

// whatever is what each role may do with tables, whoever created them: y for may, - for may not.
const whatever = `
see       -yyyy  -yyyy  yyyyy  --yyy   --yyy      ---yy  yyyyy  ---yy  ---yy  ---yy
read      -yyyy  -yyyy  yyyyy  --yyy   --yyy      ---yy  yyyyy  ---yy  -----  -----
serve     -yyyy  -yyyy  yyyyy  --yyy   --yyy      ---yy  yyyyy  yyyyy  -----  -----
follow    -yyyy  -yyyy  yyyyy  --yyy   --yyy      ---yy  -----  -----  -----  -----
insert    -yyyy  -yyyy  --yyy  --yyy   --yyy      ---yy  -----  -----  -----  -----
update    -yyyy  -yyyy  --yyy  --yyy   --yyy      ---yy  -----  -----  -----  -----
delete    -yyyy  -yyyy  --yyy  --yyy   --yyy      ---yy  -----  -----  -----  -----
truncate  -yyyy  -yyyy  --yyy  --yyy   --yyy      ---yy  -----  -----  -----  -----
writeas   -yyyy  -yyyy  -----  -----   -----      -----  -----  -----  -----  -----
count     ---yy  ---yy  yyyyy  --yyy   --yyy      ---yy  -----  -----  -----  -----
maintain  --yyy  --yyy  --yyy  --yyy   --yyy      ---yy  -----  -----  -----  -----`

// others is the rest for tables that another user created.
const others = `
alter     --yyy  --yyy  --yyy  --yyy   --yyy      ---yy  -----  -----  -----  -----
drop      ---yy  ---yy  ---yy  ---yy   ---yy      ---yy  -----  -----  -----  -----
share     -----  -----  ---yy  ---yy   ---yy      ---yy  -----  -----  -----  -----`

// own is the rest for tables that the principal created, in the namespace of their own name.
const own = `
alter     -yyyy  -yyyy  --yyy  --yyy   --yyy      ---yy  -----  -----  -----  -----
drop      -yyyy  -yyyy  -yyyy  -yyyy   -yyyy      -yyyy  -----  -----  -----  -----
share     -----  -----  --yyy  --yyy   --yyy      ---yy  -----  -----  -----  -----`

// ownElsewhere is the rest for tables that the principal created in another namespace.
const ownElsewhere = `
alter     -yyyy  -yyyy  --yyy  --yyy   --yyy      ---yy  -----  -----  -----  -----
drop      ---yy  ---yy  ---yy  ---yy   ---yy      ---yy  -----  -----  -----  -----
share     -----  -----  --yyy  --yyy   --yyy      ---yy  -----  -----  -----  -----`

// intents are all but Create, which TestCreate is about.
var intents = map[string]access.Intent{
	"see": access.See, "read": access.Read, "serve": access.Serve, "follow": access.Follow, "insert": access.Insert,
	"update": access.Update, "delete": access.Delete, "truncate": access.Truncate, "writeas": access.WriteAs,
	"count":    access.Count,
	"maintain": access.Maintain, "alter": access.Alter, "drop": access.Drop, "share": access.Share,
}

// tables are the columns.
var tables = map[string]kalam.Table{
	"user":       {Kind: kalam.KindUserTable},
	"stream":     {Kind: kalam.KindStreamTable},
	"public":     {Kind: kalam.KindSharedTable, Options: kalam.TableOptions{Access: kalam.AccessPublic}},
	"private":    {Kind: kalam.KindSharedTable, Options: kalam.TableOptions{Access: kalam.AccessPrivate}},
	"restricted": {Kind: kalam.KindSharedTable, Options: kalam.TableOptions{Access: kalam.AccessRestricted}},
	"dba":        {Kind: kalam.KindSharedTable, Options: kalam.TableOptions{Access: kalam.AccessDBA}},
	"open":       {Kind: kalam.KindSystemTable, Options: kalam.TableOptions{Access: kalam.AccessPublic}},
	"closed":     {Kind: kalam.KindSystemTable, Options: kalam.TableOptions{Access: kalam.AccessPrivate}},
	"level9":     {Kind: kalam.KindSharedTable, Options: kalam.TableOptions{Access: 9}},
	"nokind":     {Options: kalam.TableOptions{Access: kalam.AccessPublic}},
}

// TestRules compares every cell of the rules with what is written above.
func TestRules(t *testing.T) {
	r := access.New(nil, access.Options{FollowShared: true})
	columns := strings.Fields(classes)
	for _, set := range []struct {
		name, rest string
		namespace  kalam.NamespaceID
		creator    kalam.UserID
	}{
		{"of another", others, "app", "v"},
		{"of another in the own namespace", others, "u", "v"},
		{"of an unknown creator in the own namespace", others, "u", ""},
		{"own", own, "u", "u"},
		{"own elsewhere", ownElsewhere, "app", "u"},
	} {
		lines := strings.Split(strings.TrimSpace(whatever)+set.rest, "\n")
		if len(lines) != len(intents) || len(columns) != len(tables) {
			t.Fatalf("%s: %d rows of %d cells", set.name, len(lines), len(columns))
		}
		for _, line := range lines {
			fields := strings.Fields(line)
			intent, ok := intents[fields[0]]
			if !ok || len(fields) != len(columns)+1 {
				t.Fatalf("row %s", line)
			}
			for i, cell := range fields[1:] {
				table := tables[columns[i]]
				table.ID, table.Creator = kalam.TableID{Namespace: set.namespace, Name: "t"}, set.creator
				checkCell(t, fmt.Sprintf("%s %s %s", fields[0], columns[i], set.name), cell,
					func(p kalam.Principal) error {
						return r.May(p, &table, intent)
					})
			}
		}
	}
}

// checkCell compares what each role may with a cell.
func checkCell(t *testing.T, name, cell string, may func(kalam.Principal) error) {
	t.Helper()
	if len(cell) != len(roles) {
		t.Fatalf("%s: cell %q", name, cell)
	}
	for i, role := range roles {
		err := may(kalam.Principal{User: "u", Role: role})
		if (err == nil) != (cell[i] == 'y') {
			t.Errorf("%s as %s: %v", name, role, err)
		}
		code := kalam.CodeOf(err)
		if err != nil && code != kalam.CodePermissionDenied && code != kalam.CodeInvalidOperation {
			t.Errorf("%s as %s: code %d of %v", name, role, code, err)
		}
	}
	if err := may(kalam.Principal{User: "u", Role: kalam.RoleSystem + 1}); err == nil {
		t.Errorf("%s: a role that does not exist may", name)
	}
}

// TestCreate is who may create a table, by the namespace.
func TestCreate(t *testing.T) {
	option := func(v kalam.Value) map[string]kalam.Value { return map[string]kalam.Value{catalog.OptionUserTables: v} }
	spaces := map[string]catalog.Namespace{
		"plain":   {ID: "app"},
		"open":    {ID: "app", Options: option(kalam.Bool(true))},
		"shut":    {ID: "app", Options: option(kalam.Bool(false))},
		"text":    {ID: "app", Options: option(kalam.Text("true"))},
		"own":     {ID: "u"},
		"default": {ID: "default"},
	}
	for _, line := range strings.Split(strings.TrimSpace(`
kind    plain  open   shut   text   own    default
user    --yyy  -yyyy  --yyy  --yyy  -yyyy  --yyy
stream  --yyy  -yyyy  --yyy  --yyy  -yyyy  --yyy
shared  --yyy  --yyy  --yyy  --yyy  --yyy  --yyy
system  -----  -----  -----  -----  -----  -----
nokind  -----  -----  -----  -----  -----  -----`), "\n")[1:] {
		fields := strings.Fields(line)
		kind := map[string]kalam.TableKind{
			"user": kalam.KindUserTable, "stream": kalam.KindStreamTable, "shared": kalam.KindSharedTable,
			"system": kalam.KindSystemTable,
		}[fields[0]]
		for i, name := range []string{"plain", "open", "shut", "text", "own", "default"} {
			checkCell(t, "create "+fields[0]+" in "+name, fields[i+1], func(p kalam.Principal) error {
				return access.Rules{}.CreateTable(p, kind, spaces[name])
			})
		}
	}
	named := kalam.Principal{User: "default", Role: kalam.RoleUser}
	if err := (access.Rules{}).CreateTable(named, kalam.KindUserTable, catalog.Namespace{ID: "default"}); err == nil {
		t.Error("the user named default owns the namespace default")
	}
}

// TestPowers is who has which power over the server and its users.
func TestPowers(t *testing.T) {
	power := func(want access.Power) func(kalam.Principal) error {
		return func(p kalam.Principal) error {
			if err := access.Check(p, want); (err == nil) != access.Has(p, want) {
				return fmt.Errorf("Has says %t, Check %w", access.Has(p, want), err)
			}
			return access.Check(p, want)
		}
	}
	grant := func(role kalam.Role) func(kalam.Principal) error {
		return func(p kalam.Principal) error { return access.Rules{}.Grant(p, role) }
	}
	manage := func(role kalam.Role) func(kalam.Principal) error {
		return func(p kalam.Principal) error { return access.Rules{}.ManageUser(p, role) }
	}
	actFor := func(user kalam.UserID, rank kalam.Role) func(kalam.Principal) error {
		return func(p kalam.Principal) error {
			as, ok := access.ActFor(p, user, rank)
			if ok && as == (kalam.Principal{User: user, Role: kalam.RoleUser}) {
				return nil
			}
			return kalam.Errorf(kalam.CodePermissionDenied, "acts as %v", as)
		}
	}
	for _, tt := range []struct {
		name string
		may  func(kalam.Principal) error
		want string
	}{
		{"create namespaces", power(access.CreateNamespaces), "---yy"},
		{"alter namespaces", power(access.AlterNamespaces), "---yy"},
		{"drop namespaces", power(access.DropNamespaces), "---yy"},
		{"manage users", power(access.ManageUsers), "---yy"},
		{"manage users, as the catalog asks", access.Rules{}.ManageUsers, "---yy"},
		{"maintain single tables", power(access.RunMaintenance), "--yyy"},
		{"flush all", power(access.FlushAll), "---yy"},
		{"compact all", power(access.CompactAll), "---yy"},
		{"check storages", power(access.CheckStorages), "---yy"},
		{"make backups", power(access.MakeBackups), "---yy"},
		{"kill jobs", power(access.KillJobs), "---yy"},
		{"clear caches", power(access.ClearCaches), "---yy"},
		{"see jobs", power(access.SeeJobs), "---yy"},
		{"see storages", power(access.SeeStorages), "---yy"},
		{"see live queries", power(access.SeeLive), "---yy"},
		{"kill live queries", power(access.KillLive), "---yy"},
		{"see queries", power(access.SeeQueries), "---yy"},
		{"kill queries", power(access.KillQueries), "---yy"},
		{"see faults", power(access.SeeFaults), "---yy"},
		{"inspect", power(access.Inspect), "---yy"},
		{"create any number of tables", power(access.Unlimited), "--yyy"},
		{"grant on namespaces", power(access.GrantOnNamespaces), "---yy"},
		{"grant user", grant(kalam.RoleUser), "---yy"},
		{"grant service", grant(kalam.RoleService), "---yy"},
		{"grant dba", grant(kalam.RoleDBA), "---yy"},
		{"grant system", grant(kalam.RoleSystem), "----y"},
		{"manage a user", manage(kalam.RoleUser), "---yy"},
		{"manage a service", manage(kalam.RoleService), "---yy"},
		{"manage a dba", manage(kalam.RoleDBA), "---yy"},
		{"manage a system user", manage(kalam.RoleSystem), "----y"},
		{"act for a user", actFor("v", kalam.RoleUser), "--yyy"},
		{"act for a service", actFor("v", kalam.RoleService), "--yyy"},
		{"act for a dba", actFor("v", kalam.RoleDBA), "---yy"},
		{"act for a system user", actFor("v", kalam.RoleSystem), "----y"},
	} {
		checkCell(t, tt.name, tt.want, tt.may)
	}
	for _, role := range roles { // Everybody acts for themselves, whatever the rank, and then as a plain user.
		if err := actFor("u", kalam.RoleSystem)(kalam.Principal{User: "u", Role: role}); err != nil {
			t.Errorf("%s for themselves: %v", role, err)
		}
	}
}

// TestDefaultKind is the kind of CREATE TABLE without one.
func TestDefaultKind(t *testing.T) {
	for _, ns := range []kalam.NamespaceID{"app", "u"} {
		for i, role := range roles {
			want := kalam.KindSharedTable
			if ns == "u" && i < 3 {
				want = kalam.KindUserTable
			}
			if got := access.DefaultKind(kalam.Principal{User: "u", Role: role}, ns); got != want {
				t.Errorf("%s in %s: %s", role, ns, got)
			}
		}
	}
}
