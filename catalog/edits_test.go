package catalog_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/buffer/memory"
	"github.com/kalamlake/kalam/catalog"
)

// TestEditUsers makes all edits or none, in one write, and only of the users that were read.
func TestEditUsers(t *testing.T) {
	b := newFaulty()
	c := open(t, b, catalog.Options{})
	createUser(t, c, catalog.NewUser{ID: "ann"})
	createUser(t, c, catalog.NewUser{ID: "ben"})
	mail := "x@y"
	create := func(id kalam.UserID) catalog.UserEdit {
		return catalog.UserEdit{ID: id, Create: &catalog.NewUser{ID: id, Username: "n", Role: kalam.RoleUser}}
	}
	drop := func(id kalam.UserID) catalog.UserEdit { return catalog.UserEdit{ID: id, Drop: true} }
	change := func(id kalam.UserID) catalog.UserEdit {
		return catalog.UserEdit{ID: id, Change: &catalog.UserChange{Email: &mail}}
	}
	restore := catalog.UserEdit{ID: "ann", Restore: true}
	password := "a-good-password"
	before := dumpOf(t, c)
	for _, tt := range []struct {
		name  string
		edits []catalog.UserEdit
		code  kalam.Code
		text  string
	}{
		{"twice", []catalog.UserEdit{create("new"), create("new")}, kalam.CodeAlreadyExists,
			"User with user_id 'new' already exists"},
		{"there", []catalog.UserEdit{drop("ben"), create("ann")}, kalam.CodeAlreadyExists,
			"User with user_id 'ann' already exists"},
		{"no username", []catalog.UserEdit{{ID: "new", Create: &catalog.NewUser{ID: "new", Role: kalam.RoleUser}}},
			kalam.CodeConstraint, "NOT NULL constraint violation: column 'username' cannot be NULL"},
		{"no role", []catalog.UserEdit{{ID: "new", Create: &catalog.NewUser{ID: "new", Username: "n"}}},
			kalam.CodeInvalidInput, "a user cannot have the role anonymous"},
		{"root", []catalog.UserEdit{drop("ann"), drop("root")}, kalam.CodeInvalidOperation, "User 'root' cannot be dropped"},
		{"absent", []catalog.UserEdit{change("ann"), change("nobody")}, kalam.CodeNotFound,
			"User with user_id 'nobody' not found"},
		{"dropped", []catalog.UserEdit{drop("ann"), change("ann")}, kalam.CodeNotFound, "User with user_id 'ann' not found"},
		{"a password", []catalog.UserEdit{{ID: "ann", Change: &catalog.UserChange{Password: &password}}}, kalam.CodeInternal,
			"a password cannot be set among other edits of users"},
	} {
		_, err := c.EditUsers(t.Context(), system, 0, tt.edits)
		refused(t, err, tt.code, tt.text)
		if diff := same(before, dumpOf(t, c)); diff != "" {
			t.Errorf("%s: changed %s", tt.name, diff)
		}
	}
	_, err := c.EditUsers(t.Context(), kalam.Principal{User: "s", Role: kalam.RoleService}, 0, nil)
	refused(t, err, kalam.CodePermissionDenied, "role service cannot manage users")

	state, writes := c.UsersState(), b.count()
	n, err := c.EditUsers(t.Context(), system, state, []catalog.UserEdit{
		create("new"), drop("ann"), drop("ann"), restore, restore, change("ben"),
	})
	if err != nil || n != 4 || b.count() != writes+1 {
		t.Errorf("%d edits in %d writes, %v", n, b.count()-writes, err)
	}
	if _, err := c.EditUsers(t.Context(), system, state, []catalog.UserEdit{drop("ben")}); !errors.Is(err, catalog.ErrUsersChanged) {
		t.Errorf("edits of what was read before = %v", err)
	}
	if u, ok := c.User("ben"); !ok || u.Email != mail {
		t.Errorf("ben is %+v", u)
	}
	state = c.UsersState()
	check(t, c.EndTokens(t.Context(), "ben"))
	if c.UsersState() == state {
		t.Error("a write of a user does not show")
	}
	reopened := open(t, b, catalog.Options{})
	if diff := same(dumpOf(t, c), dumpOf(t, reopened)); diff != "" {
		t.Errorf("after a start: %s", diff)
	}
}

// TestEditTooManyUsers refuses what one write does not take.
func TestEditTooManyUsers(t *testing.T) {
	b := &small{Backend: memory.New()}
	c := open(t, b, catalog.Options{})
	var edits []catalog.UserEdit
	for i := range catalog.MaxUserEdits + 1 {
		id := kalam.UserID(fmt.Sprint("u", i))
		edits = append(edits, catalog.UserEdit{ID: id, Create: &catalog.NewUser{ID: id, Username: "n", Role: kalam.RoleUser}})
	}
	before := dumpOf(t, c)
	tooMany := func(n int, why string) {
		t.Helper()
		_, err := c.EditUsers(t.Context(), system, 0, edits[:n])
		want := fmt.Sprintf("%d users are too many to be changed at once: %s", n, why)
		if kalam.CodeOf(err) != kalam.CodeTooLarge || kalam.MessageOf(err) != want {
			t.Errorf("%d users at once = %v", n, err)
		}
	}
	tooMany(len(edits), "a statement takes up to 10000")
	b.most = 4
	tooMany(5, "they are too large")
	b.most = 0
	if diff := same(before, dumpOf(t, c)); diff != "" {
		t.Errorf("changed %s", diff)
	}
	if n, err := c.EditUsers(t.Context(), system, 0, edits[:catalog.MaxUserEdits]); err != nil || n != catalog.MaxUserEdits {
		t.Errorf("%d users are created: %v", n, err)
	}
}

// small is a backend whose batches are small, once most is set.
type small struct {
	*memory.Backend
	most int
}

func (b *small) Apply(ctx context.Context, ops []buffer.Op) error {
	limits := b.MaxBatch()
	if b.most > 0 {
		limits.Ops = b.most
	}
	if err := limits.Check(ops); err != nil {
		return err
	}
	return b.Backend.Apply(ctx, ops)
}
