package link_test

import (
	"context"
	"errors"
	"testing"

	"github.com/kalamlake/kalam/internal/eventually"
	"github.com/kalamlake/kalam/link"
)

type versioned struct{ ID, V int }

// TestLiveRowsReset loses a row while the connection is lost for too long: the rows come anew.
func TestLiveRowsReset(t *testing.T) {
	f := newFake(t)
	f.table.put(1, 1, false)
	f.table.put(2, 2, false)
	live, err := link.NewLiveRows(within(t), f.alice(), liveSQL, link.LiveRowsOptions[versioned]{})
	if err != nil {
		t.Fatal(err)
	}
	if got := live.Rows(); len(got) != 2 || got[0] != (versioned{1, 1}) || live.State() != link.StateConnected {
		t.Fatalf("got %v, %s", got, live.State())
	}
	f.table.put(2, 2, true)
	f.table.put(3, 3, false)
	f.table.forget()
	f.sockets.dropAll()
	eventually.True(t, "the rows are there anew", func() bool {
		rows := live.Rows()
		return len(rows) == 2 && rows[1] == (versioned{3, 3})
	})
	f.sockets.dropAll()
	if err := live.Close(); err != nil {
		t.Fatal(err)
	}
	for range live.All(within(t)) {
		return
	}
	t.Error("All yields nothing after Close")
}

// TestLiveRowsEnd ends them by their context, and by their client.
func TestLiveRowsEnd(t *testing.T) {
	f := newFake(t)
	c := f.alice()
	ctx, cancel := context.WithCancel(within(t))
	canceled, err := link.NewLiveRows(ctx, c, liveSQL, link.LiveRowsOptions[versioned]{})
	if err != nil {
		t.Fatal(err)
	}
	closed, err := link.NewLiveRows(within(t), c, liveSQL, link.LiveRowsOptions[versioned]{})
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	var last error
	for _, err := range canceled.All(within(t)) {
		last = err
	}
	if link.KindOf(last) != link.KindCanceled || !errors.Is(canceled.Err(), last) {
		t.Errorf("got %v, %v", last, canceled.Err())
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	for _, err := range closed.All(within(t)) {
		last = err
	}
	if link.KindOf(last) != link.KindConnection {
		t.Errorf("got %v", last)
	}
}
