package identity

import (
	"crypto/rand"
	"crypto/sha256"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

const (
	// maxUsedRefreshes and maxEndedFamilies are how many are remembered; the oldest
	// are forgotten first.
	maxUsedRefreshes = 65536
	maxEndedFamilies = 16384
	// retryTime is how long after its use a refresh token that comes again is taken
	// for a client that lost the answer, or a second tab, and not for a thief.
	retryTime = 10 * time.Second
)

// families are the tokens that descend from one login each. A refresh token is good
// for one use; one that comes again later was copied, and since nobody can tell by whom,
// the whole family ends. It is kept in memory: a refresh needs no room on the disk, and a
// restart forgets what was used. It is safe for concurrent use.
type families struct {
	mu    sync.Mutex                                   // guards the fields below
	used  *simplelru.LRU[[sha256.Size]byte, time.Time] // Refresh tokens, by their digest.
	ended *simplelru.LRU[string, struct{}]             // By claims.Family.
}

func newFamilies() *families {
	used, err := simplelru.NewLRU[[sha256.Size]byte, time.Time](maxUsedRefreshes, nil)
	if err != nil {
		panic(err) // It refuses sizes below 1 only.
	}
	ended, err := simplelru.NewLRU[string, struct{}](maxEndedFamilies, nil)
	if err != nil {
		panic(err)
	}
	return &families{used: used, ended: ended}
}

// newFamily returns a name that no other login has.
func newFamily() string { return rand.Text() }

// isEnded reports whether a family has ended.
func (f *families) isEnded(family string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ended.Contains(family)
}

// use takes a valid refresh token for its one use. When it was used before it is
// refused; stolen says that this ended its family.
func (f *families) use(text, family string, now time.Time) (ok, stolen bool) {
	digest := sha256.Sum256([]byte(text))
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended.Contains(family) {
		return false, false
	}
	at, again := f.used.Peek(digest)
	if !again {
		f.used.Add(digest, now)
		return true, false
	}
	if now.Sub(at) <= retryTime {
		return false, false
	}
	if family != "" { // A token of a version without families.
		f.ended.Add(family, struct{}{})
	}
	return false, true
}
