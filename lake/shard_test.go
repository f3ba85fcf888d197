package lake_test

import (
	"fmt"
	"path"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/lake"
)

// shardOf returns the shard of user by a strategy, "" for none.
func shardOf(t interface{ Fatal(...any) }, l *lake.Lake, strategy string, user kalam.UserID) string {
	table := notes()
	table.Options.ShardStrategy = strategy
	_, folder, err := l.Folder("", table, user)
	if err != nil {
		t.Fatal(err)
	}
	if base := path.Base(folder); base != "notes" {
		return base
	}
	return ""
}

func TestShards(t *testing.T) {
	b := newBed(t, lake.Options{HashShards: 8})
	for _, c := range []struct {
		strategy string
		user     kalam.UserID
		want     string
	}{
		{"", "alice", ""},
		{"alphabetic", "alice", "shard-a"}, {"alphabetic", "Alice", "shard-a"}, {"alphabetic", "Zoe", "shard-z"},
		{"alphabetic", "1", "shard-z"}, {"alphabetic", "_a", "shard-z"}, {"alphabetic", "é", "shard-z"}, {"alphabetic", "[", "shard-z"}, {"alphabetic", "@", "shard-z"},
		{"numeric", "user12", "shard-1"}, {"numeric", "0", "shard-0"}, {"numeric", "alice", "shard-9"}, {"numeric", "٣", "shard-9"},
		{"hash", "alice", "shard-0007"}, {"hash", "bob", "shard-0004"},
		{"default", "bob", "shard-b"},
	} {
		if got := shardOf(t, b.lake, c.strategy, c.user); got != c.want {
			t.Errorf("shard of %q by %q is %q, want %q", c.user, c.strategy, got, c.want)
		}
	}
	shared := notes()
	shared.Kind = kalam.KindSharedTable
	shared.Options.ShardStrategy = "hash"
	if _, folder, err := b.lake.Folder("", shared, ""); err != nil || folder != "shared/app/notes" {
		t.Errorf("folder of a sharded SHARED table = %q, %v", folder, err)
	}
	if got := b.lake.Strategies(); !slices.Equal(got, []string{"alphabetic", "hash", "numeric"}) {
		t.Errorf("Strategies() = %v", got)
	}
	for _, name := range []string{"", "default", "hash"} {
		if err := b.lake.CheckStrategy(name); err != nil {
			t.Errorf("CheckStrategy(%q) = %v", name, err)
		}
	}
	wantCode(t, "CheckStrategy", b.lake.CheckStrategy("zodiac"), kalam.CodeInvalidInput, "Unknown shard strategy 'zodiac'")
}

// TestShardsSpread checks that a strategy stays within its count and uses it.
func TestShardsSpread(t *testing.T) {
	b := newBed(t, lake.Options{})
	for strategy, count := range map[string]int{"hash": lake.DefaultHashShards, "numeric": 10, "alphabetic": 26} {
		seen := map[string]int{}
		for i := range 10000 {
			seen[shardOf(t, b.lake, strategy, kalam.UserID(fmt.Sprintf("%c%d", 'a'+i%26, i*7919)))]++
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
	b, again := newBed(t, lake.Options{}), newBed(t, lake.Options{})
	rapid.Check(t, func(t *rapid.T) {
		user := userIDs().Draw(t, "user")
		for _, strategy := range b.lake.Strategies() {
			if one, two := shardOf(t, b.lake, strategy, user), shardOf(t, again.lake, strategy, user); one != two || one == "" {
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
	o := lake.Options{DefaultStrategy: "one", Strategies: map[string]lake.Sharder{
		"one": fixed("shard-1"), "empty": fixed(""), "up": fixed(".."), "slash": fixed("a/b"), "device": fixed("NUL"), "dot": fixed("a.b"), "underscore": fixed("a_b"),
	}}
	b := newBed(t, o)
	if got := shardOf(t, b.lake, "default", "alice"); got != "shard-1" {
		t.Errorf("the default strategy gives %q", got)
	}
	for _, name := range []string{"empty", "up", "slash", "device", "dot", "underscore"} {
		table := notes()
		table.Options.ShardStrategy = name
		_, _, err := b.lake.Folder("", table, "alice")
		wantCode(t, "folder by strategy "+name, err, kalam.CodeInternal, name)
	}
	for _, o := range []lake.Options{
		{DefaultStrategy: "zodiac"}, {DefaultStrategy: "default"}, {HashShards: -1}, {HashShards: 10001},
		{Strategies: map[string]lake.Sharder{"none": nil}}, {Strategies: map[string]lake.Sharder{"": fixed("a")}},
		{Strategies: map[string]lake.Sharder{"default": fixed("a")}},
	} {
		if _, err := lake.New(o); kalam.CodeOf(err) != kalam.CodeInvalidInput {
			t.Errorf("New(%+v) = %v, want InvalidInput", o, err)
		}
	}
}
