package catalog

import (
	"container/list"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/kalamlake/kalam"
)

// The lock against guessing: after MaxFailedLogins wrong passwords in a row the
// user cannot log in for LockTime.
const (
	MaxFailedLogins = 5
	LockTime        = 15 * time.Minute
)

// Conditions of Login and Setup that callers tell apart.
var (
	// ErrInvalidCredentials: the user does not exist, has no password, was
	// dropped, or the password is wrong.
	ErrInvalidCredentials error = kalam.Errorf(kalam.CodeUnauthenticated, "Invalid credentials")
	// ErrSetupRequired: root has no password yet.
	ErrSetupRequired error = kalam.Errorf(kalam.CodeUnauthenticated, "Server requires initial setup. The root password is not configured.")
	// ErrAlreadyConfigured: Setup was done before.
	ErrAlreadyConfigured error = kalam.Errorf(kalam.CodeAlreadyExists, "Server is already configured. Root password has been set.")
)

// LockedError is returned by Login while a user is locked. Its code is
// CodeUnauthenticated.
type LockedError struct {
	Until time.Time
	Left  time.Duration // From the time of the attempt, above 0.
}

// Error returns "Account locked. Try again in {n} minute(s)".
func (e *LockedError) Error() string {
	return fmt.Sprintf("Account locked. Try again in %d minute(s)", e.Minutes())
}

// Minutes returns Left in minutes, rounded up.
func (e *LockedError) Minutes() int { return int((e.Left + time.Minute - 1) / time.Minute) }

// Unwrap returns the error as a *kalam.Error.
func (e *LockedError) Unwrap() error { return kalam.Errorf(kalam.CodeUnauthenticated, "%s", e.Error()) }

// Login returns the user if the password is right. Errors: ErrInvalidCredentials,
// ErrSetupRequired (user root without password), *LockedError, CodeRateLimited
// when too many logins wait, and the cause of ctx. A name that does not exist is
// treated like one that does, in answers, in locking and in the work done. A
// success is durable before it is returned, and so is a failure.
func (c *Catalog) Login(ctx context.Context, id kalam.UserID, password string) (User, error) {
	if id == RootUser && c.NeedsSetup() {
		return User{}, ErrSetupRequired
	}
	if err := c.hasher.acquire(ctx); err != nil {
		return User{}, err
	}
	hash, ok, err := c.verify(id, password)
	c.hasher.release()
	if err != nil {
		return User{}, err
	}
	if !ok {
		return User{}, c.loginFailed(ctx, id)
	}
	var better Secret
	if c.hasher.outdated(hash) {
		if better, err = c.hasher.hash(ctx, password); err != nil {
			return User{}, err
		}
	}
	return c.loginSucceeded(ctx, id, hash, better)
}

// verify compares the password and returns the hash that it was compared with.
// It looks at the lock only now that a slot is held, not before the wait for it.
func (c *Catalog) verify(id kalam.UserID, password string) (Secret, bool, error) {
	var hash Secret
	if u, ok := c.User(id); ok && u.hasPassword() {
		if err := lockError(u.LockedUntil, c.now()); err != nil {
			return hash, false, err
		}
		hash = u.PasswordHash
	} else if err := lockError(c.ghosts.lockedUntil(id), c.now()); err != nil {
		return hash, false, err
	}
	ok, err := c.hasher.matches(hash, password)
	return hash, ok, err
}

func lockError(until, now time.Time) error {
	if !until.After(now) {
		return nil
	}
	return &LockedError{Until: until, Left: until.Sub(now)}
}

// loginFailed counts a failure. One of an unknown user costs a write too: the
// time of the answer must not tell which users exist.
func (c *Catalog) loginFailed(ctx context.Context, id kalam.UserID) error {
	err := c.write(ctx, func(tx *tx) error {
		e, ok := tx.next.activeUser(id)
		if !ok || !e.user.hasPassword() {
			if err := lockError(c.ghosts.lockedUntil(id), tx.now); err != nil {
				return err
			}
			c.ghosts.fail(id, tx.now)
			tx.next.unknownLogins++
			return tx.put(keyUnknownLogins, loginsRecord{Failed: tx.next.unknownLogins})
		}
		u := e.load()
		if err := lockError(u.LockedUntil, tx.now); err != nil {
			return err
		}
		u.FailedLogins, u.LockedUntil = countFailure(u.FailedLogins, u.LockedUntil, tx.now)
		return tx.putUser(u)
	})
	if err != nil {
		return err
	}
	return ErrInvalidCredentials
}

