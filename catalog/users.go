package catalog

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/catalog/rights"
)

// NewUser is what CreateUser makes a user of. Username defaults to the id, Role
// to user, AuthType to password.
type NewUser struct {
	ID          kalam.UserID
	Username    string
	Password    string // "": no login until a password is set.
	Role        kalam.Role
	Email       string
	AuthType    AuthType
	AuthData    Secret
	Metadata    string
	StorageMode StorageMode
	StorageID   kalam.StorageID
}

// UserChange names what AlterUser changes; nil fields stay.
type UserChange struct {
	Username    *string
	Password    *string
	Role        *kalam.Role
	Email       *string
	Metadata    *string // "" makes it NULL.
	StorageMode *StorageMode
	StorageID   *kalam.StorageID
}

// User returns a user that is not deleted.
func (c *Catalog) User(id kalam.UserID) (User, bool) {
	e, ok := c.current.Load().activeUser(id)
	if !ok {
		return User{}, false
	}
	return e.load(), true
}

// AnyUser returns a user, deleted or not.
func (c *Catalog) AnyUser(id kalam.UserID) (User, bool) {
	e, ok := c.current.Load().users.Get(id)
	if !ok {
		return User{}, false
	}
	return e.load(), true
}

// Users returns every user by id, deleted ones included.
func (c *Catalog) Users() []User {
	v := c.current.Load()
	list := make([]User, 0, v.users.Len())
	for _, e := range v.users.All() {
		list = append(list, e.load())
	}
	slices.SortFunc(list, func(a, b User) int { return strings.Compare(string(a.ID), string(b.ID)) })
	return list
}

// load returns the user with the newest LastLogin and LastSeen.
func (e *userEntry) load() User {
	u := e.user
	u.LastLogin = later(u.LastLogin, e.times.login.Load())
	u.LastSeen = later(u.LastSeen, e.times.seen.Load())
	return u
}

// later returns the later of t and a time in Unix microseconds, 0 for none.
func later(t time.Time, micros int64) time.Time {
	if other := time.UnixMicro(micros).UTC(); micros != 0 && other.After(t) {
		return other
	}
	return t
}

// Seen notes that the user made a request now. It costs no write and no lock.
func (c *Catalog) Seen(id kalam.UserID) {
	if e, ok := c.current.Load().activeUser(id); ok {
		e.times.seen.Store(c.now().UnixMicro())
	}
}

// CreateUser creates a user on behalf of by. Errors: CodeAlreadyExists, also for
// a dropped user that is not yet purged; CodePermissionDenied; CodeInvalidInput
// and CodeConstraint for malformed fields; CodeNotFound for the storage.
func (c *Catalog) CreateUser(ctx context.Context, by kalam.Principal, n NewUser) (User, error) {
	if n.Username == "" {
		n.Username = string(n.ID)
	}
	if n.Role == kalam.RoleAnonymous {
		n.Role = kalam.RoleUser
	}
	if err := c.rules.ManageUsers(by); err != nil {
		return User{}, err
	}
	u, err := n.checked(c.rules, by)
	if err != nil {
		return User{}, err
	}
	if _, ok := c.AnyUser(u.ID); !ok && n.Password != "" { // An existing user is refused below, without the work.
		hash, err := c.hashPassword(ctx, n.Password)
		if err != nil {
			return User{}, err
		}
		u.PasswordHash = hash
	}
	err = c.write(ctx, func(tx *tx) error { return tx.createUser(&u, calledUser(u.ID)) })
	if err != nil {
		return User{}, err
	}
	return u, nil
}

// checked returns the user that n makes, without a password, if by may create such a one and the
// fields break no rule that depends on nothing else.
func (n *NewUser) checked(rules Rules, by kalam.Principal) (User, error) {
	u := User{
		ID: n.ID, Username: n.Username, Role: n.Role, Email: n.Email, AuthType: n.AuthType, AuthData: n.AuthData,
		Metadata: n.Metadata, StorageMode: n.StorageMode, StorageID: n.StorageID,
	}
	if u.AuthType == 0 {
		u.AuthType = AuthPassword
	}
	if err := rules.Grant(by, u.Role); err != nil {
		return User{}, err
	}
	return u, checkUser(&u)
}

// createUser checks what depends on other records and stores the user. called is what an error calls it.
func (tx *tx) createUser(u *User, called string) error {
	if old, ok := tx.next.users.Get(u.ID); ok {
		if old.user.IsDeleted() {
			return kalam.Errorf(kalam.CodeAlreadyExists,
				"%s already exists: it was dropped, and can be restored until its data is removed", called)
		}
		return kalam.Errorf(kalam.CodeAlreadyExists, "%s already exists", called)
	}
	if err := tx.checkStorage(u.StorageID); err != nil {
		return err
	}
	u.CreatedAt, u.UpdatedAt, u.TokenEpoch = tx.now, tx.now, tx.epochAbove(0)
	return tx.putUser(*u)
}

