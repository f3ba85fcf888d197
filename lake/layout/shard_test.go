package layout_test

import (
	"fmt"
	"path"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/lake/layout"
)

// shardOf returns the shard of user by a strategy, "" for none.
func shardOf(t interface{ Fatal(...any) }, f folders, strategy string, user kalam.UserID) string {
	table := notes()
	table.Options.ShardStrategy = strategy
	folder, err := f.folder(table, user)
	if err != nil {
		t.Fatal(err)
	}
	if base := path.Base(folder); base != "notes" {
		return base
	}
	return ""
}

func TestShards(t *testing.T) {
	f := newFolders(t, "", newStrategies(t, 8))
	for _, c := range []struct {
		strategy string
		user     kalam.UserID
		want     string
	}{
		{"", "alice", ""},
		{"alphabetic", "alice", "shard-a"}, {"alphabetic", "Alice", "shard-a"}, {"alphabetic", "Zoe", "shard-z"},
		{"alphabetic", "1", "shard-z"}, {"alphabetic", "_a", "shard-z"}, {"alphabetic", "é", "shard-z"},
		{"alphabetic", "[", "shard-z"}, {"alphabetic", "@", "shard-z"},
		{"numeric", "user12", "shard-1"}, {"numeric", "0", "shard-0"}, {"numeric", "alice", "shard-9"},
		{"numeric", "٣", "shard-9"},
		{"hash", "alice", "shard-0007"}, {"hash", "bob", "shard-0004"},
		{"default", "bob", "shard-b"},
	} {
		if got := shardOf(t, f, c.strategy, c.user); got != c.want {
			t.Errorf("shard of %q by %q is %q, want %q", c.user, c.strategy, got, c.want)
		}
	}
	shared := notes()
	shared.Kind = kalam.KindSharedTable
	shared.Options.ShardStrategy = "hash"
	if folder, err := f.folder(shared, ""); err != nil || folder != "shared/app/notes" {
		t.Errorf("folder of a sharded SHARED table = %q, %v", folder, err)
	}
	if got := f.Names(); !slices.Equal(got, []string{"alphabetic", "hash", "numeric"}) {
		t.Errorf("Names() = %v", got)
	}
	for _, name := range []string{"", "default", "hash"} {
		if _, err := f.Find(name); err != nil {
			t.Errorf("Find(%q) = %v", name, err)
		}
	}
	_, err := f.Find("zodiac")
	wantCode(t, "Find", err, kalam.CodeInvalidInput, "Unknown shard strategy 'zodiac'")
}

// TestShardsSpread checks that a strategy stays within its count and uses it.
func TestShardsSpread(t *testing.T) {
	f := newFolders(t, "", newStrategies(t, 0))
	for strategy, count := range map[string]int{"hash": layout.DefaultHashShards, "numeric": 10, "alphabetic": 26} {
		seen := map[string]int{}
		for i := range 10000 {
			seen[shardOf(t, f, strategy, kalam.UserID(fmt.Sprintf("%c%d", 'a'+i%26, i*7919)))]++
		}
		if len(seen) > count || len(seen) < count-1 {
			t.Errorf("%s uses %d of %d shards", strategy, len(seen), count)
		}
		if strategy == "hash" {
			for shard, n := range seen {
				if n < 10000/count*8/10 || n > 10000/count*12/10 {
					t.Errorf("%s has %d of 10000 users", shard, n)
				}
			}
		}
	}
}

func TestShardsStayPut(t *testing.T) {
	f, again := newFolders(t, "", newStrategies(t, 0)), newFolders(t, "", newStrategies(t, 0))
	rapid.Check(t, func(t *rapid.T) {
		user := userIDs().Draw(t, "user")
		for _, strategy := range f.Names() {
			if one, two := shardOf(t, f, strategy, user), shardOf(t, again, strategy, user); one != two || one == "" {
				t.Errorf("shard of %q by %s is %q and %q", user, strategy, one, two)
			}
		}
	})
}

// fixed is a strategy that always answers the same.
type fixed string

func (f fixed) Shard(string) string { return string(f) }
func (f fixed) Count() int          { return 1 }

func TestOwnStrategies(t *testing.T) {
	own, err := layout.NewStrategies(map[string]layout.Sharder{
		"one":        fixed("shard-1"),
		"empty":      fixed(""),
		"up":         fixed(".."),
		"slash":      fixed("a/b"),
		"device":     fixed("NUL"),
		"dot":        fixed("a.b"),
		"underscore": fixed("a_b"),
	}, "one", 0)
	if err != nil {
		t.Fatal(err)
	}
	f := newFolders(t, "", own)
	if got := shardOf(t, f, "default", "alice"); got != "shard-1" {
		t.Errorf("the default strategy gives %q", got)
	}
	for _, name := range []string{"empty", "up", "slash", "device", "dot", "underscore"} {
		table := notes()
		table.Options.ShardStrategy = name
		_, err := f.folder(table, "alice")
		wantCode(t, "folder by strategy "+name, err, kalam.CodeInternal, name)
	}
	for _, c := range []struct {
		own      map[string]layout.Sharder
		standard string
		shards   int
	}{
		{nil, "zodiac", 0},
		{nil, "default", 0},
		{nil, "", -1},
		{nil, "", 10001},
		{map[string]layout.Sharder{"none": nil}, "", 0},
		{map[string]layout.Sharder{"": fixed("a")}, "", 0},
		{map[string]layout.Sharder{"default": fixed("a")}, "", 0},
	} {
		if _, err := layout.NewStrategies(c.own, c.standard, c.shards); kalam.CodeOf(err) != kalam.CodeInvalidInput {
			t.Errorf("NewStrategies(%v) = %v, want InvalidInput", c, err)
		}
	}
}
