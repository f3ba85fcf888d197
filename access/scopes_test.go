package access_test

import (
	"slices"
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/access"
	"github.com/kalamlake/kalam/catalog"
	"github.com/kalamlake/kalam/dialect/ast"
)

// TestScopes asks, for every intent and table, what restrictions leave of what role system may.
func TestScopes(t *testing.T) {
	r := newResolver(t, access.Options{FollowShared: true})
	full := kalam.Principal{User: "chief", Role: kalam.RoleSystem}
	reading := []string{"see", "read", "serve", "follow", "count"}
	for _, tt := range []struct {
		restriction kalam.Restriction
		tables      []string // Of which something is left.
		readOnly    bool
	}{
		{"", []string{"app.mine", "app.events", "app.public", "app.admins", "system.users", "system.jobs"}, false},
		{"read only", []string{"app.mine", "app.events", "app.public", "app.admins", "system.users", "system.jobs"}, true},
		{"namespace app", []string{"app.mine", "app.events", "app.public", "app.admins"}, false},
		{"table app.mine", []string{"app.mine"}, false},
		{"read only, namespace other, table app.public", []string{"app.public"}, true},
		{"delegated, table system.jobs", []string{"system.jobs"}, false},
	} {
		p := full
		p.Restriction = tt.restriction
		for _, table := range []string{"app.mine", "app.events", "app.public", "app.admins", "system.users", "system.jobs"} {
			for name, intent := range intents {
				id, err := kalam.ParseTableID(table, "")
				if err != nil {
					t.Fatal(err)
				}
				n := ast.Name{Parts: []string{string(id.Namespace), string(id.Name)}}
				_, without := r.Resolve(full, "app", n, intent)
				_, with := r.Resolve(p, "app", n, intent)
				left := slices.Contains(tt.tables, table) && !(tt.readOnly && !slices.Contains(reading, name)) ||
					id.Namespace == access.System && intent == access.Serve
				if intent == access.Maintain && tt.restriction != "" || intent == access.Follow && id.Namespace == access.System {
					left = false // A power stands before them, of which restrictions leave less.
				}
				if intent == access.Share && tt.restriction != "" {
					left = false // Who has a part of the rights gives none on.
				}
				if with == nil && (without != nil || !left) {
					t.Errorf("%q: %s %s is left", tt.restriction, name, table)
				}
				if with != nil && without == nil && left {
					t.Errorf("%q: %s %s: %v", tt.restriction, name, table, with)
				}
			}
		}
	}
}

// TestScopesOfPowers asks what restrictions leave of powers, and of what the catalog asks.
func TestScopesOfPowers(t *testing.T) {
	changing := []access.Power{access.CreateNamespaces, access.ManageUsers, access.RunMaintenance, access.FlushAll, access.MakeBackups,
		access.ManageStorages, access.KillJobs, access.ClearCaches, access.KillLive, access.KillQueries, access.EndOwn, access.MintTokens,
		access.GrantOnNamespaces}
	reading := []access.Power{access.SeeJobs, access.SeeStorages, access.SeeLive, access.SeeQueries, access.SeeFaults, access.Inspect,
		access.ExportData, access.SeeKeys}
	for _, restriction := range []kalam.Restriction{"read only", "namespace app", "read only, table a.b"} {
		p := kalam.Principal{User: "chief", Role: kalam.RoleSystem, Restriction: restriction}
		for _, power := range changing {
			if access.Has(p, power) || kalam.CodeOf(access.Check(p, power)) != kalam.CodePermissionDenied {
				t.Errorf("%q leaves power %d", restriction, power)
			}
		}
		for _, power := range reading {
			if access.Has(p, power) != (restriction == "read only") {
				t.Errorf("%q: power %d is %v", restriction, power, access.Has(p, power))
			}
		}
		var rules access.Rules
		for name, err := range map[string]error{
			"ManageUsers": rules.ManageUsers(p), "ManageUser": rules.ManageUser(p, kalam.RoleUser), "Grant": rules.Grant(p, kalam.RoleUser),
			"ManageKeys":            rules.ManageKeys(p, "chief", kalam.RoleSystem),
			"CreateTable elsewhere": rules.CreateTable(p, kalam.KindUserTable, catalog.Namespace{ID: "other"}),
		} {
			if kalam.CodeOf(err) != kalam.CodePermissionDenied {
				t.Errorf("%q: %s: %v", restriction, name, err)
			}
		}
		if err := rules.CreateTable(p, kalam.KindUserTable, catalog.Namespace{ID: "app"}); (err == nil) != (restriction == "namespace app") {
			t.Errorf("%q: CreateTable: %v", restriction, err)
		}
		if as, ok := access.ActFor(p, "ann", kalam.RoleUser); !ok || as.Restriction != restriction {
			t.Errorf("%q is lost by acting for another: %+v", restriction, as)
		}
	}
}