// RankOf returns the role that counts when somebody wants to act for a user: that
// of the user, also of one that was dropped, whose rows are still there; user when
// there never was one. Nobody acts for a user whose purge has begun: false.
func (c *Catalog) RankOf(id kalam.UserID) (rank kalam.Role, ok bool) {
	u, ok := c.AnyUser(id)
	if !ok {
		return kalam.RoleUser, true
	}
	return u.Role, u.PurgingAt.IsZero()
}

// AlterUser changes the named fields of a user on behalf of by and returns the
// result. A new password or role ends earlier tokens, a new password also a
// lock. Errors: CodeNotFound; CodePermissionDenied, also when a dba means a user
// of role system or would grant that role; CodeInvalidOperation for a new role
// of root; those of CreateUser for the fields.
func (c *Catalog) AlterUser(ctx context.Context, by kalam.Principal, id kalam.UserID, ch UserChange) (User, error) {
	if err := c.rules.ManageUsers(by); err != nil {
		return User{}, err
	}
	var hash Secret
	if ch.Password != nil {
		if u, ok := c.User(id); !ok {
			return User{}, userNotFound(id)
		} else if err := c.rules.ManageUser(by, u.Role); err != nil {
			return User{}, err
		}
		var err error
		if hash, err = c.hashPassword(ctx, *ch.Password); err != nil {
			return User{}, err
		}
	}
	var changed User
	err := c.write(ctx, func(tx *tx) (err error) {
		changed, err = tx.alterActive(c.rules, by, id, ch, hash)
		return err
	})
	if err != nil {
		return User{}, err
	}
	return changed, nil
}

// alterActive changes a user that is not dropped, if by may.
func (tx *tx) alterActive(
	rules Rules, by kalam.Principal, id kalam.UserID, ch UserChange, hash Secret,
) (User, error) {
	e, ok := tx.next.activeUser(id)
	if !ok {
		return User{}, userNotFound(id)
	}
	if err := rules.ManageUser(by, e.user.Role); err != nil {
		return User{}, err
	}
	u := e.load()
	return u, tx.alterUser(rules, by, &u, ch, hash)
}

func (tx *tx) alterUser(rules Rules, by kalam.Principal, u *User, ch UserChange, hash Secret) error {
	set(&u.Username, ch.Username)
	set(&u.Email, ch.Email)
	set(&u.Metadata, ch.Metadata)
	set(&u.StorageMode, ch.StorageMode)
	set(&u.StorageID, ch.StorageID)
	if ch.Role != nil && *ch.Role != u.Role {
		if IsBuiltIn(u.ID) {
			return kalam.Errorf(kalam.CodeInvalidOperation, "The role of user '%s' cannot be changed", u.ID)
		}
		if err := rules.Grant(by, *ch.Role); err != nil {
			return err
		}
		u.Role, u.TokenEpoch = *ch.Role, tx.epochAbove(u.TokenEpoch)
	}
	if ch.Password != nil {
		if u.ID == SystemUser || u.AuthType == AuthOAuth {
			return kalam.Errorf(kalam.CodeInvalidOperation, "User '%s' cannot have a password", u.ID)
		}
		*u = tx.withPassword(*u, hash)
	}
	if err := checkUser(u); err != nil {
		return err
	}
	if err := tx.checkStorage(u.StorageID); err != nil {
		return err
	}
	u.UpdatedAt = tx.now
	return tx.putUser(*u)
}

func set[T any](field *T, v *T) {
	if v != nil {
		*field = *v
	}
}

// DropUser marks a user as deleted on behalf of by: logins and tokens end, data
// stays until the user is purged. Errors: CodeNotFound, CodePermissionDenied,
// CodeInvalidOperation for root and system; since root stays, so does an
// administrator.
func (c *Catalog) DropUser(ctx context.Context, by kalam.Principal, id kalam.UserID) (User, error) {
	if err := c.rules.ManageUsers(by); err != nil {
		return User{}, err
	}
	return c.changeUser(ctx, func(tx *tx) (User, error) {
		u, before, err := tx.dropUser(c.rules, by, id)
		if err == nil && before {
			err = userNotFound(id)
		}
		return u, err
	})
}

// dropUser returns a user as a dropped one, if by may drop it, and whether it was dropped before.
func (tx *tx) dropUser(rules Rules, by kalam.Principal, id kalam.UserID) (u User, before bool, err error) {
	e, ok := tx.next.users.Get(id)
	if !ok {
		return User{}, false, userNotFound(id)
	}
	if err := rules.ManageUser(by, e.user.Role); err != nil {
		return User{}, false, err
	}
	if IsBuiltIn(id) {
		return User{}, false, kalam.Errorf(kalam.CodeInvalidOperation, "User '%s' cannot be dropped", id)
	}
	u = e.load()
	if u.IsDeleted() {
		return u, true, nil
	}
	u.DeletedAt, u.UpdatedAt, u.TokenEpoch = tx.now, tx.now, tx.epochAbove(u.TokenEpoch)
	return u, false, tx.editRights(func(e *rights.Edit) error {
		e.DropUser(id)
		return nil
	})
}

