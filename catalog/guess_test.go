package catalog_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer/memory"
	"github.com/kalamlake/kalam/catalog"
)

// attempt logs in and renders what came of it.
func attempt(t *testing.T, c *catalog.Catalog, id kalam.UserID, password string, from catalog.Origin) string {
	t.Helper()
	_, err := c.Login(t.Context(), id, password, from)
	var locked *catalog.LockedError
	switch {
	case errors.As(err, &locked):
		if kalam.CodeOf(err) != kalam.CodeUnauthenticated ||
			!strings.HasPrefix(err.Error(), "Account locked. Try again in ") {
			t.Errorf("locked: %v", err)
		}
		return fmt.Sprintf("locked %s", locked.Left)
	case errors.Is(err, catalog.ErrInvalidCredentials):
		return "wrong"
	case err != nil:
		t.Errorf("login of %s: %v", id, err)
	}
	return "in"
}

// lockOf uses up the attempts of a name from an address.
func lockOf(t *testing.T, c *catalog.Catalog, id kalam.UserID, from catalog.Origin) {
	t.Helper()
	for i := range catalog.MaxFailedLogins {
		if got := attempt(t, c, id, "wrong", from); got != "wrong" {
			t.Fatalf("attempt %d of %s from %s: %s", i, id, from.Addr, got)
		}
	}
}

// stranger is one of many addresses.
func stranger(n int) catalog.Origin {
	return catalog.Origin{Addr: netip.AddrFrom4([4]byte{10, 0, byte(n >> 8), byte(n)})}
}

// TestLockout runs one history of guesses for names of every sort: texts, times and
// states are the same, and the lock grows with repetition.
func TestLockout(t *testing.T) {
	b := newFaulty()
	clk := newClock()
	c := open(t, b, catalog.Options{Now: clk.now})
	createUser(t, c, catalog.NewUser{ID: "ann", Password: "right one"})
	createUser(t, c, catalog.NewUser{ID: "none"})
	createUser(t, c, catalog.NewUser{ID: "gone", Password: "right one"})
	_, err := c.DropUser(t.Context(), system, "gone")
	check(t, err)
	writes := b.count()
	script := func(id kalam.UserID) (log []string) {
		try := func(password string) { log = append(log, attempt(t, c, id, password, home)) }
		for range catalog.MaxFailedLogins {
			try("wrong")
		}
		try("wrong")
		try("guess")
		clk.add(30 * time.Second)
		try("wrong")
		clk.add(catalog.LockTime - 31*time.Second)
		try("wrong")
		clk.add(time.Second)
		for range catalog.MaxFailedLogins - 1 { // The count starts anew.
			try("wrong")
		}
		clk.add(time.Hour) // Time alone forgives nothing.
		try("wrong")
		try("wrong")
		for range 6 { // Each lock is twice as long, up to the longest.
			clk.add(catalog.MaxLockTime)
			for range catalog.MaxFailedLogins {
				clk.add(catalog.LockTime) // No delay of strangers is in the way.
				try("wrong")
			}
			try("wrong")
		}
		// A day after the lock it is as if nothing had been.
		clk.add(catalog.MaxLockTime + 24*time.Hour)
		for range catalog.MaxFailedLogins {
			try("wrong")
		}
		try("wrong")
		return log
	}
	ann := script("ann")
	for _, id := range []kalam.UserID{"nobody", "none", "gone", "system"} {
		if got := script(id); strings.Join(got, "\n") != strings.Join(ann, "\n") {
			t.Errorf("%s and a user differ:\n%s\n---\n%s", id, strings.Join(got, "\n"), strings.Join(ann, "\n"))
		}
	}
	want := strings.Fields("wrong wrong wrong wrong wrong")
	want = append(want, "locked 15m0s", "locked 15m0s", "locked 14m30s", "locked 1s", "wrong", "wrong", "wrong",
		"wrong", "wrong", "locked 30m0s")
	for _, left := range []string{"1h0m0s", "2h0m0s", "4h0m0s", "4h0m0s", "4h0m0s", "4h0m0s", "15m0s"} {
		want = append(append(want, strings.Fields("wrong wrong wrong wrong wrong")...), "locked "+left)
	}
	if strings.Join(ann, ",") != strings.Join(want, ",") {
		t.Errorf("history\n%s\nwant\n%s", strings.Join(ann, "\n"), strings.Join(want, "\n"))
	}
	if n := b.count() - writes; n != 0 {
		t.Errorf("%d writes", n)
	}
}

