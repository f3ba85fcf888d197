package subscribe

import "github.com/kalamlake/kalam"

// enqueueLocked adds copies of changes to the lane of m and makes somebody look
// after it. It reports false when the lane is full.
func (h *Hub) enqueueLocked(m *matcher, changes []kalam.Change) bool {
	if m.lane.bytes >= h.o.MaxBacklog {
		return false
	}
	m.lane.changes = append(m.lane.changes, changes...)
	m.lane.bytes += bytesOf(changes)
	if !m.lane.running {
		m.lane.running = true
		h.work.Add(1) // The dispatcher runs, so Close has not finished waiting.
		go h.runLane(m)
	}
	return true
}

// runLane evaluates what waits in the lane of m, in order, until there is nothing.
func (h *Hub) runLane(m *matcher) {
	defer h.work.Done()
	d := decoder{table: m.table}
	for {
		changes := h.takeLane(m)
		if changes == nil {
			return
		}
		var hits []hit
		var err error
		for len(changes) > 0 && err == nil && m.ctx.Err() == nil {
			n := min(len(changes), laneBatch)
			hits, err = m.evaluate(&d, changes[:n], hits)
			changes = changes[n:]
		}
		// One delivery, or a reader that keeps up would seem slow.
		h.deliver(m, hits, err)
	}
}

// takeLane removes and returns what waits; nil when there is nothing, or nobody
// wants it any more.
func (h *Hub) takeLane(m *matcher) []kalam.Change {
	h.mu.Lock()
	defer h.mu.Unlock()
	changes := m.lane.changes
	if len(m.groups) == 0 {
		changes = nil
	}
	m.lane = lane{running: changes != nil}
	return changes
}
