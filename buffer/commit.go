package buffer

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer/rowlog"
)

// submit commits a request and returns its outcome. When nobody is committing,
// the caller's goroutine does it: two hand-overs between goroutines would cost it
// more than all its checks. Otherwise the request is queued, and who commits takes
// it next. A request that was begun is waited for whatever ctx says, so that an
// error always means that nothing was committed.
func (s *Store) submit(ctx context.Context, r *request) error {
	r.done = make(chan struct{})
	select {
	case <-s.quit:
		return shuttingDown()
	default:
	}
	select {
	case c := <-s.turn:
		c.lead(r)
		return r.err
	default:
	}
	select {
	case s.queue <- r:
	case <-ctx.Done():
		return fmt.Errorf("wait for the write queue: %w", context.Cause(ctx))
	case <-s.quit:
		return shuttingDown()
	}
	s.wake() // The turn may have ended before r was in the queue.
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
		if r.withdraw() {
			return fmt.Errorf("wait for the commit: %w", context.Cause(ctx))
		}
	case <-s.ended:
		if r.withdraw() {
			return shuttingDown()
		}
	}
	<-r.done
	return r.err
}

// lead commits r, which is not queued, with what is, in the caller's goroutine,
// and leaves the rest to commitLoop: nobody does more than a group for others.
func (c *committer) lead(r *request) {
	c.carry = r
	finished := false
	defer func() {
		if !finished { // A panic, of which the caller may recover; what is half done must not be gone on with.
			go panic(fmt.Sprintf("commit: %v\n%s", recover(), debug.Stack()))
			select {}
		}
	}()
	c.collect()
	c.run()
	finished = true
	c.pass()
}

// pass gives the turn to commitLoop when there is more to do, and back otherwise.
func (c *committer) pass() {
	s := c.store
	if c.carry != nil || len(s.queue) > 0 {
		s.handed <- c
		return
	}
	s.turn <- c
	s.wake()
}

// commitLoop commits what is queued whenever it is handed the turn, until Close,
// and then what is left in the queue.
func (s *Store) commitLoop() {
	defer close(s.ended)
	var c *committer
	for closed := false; !closed; {
		select {
		case c = <-s.handed:
		case <-s.quit:
			closed = true
			select {
			case c = <-s.handed:
			case c = <-s.turn:
			}
		}
		for c.collect() {
			c.run()
		}
		if !closed {
			c.pass()
		}
	}
	if err := c.fix(); err != nil {
		s.log.Error("what a failed commit left could not be removed; it may show after the next start", "error", err)
	}
}

// run commits the group and tells its requests.
func (c *committer) run() {
	c.commit()
	for _, r := range c.group {
		close(r.done)
	}
	clear(c.group)
}

// collect fills the group with what is queued and returns false when that is
// nothing.
func (c *committer) collect() bool {
	c.group = c.group[:0]
	limits := c.store.limits
	var size, count int64
	var ops int
	for {
		r := c.next()
		if r == nil {
			return len(c.group) > 0
		}
		fits := !r.alone && size+r.size <= maxGroupBytes && count+r.count <= limits.Bytes-spareBytes &&
			ops+r.ops <= limits.Ops-spareOps
		if len(c.group) > 0 && !fits {
			c.carry = r
			return true
		}
		if !r.take() {
			continue
		}
		c.group = append(c.group, r)
		size, count, ops = size+r.size, count+r.count, ops+r.ops
		if r.alone {
			return true
		}
	}
}

// next returns the next request, nil when there is none.
func (c *committer) next() *request {
	if r := c.carry; r != nil {
		c.carry = nil
		return r
	}
	select {
	case r := <-c.store.queue:
		return r
	default:
		return nil
	}
}

// commit writes the group as one batch and makes it visible.
func (c *committer) commit() {
	if err := c.fix(); err != nil {
		for _, r := range c.group {
			r.err = err
		}
		return
	}
	c.ops, c.first, c.last, c.reserve, c.restore, c.synced = c.ops[:0], 0, 0, false, c.restore[:0], 0
	for _, r := range c.group {
		ops, restore, first, last := len(c.ops), len(c.restore), c.first, c.last
		r.err = r.work.stage(c)
		r.staged = r.err == nil
		if !r.staged {
			c.ops, c.restore, c.first, c.last = c.ops[:ops], c.restore[:restore], first, last
		}
	}
	c.putCounts()
	err := c.apply()
	c.endCounts(err == nil)
	if err != nil {
		c.fail(err)
		if err := c.fix(); err != nil {
			c.store.log.Error("commit failed, and what it left cannot be removed yet", "error", err)
		}
		return
	}
	s := c.store
	s.visibility.Lock()
	for _, r := range c.group {
		if r.staged {
			for _, sc := range r.work.touched() {
				s.keepPast(sc)
			}
			r.work.publish()
		}
	}
	s.visible = max(s.visible, c.last)
	s.edition++
	s.visibility.Unlock()
	c.afterCommit()
}

