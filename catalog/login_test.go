package catalog_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer/memory"
	"github.com/kalamlake/kalam/catalog"
)

func TestLogin(t *testing.T) {
	clk := newClock()
	c := open(t, memory.New(), catalog.Options{Now: clk.now, RootPassword: "root password"})
	ctx := t.Context()
	long := strings.Repeat("p", 72)
	createUser(t, c, catalog.NewUser{ID: "ann", Password: "right one"})
	createUser(t, c, catalog.NewUser{ID: "none"})
	createUser(t, c, catalog.NewUser{ID: "long", Password: long})
	createUser(t, c, catalog.NewUser{ID: "in", Password: "right one", AuthType: catalog.AuthInternal})
	createUser(t, c, catalog.NewUser{ID: "auth", AuthType: catalog.AuthOAuth,
		AuthData: catalog.NewSecret(`{"provider":"p","subject":"s"}`)})
	tests := []struct {
		name     string
		id       kalam.UserID
		password string
		ok       bool
	}{
		{"right one", "ann", "right one", true},
		{"wrong", "ann", "wrong", false},
		{"empty", "ann", "", false},
		{"case", "ann", "Right", false},
		{"other case of the id", "Ann", "right one", false},
		{"unknown", "nobody", "right one", false},
		{"no password set", "none", "", false},
		{"no password set, guess", "none", "x", false},
		{"72 bytes", "long", long, true},
		{"what bcrypt would ignore", "long", long + "x", false},
		{"internal with password", "in", "right one", true},
		{"oauth", "auth", "", false},
		{"root", "root", "root password", true},
		{"system", "system", "", false},
		{"system, guess", "system", "system", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			clk.add(time.Second)
			u, err := c.Login(ctx, tt.id, tt.password, home)
			if !tt.ok {
				if !errors.Is(err, catalog.ErrInvalidCredentials) || err.Error() != "Invalid credentials" ||
					u.ID != "" {
					t.Errorf("%+v, %v", u, err)
				}
				return
			}
			if err != nil || u.ID != tt.id || !u.LastLogin.Equal(clk.now()) || !u.LastSeen.Equal(clk.now()) {
				t.Errorf("%+v, %v", u, err)
			}
		})
	}
	canceled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := c.Login(canceled, "ann", "wrong", home); !errors.Is(err, context.Canceled) &&
		!errors.Is(err, catalog.ErrInvalidCredentials) {
		t.Errorf("cancelled login: %v", err)
	}
}

// TestGuessingInParallel checks that attempts at the same time are counted, too.
func TestGuessingInParallel(t *testing.T) {
	clk := newClock()
	c := open(t, memory.New(), catalog.Options{Now: clk.now})
	createUser(t, c, catalog.NewUser{ID: "ann", Password: "right one"})
	for _, id := range []kalam.UserID{"ann", "nobody"} {
		var work sync.WaitGroup
		var wrong atomic.Int32
		for range 60 {
			work.Go(func() {
				if _, err := c.Login(t.Context(), id, "wrong", home); errors.Is(err, catalog.ErrInvalidCredentials) {
					wrong.Add(1)
				}
			})
		}
		work.Wait()
		if n := wrong.Load(); n != catalog.MaxFailedLogins {
			t.Errorf("%d guesses for %s were answered", n, id)
		}
	}
}

// TestUnknownUserCostsTheSame compares the time of a wrong password with that of
// an unknown user, a user without password and one that was dropped. What counts
// is the fastest of each, which other work on the machine only delays.
func TestUnknownUserCostsTheSame(t *testing.T) {
	clk := newClock()
	c := open(t, memory.New(), catalog.Options{Now: clk.now, BcryptCost: 7})
	createUser(t, c, catalog.NewUser{ID: "ann", Password: "right one"})
	createUser(t, c, catalog.NewUser{ID: "none"})
	createUser(t, c, catalog.NewUser{ID: "gone", Password: "right one"})
	_, err := c.DropUser(t.Context(), system, "gone")
	check(t, err)
	ids := []kalam.UserID{"ann", "nobody", "none", "gone", "system"}
	fastest := map[kalam.UserID]time.Duration{}
	odd := ""
	for range 40 {
		for _, id := range ids {
			clk.add(48 * time.Hour) // No lock is in the way.
			start := time.Now()
			if _, err := c.Login(t.Context(), id, "wrong", home); !errors.Is(err, catalog.ErrInvalidCredentials) {
				t.Fatalf("login of %s: %v", id, err)
			}
			if d := time.Since(start); fastest[id] == 0 || d < fastest[id] {
				fastest[id] = d
			}
		}
		odd = ""
		for _, id := range ids {
			if d := fastest[id]; d < fastest["ann"]/2 || d > 2*fastest["ann"] {
				odd += fmt.Sprintf("%s took %s, a wrong password %s; ", id, d, fastest["ann"])
			}
		}
		if odd == "" {
			return
		}
	}
	t.Error(odd)
}

