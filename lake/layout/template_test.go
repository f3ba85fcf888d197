package layout_test

import (
	"fmt"
	"path"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/lake/layout"
)

const goodUser, goodShared = layout.DefaultUserTemplate, layout.DefaultSharedTemplate

// templatePairs are pairs of templates with a part of their error, "" for none.
var templatePairs = []struct{ user, shared, want string }{
	{"{userId}/{namespace}/{tableName}/{color}", goodShared, "Unknown template variable '{color}'"},
	{"{userId}/{namespace}/{tableName}/{}", goodShared, "Unknown template variable '{}'"},
	{"{userId}/{namespace}/{tableName}/{seq}", goodShared, "Unknown template variable '{seq}'"},
	{"{userId}/{namespace}/{tableName}/{{shard}}", goodShared, "Unknown template variable '{{shard}'"},
	{goodUser, "{namespace}/{tableName}/{userId}", "Unknown template variable '{userId}'"},
	{"{userId}/{namespace}/{tableName", goodShared, "'{' without '}'"},
	{"{userId}/{namespace}/{tableName}}", goodShared, "character '}'"},
	{"{namespace}/{tableName}", goodShared, "lacks {userId}"},
	{"{userId}/{tableName}", goodShared, "lacks {namespace}"},
	{"{userId}/{namespace}", goodShared, "lacks {tableName}"},
	{goodUser, "{tableName}", "lacks {namespace}"},
	{goodUser, "x/{namespace}", "lacks {tableName}"},
	{"{userId}/{tableName}/{namespace}", goodShared, "must have {namespace} before {tableName}"},
	{"{userId}/{namespace}/{shard}/{tableName}", goodShared, "must have {tableName} before {shard}"},
	{goodUser, "shared/{tableName}/{namespace}", "must have {namespace} before {tableName}"},
	{"{userId}/{namespace}/{namespace}/{tableName}", goodShared, "has {namespace} twice"},
	{"{userId}/{user_id}/{namespace}/{tableName}", goodShared, "has {userId} twice"},
	{"x/{storageLocation}/{userId}/{namespace}/{tableName}", goodShared, "must begin with {storageLocation}"},
	{"{storageLocation}x/{userId}/{namespace}/{tableName}", goodShared, "must begin with {storageLocation}"},
	{"{userId}{namespace}/{tableName}", goodShared, "before {namespace}"},
	{"{userId}-{namespace}/{tableName}", goodShared, "before {namespace}"},
	{"{userId}_{namespace}/{tableName}", goodShared, "before {namespace}"},
	{"{userId}x{namespace}/{tableName}", goodShared, "before {namespace}"},
	{"{userId}/{namespace}/{tableName}.{shard}", goodShared, "must stand alone"},
	{"../{userId}/{namespace}/{tableName}", goodShared, "ends in '.'"},
	{"x/../{userId}/{namespace}/{tableName}", goodShared, "ends in '.'"},
	{"{userId}/{namespace}/{tableName}.", goodShared, "ends in '.'"},
	{`x\{userId}/{namespace}/{tableName}`, goodShared, `character '\\'`},
	{"c:/{userId}/{namespace}/{tableName}", goodShared, "character ':'"},
	{"a b/{userId}/{namespace}/{tableName}", goodShared, "character ' '"},
	{"a\x00/{userId}/{namespace}/{tableName}", goodShared, `character '\x00'`},
	{"é/{userId}/{namespace}/{tableName}", goodShared, "cannot be in a path"},
	{"nul/{userId}/{namespace}/{tableName}", goodShared, "reserved on Windows"},
	{"CON/{userId}/{namespace}/{tableName}", goodShared, "reserved on Windows"},
	{"con.d/{userId}/{namespace}/{tableName}", goodShared, "reserved on Windows"},
	{"Com1.{userId}/{namespace}/{tableName}", goodShared, "reserved on Windows"},
	{"{userId}.{namespace}/{tableName}", goodShared, "257 bytes long (maximum 255)"},
	{strings.Repeat("x", 256) + "/{userId}/{namespace}/{tableName}", goodShared, "256 bytes long (maximum 255)"},
	{"{userId}/{namespace}/{tableName}/" + strings.Repeat("x/", 250), goodShared, "maximum 512"},
	// A user table and a shared table in one folder.
	{"{userId}/{namespace}/{tableName}", "x/{namespace}/{tableName}", ""},
	{"{userId}/{namespace}/{tableName}", "shared/x/{namespace}/{tableName}", ""},
	{"{namespace}/{tableName}/{userId}", "{namespace}/{tableName}/shared", ""},
	{"{namespace}/{userId}/{tableName}", "{namespace}/x/{tableName}", ""},
	{"x/{userId}/{namespace}/{tableName}", "X/{namespace}/{tableName}", ""},
	{"{userId}/{namespace}/{tableName}", "{namespace}/{tableName}/x",
		"can give a user table and a shared table the same folder"},
	{"users/{userId}/{namespace}/{tableName}", "users/{namespace}/{tableName}/y", "the same folder"},
	{"users/{userId}/{namespace}/{tableName}", "USERS/{namespace}/{tableName}/y", "the same folder"},
	{"{userId}/{namespace}/{tableName}", "{namespace}/{tableName}/{shard}", "the same folder"},
	{"{userId}/{namespace}/{tableName}/{shard}", "x/{namespace}/y/{tableName}", "the same folder"},
	{"{userId}.d/{namespace}/{tableName}", "{namespace}/x/{tableName}", "the same folder"},
}

