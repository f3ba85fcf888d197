package catalog_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer/memory"
	"github.com/kalamlake/kalam/catalog"
)

var (
	chief = kalam.Principal{User: "chief", Role: kalam.RoleDBA}
	ann   = kalam.Principal{User: "ann", Role: kalam.RoleUser}
	bob   = kalam.Principal{User: "bob", Role: kalam.RoleUser}
)

// withKeys opens a catalog with the users chief, ann, bob and svc.
func withKeys(t testing.TB, b *memory.Backend, clk *clock) *catalog.Catalog {
	t.Helper()
	c := open(t, b, catalog.Options{Now: clk.now, MaxKeysPerUser: 3})
	createUser(t, c, catalog.NewUser{ID: "chief", Role: kalam.RoleDBA})
	createUser(t, c, catalog.NewUser{ID: "ann"})
	createUser(t, c, catalog.NewUser{ID: "bob"})
	createUser(t, c, catalog.NewUser{ID: "svc", Role: kalam.RoleService})
	return c
}

func createKey(t testing.TB, c *catalog.Catalog, n catalog.NewKey) (catalog.APIKey, string) {
	t.Helper()
	k, text, err := c.CreateKey(t.Context(), system, n)
	check(t, err)
	return k, text.Reveal()
}

// TestKeys creates, uses and drops keys, and restarts in between. No record holds the text of a key.
func TestKeys(t *testing.T) {
	b, clk := memory.New(), newClock()
	c := withKeys(t, b, clk)
	k, text := createKey(t, c, catalog.NewKey{Name: "ci", User: "ann", Restriction: "read only", Life: 48 * time.Hour})
	_, forever := createKey(t, c, catalog.NewKey{Name: "forever", User: "ann"})
	if !strings.HasPrefix(text, "kalam_") || text == forever || strings.Contains(fmt.Sprintf("%+v", k), text) {
		t.Errorf("key %+v", k)
	}
	for key, raw := range records(t, b) {
		if bytes.Contains(raw, []byte(text)) || bytes.Contains(raw, []byte(text[6:])) {
			t.Errorf("record %s holds a key", key)
		}
	}
	for name, c := range map[string]*catalog.Catalog{"now": c, "after a restart": open(t, b.Clone(), catalog.Options{Now: clk.now})} {
		got, u, ok := c.KeyOf(text)
		if !ok || got.ID != k.ID || u.ID != "ann" || got.Restriction != "read only" || !got.LastUsed.Equal(clk.now()) {
			t.Errorf("%s: %+v, %+v, %v", name, got, u, ok)
		}
		for _, wrong := range []string{"", "kalam_", text + "A", text[:len(text)-1], strings.ToLower(text), " " + text, k.ID,
			strings.Repeat(text, 1000)} {
			if _, _, ok := c.KeyOf(wrong); ok {
				t.Errorf("%s: %q is a key", name, wrong)
			}
		}
	}
	clk.add(48 * time.Hour)
	if _, _, ok := c.KeyOf(text); ok || c.HasKey(&k, kalam.RoleUser) {
		t.Error("an expired key is one")
	}
	if _, _, ok := c.KeyOf(forever); !ok {
		t.Error("a key without end has ended")
	}
	ended := c.TokensEnded()
	dropped, err := c.DropKey(t.Context(), ann, k.ID)
	if err != nil || dropped.ID != k.ID {
		t.Fatalf("drop: %+v, %v", dropped, err)
	}
	<-ended
	if again := open(t, b.Clone(), catalog.Options{Now: clk.now}); len(again.Keys()) != 1 {
		t.Errorf("after the drop: %+v", again.Keys())
	}
}

