package catalog

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer/buffertest"
	"github.com/kalamlake/kalam/buffer/memory"
)

// TestOldLocks opens a store of record version 2, which held the locks of users and a
// count of failed logins of names that are none: neither locks anybody.
func TestOldLocks(t *testing.T) {
	ctx, b := t.Context(), memory.New()
	c, err := Open(ctx, b, Options{BcryptCost: 4, RootPassword: "root password"})
	if err != nil {
		t.Fatal(err)
	}
	root, _ := c.User(RootUser)
	r := recordOfUser(&root)
	r.FailedLogins, r.LockedUntil, r.LastLogin = MaxFailedLogins, time.Now().Add(time.Hour),
		time.Now().UTC().Truncate(time.Microsecond)
	for key, record := range map[string]any{userKey(RootUser): r, "login/unknown": map[string]int{"failed": 7}} {
		raw, err := encodeRecord(key, record)
		if err != nil {
			t.Fatal(err)
		}
		if err := buffertest.Put(ctx, b, Keyspace, []byte(key), raw); err != nil {
			t.Fatal(err)
		}
	}
	again, err := Open(ctx, b, Options{BcryptCost: 4})
	if err != nil {
		t.Fatal(err)
	}
	if u, _ := again.User(RootUser); !u.LastLogin.Equal(r.LastLogin) {
		t.Errorf("user %+v", u)
	}
	if u, err := again.Login(ctx, RootUser, "root password", Origin{}); err != nil || u.ID != RootUser {
		t.Errorf("login: %+v, %v", u, err)
	}
}

// TestGuessesAreBounded fails for more names and addresses than are remembered: what
// came first is forgotten, the addresses that a user logged in from are not.
func TestGuessesAreBounded(t *testing.T) {
	g, now := newGuesses(), time.Now()
	from := func(n int) Origin {
		return Origin{Addr: netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)})}
	}
	for n := range maxKnownAddresses + 1 {
		if err := g.succeeded("ann", from(n), now); err != nil {
			t.Fatal(err)
		}
	}
	for n := range maxGuessPairs + 100 {
		if err := g.failed(kalam.UserID(fmt.Sprint("n", n)), from(n), now); err != nil {
			t.Fatal(err)
		}
	}
	for n := range maxStrangerFailures {
		if err := g.failed("ann", from(1000+n), now); err != nil {
			t.Fatal(err)
		}
	}
	if g.pairs.Len() != maxGuessPairs || g.names.Len() != maxGuessNames || len(g.byName(now)) > maxGuessPairs+1 {
		t.Errorf("%d pairs, %d names", g.pairs.Len(), g.names.Len())
	}
	if _, ok := g.byName(now)["n0"]; ok {
		t.Error("the first name is remembered")
	}
	for n, want := range []bool{maxKnownAddresses: true, 0: false, 1: true} {
		if n > 1 && n < maxKnownAddresses {
			continue
		}
		if err := g.admit("ann", from(n), now); (err == nil) != want {
			t.Errorf("address %d: %v", n, err)
		}
	}
	if len(g.byName(now.Add(guessMemory+LockTime))) != 0 {
		t.Error("failures are remembered for ever")
	}
}
