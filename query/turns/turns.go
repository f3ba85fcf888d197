// Package turns shares a few places among users, so that none of them keeps the others
// from their turn.
//
// # Guarantees
//
// Users who wait get free places one after the other, however much each has waiting; of
// one user who came first goes first. No user holds all places, if there is more than
// one. What one user may have waiting is bounded.
package turns

import (
	"container/list"
	"context"
	"sync"

	"github.com/kalamlake/kalam"
)

// Queue shares places. Safe for concurrent use.
type Queue struct {
	places  int // In all.
	perUser int
	maxWait int

	mu     sync.Mutex // guards what follows
	free   int
	users  map[kalam.UserID]*share // Those who hold a place or wait.
	turns  list.List               // of *share: those who wait, the next first.
	waited int                     // Requests that wait.
}

// share is what one user has of a queue.
type share struct {
	user    kalam.UserID
	held    int
	waiting list.List     // of chan struct{}, closed when a place was given
	turn    *list.Element // In Queue.turns while somebody waits.
}

// New returns a queue of places, at least one. A user holds at most all of them but one,
// and has at most maxWait requests waiting.
func New(places, maxWait int) *Queue {
	places = max(places, 1)
	return &Queue{places: places, perUser: max(places-1, 1), maxWait: maxWait, free: places,
		users: map[kalam.UserID]*share{}}
}

// Enter takes a place for user and returns what gives it back, to be called once. It
// waits for the user's turn as long as ctx allows; its error is then that of ctx.
// CodeResourceExhausted when too much of the user's waits already.
func (q *Queue) Enter(ctx context.Context, user kalam.UserID) (leave func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	given, waiting, err := q.ask(user)
	if err != nil {
		return nil, err
	}
	if given != nil {
		select {
		case <-given:
		case <-ctx.Done():
			if q.withdraw(user, waiting) {
				return nil, context.Cause(ctx)
			}
			// It was given in the same moment.
		}
	}
	var once sync.Once
	return func() { once.Do(func() { q.leave(user) }) }, nil
}

// TryEnter is Enter for one who does not wait; ok is false when it is not user's turn.
func (q *Queue) TryEnter(user kalam.UserID) (leave func(), ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	s := q.users[user]
	if s == nil {
		s = &share{user: user}
	}
	if q.free == 0 || s.held >= q.perUser || s.waiting.Len() > 0 {
		return nil, false
	}
	q.users[user] = s
	q.free--
	s.held++
	var once sync.Once
	return func() { once.Do(func() { q.leave(user) }) }, true
}

// ask takes a free place, or a place in the line; given is closed when its turn came.
func (q *Queue) ask(user kalam.UserID) (given chan struct{}, waiting *list.Element, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	s := q.users[user]
	if s == nil {
		s = &share{user: user}
		q.users[user] = s
	}
	if q.free > 0 && s.held < q.perUser && s.waiting.Len() == 0 {
		q.free--
		s.held++
		return nil, nil, nil
	}
	if s.waiting.Len() >= q.maxWait {
		return nil, nil, kalam.Errorf(kalam.CodeResourceExhausted,
			"%d statements of user '%s' wait already; try again when some have ended", q.maxWait, user)
	}
	given = make(chan struct{})
	q.waited++
	waiting = s.waiting.PushBack(given)
	if s.turn == nil {
		s.turn = q.turns.PushBack(s)
	}
	return given, waiting, nil
}

// withdraw takes a request out of the line; false when it has its place already.
func (q *Queue) withdraw(user kalam.UserID, waiting *list.Element) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	given, ok := waiting.Value.(chan struct{})
	if !ok {
		return false
	}
	select {
	case <-given:
		return false
	default:
	}
	s := q.users[user]
	s.waiting.Remove(waiting)
	q.waited--
	q.settle(s)
	return true
}

func (q *Queue) leave(user kalam.UserID) {
	q.mu.Lock()
	defer q.mu.Unlock()
	s := q.users[user]
	s.held--
	q.free++
	q.settle(s)
	q.give()
}

// give hands the free places to those whose turn it is.
func (q *Queue) give() {
	for el := q.turns.Front(); el != nil && q.free > 0; {
		next := el.Next()
		s, _ := el.Value.(*share)
		if s.held < q.perUser {
			first := s.waiting.Front()
			given, _ := s.waiting.Remove(first).(chan struct{})
			q.waited--
			q.free--
			s.held++
			close(given)
			q.turns.MoveToBack(el) // Others first, before this one again.
			q.settle(s)
			next = q.turns.Front()
		}
		el = next
	}
}

// settle forgets a user who neither waits nor holds anything.
func (q *Queue) settle(s *share) {
	if s.waiting.Len() == 0 && s.turn != nil {
		q.turns.Remove(s.turn)
		s.turn = nil
	}
	if s.waiting.Len() == 0 && s.held == 0 {
		delete(q.users, s.user)
	}
}

// Stats are a queue's gauges.
type Stats struct {
	Places, Held, Waiting int
}

// Stats returns the gauges.
func (q *Queue) Stats() Stats {
	q.mu.Lock()
	defer q.mu.Unlock()
	return Stats{Places: q.places, Held: q.places - q.free, Waiting: q.waited}
}
