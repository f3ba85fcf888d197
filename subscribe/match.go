package subscribe

import "github.com/kalamlake/kalam"

// decide matches a change and keeps the hit.
func (m *matcher) decide(c *kalam.Change, d *decoder, r *row) error {
	isNew, isOld := true, true
	if m.filter != nil {
		vals, err := d.newRow()
		if err != nil {
			return err
		}
		*r = row{vals: vals, seq: c.New.Seq, deleted: c.New.Deleted}
		isNew = m.filter.matchRow(r)
		if m.exact && hasOld(c) {
			if vals, err = d.oldRow(); err != nil {
				return err
			}
			*r = row{vals: vals, seq: oldOf(c).Seq}
			isOld = m.filter.matchRow(r)
		}
	}
	h, ok, err := m.hit(c, d, isNew, isOld)
	if ok {
		m.hits = append(m.hits, h)
	}
	return err
}

// kindOf returns what a change is for the subscriptions of m, given whether the
// condition is true for its new and its old row. Among KalamDB's events the new row decides
// alone, that of a delete being the tombstone. In exact mode it is the change of
// the query's result, in which tombstones are only if the condition names
// _deleted.
func (m *matcher) kindOf(c *kalam.Change, isNew, isOld bool) (kalam.ChangeKind, bool) {
	if !m.exact {
		return c.Kind, isNew
	}
	isNew = isNew && (m.deleted || !c.New.Deleted)
	isOld = isOld && hasOld(c)
	switch {
	case isNew && isOld:
		return kalam.ChangeUpdate, true
	case isNew:
		return kalam.ChangeInsert, true
	case isOld:
		return kalam.ChangeDelete, true
	}
	return 0, false
}

// hit returns the hit of a change, if it is one.
func (m *matcher) hit(c *kalam.Change, d *decoder, isNew, isOld bool) (h hit, ok bool, err error) {
	kind, ok := m.kindOf(c, isNew, isOld)
	if !ok {
		return hit{}, false, nil
	}
	h = hit{kind: kind, newSeq: c.New.Seq, deleted: c.New.Deleted, size: int64(changeSize + len(c.New.Payload))}
	if h.newVals, h.oldVals, err = d.keep(); err != nil {
		return hit{}, false, err
	}
	if hasOld(c) {
		h.oldSeq = oldOf(c).Seq
		h.size += int64(len(oldOf(c).Payload))
	}
	if m.guarded {
		h.guard(isOld)
	}
	return h, true, nil
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