// RestoreUser takes DropUser back, on behalf of by. A user that is not deleted is
// left as it is. CodeNotFound when the user was purged, or is being purged.
func (c *Catalog) RestoreUser(ctx context.Context, by kalam.Principal, id kalam.UserID) (User, error) {
	if err := c.rules.ManageUsers(by); err != nil {
		return User{}, err
	}
	return c.changeUser(ctx, func(tx *tx) (User, error) {
		u, _, err := tx.restoreUser(c.rules, by, id)
		return u, err
	})
}

// restoreUser returns a user as one that is not dropped, if by may restore it, and whether it was dropped.
func (tx *tx) restoreUser(rules Rules, by kalam.Principal, id kalam.UserID) (u User, before bool, err error) {
	e, ok := tx.next.users.Get(id)
	if !ok || !e.user.PurgingAt.IsZero() {
		return User{}, false, userNotFound(id)
	}
	if err := rules.ManageUser(by, e.user.Role); err != nil {
		return User{}, false, err
	}
	u = e.load()
	if !u.IsDeleted() {
		return u, false, nil
	}
	u.DeletedAt, u.UpdatedAt, u.TokenEpoch = time.Time{}, tx.now, tx.epochAbove(u.TokenEpoch)
	return u, true, nil
}

// RevokeTokens ends every token of a user on behalf of by; API keys stay. Errors: CodePermissionDenied, CodeNotFound.
func (c *Catalog) RevokeTokens(ctx context.Context, by kalam.Principal, id kalam.UserID) error {
	if err := c.mayManageKeys(c.current.Load(), by, id); err != nil {
		return err
	}
	return c.EndTokens(ctx, id)
}

// EndTokens ends every token of a user. CodeNotFound when there is none.
func (c *Catalog) EndTokens(ctx context.Context, id kalam.UserID) error {
	_, err := c.changeUser(ctx, func(tx *tx) (User, error) {
		e, ok := tx.next.activeUser(id)
		if !ok {
			return User{}, userNotFound(id)
		}
		u := e.load()
		u.TokenEpoch = tx.epochAbove(u.TokenEpoch)
		return u, nil
	})
	return err
}

// changeUser stores the user that change returns.
func (c *Catalog) changeUser(ctx context.Context, change func(*tx) (User, error)) (User, error) {
	var changed User
	err := c.write(ctx, func(tx *tx) (err error) {
		if changed, err = change(tx); err != nil {
			return err
		}
		return tx.putUser(changed)
	})
	if err != nil {
		return User{}, err
	}
	return changed, nil
}

// calledUser is what messages of statements call a user.
func calledUser(id kalam.UserID) string { return fmt.Sprintf("User '%s'", id) }

func userNotFound(id kalam.UserID) error {
	return kalam.Errorf(kalam.CodeNotFound, "User with user_id '%s' not found", id)
}

// putUser adds or replaces a user.
func (tx *tx) putUser(u User) error {
	if old, ok := tx.next.users.Get(u.ID); ok && old.user.TokenEpoch != u.TokenEpoch {
		tx.endsTokens = true
	}
	if u.IsDeleted() { // Who is restored gets new ones.
		for _, e := range tx.next.keysOf(u.ID) {
			tx.dropKey(e)
		}
	}
	tx.next.setUser(u)
	return tx.put(userKey(u.ID), recordOfUser(&u))
}

// setPassword stores u with a new password.
func (tx *tx) setPassword(u User, hash Secret) error {
	u = tx.withPassword(u, hash)
	u.UpdatedAt = tx.now
	return tx.putUser(u)
}

// withPassword returns u with a new password, its tokens ended. Its locks end with the
// write.
func (tx *tx) withPassword(u User, hash Secret) User {
	u.PasswordHash = hash
	tx.newPasswords = append(tx.newPasswords, u.ID)
	u.TokenEpoch = tx.epochAbove(u.TokenEpoch)
	return u
}

// epochAbove returns a token epoch above last. It follows the clock, so that a
// user created again does not honour tokens of the one before.
func (tx *tx) epochAbove(last uint64) uint64 {
	return max(last+1, uint64(max(tx.now.UnixMilli(), 0)))
}

// hashPassword checks and hashes a password that a user is to get.
func (c *Catalog) hashPassword(ctx context.Context, password string) (Secret, error) {
	if err := checkHashable(password); err != nil {
		return Secret{}, err
	}
	if err := CheckPassword(password, c.complexity); err != nil {
		return Secret{}, err
	}
	return c.hasher.hash(ctx, password)
}

// loadUser adds a user to a version that is being read.
func (v *version) loadUser(u User) {
	v.users.Load(u.ID, &userEntry{user: u, times: new(userTimes)})
}