// TestRehash checks that a login brings an old hash to the cost of new ones.
func TestRehash(t *testing.T) {
	b := memory.New()
	old := createUser(t, open(t, b, catalog.Options{BcryptCost: 4}), catalog.NewUser{ID: "ann", Password: "right one"})
	c := open(t, b, catalog.Options{BcryptCost: 5})
	if _, err := c.Login(t.Context(), "ann", "wrong", home); !errors.Is(err, catalog.ErrInvalidCredentials) {
		t.Errorf("wrong password: %v", err)
	}
	if u, _ := c.User("ann"); !u.PasswordHash.Equal(old.PasswordHash) {
		t.Error("a failed login changed the hash")
	}
	u, err := c.Login(t.Context(), "ann", "right one", home)
	check(t, err)
	if cost, err := bcrypt.Cost([]byte(u.PasswordHash.Reveal())); cost != 5 || err != nil ||
		u.TokenEpoch != old.TokenEpoch {
		t.Errorf("cost %d, %v, epoch %d after %d", cost, err, u.TokenEpoch, old.TokenEpoch)
	}
	if _, err := c.Login(t.Context(), "ann", "right one", home); err != nil {
		t.Errorf("login with the new hash: %v", err)
	}
	for _, cost := range []int{-1, 3, 32} {
		_, err := catalog.Open(t.Context(), memory.New(), catalog.Options{BcryptCost: cost})
		refused(t, err, kalam.CodeInvalidInput, fmt.Sprintf("bcrypt cost %d is not between 4 and 31", cost))
	}
}

// TestFloodOfLogins checks that waiting logins are bounded.
func TestFloodOfLogins(t *testing.T) {
	c := open(t, memory.New(), catalog.Options{BcryptCost: 8}) // Slow enough for the others to come.
	var work sync.WaitGroup
	var limited, other atomic.Int32
	for i := range 400 {
		work.Go(func() {
			_, err := c.Login(t.Context(), kalam.UserID(fmt.Sprint("u", i)), "x", home)
			switch {
			case kalam.CodeOf(err) == kalam.CodeRateLimited:
				limited.Add(1)
			case !errors.Is(err, catalog.ErrInvalidCredentials):
				t.Error(err)
			default:
				other.Add(1)
			}
		})
	}
	work.Wait()
	if limited.Load() == 0 || other.Load() < 256 {
		t.Errorf("%d refused, %d served", limited.Load(), other.Load())
	}
	if _, err := c.Login(t.Context(), "later", "x", home); !errors.Is(err, catalog.ErrInvalidCredentials) {
		t.Errorf("after the flood: %v", err)
	}
}

