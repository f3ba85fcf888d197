package cache

import (
	"fmt"
	"testing"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/dialect"
	"github.com/kalamlake/kalam/sqltext"
)

// TestCacheBounds drops what was not used for longest, and what nobody uses for the TTL.
func TestCacheBounds(t *testing.T) {
	now := time.Unix(0, 0)
	c, err := New(Options{Sessions: 2, Registrations: 3, TTL: time.Minute}, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	as := func(user string, role kalam.Role) *User {
		return c.Of(kalam.Principal{User: kalam.UserID(user), Role: role})
	}
	register := func(u *User, sql string) *Registration {
		st, err := dialect.Parse(sql)
		if err != nil {
			t.Fatal(err)
		}
		return u.Register(sql, []sqltext.Fragment{{Text: sql}}, st)
	}
	ann := as("ann", kalam.RoleUser)
	for i := range 5 {
		register(ann, fmt.Sprintf("SELECT %d", i))
	}
	if ann.Statement("SELECT 1") != nil || ann.Statement("SELECT 4") == nil {
		t.Error("the statements that are kept are not the last ones")
	}
	for _, sql := range []string{"INSERT INTO t VALUES (1)", "SHOW TABLES", "DROP TABLE t"} {
		if register(ann, sql) != nil {
			t.Errorf("%s is kept", sql)
		}
	}
	if register(ann, "INSERT INTO t VALUES ($1)") == nil {
		t.Error("an INSERT of parameters is not kept")
	}
	if as("ann", kalam.RoleDBA).Statement("SELECT 4") != nil {
		t.Error("another role has the user's statements")
	}
	if as("ann", kalam.RoleUser) != ann {
		t.Error("a user's context is not the same again")
	}
	as("bob", kalam.RoleUser)
	if s := c.Stats(); s.Sessions != 2 || s.Statements != 3 || s.Hits != 1 || s.Misses != 6 {
		t.Errorf("the cache says %+v", s)
	}
	now = now.Add(59 * time.Second)
	as("bob", kalam.RoleUser)
	now = now.Add(2 * time.Second)
	if as("bob", kalam.RoleUser); c.Stats().Sessions != 1 {
		t.Errorf("after the TTL of one of two the cache says %+v", c.Stats())
	}
	if n := c.Clear(); n != 1 || c.Stats().Sessions != 0 {
		t.Errorf("%d contexts cleared", n)
	}
	none, err := New(Options{}, time.Now)
	if err != nil || none.Of(kalam.Principal{User: "ann"}) != nil || none.Clear() != 0 {
		t.Errorf("a cache of nothing keeps something: %v", err)
	}
}
