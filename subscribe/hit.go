package subscribe

import (
	"bytes"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
)

// hit is a change that a matcher selected: an Event to be.
type hit struct {
	kind             kalam.ChangeKind
	newVals, oldVals []kalam.Value
	newSeq, oldSeq   kalam.Seq
	deleted          bool
	size             int64
}

// decoder decodes the rows of one change for any number of matchers: at most
// once to match and once to keep.
type decoder struct {
	table            *kalam.Table
	change           *kalam.Change
	newSeen, oldSeen bool // newVals, oldVals hold the rows of change.
	newVals, oldVals []kalam.Value
	kept             bool // newKept, oldKept do.
	newKept, oldKept []kalam.Value
}

// reset makes d stand on another change.
func (d *decoder) reset(c *kalam.Change) {
	d.change, d.newSeen, d.oldSeen, d.kept = c, false, false, false
}

// newRow returns the new values, valid until reset.
func (d *decoder) newRow() ([]kalam.Value, error) {
	if d.newSeen {
		return d.newVals, nil
	}
	vals, err := datatype.DecodeRow(d.table, d.change.New.Payload, d.newVals)
	if err != nil {
		return nil, err
	}
	d.newVals, d.newSeen = vals, true
	return vals, nil
}

// oldRow returns the old values, valid until reset.
func (d *decoder) oldRow() ([]kalam.Value, error) {
	if d.oldSeen {
		return d.oldVals, nil
	}
	vals, err := datatype.DecodeRow(d.table, oldOf(d.change).Payload, d.oldVals)
	if err != nil {
		return nil, err
	}
	d.oldVals, d.oldSeen = vals, true
	return vals, nil
}

// keep returns both rows in memory of their own. The payloads may be small parts
// of large blocks, which a waiting event must not hold.
func (d *decoder) keep() (newVals, oldVals []kalam.Value, err error) {
	if d.kept {
		return d.newKept, d.oldKept, nil
	}
	c := d.change
	if d.newKept, err = datatype.DecodeRow(d.table, bytes.Clone(c.New.Payload), nil); err != nil {
		return nil, nil, err
	}
	d.oldKept = nil
	if hasOld(c) {
		if d.oldKept, err = datatype.DecodeRow(d.table, bytes.Clone(oldOf(c).Payload), nil); err != nil {
			return nil, nil, err
		}
	}
	d.kept = true
	return d.newKept, d.oldKept, nil
}

// hasOld reports whether there is an older version of the row.
func hasOld(c *kalam.Change) bool { return c.Kind != kalam.ChangeInsert && oldOf(c).Payload != nil }

// oldOf returns the older version of an update or delete. That of a delete is in
// its tombstone, too.
func oldOf(c *kalam.Change) kalam.Row {
	if c.Kind == kalam.ChangeDelete && c.Old.Payload == nil {
		return kalam.Row{Seq: c.Old.Seq, Payload: c.New.Payload}
	}
	return c.Old
}

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
	return h, true, nil
}
