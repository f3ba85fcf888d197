package catalog_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer/memory"
	"github.com/kalamlake/kalam/catalog"
)

func TestCreateUserRules(t *testing.T) {
	c := open(t, memory.New(), catalog.Options{})
	check(t, c.CreateStorage(t.Context(), catalog.Storage{ID: "eu", Type: catalog.StorageFilesystem}))
	createUser(t, c, catalog.NewUser{ID: "taken"})
	createUser(t, c, catalog.NewUser{ID: "dropped"})
	_, err := c.DropUser(t.Context(), system, "dropped")
	check(t, err)
	oauth := func(data string) catalog.NewUser {
		return catalog.NewUser{ID: "o", AuthType: catalog.AuthOAuth, AuthData: catalog.NewSecret(data)}
	}
	tests := []struct {
		name string
		by   kalam.Principal
		user catalog.NewUser
		code kalam.Code
		text string
	}{
		{"taken", system, catalog.NewUser{ID: "taken"}, kalam.CodeAlreadyExists, "User 'taken' already exists"},
		{"taken by one that was dropped", system, catalog.NewUser{ID: "dropped"}, kalam.CodeAlreadyExists,
			"User 'dropped' already exists: it was dropped, and can be restored until its data is removed"},
		{"root", system, catalog.NewUser{ID: "root"}, kalam.CodeAlreadyExists, "User 'root' already exists"},
		{"by a service", kalam.Principal{User: "s", Role: kalam.RoleService}, catalog.NewUser{ID: "x"},
			kalam.CodePermissionDenied, "role service cannot manage users"},
		{"system by a dba", dba, catalog.NewUser{ID: "x", Role: kalam.RoleSystem}, kalam.CodePermissionDenied,
			"role dba cannot grant role system"},
		{"no id", system, catalog.NewUser{Username: "x"}, kalam.CodeInvalidInput, "user id is empty"},
		{"slash", system, catalog.NewUser{ID: "a/b"}, kalam.CodeInvalidInput, ""},
		{"dots", system, catalog.NewUser{ID: "a..b"}, kalam.CodeInvalidInput, ""},
		{"NUL", system, catalog.NewUser{ID: "a\x00"}, kalam.CodeInvalidInput, ""},
		{"long id", system, catalog.NewUser{ID: kalam.UserID(strings.Repeat("x", 65))}, kalam.CodeInvalidInput, ""},
		{"long name", system, catalog.NewUser{ID: "x", Username: strings.Repeat("x", 129)}, kalam.CodeConstraint, ""},
		{"name not UTF-8", system, catalog.NewUser{ID: "x", Username: "\xff"}, kalam.CodeConstraint, ""},
		{"long email", system, catalog.NewUser{ID: "x", Email: strings.Repeat("x", 321)}, kalam.CodeConstraint, ""},
		{"metadata", system, catalog.NewUser{ID: "x", Metadata: "{"}, kalam.CodeConstraint,
			"Invalid JSON value for column 'metadata'"},
		{"metadata not UTF-8", system, catalog.NewUser{ID: "x", Metadata: "\"\xff\""}, kalam.CodeConstraint, ""},
		{"long metadata", system, catalog.NewUser{ID: "x", Metadata: `"` + strings.Repeat("x", 1<<20) + `"`},
			kalam.CodeConstraint, ""},
		{"unknown role", system, catalog.NewUser{ID: "x", Role: 77}, kalam.CodeInvalidInput, ""},
		{"region without storage", system, catalog.NewUser{ID: "x", StorageMode: catalog.StorageModeRegion},
			kalam.CodeConstraint, ""},
		{"unknown storage", system, catalog.NewUser{ID: "x", StorageMode: catalog.StorageModeRegion, StorageID: "none"},
			kalam.CodeNotFound, "Storage 'none' does not exist"},
		{"oauth without subject", system, oauth(`{"provider":"p"}`), kalam.CodeInvalidInput, ""},
		{"oauth without JSON", system, oauth(""), kalam.CodeInvalidInput, ""},
		{"long password", system, catalog.NewUser{ID: "x", Password: strings.Repeat("x", 73)}, kalam.CodeInvalidInput,
			""},
		{"good", dba, catalog.NewUser{ID: "good", StorageMode: catalog.StorageModeRegion, StorageID: "eu"}, 0, ""},
		{"good oauth", system, oauth(`{"provider":"p","subject":"s"}`), 0, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			u, err := c.CreateUser(t.Context(), tt.by, tt.user)
			if tt.code == 0 {
				check(t, err)
				if u.Username != string(tt.user.ID) || u.Role != kalam.RoleUser || u.TokenEpoch == 0 ||
					u.CreatedAt.IsZero() {
					t.Errorf("user %+v", u)
				}
				return
			}
			refused(t, err, tt.code, tt.text)
			if _, ok := c.AnyUser("x"); ok {
				t.Error("a user came of it")
			}
		})
	}
}

