package catalog

import (
	"context"
	"time"

	"github.com/kalamlake/kalam"
)

// Conditions of Login and Setup that callers tell apart.
var (
	// ErrInvalidCredentials: the user does not exist, has no password, was
	// dropped, or the password is wrong.
	ErrInvalidCredentials error = kalam.Errorf(kalam.CodeUnauthenticated, "Invalid credentials")
	// ErrSetupRequired: root has no password yet.
	ErrSetupRequired error = kalam.Errorf(kalam.CodeUnauthenticated,
		"Server requires initial setup. The root password is not configured.")
	// ErrAlreadyConfigured: Setup was done before.
	ErrAlreadyConfigured error = kalam.Errorf(kalam.CodeAlreadyExists,
		"Server is already configured. Root password has been set.")
)

// Login returns the user if the password is right. Errors: ErrInvalidCredentials,
// ErrSetupRequired (user root without password), *LockedError, CodeRateLimited
// when too many logins wait, and the cause of ctx. A name that does not exist is
// treated like one that does, in answers, in locking and in the work done. Nothing
// needs to be written: failures are counted in memory, LastLogin becomes durable like
// LastSeen, and a hash of an old cost is replaced if the disk allows it.
func (c *Catalog) Login(ctx context.Context, id kalam.UserID, password string, from Origin) (User, error) {
	if id == RootUser && c.NeedsSetup() {
		return User{}, ErrSetupRequired
	}
	hash, ok, err := c.verify(ctx, id, password, from)
	if err != nil {
		return User{}, err
	}
	now := c.now().UTC().Truncate(time.Microsecond)
	if !ok {
		if err := c.guesses.failed(id, from, now); err != nil {
			return User{}, err
		}
		return User{}, ErrInvalidCredentials
	}
	e, ok := c.current.Load().activeUser(id)
	if !ok || !e.user.hasPassword() || !e.user.PasswordHash.Equal(hash) { // Changed meanwhile.
		return User{}, ErrInvalidCredentials
	}
	if err := c.guesses.succeeded(id, from, now); err != nil {
		return User{}, err
	}
	e.times.login.Store(now.UnixMicro())
	e.times.seen.Store(now.UnixMicro())
	u := e.load()
	if c.hasher.outdated(hash) {
		c.rehash(ctx, &u, password)
	}
	return u, nil
}

// verify compares the password and returns the hash that it was compared with.
// It looks at the lock only when a slot is held, not before the wait for it.
func (c *Catalog) verify(ctx context.Context, id kalam.UserID, password string, from Origin) (Secret, bool, error) {
	if err := c.hasher.acquire(ctx); err != nil {
		return Secret{}, false, err
	}
	defer c.hasher.release()
	if err := c.guesses.admit(id, from, c.now()); err != nil {
		return Secret{}, false, err
	}
	var hash Secret
	if u, ok := c.User(id); ok && u.hasPassword() {
		hash = u.PasswordHash
	}
	ok, err := c.hasher.matches(hash, password)
	return hash, ok, err
}

// rehash replaces the hash of u, which logged in with password, by one of the cost
// that new ones have. The login does not depend on it.
func (c *Catalog) rehash(ctx context.Context, u *User, password string) {
	better, err := c.hasher.hash(ctx, password)
	if err == nil {
		err = c.write(ctx, func(tx *tx) error {
			e, ok := tx.next.activeUser(u.ID)
			if !ok || !e.user.PasswordHash.Equal(u.PasswordHash) {
				return nil
			}
			changed := e.load()
			changed.PasswordHash = better
			*u = changed
			return tx.putUser(changed)
		})
	}
	if err != nil {
		c.log.Warn("password hash keeps its old cost", "user", string(u.ID), "error", err)
	}
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
	u := User{ID: dba.ID, Username: dba.Username, Role: kalam.RoleDBA, Email: dba.Email,
		AuthType: AuthPassword, Metadata: dba.Metadata}
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
		root, ok := tx.next.users.Get(RootUser)
		if !ok || !root.user.PasswordHash.IsEmpty() {
			return ErrAlreadyConfigured
		}
		if err := tx.createUser(&u, calledUser(u.ID)); err != nil {
			return err
		}
		return tx.setPassword(root.load(), rootHash)
	})
	if err != nil {
		return User{}, err
	}
	return u, nil
}