// TestWhoManagesKeys checks who makes and ends whose keys: oneself and who manages the user. To others a key that is
// there is like one that is not.
func TestWhoManagesKeys(t *testing.T) {
	c := withKeys(t, memory.New(), newClock())
	svc := kalam.Principal{User: "svc", Role: kalam.RoleService}
	limited := kalam.Principal{User: "ann", Role: kalam.RoleUser, Restriction: "read only"}
	limitedChief := kalam.Principal{User: "chief", Role: kalam.RoleDBA, Restriction: "namespace app"}
	tests := []struct {
		by   kalam.Principal
		user kalam.UserID
		code kalam.Code // 0: it may.
	}{
		{ann, "ann", 0}, {chief, "ann", 0}, {chief, "svc", 0}, {chief, "chief", 0}, {system, "root", 0}, {svc, "svc", 0},
		{ann, "bob", kalam.CodePermissionDenied}, {svc, "ann", kalam.CodePermissionDenied},
		{chief, "root", kalam.CodePermissionDenied}, {ann, "nobody", kalam.CodePermissionDenied},
		{chief, "nobody", kalam.CodeNotFound}, {system, "system", kalam.CodeInvalidOperation},
		{limited, "ann", kalam.CodePermissionDenied}, {limitedChief, "ann", kalam.CodePermissionDenied},
		{kalam.Principal{User: "ann"}, "ann", kalam.CodePermissionDenied},
	}
	for _, tt := range tests {
		k, _, err := c.CreateKey(t.Context(), tt.by, catalog.NewKey{Name: "k", User: tt.user})
		if tt.code == 0 {
			check(t, err)
			_, err = c.DropKey(t.Context(), tt.by, k.ID)
			check(t, err)
			continue
		}
		if kalam.CodeOf(err) != tt.code {
			t.Errorf("%+v for %s: %v", tt.by, tt.user, err)
		}
	}
	k, _ := createKey(t, c, catalog.NewKey{Name: "k", User: "ann"})
	for _, by := range []kalam.Principal{bob, svc, limited, limitedChief} {
		_, there := c.DropKey(t.Context(), by, k.ID)
		_, not := c.DropKey(t.Context(), by, "ak-0")
		if kalam.CodeOf(there) != kalam.CodeNotFound || strings.ReplaceAll(there.Error(), k.ID, "ak-0") != not.Error() {
			t.Errorf("%+v: %v and %v", by, there, not)
		}
	}
	for _, name := range []string{"", "a\x00", "a\n", "\xff", strings.Repeat("a", catalog.MaxKeyName+1)} {
		_, _, err := c.CreateKey(t.Context(), ann, catalog.NewKey{Name: name, User: "ann"})
		refused(t, err, kalam.CodeInvalidInput, "")
	}
	_, _, err := c.CreateKey(t.Context(), ann, catalog.NewKey{Name: "k", User: "ann"})
	refused(t, err, kalam.CodeAlreadyExists, "API key 'k' of user 'ann' already exists")
	createKey(t, c, catalog.NewKey{Name: "l", User: "ann"})
	createKey(t, c, catalog.NewKey{Name: "m", User: "ann"})
	_, _, err = c.CreateKey(t.Context(), ann, catalog.NewKey{Name: "n", User: "ann"})
	refused(t, err, kalam.CodeInvalidOperation, "")
	_, _, err = c.CreateKey(t.Context(), ann, catalog.NewKey{Name: "n", User: "bob", Life: catalog.MaxKeyLife + 1})
	refused(t, err, kalam.CodeInvalidInput, "")
}

// TestKeysEndWithTheirUser drops, purges and restores users, and changes a role: keys of a dropped user are gone for
// good, in the same write.
func TestKeysEndWithTheirUser(t *testing.T) {
	b, clk := memory.New(), newClock()
	c := withKeys(t, b, clk)
	k, text := createKey(t, c, catalog.NewKey{Name: "k", User: "ann"})
	_, purged := createKey(t, c, catalog.NewKey{Name: "k", User: "bob"})
	role := kalam.RoleService
	_, err := c.AlterUser(t.Context(), chief, "ann", catalog.UserChange{Role: &role})
	check(t, err)
	if _, u, ok := c.KeyOf(text); !ok || u.Role != role || c.HasKey(&k, kalam.RoleUser) || !c.HasKey(&k, role) {
		t.Errorf("after a new role: %+v, %v", u, ok)
	}
	_, err = c.DropUser(t.Context(), chief, "ann")
	check(t, err)
	_, err = c.PurgeUser(t.Context(), chief, "bob")
	check(t, err)
	_, err = c.RestoreUser(t.Context(), chief, "ann")
	check(t, err)
	for _, c := range []*catalog.Catalog{c, open(t, b.Clone(), catalog.Options{Now: clk.now})} {
		for _, text := range []string{text, purged} {
			if _, _, ok := c.KeyOf(text); ok || len(c.Keys()) != 0 {
				t.Errorf("keys of a dropped user: %+v", c.Keys())
			}
		}
	}
}

// TestKeyUsesAreWrittenTogether counts writes: a use writes nothing, WriteKeyUses one batch for all keys that were used.
func TestKeyUsesAreWrittenTogether(t *testing.T) {
	b, clk := newFaulty(), newClock()
	c := open(t, b, catalog.Options{Now: clk.now})
	createUser(t, c, catalog.NewUser{ID: "ann"})
	_, first := createKey(t, c, catalog.NewKey{Name: "1", User: "ann"})
	_, second := createKey(t, c, catalog.NewKey{Name: "2", User: "ann"})
	before := b.count()
	for range 100 {
		for _, text := range []string{first, second} {
			if _, _, ok := c.KeyOf(text); !ok {
				t.Fatal("no key")
			}
		}
	}
	if n := b.count() - before; n != 0 {
		t.Errorf("uses took %d writes", n)
	}
	used := clk.now()
	for range 3 {
		check(t, c.WriteKeyUses(t.Context()))
	}
	if n := b.count() - before; n != 1 {
		t.Errorf("%d writes of the uses", n)
	}
	clk.add(time.Hour)
	for _, k := range open(t, b.Clone(), catalog.Options{Now: clk.now}).Keys() {
		if !k.LastUsed.Equal(used) {
			t.Errorf("last used %s, want %s", k.LastUsed, used)
		}
	}
}