func TestTemplatesThatAreRefused(t *testing.T) {
	for _, c := range templatePairs {
		err := layout.CheckTemplates(c.user, c.shared)
		if c.want == "" {
			if err != nil {
				t.Errorf("CheckTemplates(%q, %q) = %v", c.user, c.shared, err)
			}
			continue
		}
		wantCode(t, fmt.Sprintf("CheckTemplates(%.60q, %.60q)", c.user, c.shared), err, kalam.CodeInvalidInput, c.want)
	}
}

func TestFolder(t *testing.T) {
	strategies := newStrategies(t, 0)
	sharded := notes()
	sharded.Options.ShardStrategy = layout.ShardAlphabetic
	device := notes()
	device.ID = kalam.TableID{Namespace: "com", Name: "on"}
	for _, c := range []struct {
		template string
		table    *kalam.Table
		user     kalam.UserID
		want     string
	}{
		{"", notes(), "alice", "users/alice/app/notes"},
		{"", sharded, "alice", "users/alice/app/notes/shard-a"},
		{"{namespace}/{tableName}/{userId}", notes(), "user_1", "app/notes/user__1"},
		{"{namespace}/{table_name}/{USER-ID}", notes(), "alice", "app/notes/alice"},
		{"{namespace_id}/{tableId}/{shard_id}/{user_id}", sharded, "zoe", "app/notes/shard-z/zoe"},
		{"{namespaceId}/{tablename}/{shard}/{userid}", notes(), "zoe", "app/notes/zoe"},
		{"{storageLocation}/v1/{userId}/{namespace}.{tableName}/d", notes(), "alice", "v1/alice/app.notes/d"},
		{"/x//./{userId}/{namespace}/{tableName}/", notes(), "alice", "x/alice/app/notes"},
		{"{userId}/{namespace}/{tableName}/s-{shard}.d", sharded, "alice", "alice/app/notes/s-shard-a.d"},
		{"{userId}/{namespace}/{tableName}/s-{shard}.d", notes(), "alice", "alice/app/notes"},
		{"{userId}/{namespace}a.b{tableName}", notes(), "alice", "alice/appa.bnotes"},
		// Literals and variables that give a device name only together.
		{"{userId}1/{namespace}1/c{tableName}", device, "com", "_63om1/_63om1/_63on"},
		{"{userId}/{namespace}7.d/c{tableName}.x", device, "a", "a/_63om7.d/_63on.x"},
		{"{userId}/{namespace}/C{tableName}", device, "a", "a/com/_43on"},
		{"{userId}.d/{namespace}/{tableName}", notes(), "con", "_63on.d/app/notes"},
	} {
		templates, err := layout.ParseTemplates(c.template, "never/{namespace}/never/{tableName}/never")
		if err != nil {
			t.Errorf("%q: %v", c.template, err)
			continue
		}
		got, err := folders{templates, strategies}.folder(c.table, c.user)
		if err != nil || got != c.want {
			t.Errorf("folder of %q = %q, %v; want %q", c.template, got, err, c.want)
			continue
		}
		place, ok := templates.PlaceOf(got)
		if !ok || place.Table != c.table.ID || place.User != c.user || place.Kind != c.table.Kind {
			t.Errorf("%q belongs to %+v, %t", got, place, ok)
		}
	}
}