// TestOneUserWins creates a user many times at once.
func TestOneUserWins(t *testing.T) {
	b := memory.New()
	c := open(t, b, catalog.Options{})
	var work sync.WaitGroup
	var won atomic.Int32
	for i := range 16 {
		work.Go(func() {
			_, err := c.CreateUser(t.Context(), system, catalog.NewUser{ID: "ann", Username: fmt.Sprint("ann", i)})
			if err == nil {
				won.Add(1)
			} else if kalam.CodeOf(err) != kalam.CodeAlreadyExists {
				t.Error(err)
			}
		})
	}
	work.Wait()
	if won.Load() != 1 {
		t.Errorf("%d created", won.Load())
	}
	a, _ := c.User("ann")
	if s, _ := open(t, b.Clone(), catalog.Options{}).User("ann"); s.Username != a.Username {
		t.Errorf("stored %s, shown %s", s.Username, a.Username)
	}
}

func TestAlterUser(t *testing.T) {
	clk := newClock()
	c := open(t, memory.New(), catalog.Options{Now: clk.now})
	before := createUser(t, c, catalog.NewUser{ID: "ann", Email: "a@b", Metadata: "{}"})
	createUser(t, c, catalog.NewUser{ID: "sys", Role: kalam.RoleSystem})
	createUser(t, c, catalog.NewUser{ID: "auth", AuthType: catalog.AuthOAuth,
		AuthData: catalog.NewSecret(`{"provider":"p","subject":"s"}`)})
	clk.add(time.Hour)
	email, empty, role, root, password := "new@b", "", kalam.RoleService, kalam.RoleSystem, "some password"
	region := catalog.StorageModeRegion
	alter := func(by kalam.Principal, id kalam.UserID, ch catalog.UserChange) (catalog.User, error) {
		return c.AlterUser(t.Context(), by, id, ch)
	}
	u, err := alter(dba, "ann", catalog.UserChange{Email: &email, Metadata: &empty})
	check(t, err)
	if u.Email != email || u.Metadata != "" || u.Username != "ann" || u.TokenEpoch != before.TokenEpoch ||
		!u.UpdatedAt.Equal(clk.now()) || !u.CreatedAt.Equal(before.CreatedAt) {
		t.Errorf("altered %+v", u)
	}
	u, err = alter(dba, "ann", catalog.UserChange{Role: &role})
	check(t, err)
	if u.Role != role || u.TokenEpoch <= before.TokenEpoch {
		t.Errorf("new role: %+v", u)
	}
	epoch := u.TokenEpoch
	if u, err = alter(dba, "ann", catalog.UserChange{Role: &role}); err != nil || u.TokenEpoch != epoch {
		t.Errorf("the same role ended the tokens: %v", err)
	}
	if u, err = alter(dba, "ann", catalog.UserChange{Password: &password}); err != nil ||
		u.TokenEpoch <= epoch || u.PasswordHash.IsEmpty() {
		t.Errorf("new password: %+v, %v", u, err)
	}
	refusals := []struct {
		name string
		by   kalam.Principal
		id   kalam.UserID
		ch   catalog.UserChange
		code kalam.Code
		text string
	}{
		{"by a user", kalam.Principal{User: "ann", Role: kalam.RoleUser}, "ann", catalog.UserChange{Email: &email},
			kalam.CodePermissionDenied, ""},
		{"nobody", system, "nobody", catalog.UserChange{Email: &email}, kalam.CodeNotFound,
			"User with user_id 'nobody' not found"},
		{"nobody's password", system, "nobody", catalog.UserChange{Password: &password}, kalam.CodeNotFound,
			"User with user_id 'nobody' not found"},
		{"system user by a dba", dba, "sys", catalog.UserChange{Email: &email}, kalam.CodePermissionDenied, ""},
		{"password of a system user by a dba", dba, "root", catalog.UserChange{Password: &password},
			kalam.CodePermissionDenied, ""},
		{"dba makes system", dba, "ann", catalog.UserChange{Role: &root}, kalam.CodePermissionDenied, ""},
		{"role of root", system, "root", catalog.UserChange{Role: &role}, kalam.CodeInvalidOperation,
			"The role of user 'root' cannot be changed"},
		{"password of system", system, "system", catalog.UserChange{Password: &password}, kalam.CodeInvalidOperation,
			"User 'system' cannot have a password"},
		{"password of an OAuth user", system, "auth", catalog.UserChange{Password: &password},
			kalam.CodeInvalidOperation, ""},
		{"empty password", system, "ann", catalog.UserChange{Password: &empty}, kalam.CodeInvalidInput, ""},
		{"empty name", system, "ann", catalog.UserChange{Username: &empty}, kalam.CodeConstraint,
			"NOT NULL constraint violation: column 'username' cannot be NULL"},
		{"region without storage", system, "ann", catalog.UserChange{StorageMode: &region}, kalam.CodeConstraint, ""},
	}
	for _, tt := range refusals {
		t.Run(tt.name, func(t *testing.T) {
			old, _ := c.AnyUser(tt.id)
			_, err := alter(tt.by, tt.id, tt.ch)
			refused(t, err, tt.code, tt.text)
			if now, _ := c.AnyUser(tt.id); now != old {
				t.Errorf("changed to %+v", now)
			}
		})
	}
}

