package turns_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/query/turns"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestOthersGoFirst lets one user fill the line before others come.
func TestOthersGoFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := turns.New(2, 100)
		var mu sync.Mutex
		var order []string
		run := func(user string, n int) {
			for i := range n {
				go func() {
					leave, err := q.Enter(t.Context(), kalam.UserID(user))
					if err != nil {
						t.Error(err)
						return
					}
					time.Sleep(time.Second)
					mu.Lock()
					order = append(order, fmt.Sprint(user, i))
					mu.Unlock()
					leave()
				}()
				synctest.Wait()
			}
		}
		run("greedy", 10)
		run("b", 2)
		run("c", 2)
		time.Sleep(time.Minute)
		mu.Lock()
		defer mu.Unlock()
		// One place is never the greedy one's: the others use it one after the other, as
		// long as they take to use it four times.
		for _, late := range order[8:] {
			if late[0] != 'g' {
				t.Errorf("the order is %q", order)
			}
		}
		for _, user := range []string{"greedy", "b", "c"} {
			var own []string
			for _, o := range order {
				if strings.HasPrefix(o, user) {
					own = append(own, o)
				}
			}
			if !slices.IsSorted(own) {
				t.Errorf("user %s is served in the order %q", user, own)
			}
		}
		if len(order) != 14 {
			t.Errorf("%d of 14 had their turn", len(order))
		}
		if s := q.Stats(); s.Held != 0 || s.Waiting != 0 {
			t.Errorf("left is %+v", s)
		}
	})
}

// TestBounds checks the number of places under many users who come, go and give up.
func TestBounds(t *testing.T) {
	const places, users = 4, 7
	q := turns.New(places, 50)
	var all atomic.Int64
	var of [users]atomic.Int64
	var wg sync.WaitGroup
	var served, gaveUp atomic.Int64
	for w := range 40 {
		wg.Go(func() {
			user := w % users
			for i := range 200 {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i%5)*50*time.Microsecond)
				leave, err := q.Enter(ctx, kalam.UserID(fmt.Sprint("u", user)))
				cancel()
				if err != nil {
					if !errors.Is(err, context.DeadlineExceeded) {
						t.Error(err)
					}
					gaveUp.Add(1)
					continue
				}
				if n := all.Add(1); n > places {
					t.Errorf("%d places are held", n)
				}
				if n := of[user].Add(1); n > places-1 {
					t.Errorf("one user holds %d places", n)
				}
				served.Add(1)
				all.Add(-1)
				of[user].Add(-1)
				leave()
				leave() // It counts once.
			}
		})
	}
	wg.Wait()
	t.Logf("%d had their turn, %d gave up", served.Load(), gaveUp.Load())
	if s := q.Stats(); s != (turns.Stats{Places: places}) {
		t.Errorf("left is %+v", s)
	}
	if served.Load() == 0 || gaveUp.Load() == 0 {
		t.Error("the test did not meet both ends")
	}
}

// TestTooMuchWaits bounds the line of one user, and of this one alone.
func TestTooMuchWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := turns.New(1, 3)
		ctx, cancel := context.WithCancel(t.Context())
		for range 4 {
			go func() {
				if leave, err := q.Enter(ctx, "a"); err == nil {
					<-ctx.Done()
					leave()
				}
			}()
		}
		synctest.Wait()
		if _, err := q.Enter(ctx, "a"); kalam.CodeOf(err) != kalam.CodeResourceExhausted {
			t.Errorf("a fifth: %v", err)
		}
		got := make(chan error, 1)
		go func() {
			leave, err := q.Enter(t.Context(), "b")
			if err == nil {
				leave()
			}
			got <- err
		}()
		synctest.Wait()
		if s := q.Stats(); s.Waiting != 4 || s.Held != 1 {
			t.Errorf("waiting is %+v", s)
		}
		cancel()
		if err := <-got; err != nil {
			t.Error(err)
		}
		if _, err := q.Enter(ctx, "c"); !errors.Is(err, context.Canceled) {
			t.Errorf("with a context that ended: %v", err)
		}
		synctest.Wait()
		if s := q.Stats(); s.Held != 0 || s.Waiting != 0 {
			t.Errorf("left is %+v", s)
		}
	})
}

func BenchmarkEnter(b *testing.B) {
	q := turns.New(2, 10)
	for b.Loop() {
		leave, err := q.Enter(b.Context(), "a")
		if err != nil {
			b.Fatal(err)
		}
		leave()
	}
}
