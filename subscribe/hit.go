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

// guard takes the values out that lie outside the filter, which the subscriber is not to see. wasIn says that the row
// before was in it.
func (h *hit) guard(wasIn bool) {
	switch {
	case !wasIn:
		h.oldVals, h.oldSeq = nil, 0
	case h.kind == kalam.ChangeDelete:
		h.newVals = h.oldVals
	}
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