// TestLifeOfADroppedUser follows a user through drop, restore and purge.
func TestLifeOfADroppedUser(t *testing.T) {
	clk := newClock()
	c := open(t, memory.New(), catalog.Options{Now: clk.now})
	ctx := t.Context()
	ann := createUser(t, c, catalog.NewUser{ID: "ann", Password: "right one"})
	for _, id := range []kalam.UserID{"root", "system"} {
		_, err := c.DropUser(ctx, system, id)
		refused(t, err, kalam.CodeInvalidOperation, "User '"+string(id)+"' cannot be dropped")
		_, err = c.DropUser(ctx, dba, id)
		refused(t, err, kalam.CodePermissionDenied, "")
	}
	_, err := c.DropUser(ctx, kalam.Principal{User: "ann", Role: kalam.RoleUser}, "ann")
	refused(t, err, kalam.CodePermissionDenied, "role user cannot manage users")
	clk.add(time.Minute)
	gone, err := c.DropUser(ctx, dba, "ann")
	check(t, err)
	if !gone.DeletedAt.Equal(clk.now()) || gone.TokenEpoch <= ann.TokenEpoch {
		t.Errorf("dropped %+v", gone)
	}
	if _, ok := c.User("ann"); ok {
		t.Error("a dropped user is a user")
	}
	if u, ok := c.AnyUser("ann"); !ok || !u.IsDeleted() {
		t.Errorf("dropped user %+v, %v", u, ok)
	}
	_, err = c.DropUser(ctx, dba, "ann")
	refused(t, err, kalam.CodeNotFound, "User with user_id 'ann' not found")
	refused(t, c.EndTokens(ctx, "ann"), kalam.CodeNotFound, "")
	if _, err := c.Login(ctx, "ann", "right one", home); err == nil {
		t.Error("a dropped user logged in")
	}

	back, err := c.RestoreUser(ctx, dba, "ann")
	check(t, err)
	if back.IsDeleted() || back.TokenEpoch <= gone.TokenEpoch {
		t.Errorf("restored %+v", back)
	}
	if _, err := c.Login(ctx, "ann", "right one", home); err != nil {
		t.Errorf("login after restore: %v", err)
	}
	if again, err := c.RestoreUser(ctx, dba, "ann"); err != nil || again.TokenEpoch != back.TokenEpoch {
		t.Errorf("second restore: %+v, %v", again, err)
	}
	_, err = c.RestoreUser(ctx, dba, "nobody")
	refused(t, err, kalam.CodeNotFound, "")

	if ok, err := c.BeginPurge(ctx, "ann", clk.now().Add(time.Hour)); ok || err != nil {
		t.Errorf("purge of a user that was restored: %v, %v", ok, err)
	}
	refused(t, c.FinishPurge(ctx, "ann"), kalam.CodeInvalidOperation, "User 'ann' is not being purged")
	_, err = c.DropUser(ctx, system, "ann")
	check(t, err)
	clk.add(30 * 24 * time.Hour)
	if list := c.ExpiredUsers(clk.now().Add(-31 * 24 * time.Hour)); len(list) != 0 {
		t.Errorf("expired %+v", list)
	}
	if list := c.ExpiredUsers(clk.now().Add(-29 * 24 * time.Hour)); len(list) != 1 || list[0].ID != "ann" {
		t.Errorf("expired %+v", list)
	}
	for range 2 { // A purge that was interrupted begins again.
		if ok, err := c.BeginPurge(ctx, "ann", clk.now()); !ok || err != nil {
			t.Errorf("purge: %v, %v", ok, err)
		}
	}
	_, err = c.RestoreUser(ctx, system, "ann")
	refused(t, err, kalam.CodeNotFound, "")
	check(t, c.FinishPurge(ctx, "ann"))
	check(t, c.FinishPurge(ctx, "ann"))
	if ok, err := c.BeginPurge(ctx, "ann", clk.now()); ok || err != nil {
		t.Errorf("purge of nobody: %v, %v", ok, err)
	}
	// The next user of the id does not honour tokens of the one before.
	if next := createUser(t, c, catalog.NewUser{ID: "ann"}); next.TokenEpoch <= back.TokenEpoch+1 ||
		!next.PasswordHash.IsEmpty() {
		t.Errorf("next user %+v, epoch before %d", next, back.TokenEpoch)
	}
}

func TestUserWords(t *testing.T) {
	for a := catalog.AuthPassword; a <= catalog.AuthInternal; a++ {
		if got, err := catalog.ParseAuthType(a.String()); got != a || err != nil {
			t.Errorf("auth type %s: %v, %v", a, got, err)
		}
	}
	for _, m := range []catalog.StorageMode{catalog.StorageModeTable, catalog.StorageModeRegion} {
		if got, err := catalog.ParseStorageMode(m.String()); got != m || err != nil {
			t.Errorf("storage mode %s: %v, %v", m, got, err)
		}
	}
	_, err := catalog.ParseAuthType("magic")
	refused(t, err, kalam.CodeInvalidInput, "")
	_, err = catalog.ParseStorageMode("moon")
	refused(t, err, kalam.CodeConstraint, "unknown storage_mode 'moon' (expected table or region)")
	if got := fmt.Sprint(catalog.AuthType(0), catalog.AuthType(9)); got != "auth(0) auth(9)" {
		t.Errorf("unknown auth types are %s", got)
	}
}
