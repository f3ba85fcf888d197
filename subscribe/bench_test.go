package subscribe_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/subscribe"
)

// crowd registers n subscriptions to one SHARED table on the given number of
// outboxes, with filters distinct conditions.
func crowd(b *testing.B, h *subscribe.Hub, n, outboxes, filters int) ([]*subscribe.Outbox, *kalam.Table) {
	b.Helper()
	t := notes(1)
	t.Kind = kalam.KindSharedTable
	list := make([]*subscribe.Outbox, outboxes)
	for i := range list {
		list[i] = h.NewOutbox()
	}
	for i := range n {
		sub, err := h.Register(subscribe.Spec{
			ID: fmt.Sprint(i), Table: t, Scope: t.ScopeOf(""), User: "u", Outbox: list[i%outboxes],
			Filter: compile(b, below(int64(100+i%filters))),
		})
		if err != nil {
			b.Fatal(err)
		}
		sub.Activate(0)
	}
	return list, t
}

// reader reads the outbox of one socket and counts events on work.
func reader(o *subscribe.Outbox, ended, work *sync.WaitGroup) {
	ended.Go(func() {
		for {
			d, err := o.Next(context.Background())
			if err != nil {
				return
			}
			for _, e := range d.Events {
				e.Encoded("", func() []byte { return make([]byte, 200) })
			}
			work.Add(-len(d.Events))
		}
	})
}

// BenchmarkFanOut measures one insert until every subscription has its event
// encoded, each socket having a goroutine.
func BenchmarkFanOut(b *testing.B) {
	for _, bb := range []struct{ subs, sockets, filters int }{{1, 1, 1}, {5000, 5000, 1},
		{5000, 5000, 5000}, {100_000, 1000, 1}} {
		b.Run(fmt.Sprintf("subscriptions=%d/sockets=%d/filters=%d", bb.subs, bb.sockets, bb.filters),
			func(b *testing.B) {
				h := subscribe.NewHub(subscribe.HubOptions{MaxPerUser: -1})
				outboxes, t := crowd(b, h, bb.subs, bb.sockets, bb.filters)
				var ended, work sync.WaitGroup
				for _, o := range outboxes {
					reader(o, &ended, &work)
				}
				payload := datatype.EncodeRow(nil, t, note{1, 1, "a body of some length"}.values())
				seq := kalam.Seq(0)
				b.ReportAllocs()
				for b.Loop() {
					seq++
					work.Add(bb.subs)
					h.Publish([]kalam.Change{{Scope: t.ScopeOf(""), Kind: kalam.ChangeInsert,
						New: kalam.Row{Seq: seq, Payload: payload}}})
					work.Wait()
				}
				for _, o := range outboxes {
					o.Close()
				}
				ended.Wait()
				if err := h.Close(); err != nil {
					b.Fatal(err)
				}
			})
	}
}

// BenchmarkPublish measures what a commit of one row costs the committer.
func BenchmarkPublish(b *testing.B) {
	for _, subs := range []int{0, 1, 5000} {
		b.Run(fmt.Sprintf("subscriptions=%d", subs), func(b *testing.B) {
			h := subscribe.NewHub(subscribe.HubOptions{MaxPerUser: -1, MaxBacklog: 1 << 40})
			// Nobody reads, and the filter is never true.
			_, t := crowd(b, h, subs, 1, 1)
			payload := datatype.EncodeRow(nil, t, note{1, 1000, "a body of some length"}.values())
			changes := []kalam.Change{{Scope: t.ScopeOf(""), Kind: kalam.ChangeInsert,
				New: kalam.Row{Seq: 1, Payload: payload}}}
			b.ReportAllocs()
			for b.Loop() {
				h.Publish(changes)
			}
			if err := h.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}

func BenchmarkInterested(b *testing.B) {
	h := subscribe.NewHub(subscribe.HubOptions{MaxPerUser: -1})
	t := notes(1)
	for i := range 10_000 {
		u := kalam.UserID(fmt.Sprint("user", i))
		if _, err := h.Register(subscribe.Spec{ID: string(u), Table: t, Scope: t.ScopeOf(u), User: u}); err != nil {
			b.Fatal(err)
		}
	}
	for _, u := range []kalam.UserID{"user77", "nobody"} {
		b.Run(string(u), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				h.Interested(t.ScopeOf(u))
			}
		})
	}
	if err := h.Close(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkRegister measures a subscription's start and end.
func BenchmarkRegister(b *testing.B) {
	h := subscribe.NewHub(subscribe.HubOptions{})
	t := notes(1)
	out := h.NewOutbox()
	f := compile(b, below(5))
	b.ReportAllocs()
	for b.Loop() {
		s, err := h.Register(subscribe.Spec{Table: t, Scope: t.ScopeOf("u"), User: "u", Filter: f, Outbox: out})
		if err != nil {
			b.Fatal(err)
		}
		s.Activate(1)
		s.Close()
	}
	if err := h.Close(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkFilter measures a condition on a decoded row, and with decoding it.
func BenchmarkFilter(b *testing.B) {
	t := notes(1)
	conditions := []struct {
		name string
		e    subscribe.Expr
	}{
		{"less", below(50)},
		{"and-or-like", subscribe.Or{Args: []subscribe.Expr{
			subscribe.And{Args: []subscribe.Expr{below(5), is(subscribe.Greater, col("id"), num(3))}},
			subscribe.Like{Arg: col("body"), Pattern: text("%length%")},
		}}},
	}
	vals := note{1, 7, "a body of some length"}.values()
	payload := datatype.EncodeRow(nil, t, vals)
	for _, c := range conditions {
		f := compile(b, c.e)
		b.Run(c.name+"/match", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				f.Match(vals, 1, false)
			}
		})
		b.Run(c.name+"/decode-and-match", func(b *testing.B) {
			b.ReportAllocs()
			var dst []kalam.Value
			for b.Loop() {
				dst, _ = datatype.DecodeRow(t, payload, dst)
				f.Match(dst, 1, false)
			}
		})
	}
}
