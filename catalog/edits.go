package catalog

import (
	"context"
	"errors"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
)

// ErrUsersChanged is in the error of EditUsers, a CodeConflict, when a user was written since its state was taken. It
// changed nothing, and may be tried again with what is there now.
var ErrUsersChanged = errors.New("users were written meanwhile")

// MaxUserEdits is how many users EditUsers takes: other writes of the catalog wait meanwhile. A Backend with small
// batches takes fewer.
const MaxUserEdits = 10_000

// UserEdit is what EditUsers does to one user: exactly one of Create, Drop, and Restore with or without
// Change.
type UserEdit struct {
	ID      kalam.UserID
	Create  *NewUser    // Of that ID and without a password. Every field is what it says: "" is no username.
	Restore bool        // Takes a drop back, before Change.
	Change  *UserChange // Without a password.
	Drop    bool        // A user that is dropped already stays as it is.
}

// UsersState returns a number that changes with every write of a user, so that EditUsers can tell
// whether what was read before is still so. It starts anew at each Open and is never 0.
func (c *Catalog) UsersState() uint64 { return c.current.Load().userEdits + 1 }

// EditUsers makes all edits in one write, on behalf of by, or none; they come one after another. With a
// state that UsersState gave, not 0, it fails with ErrUsersChanged when a user was written since. It returns
// how many users it created, restored, changed or dropped. The rules and the errors are those of
// CreateUser, RestoreUser, AlterUser and DropUser, and CodeTooLarge for more than one write takes.
func (c *Catalog) EditUsers(ctx context.Context, by kalam.Principal, state uint64, edits []UserEdit) (int, error) {
	if err := c.rules.ManageUsers(by); err != nil {
		return 0, err
	}
	if most := min(MaxUserEdits, c.store.backend.MaxBatch().Ops); len(edits) > most {
		return 0, kalam.Errorf(kalam.CodeTooLarge, "%d users are too many to be changed at once: a statement takes up to %d",
			len(edits), most)
	}
	n := 0
	err := c.write(ctx, func(tx *tx) error {
		if state != 0 && tx.next.userEdits+1 != state {
			return kalam.Wrap(kalam.CodeConflict, ErrUsersChanged,
				"the users were changed by another statement meanwhile; run it again")
		}
		for i := range edits {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			before := len(tx.ops)
			if err := tx.editUser(c.rules, by, &edits[i]); err != nil {
				return err
			}
			if len(tx.ops) > before {
				n++
			}
		}
		return nil
	})
	if errors.Is(err, buffer.ErrNotSupported) {
		err = kalam.Wrap(kalam.CodeTooLarge, err, "%d users are too many to be changed at once: they are too large",
			len(edits))
	}
	if err != nil {
		return 0, err
	}
	return n, nil
}

func (tx *tx) editUser(rules Rules, by kalam.Principal, e *UserEdit) error {
	switch {
	case e.Create != nil && e.Create.Password != "" || e.Change != nil && e.Change.Password != nil:
		return kalam.Errorf(kalam.CodeInternal, "a password cannot be set among other edits of users")
	case e.Create != nil:
		u, err := e.Create.checked(rules, by)
		if err != nil {
			return err
		}
		return tx.createUser(&u, "User with user_id '"+string(e.ID)+"'")
	case e.Drop:
		u, before, err := tx.dropUser(rules, by, e.ID)
		if err != nil || before {
			return err
		}
		return tx.putUser(u)
	}
	if e.Restore {
		u, dropped, err := tx.restoreUser(rules, by, e.ID)
		if err != nil {
			return err
		}
		if dropped {
			if err := tx.putUser(u); err != nil {
				return err
			}
		}
	}
	if e.Change == nil {
		return nil
	}
	_, err := tx.alterActive(rules, by, e.ID, *e.Change, Secret{})
	return err
}
