package access_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/access"
	"github.com/kalamlake/kalam/buffer/memory"
	"github.com/kalamlake/kalam/catalog"
	"github.com/kalamlake/kalam/catalog/rights"
)

// widened is what a principal of role user may do with a private table by the privileges above: y for may.
const widened = `
          none S I U D SI SU SD UD SIUD
see       -    y y y y y  y  y  y  y
read      -    y - - - y  y  y  -  y
serve     -    y - - - y  y  y  -  y
follow    -    y - - - y  y  y  -  y
insert    -    - y - - y  -  -  -  y
update    -    - - - - -  y  -  -  y
delete    -    - - - - -  -  y  -  y
truncate  -    - - - - -  -  -  -  -
writeas   -    - - - - -  -  -  -  -
count     -    y - - - y  y  y  -  y
maintain  -    - - - - -  -  -  -  -
alter     -    - - - - -  -  -  -  -
drop      -    - - - - -  -  -  -  -
share     -    - - - - -  -  -  -  -`

// granting is a catalog of one SHARED table for each access level, and a resolver.
type granting struct {
	*catalog.Catalog
	access *access.Resolver
	tables map[string]*kalam.Table
}

func newGranting(t *testing.T) *granting {
	t.Helper()
	c, err := catalog.Open(t.Context(), memory.New(), catalog.Options{BcryptCost: 4, Rules: access.Rules{}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.CreateNamespace(t.Context(), "app", nil, false); err != nil {
		t.Fatal(err)
	}
	g := &granting{c, access.New(c, access.Options{FollowShared: true}), map[string]*kalam.Table{}}
	for name, spec := range tables {
		if spec.IsComputed() || spec.Kind == 0 || spec.Options.Access == 9 {
			continue
		}
		spec.ID = kalam.TableID{Namespace: "app", Name: kalam.TableName("t_" + name)}
		spec.Columns = []kalam.Column{{Name: "id", Type: kalam.TypeOf(kalam.KindBigInt), NotNull: true}}
		spec.PrimaryKey = []int{0}
		if spec.Kind == kalam.KindStreamTable {
			spec.Options.TTL = 1e9
		}
		if g.tables[name], err = c.CreateTable(t.Context(), root, spec); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range []kalam.UserID{"u", "v"} {
		if _, err := c.CreateUser(t.Context(), root, catalog.NewUser{ID: id, Role: kalam.RoleUser, AuthType: catalog.AuthInternal}); err != nil {
			t.Fatal(err)
		}
	}
	return g
}

func (g *granting) change(t *testing.T, on rights.Object, to rights.Grantee, grant, revoke rights.Privileges) {
	t.Helper()
	err := g.ChangeRights(t.Context(), on, []rights.Grantee{to}, func(*kalam.Table) error { return nil },
		func(e *rights.Edit) error {
			e.Revoke(on, to, revoke)
			if grant != 0 {
				e.Grant(on, to, grant, "root")
			}
			return nil
		})
	if err != nil {
		t.Fatal(err)
	}
}

func privilegesOf(letters string) (p rights.Privileges) {
	for letter, one := range map[string]rights.Privileges{"S": rights.Select, "I": rights.Insert, "U": rights.Update,
		"D": rights.Delete} {
		if strings.Contains(letters, letter) && letters != "none" {
			p |= one
		}
	}
	return p
}

// TestGrantRules compares every cell of what grants add with what is written above: for each set of privileges, on the
// table or its namespace, to a user or a role, for principals that are meant and others, for every class of tables.
func TestGrantRules(t *testing.T) {
	g := newGranting(t)
	before := access.New(nil, access.Options{FollowShared: true}) // Knows no grants.
	lines := strings.Split(strings.Trim(widened, "\n"), "\n")
	if len(lines) != len(intents)+1 {
		t.Fatalf("%d intents", len(lines)-1)
	}
	sets, cells := strings.Fields(lines[0]), 0
	for _, to := range []rights.Grantee{{User: "u"}, {Role: kalam.RoleUser}, {Role: kalam.RoleService}} {
		for _, byNamespace := range []bool{false, true} {
			for column, letters := range sets {
				for class, table := range g.tables {
					on := rights.Object{Table: table.Number}
					if byNamespace {
						on = rights.Object{Namespace: "app"}
					}
					g.change(t, on, to, privilegesOf(letters), rights.All)
					for _, line := range lines[1:] {
						fields := strings.Fields(line)
						for _, p := range []kalam.Principal{{User: "u", Role: kalam.RoleAnonymous},
							{User: "u", Role: kalam.RoleUser}, {User: "v", Role: kalam.RoleUser},
							{User: "v", Role: kalam.RoleService}, {User: "v", Role: kalam.RoleDBA},
							{User: "u", Role: kalam.RoleSystem + 1}} {
							cells++
							want := before.May(p, table, intents[fields[0]]) == nil
							meant := p.Role >= kalam.RoleUser && p.Role <= kalam.RoleSystem &&
								(to.User == p.User || to.User == "" && p.Role >= to.Role)
							reads := before.May(p, table, access.Read) == nil // So that UPDATE alone is enough.
							cell := fields[column+1] == "y" || reads && fields[0] == "update" && strings.Contains(letters, "U") ||
								reads && fields[0] == "delete" && strings.Contains(letters, "D")
							want = want || table.IsShared() && meant && cell
							if got := g.access.May(p, table, intents[fields[0]]) == nil; got != want {
								t.Errorf("%s on %s (namespace: %t) to %s: %s %s may %s: %t", letters, class, byNamespace, to,
									p.Role, p.User, fields[0], got)
							}
						}
					}
					g.change(t, on, to, 0, rights.All)
				}
			}
		}
	}
	if cells < 30_000 {
		t.Errorf("only %d cells", cells)
	}
	if n := len(g.Rights().Grants()); n != 0 {
		t.Errorf("%d grants are left", n)
	}
}

// TestGrantsEnd drops what grants are on and to, and looks for what is left.
func TestGrantsEnd(t *testing.T) {
	g := newGranting(t)
	private, dba := g.tables["private"], g.tables["dba"]
	left := func() string {
		var out []string
		for _, x := range g.Rights().Grants() {
			out = append(out, fmt.Sprintf("%v %s", x.Object, x.Grantee))
		}
		return strings.Join(out, ", ")
	}
	u, v := rights.Grantee{User: "u"}, rights.Grantee{User: "v"}
	g.change(t, rights.Object{Table: private.Number}, u, rights.Select, 0)
	g.change(t, rights.Object{Table: dba.Number}, u, rights.Select, 0)
	g.change(t, rights.Object{Table: private.Number}, v, rights.Select, 0)
	g.change(t, rights.Object{Namespace: "app"}, u, rights.All, 0)
	renamed := *private
	renamed.ID.Name = "renamed"
	table, err := g.AlterTable(t.Context(), renamed, "RENAME")
	if err != nil {
		t.Fatal(err)
	}
	if err := g.access.May(kalam.Principal{User: "v", Role: kalam.RoleUser}, table, access.Read); err != nil {
		t.Errorf("after a rename: %v", err)
	}
	if _, err := g.DropUser(t.Context(), root, "v"); err != nil {
		t.Fatal(err)
	}
	if _, err := g.DropTable(t.Context(), dba.ID); err != nil {
		t.Fatal(err)
	}
	if got, want := left(), fmt.Sprintf("%v %s, %v %s", rights.Object{Namespace: "app"}, u, rights.Object{Table: private.Number}, u); got != want {
		t.Errorf("left are %s, want %s", got, want)
	}
	if _, err := g.RestoreUser(t.Context(), root, "v"); err != nil {
		t.Fatal(err)
	}
	if err := g.access.May(kalam.Principal{User: "v", Role: kalam.RoleUser}, table, access.Read); err == nil {
		t.Error("a restored user has its grants again")
	}
	if _, err := g.DropNamespace(t.Context(), "app", true); err != nil {
		t.Fatal(err)
	}
	if got := left(); got != "" {
		t.Errorf("left are %s", got)
	}
	err = g.ChangeRights(t.Context(), rights.Object{Table: private.Number}, nil, func(*kalam.Table) error { return nil },
		func(*rights.Edit) error { return nil })
	if kalam.CodeOf(err) != kalam.CodeTableNotFound {
		t.Errorf("of a dropped table: %v", err)
	}
}
