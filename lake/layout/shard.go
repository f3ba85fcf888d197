package layout

import (
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strings"

	"github.com/kalamlake/kalam"
)

// Sharder spreads the users of a table over directories. The same key must give
// the same shard for ever; a shard is 1 to 64 bytes of
// [A-Za-z0-9-], no device name of Windows, and no two differ in case only.
type Sharder interface {
	// Shard returns the name of the shard of key (a user id).
	Shard(key string) string
	// Count returns how many different names Shard can return.
	Count() int
}

// Names of the strategies that always exist.
const (
	ShardAlphabetic = "alphabetic" // shard-a to shard-z by the first letter; anything else is z.
	ShardNumeric    = "numeric"    // shard-0 to shard-9 by the first digit in the id; 9 without one.
	ShardHash       = "hash"       // shard-0000 and up, by a hash of the whole id.
	// ShardDefault names the server's default strategy in SHARD_STRATEGY.
	ShardDefault = "default"
)

// DefaultHashShards is the number of shards of ShardHash unless told otherwise.
const DefaultHashShards = 16

// maxHashShards keeps shard names at four digits.
const maxHashShards = 10000

type alphabeticSharder struct{}

func (alphabeticSharder) Shard(key string) string {
	letter := byte('z')
	if key != "" {
		if c := key[0] | 0x20; c >= 'a' && c <= 'z' {
			letter = c
		}
	}
	return "shard-" + string(rune(letter))
}

func (alphabeticSharder) Count() int { return 26 }

type numericSharder struct{}

func (numericSharder) Shard(key string) string {
	if i := strings.IndexAny(key, "0123456789"); i >= 0 {
		return "shard-" + key[i:i+1]
	}
	return "shard-9"
}

func (numericSharder) Count() int { return 10 }

type hashSharder int

func (n hashSharder) Shard(key string) string {
	h := fnv.New64a()
	h.Write([]byte(key)) // never fails
	return fmt.Sprintf("shard-%04d", h.Sum64()%uint64(n))
}

func (n hashSharder) Count() int { return int(n) }

// Strategies are sharders by name.
type Strategies struct {
	byName map[string]Sharder
	def    string
}

// NewStrategies returns the built-in strategies and own ones. standard is what
// ShardDefault means, "" is ShardAlphabetic; shards is the number of those of ShardHash, 0
// is DefaultHashShards. The error has CodeInvalidInput.
func NewStrategies(own map[string]Sharder, standard string, shards int) (Strategies, error) {
	if shards == 0 {
		shards = DefaultHashShards
	}
	if shards < 1 || shards > maxHashShards {
		return Strategies{}, kalam.Errorf(kalam.CodeInvalidInput,
			"the number of hash shards is %d (expected 1 to %d)", shards, maxHashShards)
	}
	s := Strategies{def: standard, byName: map[string]Sharder{
		ShardAlphabetic: alphabeticSharder{}, ShardNumeric: numericSharder{}, ShardHash: hashSharder(shards),
	}}
	for name, sharder := range own {
		if name == "" || name == ShardDefault || sharder == nil {
			return Strategies{}, kalam.Errorf(kalam.CodeInvalidInput,
				"shard strategy '%s' has no name of its own or no code", name)
		}
		s.byName[name] = sharder
	}
	if s.def == "" {
		s.def = ShardAlphabetic
	}
	_, err := s.Find(s.def)
	return s, err
}

// Find returns the strategy of a table whose SHARD_STRATEGY is name, nil for a
// table without one.
func (s Strategies) Find(name string) (Sharder, error) {
	if name == "" {
		return nil, nil
	}
	if name == ShardDefault {
		name = s.def
	}
	sharder, ok := s.byName[name]
	if !ok {
		return nil, kalam.Errorf(kalam.CodeInvalidInput, "Unknown shard strategy '%s'", name)
	}
	return sharder, nil
}

// Names returns the registered names in order.
func (s Strategies) Names() []string { return slices.Sorted(maps.Keys(s.byName)) }

// ShardOf returns the shard of user in t, "" when t has no strategy or no users.
func (s Strategies) ShardOf(t *kalam.Table, user kalam.UserID) (string, error) {
	sharder, err := s.Find(t.Options.ShardStrategy)
	if err != nil || sharder == nil || !t.HasScopePerUser() {
		return "", err
	}
	shard := sharder.Shard(string(user))
	if !isShardName(shard) {
		return "", kalam.Errorf(kalam.CodeInternal, "shard strategy '%s' gave the name %q", t.Options.ShardStrategy,
			shard)
	}
	return shard, nil
}

func isShardName(s string) bool {
	for i := 0; i < len(s); i++ {
		if !isTemplateLiteral(s[i]) || s[i] == '_' || strings.IndexByte(separators, s[i]) >= 0 {
			return false
		}
	}
	return s != "" && len(s) <= 64 && !isDeviceName(strings.ToLower(s))
}
