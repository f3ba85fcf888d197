package subscribe

import "github.com/kalamlake/kalam"

// laneBatch is the number of changes that an Evaluator gets at a time.
const laneBatch = 1024

// lane holds the changes that wait for an Evaluator. It is guarded by Hub.mu.
type lane struct {
	running bool
	changes []kalam.Change
	bytes   int64 // Of changes.
}

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

// evaluate matches changes by the evaluator and appends to hits.
func (m *matcher) evaluate(d *decoder, changes []kalam.Change, hits []hit) ([]hit, error) {
	rows := make([]kalam.Row, 0, 2*len(changes))
	for i := range changes {
		c := &changes[i]
		rows = append(rows, c.New)
		if m.exact && hasOld(c) {
			rows = append(rows, oldOf(c))
		}
	}
	is, err := m.evaluator.Match(m.ctx, m.table, rows)
	if err != nil {
		return hits, err
	}
	if len(is) != len(rows) {
		return hits, kalam.Errorf(kalam.CodeInternal, "evaluator decided %d of %d rows of table %s",
			len(is), len(rows), m.table.ID)
	}
	for i := range changes {
		c := &changes[i]
		isNew, isOld := is[0], false
		is = is[1:]
		if m.exact && hasOld(c) {
			isOld, is = is[0], is[1:]
		}
		d.reset(c)
		h, ok, err := m.hit(c, d, isNew, isOld)
		if err != nil {
			return hits, err
		}
		if ok {
			hits = append(hits, h)
		}
	}
	return hits, nil
}