// templates generates templates of user tables that mostly pass the check.
func templates() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		variables := []string{"{namespace}", "{tableName}"}
		if rapid.Bool().Draw(t, "sharded") {
			variables = append(variables, "{shard}")
		}
		at := rapid.IntRange(0, len(variables)).Draw(t, "userAt")
		variables = append(variables[:at], append([]string{"{userId}"}, variables[at:]...)...)
		literal := rapid.StringMatching(`[a-z0-9_.=@+\-]{0,3}`)
		var b strings.Builder
		for i, v := range variables {
			if i > 0 {
				b.WriteString(rapid.SampledFrom([]string{"/", ".", "=", "/x/", "@c/com"}).Draw(t, "between"))
			}
			b.WriteString(literal.Draw(t, "before"))
			b.WriteString(v)
			b.WriteString(literal.Draw(t, "after"))
		}
		return b.String()
	})
}

// TestTemplatesAreInjective renders two scopes by one template: only equal ones
// may have equal folders, also where case is folded.
func TestTemplatesAreInjective(t *testing.T) {
	strategies := newStrategies(t, 0)
	identifiers := rapid.OneOf(rapid.SampledFrom([]string{"a", "aa", "con", "com", "om1", "on", "n", "x_", "a_b"}),
		rapid.StringMatching(`[a-z][a-z0-9_]{0,4}`))
	accepted := 0
	rapid.Check(t, func(t *rapid.T) {
		template := templates().Draw(t, "template")
		parsed, err := layout.ParseTemplates(template, "1/2/3/4/5/6/7/8/9/{namespace}/{tableName}")
		if err != nil {
			t.Skip(err)
		}
		accepted++
		type scope struct {
			ns, name, strategy string
			user               kalam.UserID
		}
		draw := func(which string) (scope, string) {
			s := scope{
				identifiers.Draw(t, which+" namespace"), identifiers.Draw(t, which+" table"),
				rapid.SampledFrom([]string{"", layout.ShardHash, layout.ShardNumeric}).Draw(t, which+" strategy"),
				userIDs().Draw(t, which+" user"),
			}
			table := notes()
			table.ID = kalam.TableID{Namespace: kalam.NamespaceID(s.ns), Name: kalam.TableName(s.name)}
			table.Options.ShardStrategy = s.strategy
			folder, err := folders{parsed, strategies}.folder(table, s.user)
			if err != nil {
				t.Fatalf("folder of %+v by %q: %v", s, template, err)
			}
			for _, e := range strings.Split(folder, "/") {
				if isDevice(e) || len(e) > 255 || strings.HasSuffix(e, ".") {
					t.Fatalf("folder of %+v by %q = %q", s, template, folder)
				}
			}
			if path.Clean(folder) != folder || strings.HasPrefix(folder+"/", "../") {
				t.Fatalf("folder of %+v by %q = %q", s, template, folder)
			}
			s.strategy = ""
			return s, folder
		}
		one, f1 := draw("first")
		two, f2 := draw("second")
		if one != two && strings.EqualFold(f1, f2) {
			t.Fatalf("%+v and %+v have the folder %q by %q", one, two, f1, template)
		}
	})
	if accepted == 0 {
		t.Error("no template was accepted")
	}
}

func FuzzTemplate(f *testing.F) {
	f.Add(goodUser, goodShared, "alice")
	f.Add("{userId}.{shard}/{namespace}/{tableName}", "x/{namespace}/{tableName}", "con")
	f.Add("{storageLocation}/c{userId}/{namespace}=/{tableName}", "{namespace}/{tableName}", "on")
	f.Fuzz(func(t *testing.T, user, shared, id string) {
		owner, err := kalam.ParseUserID(id)
		if err != nil || layout.CheckTemplates(user, shared) != nil {
			return
		}
		templates, err := layout.ParseTemplates(user, shared)
		if err != nil {
			t.Fatal(err)
		}
		all := notes()
		all.Kind = kalam.KindSharedTable
		var got [2]string
		for i, table := range []*kalam.Table{notes(), all} {
			if got[i], err = templates.Folder(table, owner, ""); err != nil {
				t.Fatal(err)
			}
			if err := layout.CheckPath(got[i]); err != nil {
				t.Error(err)
			}
		}
		if strings.EqualFold(got[0], got[1]) {
			t.Errorf("%q and %q give one folder: %q", user, shared, got[0])
		}
	})
}