func TestSetup(t *testing.T) {
	b := memory.New()
	c := open(t, b, catalog.Options{})
	ctx := t.Context()
	if !c.NeedsSetup() {
		t.Error("a new catalog needs no setup")
	}
	if _, err := c.Login(ctx, "root", "x", home); !errors.Is(err, catalog.ErrSetupRequired) {
		t.Errorf("login of root: %v", err)
	}
	good := catalog.NewUser{ID: "dana", Password: "good password", Email: "d@e"}
	for name, try := range map[string]struct {
		user catalog.NewUser
		root string
		code kalam.Code
		weak bool
	}{
		"short password": {catalog.NewUser{ID: "dana", Password: "short"}, "good password",
			kalam.CodeInvalidInput, true},
		"common password": {catalog.NewUser{ID: "dana", Password: "PassWord123"}, "good password",
			kalam.CodeInvalidInput, true},
		"short root password": {good, "short", kalam.CodeInvalidInput, true},
		"long root password":  {good, strings.Repeat("x", 73), kalam.CodeInvalidInput, true},
		"bad user": {catalog.NewUser{ID: "a/b", Password: "good password"}, "good password",
			kalam.CodeInvalidInput, false},
		"user exists": {catalog.NewUser{ID: "system", Password: "good password"}, "good password",
			kalam.CodeAlreadyExists, false},
	} {
		_, err := c.Setup(ctx, try.user, try.root)
		if kalam.CodeOf(err) != try.code || errors.Is(err, catalog.ErrWeakPassword) != try.weak ||
			errors.Is(err, catalog.ErrAlreadyConfigured) {
			t.Errorf("%s: %v", name, err)
		}
		if !c.NeedsSetup() || len(c.Users()) != 2 {
			t.Fatalf("%s changed something", name)
		}
	}
	var work sync.WaitGroup
	var won atomic.Int32
	for i := range 4 {
		work.Go(func() {
			n := good
			n.ID = kalam.UserID(fmt.Sprint("dana", i))
			if u, err := c.Setup(ctx, n, "root password"); err == nil {
				won.Add(1)
				if u.Role != kalam.RoleDBA || u.Email != "d@e" {
					t.Errorf("user %+v", u)
				}
			} else if !errors.Is(err, catalog.ErrAlreadyConfigured) {
				t.Error(err)
			}
		})
	}
	work.Wait()
	if won.Load() != 1 || len(c.Users()) != 3 || c.NeedsSetup() {
		t.Errorf("%d setups won, %d users", won.Load(), len(c.Users()))
	}
	if _, err := c.Login(ctx, "root", "root password", home); err != nil {
		t.Errorf("login of root: %v", err)
	}
	again := open(t, b.Clone(), catalog.Options{RootPassword: "another password"}) // Too late.
	if _, err := again.Login(ctx, "root", "root password", home); err != nil || again.NeedsSetup() {
		t.Errorf("login of root after a restart: %v", err)
	}
}

func TestRootPassword(t *testing.T) {
	c := open(t, memory.New(), catalog.Options{RootPassword: "weak"})
	if _, err := c.Login(t.Context(), "root", "weak", home); err != nil || c.NeedsSetup() {
		t.Errorf("login of root: %v", err)
	}
	_, err := catalog.Open(t.Context(), memory.New(), catalog.Options{BcryptCost: cheap,
		RootPassword: strings.Repeat("x", 73)})
	if !errors.Is(err, catalog.ErrWeakPassword) || strings.Contains(err.Error(), "xxx") {
		t.Errorf("open: %v", err)
	}
}

func TestCheckPassword(t *testing.T) {
	tests := []struct {
		password           string
		simple, complexity bool
	}{
		{"", false, false}, {"1234567", false, false}, {"12345678", false, false},
		{"PASSWORD", false, false}, {"Passw0rd", false, false},
		{"eightchr", true, false}, {strings.Repeat("x", 72), true, false},
		{strings.Repeat("x", 73), false, false}, {"éééé", true, false},
		{"Abcdefg1", true, false}, {"abcdefg1!", true, false}, {"ABCDEFG1!", true, false},
		{"Abcdefgh!", true, false}, {"Abcdefg1!", true, true},
		{"Äbcdéfg1 ", true, true},
	}
	for _, tt := range tests {
		for complexity, want := range map[bool]bool{false: tt.simple, true: tt.complexity} {
			err := catalog.CheckPassword(tt.password, complexity)
			if (err == nil) != want {
				t.Errorf("%q, complexity %v: %v", tt.password, complexity, err)
			}
			if err != nil && (kalam.CodeOf(err) != kalam.CodeInvalidInput || !errors.Is(err, catalog.ErrWeakPassword) ||
				tt.password != "" && strings.Contains(err.Error(), tt.password)) {
				t.Errorf("%q: %v", tt.password, err)
			}
		}
	}
	strict := open(t, memory.New(), catalog.Options{Complexity: true})
	_, err := strict.CreateUser(t.Context(), system, catalog.NewUser{ID: "ann", Password: "eightchr"})
	refused(t, err, kalam.CodeInvalidInput, "")
	createUser(t, strict, catalog.NewUser{ID: "ann", Password: "Abcdefg1!"})
	weak := "weak"
	_, err = strict.AlterUser(t.Context(), system, "ann", catalog.UserChange{Password: &weak})
	refused(t, err, kalam.CodeInvalidInput, "")
}
