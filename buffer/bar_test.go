package buffer_test

import (
	"errors"
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/buffer/memory"
	"github.com/kalamlake/kalam/buffer/remains"
)

// TestBarUser: from BarUser on a user's scopes of every table take no writes and give no views, read
// points that were open keep theirs, and other users, of names that begin alike too, notice nothing.
// RemoveScope leaves nothing in the backend, and after AdmitUser the scopes are empty.
func TestBarUser(t *testing.T) {
	ctx := t.Context()
	backend := memory.New()
	s, err := buffer.Open(ctx, backend, buffer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	tables := []*kalam.Table{notes(3), notes(7)}
	write := func(user kalam.UserID, id int64) error {
		for _, tb := range tables {
			if _, err := s.Apply(ctx, []buffer.Mutation{insert(tb, user, id, "body")}); err != nil {
				return err
			}
		}
		return nil
	}
	for _, user := range []kalam.UserID{"a", "ann", "anna"} {
		if err := write(user, 1); err != nil {
			t.Fatal(err)
		}
	}
	ann := tables[0].ScopeOf("ann")
	point, _, err := s.Views(ctx, []buffer.TableScope{{Table: tables[0], Scope: ann}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.RemoveScope(ctx, ann); kalam.CodeOf(err) != kalam.CodeInternal {
		t.Errorf("a scope that is in use is removed: %v", err)
	}
	for range 2 { // It may be repeated.
		if err := s.BarUser(ctx, "ann"); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.BarUser(ctx, ""); kalam.CodeOf(err) != kalam.CodeInternal {
		t.Errorf("shared tables are barred: %v", err)
	}
	if err := write("ann", 2); !errors.Is(err, buffer.ErrUserBarred) || kalam.CodeOf(err) != kalam.CodeConflict {
		t.Errorf("a write: %v", err)
	}
	if _, _, err := s.Views(ctx, []buffer.TableScope{{Table: tables[1], Scope: tables[1].ScopeOf("ann")}}); !errors.Is(err,
		buffer.ErrUserBarred) {
		t.Errorf("a view: %v", err)
	}
	if !s.IsBarred("ann") || s.IsBarred("anna") || s.InUse("ann") != 1 {
		t.Errorf("barred %v and %v, %d in use", s.IsBarred("ann"), s.IsBarred("anna"), s.InUse("ann"))
	}
	point.Release()
	if n := s.InUse("ann"); n != 0 {
		t.Errorf("%d scopes are in use after the release", n)
	}
	for _, tb := range tables {
		if rows, _, _ := s.TableStats(tb.Number); rows != 2 { // The others are bytes and the oldest seq.
			t.Errorf("table %d counts %d rows, want 2", tb.Number, rows)
		}
	}
	scopes, err := remains.Of(ctx, backend, "ann")
	if err != nil || len(scopes) != 2 || scopes[0] != ann || scopes[1] != tables[1].ScopeOf("ann") {
		t.Fatalf("what is there: %v, %v", scopes, err)
	}
	for _, sc := range scopes {
		if n, err := s.RemoveScope(ctx, sc); err != nil || n != 1 {
			t.Errorf("RemoveScope: %d, %v", n, err)
		}
	}
	if scopes, err = remains.Of(ctx, backend, "ann"); err != nil || len(scopes) != 0 {
		t.Errorf("what is left: %v, %v", scopes, err)
	}
	s.AdmitUser("ann")
	for user, want := range map[kalam.UserID]int64{"a": 2, "ann": 1, "anna": 2} {
		if err := write(user, 5); err != nil {
			t.Errorf("%s writes after it: %v", user, err)
		}
		n, err := s.Counts(ctx, tables[0], tables[0].ScopeOf(user), 0)
		if err != nil || n.Live != want {
			t.Errorf("%s has %d rows, %v, want %d", user, n.Live, err, want)
		}
	}
}