// afterCommit counts what the group has written, and publishes its changes.
func (c *committer) afterCommit() {
	s := c.store
	c.changes = c.changes[:0]
	requests, rows := 0, s.counters.rows.Load() // Only who commits changes it.
	for _, r := range c.group {
		if r.staged {
			r.work.afterCommit(c)
			requests++
		}
	}
	if c.synced > 0 {
		s.opts.Observer.Synced(requests, int(s.counters.rows.Load()-rows), c.synced)
	}
	if len(c.changes) > 0 {
		s.opts.Publish(c.changes)
		c.changes = nil // They are the receiver's.
	}
}

// apply makes the group's ops durable.
//
//nolint:contextcheck // As that of fix.
func (c *committer) apply() error {
	s := c.store
	highest := c.last
	if c.reserve {
		highest = max(highest, s.clock.Last())
	}
	ceiling := kalam.Seq(s.ceiling.Load())
	if highest > ceiling {
		ceiling = leadOver(highest)
		c.put(clockOp(ceiling))
	}
	if len(c.ops) == 0 {
		return nil
	}
	began := time.Now()
	var err error
	if s.limits.Check(c.ops) == nil {
		err = s.backend.Apply(context.Background(), c.ops)
	} else {
		err = c.applyInPieces()
	}
	if err != nil {
		return commitError(err)
	}
	c.synced = time.Since(began)
	s.ceiling.Store(uint64(ceiling))
	s.counters.groups.Add(1)
	return nil
}

// commitError words the error of a batch for the writers in its group.
func commitError(err error) error {
	if code := kalam.CodeOf(err); code == kalam.CodeResourceExhausted || code == kalam.CodeCorrupt {
		return err
	}
	return fmt.Errorf("commit: %w", err)
}

// fail takes back the whole group: its batch was not written, or it is not known
// whether it was. A request that was refused for what another one staged learns
// of the failure, since the other one is gone.
func (c *committer) fail(err error) {
	for i := len(c.group) - 1; i >= 0; i-- {
		r := c.group[i]
		if r.staged {
			r.work.rollback()
			for _, sc := range r.work.touched() {
				c.store.retain(sc)
				c.retained = append(c.retained, sc)
			}
		}
		if !errors.Is(r.err, errRecheck) {
			r.err = err
		}
	}
	if errors.Is(err, ErrNotSupported) {
		c.store.log.Error("the backend refused a batch within its limits", "ops", len(c.ops), "error", err)
	}
	for _, op := range c.ops {
		if op.Keyspace == rowlog.KeyspaceRows {
			c.repair = append(c.repair, Op{Keyspace: rowlog.KeyspaceRows, Key: op.Key, Delete: true})
		}
	}
	c.repair = append(c.repair, c.restore...)
	if c.store.limits.Check(c.ops) != nil { // It went in pieces.
		c.repair = append(c.repair, Op{Keyspace: rowlog.KeyspaceMeta, Key: c.intentKey(), Delete: true})
	}
}

// fix applies the repair that a failure left. Rows go before the intent that
// marks them.
//
//nolint:contextcheck // A group is of many requests: none of their contexts ends it.
func (c *committer) fix() error {
	for len(c.repair) > 0 {
		n := batchLen(c.store.limits, c.repair)
		if err := c.store.backend.Apply(context.Background(), c.repair[:n]); err != nil {
			return commitError(err)
		}
		c.repair = c.repair[n:]
	}
	c.repair = nil
	for _, sc := range c.retained {
		c.store.release(sc)
	}
	c.retained = nil
	return nil
}

// applyInPieces writes a batch that is too large for the backend as several
// ones. The intent in the first piece marks their rows as not committed; the last
// piece removes it, which is the commit. The next start discards the rows of an
// intent that is left.
//
//nolint:contextcheck // As that of fix.
func (c *committer) applyInPieces() error {
	s := c.store
	intent := Op{Keyspace: rowlog.KeyspaceMeta, Key: c.intentKey(), Value: []byte{}}
	piece := []Op{intent}
	rest := make([]Op, 0, len(c.ops))
	for _, op := range c.ops {
		if op.Keyspace == rowlog.KeyspaceMeta { // The clock must not be behind the rows.
			piece = append(piece, op)
		} else {
			rest = append(rest, op)
		}
	}
	room := s.limits
	room.Bytes -= spareBytes
	room.Ops -= spareOps
	for len(rest) > 0 {
		n := batchLen(room, rest)
		piece = append(piece, rest[:n]...)
		if rest = rest[n:]; len(rest) == 0 {
			intent.Delete = true
			piece = append(piece, intent)
		}
		if err := s.backend.Apply(context.Background(), piece); err != nil {
			return err
		}
		piece = piece[:0]
	}
	return nil
}

// NextID returns a value of the clock for SNOWFLAKE_ID(): like a seq, it is
// never handed out again, also not after a crash.
//
//nolint:contextcheck // What it waits for at times is a reservation for all callers, not for one statement.
func (s *Store) NextID() (kalam.Seq, error) {
	id := s.clock.Next()
	if uint64(id) <= s.ceiling.Load() {
		return id, nil
	}
	return id, s.submit(context.Background(), &request{work: reservation{}})
}
