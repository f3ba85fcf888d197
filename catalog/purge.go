package catalog

import (
	"context"
	"slices"
	"time"

	"github.com/kalamlake/kalam"
)

// ExpiredUsers returns the users deleted before the given time, by id: the ones
// whose grace period is over.
func (c *Catalog) ExpiredUsers(before time.Time) []User {
	var list []User
	for _, u := range c.Users() {
		if u.IsDeleted() && u.DeletedAt.Before(before) {
			list = append(list, u)
		}
	}
	return list
}

// BeginPurge marks a user deleted before the given time as being purged, after
// which RestoreUser refuses. It reports whether the purge may go on; false means
// that the user was restored, or is gone already.
func (c *Catalog) BeginPurge(ctx context.Context, id kalam.UserID, before time.Time) (bool, error) {
	purge := false
	err := c.write(ctx, func(tx *tx) error {
		e, ok := tx.next.users.Get(id)
		if !ok || !e.user.IsDeleted() || !e.user.DeletedAt.Before(before) {
			return nil
		}
		purge = true
		if !e.user.PurgingAt.IsZero() {
			return nil
		}
		u := e.user
		u.PurgingAt = tx.now
		return tx.putUser(u)
	})
	return purge && err == nil, err
}

// FinishPurge removes the record of a user whose purge has begun, once the
// user's rows and files are gone. The id is free afterwards.
func (c *Catalog) FinishPurge(ctx context.Context, id kalam.UserID) error {
	return c.write(ctx, func(tx *tx) error {
		e, ok := tx.next.users.Get(id)
		if !ok {
			return nil
		}
		if e.user.PurgingAt.IsZero() {
			return kalam.Errorf(kalam.CodeInvalidOperation, "User '%s' is not being purged", id)
		}
		tx.delete(userKey(id))
		tx.next.removeUser(id)
		return nil
	})
}

// PurgeUser drops a user, if that was not done before, and begins the purge at once, on behalf of by:
// nothing restores the user any more. It may be repeated until FinishPurge. The errors are those of
// DropUser.
func (c *Catalog) PurgeUser(ctx context.Context, by kalam.Principal, id kalam.UserID) (User, error) {
	if err := c.rules.ManageUsers(by); err != nil {
		return User{}, err
	}
	return c.changeUser(ctx, func(tx *tx) (User, error) {
		u, _, err := tx.dropUser(c.rules, by, id)
		if err != nil {
			return User{}, err
		}
		if u.PurgingAt.IsZero() {
			u.PurgingAt = tx.now
		}
		return u, nil
	})
}

// IsPurging reports whether the purge of a user has begun and is not finished.
func (c *Catalog) IsPurging(id kalam.UserID) bool {
	e, ok := c.current.Load().users.Get(id)
	return ok && !e.user.PurgingAt.IsZero()
}

// PurgingUsers returns the users whose purge has begun and is not finished, by id.
func (c *Catalog) PurgingUsers() []User {
	return slices.DeleteFunc(c.Users(), func(u User) bool { return u.PurgingAt.IsZero() })
}

// StripUser takes out of the record of a user whose purge has begun what is personal, so that the id
// and its times are all that is left.
func (c *Catalog) StripUser(ctx context.Context, id kalam.UserID) error {
	return c.write(ctx, func(tx *tx) error {
		e, ok := tx.next.users.Get(id)
		if !ok || e.user.PurgingAt.IsZero() {
			return kalam.Errorf(kalam.CodeInvalidOperation, "User '%s' is not being purged", id)
		}
		u := e.user
		return tx.putUser(User{
			ID: id, Username: string(id), Role: u.Role, AuthType: AuthInternal, CreatedAt: u.CreatedAt, UpdatedAt: tx.now,
			DeletedAt: u.DeletedAt, PurgingAt: u.PurgingAt, TokenEpoch: u.TokenEpoch,
		})
	})
}
