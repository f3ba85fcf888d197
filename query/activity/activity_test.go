package activity_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/query/activity"
)

var (
	alice = kalam.Principal{User: "alice", Role: kalam.RoleUser}
	bob   = kalam.Principal{User: "bob", Role: kalam.RoleDBA}
)

// TestRegistry follows two queries from their begin to their end.
func TestRegistry(t *testing.T) {
	var r activity.Registry
	ctx, a := r.Begin(t.Context(), alice, "app", "SELECT ?")
	_, b := r.Begin(t.Context(), bob, "app", "SELECT 2")
	if activity.Of(ctx) != a || activity.Of(t.Context()) != nil {
		t.Error("the context does not hold its query")
	}
	if list := r.List(); len(list) != 2 || list[0] != a.Info() || list[1] != b.Info() || list[0].ID == list[1].ID {
		t.Errorf("%+v", list)
	}
	a.Waits()
	b.Runs(42)
	b.Holds(1 << 20)
	list := r.List()
	if list[0].State != activity.Waiting || list[1].State != activity.Running || list[1].Worker != 42 ||
		list[1].Memory != 1<<20 {
		t.Errorf("%+v", list)
	}
	b.Sends()
	if s := b.Info().State; s != activity.Sending || s.String() != "sending" {
		t.Error(s)
	}
	b.End()
	b.End()
	a.End()
	if len(r.List()) != 0 || ctx.Err() == nil {
		t.Errorf("%+v, %v", r.List(), ctx.Err())
	}
}

// TestKill ends a query for whom that may.
func TestKill(t *testing.T) {
	var r activity.Registry
	ctx, q := r.Begin(t.Context(), alice, "app", "SELECT 1")
	defer q.End()
	mine := func(i activity.Info) bool { return i.User == "alice" }
	if r.Kill(q.Info().ID, func(i activity.Info) bool { return i.User == "bob" }) || r.Kill("Q-x", mine) ||
		ctx.Err() != nil {
		t.Error("a query was killed that must not be")
	}
	if !r.Kill(q.Info().ID, mine) {
		t.Error("not killed")
	}
	if err := context.Cause(ctx); kalam.CodeOf(err) != kalam.CodeCanceled || !strings.Contains(err.Error(), "KILL QUERY") {
		t.Error(err)
	}
	if q.Err() == nil {
		t.Error("the query does not know that it was killed")
	}
}

// TestNone: work without a query notes nothing.
func TestNone(t *testing.T) {
	q := activity.Of(context.Background())
	q.Waits()
	q.Runs(1)
	q.Holds(1)
	q.Sends()
	q.End()
	if err := q.Err(); err != nil {
		t.Error(err)
	}
}

// TestConcurrent has many queries at once.
func TestConcurrent(t *testing.T) {
	var r activity.Registry
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			for range 100 {
				_, q := r.Begin(t.Context(), alice, "app", "")
				q.Runs(1)
				r.List()
				q.End()
			}
		})
	}
	all.Wait()
	if n := len(r.List()); n != 0 {
		t.Errorf("%d are left", n)
	}
}