// TestLockoutIsOfAnAddress checks that whoever guesses locks themselves only, that the
// right password does not help while a name is locked, and what ends a lock.
func TestLockoutIsOfAnAddress(t *testing.T) {
	clk, b := newClock(), memory.New()
	c := open(t, b, catalog.Options{Now: clk.now})
	createUser(t, c, catalog.NewUser{ID: "ann", Password: "right one"})
	createUser(t, c, catalog.NewUser{ID: "bob", Password: "right one"})
	lockOf(t, c, "ann", away)
	steps := []struct {
		name     string
		id       kalam.UserID
		password string
		from     catalog.Origin
		want     string
	}{
		{"the right password from there", "ann", "right one", away, "locked 15m0s"},
		{"from elsewhere", "ann", "right one", home, "in"},
		{"another user from there", "bob", "right one", away, "in"},
		{"still locked", "ann", "right one", away, "locked 15m0s"},
	}
	for _, s := range steps {
		if got := attempt(t, c, s.id, s.password, s.from); got != s.want {
			t.Errorf("%s: %s, want %s", s.name, got, s.want)
		}
	}
	if g := c.Guesses()["ann"]; g.Failed != catalog.MaxFailedLogins ||
		!g.LockedUntil.Equal(clk.now().Add(catalog.LockTime)) {
		t.Errorf("guesses %+v", g)
	}
	if _, ok := c.Guesses()["bob"]; ok {
		t.Error("bob has failures")
	}

	// A login resets the count.
	for range catalog.MaxFailedLogins - 1 {
		attempt(t, c, "ann", "wrong", home)
	}
	if got := attempt(t, c, "ann", "right one", home); got != "in" {
		t.Errorf("right password: %s", got)
	}
	lockOf(t, c, "ann", home)

	// The time ends a lock.
	clk.add(catalog.LockTime)
	if got := attempt(t, c, "ann", "right one", away); got != "in" {
		t.Errorf("after the lock: %s", got)
	}
	if g := c.Guesses()["ann"]; g.Failed != catalog.MaxFailedLogins || !g.LockedUntil.IsZero() {
		t.Errorf("guesses %+v", g)
	}

	// A new password does at once, once it is durable.
	lockOf(t, c, "ann", away)
	password := "another one"
	_, err := c.AlterUser(t.Context(), dba, "ann", catalog.UserChange{Password: &password})
	check(t, err)
	if got := attempt(t, c, "ann", password, away); got != "in" {
		t.Errorf("new password: %s", got)
	}

	// A restart ends it, for users and for names that are none.
	lockOf(t, c, "ann", away)
	lockOf(t, c, "nobody", away)
	again := open(t, b.Clone(), catalog.Options{Now: clk.now})
	for _, id := range []kalam.UserID{"ann", "nobody"} {
		if got := attempt(t, again, id, "wrong", away); got != "wrong" {
			t.Errorf("%s after a restart: %s", id, got)
		}
	}
}

// TestGuessingFromManyAddresses guesses one name from ever new addresses: they are
// slowed down more and more, and whoever logged in before is not.
func TestGuessingFromManyAddresses(t *testing.T) {
	for _, id := range []kalam.UserID{"ann", "nobody"} {
		t.Run(string(id), func(t *testing.T) {
			clk := newClock()
			c := open(t, memory.New(), catalog.Options{Now: clk.now})
			createUser(t, c, catalog.NewUser{ID: "ann", Password: "right one"})
			if got := attempt(t, c, "ann", "right one", home); got != "in" {
				t.Fatal(got)
			}
			next := 0
			try := func() string {
				next++
				return attempt(t, c, id, "wrong", stranger(next))
			}
			for range 20 {
				if got := try(); got != "wrong" {
					t.Fatalf("guess %d: %s", next, got)
				}
			}
			for delay := time.Second; delay < catalog.LockTime; delay *= 2 {
				if got, want := try(), "locked "+delay.String(); got != want {
					t.Errorf("guess %d: %s, want %s", next, got, want)
				}
				clk.add(delay)
				if got := try(); got != "wrong" {
					t.Errorf("guess %d after %s: %s", next, delay, got)
				}
			}
			if got := try(); got != "locked 15m0s" {
				t.Errorf("guess %d: %s", next, got)
			}
			if id != "ann" {
				return
			}
			if got := attempt(t, c, "ann", "right one", home); got != "in" {
				t.Errorf("from an address that logged in before: %s", got)
			}
			if got := attempt(t, c, "ann", "right one", away); got != "locked 15m0s" {
				t.Errorf("from another: %s", got)
			}
			if g := c.Guesses()["ann"]; g.Failed != 30 || !g.LockedUntil.Equal(clk.now().Add(catalog.LockTime)) {
				t.Errorf("guesses %+v", g)
			}
			// Mistyping at home locks home alone.
			lockOf(t, c, "ann", home)
			if got := attempt(t, c, "ann", "right one", home); got != "locked 15m0s" {
				t.Errorf("at home: %s", got)
			}
			clk.add(catalog.LockTime)
			if got := attempt(t, c, "ann", "right one", away); got != "in" {
				t.Errorf("after the delay: %s", got)
			}
		})
	}
}

// TestRootIsNotLockedAtHome guesses root on the server's own machine and elsewhere.
func TestRootIsNotLockedAtHome(t *testing.T) {
	c := open(t, memory.New(), catalog.Options{Now: newClock().now, RootPassword: "root password"})
	local := catalog.Origin{Addr: netip.MustParseAddr("127.0.0.1"), Local: true}
	proxied := catalog.Origin{Addr: local.Addr}
	for range 40 {
		if got := attempt(t, c, "root", "wrong", local); got != "wrong" {
			t.Fatal(got)
		}
	}
	for n := range 20 {
		attempt(t, c, "root", "wrong", stranger(n))
	}
	lockOf(t, c, "ann", local)
	steps := []struct {
		id   kalam.UserID
		from catalog.Origin
		want string
	}{{"root", local, "in"}, {"root", stranger(100), "locked 1s"}, {"ann", local, "locked 15m0s"}}
	for _, s := range steps {
		if got := attempt(t, c, s.id, "root password", s.from); got != s.want {
			t.Errorf("%s from %s: %s, want %s", s.id, s.from.Addr, got, s.want)
		}
	}
	lockOf(t, c, "root", proxied) // Through a proxy on this machine it is anybody.
	if got := attempt(t, c, "root", "root password", proxied); got != "locked 15m0s" {
		t.Errorf("root through a proxy: %s", got)
	}
}