// countFailure returns the number of failures and the lock after one more. A
// lock that is over starts the count anew.
func countFailure(failed int, locked, now time.Time) (int, time.Time) {
	if !locked.IsZero() {
		failed = 0
	}
	failed++
	if failed >= MaxFailedLogins {
		return failed, now.Add(LockTime)
	}
	return failed, time.Time{}
}

// loginsRecord counts failed logins of users that do not exist.
type loginsRecord struct {
	Failed uint64 `json:"failed"`
}

// loginSucceeded notes a login, unless the user was changed, dropped or locked
// since the password was compared with hash. better replaces hash unless empty.
func (c *Catalog) loginSucceeded(ctx context.Context, id kalam.UserID, hash, better Secret) (User, error) {
	var u User
	err := c.write(ctx, func(tx *tx) error {
		e, ok := tx.next.activeUser(id)
		if !ok || !e.user.hasPassword() || !e.user.PasswordHash.Equal(hash) {
			return ErrInvalidCredentials
		}
		if err := lockError(e.user.LockedUntil, tx.now); err != nil {
			return err
		}
		u = e.load()
		u.FailedLogins, u.LockedUntil, u.LastLogin, u.LastSeen = 0, time.Time{}, tx.now, tx.now
		if !better.IsEmpty() {
			u.PasswordHash = better
		}
		return tx.putUser(u)
	})
	if err != nil {
		return User{}, err
	}
	return u, nil
}

// NeedsSetup reports whether root has no password yet.
func (c *Catalog) NeedsSetup() bool {
	root, ok := c.User(RootUser)
	return ok && root.PasswordHash.IsEmpty()
}

// Setup sets the password of root and creates the first dba, in one write, once.
// Errors: ErrAlreadyConfigured; CodeAlreadyExists when the user exists;
// ErrWeakPassword in the chain; CodeInvalidInput for a malformed user.
func (c *Catalog) Setup(ctx context.Context, dba NewUser, rootPassword string) (User, error) {
	if !c.NeedsSetup() {
		return User{}, ErrAlreadyConfigured
	}
	if dba.Username == "" {
		dba.Username = string(dba.ID)
	}
	u := User{ID: dba.ID, Username: dba.Username, Role: kalam.RoleDBA, Email: dba.Email, AuthType: AuthPassword, Metadata: dba.Metadata}
	if err := checkUser(&u); err != nil {
		return User{}, err
	}
	for _, password := range []string{dba.Password, rootPassword} {
		if err := CheckPassword(password, false); err != nil {
			return User{}, err
		}
	}
	hash, err := c.hasher.hash(ctx, dba.Password)
	if err != nil {
		return User{}, err
	}
	rootHash, err := c.hasher.hash(ctx, rootPassword)
	if err != nil {
		return User{}, err
	}
	u.PasswordHash = hash
	err = c.write(ctx, func(tx *tx) error {
		root, ok := tx.next.users.get(RootUser)
		if !ok || !root.user.PasswordHash.IsEmpty() {
			return ErrAlreadyConfigured
		}
		if err := tx.createUser(&u); err != nil {
			return err
		}
		return tx.setPassword(root.load(), rootHash)
	})
	if err != nil {
		return User{}, err
	}
	return u, nil
}

// maxGhosts bounds how many names without a user are remembered.
const maxGhosts = 8192

// ghosts counts failed logins of names that are no users, so that they are
// locked like users. It forgets the name that failed longest ago.
type ghosts struct {
	mu     sync.Mutex // guards the fields below
	byName map[kalam.UserID]*list.Element
	order  *list.List // Of *ghost; the front failed last.
}

type ghost struct {
	name   kalam.UserID
	failed int
	locked time.Time
}

func newGhosts() *ghosts {
	return &ghosts{byName: make(map[kalam.UserID]*list.Element), order: list.New()}
}

func (g *ghosts) lockedUntil(name kalam.UserID) time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	if e, ok := g.byName[name]; ok {
		return e.Value.(*ghost).locked
	}
	return time.Time{}
}

// fail counts one failure of a name that is not locked.
func (g *ghosts) fail(name kalam.UserID, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	e, ok := g.byName[name]
	if !ok {
		if g.order.Len() >= maxGhosts {
			oldest := g.order.Back()
			delete(g.byName, oldest.Value.(*ghost).name)
			g.order.Remove(oldest)
		}
		e = g.order.PushFront(&ghost{name: name})
		g.byName[name] = e
	}
	g.order.MoveToFront(e)
	gh := e.Value.(*ghost)
	gh.failed, gh.locked = countFailure(gh.failed, gh.locked, now)
}
