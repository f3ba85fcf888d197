package buffer

func (r *request) take() bool { return r.state.CompareAndSwap(stateQueued, stateTaken) }

func (r *request) withdraw() bool { return r.state.CompareAndSwap(stateQueued, stateWithdrawn) }

// wake has commitLoop take the turn if there are requests in the queue and
// nobody has it. Who queues a request and who gives the turn back both call it
// after they have, so that at least one of them sees both.
func (s *Store) wake() {
	if len(s.queue) == 0 {
		return
	}
	select {
	case c := <-s.turn:
		s.handed <- c
	default:
	}
}

// reservation makes the clock's present value durable.
type reservation struct{}

func (reservation) stage(c *committer) error { c.reserve = true; return nil }

func (reservation) rollback() {}

func (reservation) publish() {}

func (reservation) afterCommit(*committer) {}

func (reservation) touched() []*scope { return nil }

// batchLen returns how many of the first ops fit into one batch, at least 1.
func batchLen(l Limits, ops []Op) int {
	var total int64
	for n := range ops {
		total += l.Size(len(ops[n].Key), len(ops[n].Value))
		if n > 0 && (n == l.Ops || total > l.Bytes) {
			return n
		}
	}
	return len(ops)
}
