package api

import (
	"strconv"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/link/wire"
	"github.com/kalamlake/kalam/live"
	"github.com/kalamlake/kalam/read"
	"github.com/kalamlake/kalam/subscribe"
)

// appendHead appends the start of a frame about a subscription.
func appendHead(dst []byte, kind, id string) []byte {
	dst = append(dst, `{"type":"`...)
	dst = append(dst, kind...)
	dst = append(dst, `","subscription_id":`...)
	return datatype.AppendJSONString(dst, id)
}

// appendControl appends a batch_control; last 0 is none.
func appendControl(dst []byte, number int, more bool, last kalam.Seq) []byte {
	status := wire.BatchReady
	switch {
	case more && number == 0:
		status = wire.BatchLoading
	case more:
		status = wire.BatchLoadingBatch
	}
	dst = append(dst, `{"batch_num":`...)
	dst = strconv.AppendInt(dst, int64(number), 10)
	dst = append(dst, `,"has_more":`...)
	dst = strconv.AppendBool(dst, more)
	dst = append(dst, `,"status":"`...)
	dst = append(dst, status...)
	if last == 0 {
		return append(dst, `","last_seq_id":null}`...)
	}
	dst = append(dst, `","last_seq_id":`...)
	dst = strconv.AppendUint(dst, uint64(last), 10)
	dst = append(dst, `,"last_seq":"`...)
	dst = strconv.AppendUint(dst, uint64(last), 10)
	return append(dst, '"', '}')
}

// rowEncoder writes initial rows as objects.
type rowEncoder struct {
	fields []read.Field
	keys   [][]byte // `"name":` of each field.
	addSeq bool     // The fields lack _seq.
}

func newRowEncoder(q *live.Query) rowEncoder {
	r := rowEncoder{fields: q.Fields(), addSeq: q.Columns() != nil}
	for _, f := range r.fields {
		r.keys = append(r.keys, appendKey(nil, f.Name))
	}
	return r
}

// appendKey appends `"name":`.
func appendKey(dst []byte, name string) []byte {
	return append(datatype.AppendJSONString(dst, name), ':')
}

// appendBatch appends an initial_data_batch frame.
func (r *rowEncoder) appendBatch(dst []byte, id string, b *live.Batch) []byte {
	dst = appendHead(dst, wire.TypeInitialBatch, id)
	dst = append(dst, `,"rows":[`...)
	for i, row := range b.Rows {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, '{')
		for j, v := range row {
			if j > 0 {
				dst = append(dst, ',')
			}
			dst = append(dst, r.keys[j]...)
			dst = datatype.AppendValue(dst, v)
		}
		if r.addSeq {
			dst = appendSeq(append(dst, ','), b.Seqs[i])
		}
		dst = append(dst, '}')
	}
	dst = append(dst, `],"batch_control":`...)
	return append(appendControl(dst, b.Number, b.HasMore, b.LastSeq), '}')
}

// appendSeq appends the member _seq, a BIGINT and so a string.
func appendSeq(dst []byte, seq kalam.Seq) []byte {
	dst = append(dst, `"_seq":"`...)
	return append(strconv.AppendUint(dst, uint64(seq), 10), '"')
}

// The forms in which an event keeps its encoding. The bytes of formChange follow
// the head of a frame, which holds the subscription's id; those of formGzip, to
// which the id is added, are a whole compressed frame.
const (
	formChange = "change"
	formGzip   = "gzip:"
)

// appendChangeHead appends the start of a change frame, up to what all
// subscribers of an event share.
func appendChangeHead(dst []byte, id string) []byte { return appendHead(dst, wire.TypeChange, id) }

// encodeChange returns the rest of an event's change frame.
func encodeChange(e *subscribe.Event, sub *subscribe.Spec) []byte {
	c := changeEncoder{event: e, columns: sub.Columns, exact: sub.ExactEvents}
	c.dst = append(c.dst, `,"change_type":"`...)
	c.dst = append(c.dst, e.Kind.String()...)
	c.dst = append(c.dst, '"')
	switch e.Kind {
	case kalam.ChangeInsert:
		c.dst = append(c.dst, `,"rows":[`...)
		c.full(e.New, e.NewSeq, false)
	case kalam.ChangeUpdate:
		c.dst = append(c.dst, `,"rows":[`...)
		c.updated()
	case kalam.ChangeDelete:
		c.dst = append(c.dst, `,"old_values":[`...)
		vals := e.New
		if c.exact && e.Old != nil {
			vals = e.Old // What the client has: New may have left the filter.
		}
		c.full(vals, e.NewSeq, true)
	}
	return append(c.dst, ']', '}')
}

// changeEncoder writes the rows of an event.
type changeEncoder struct {
	event   *subscribe.Event
	columns []int // nil is all, with _deleted.
	exact   bool
	dst     []byte
	members int // Of the object being written.
}

// each calls f with the index of every column shown.
func (c *changeEncoder) each(f func(i int)) {
	if c.columns != nil {
		for _, i := range c.columns {
			f(i)
		}
		return
	}
	for i := range c.event.Table.Columns {
		f(i)
	}
}

func (c *changeEncoder) open() { c.dst, c.members = append(c.dst, '{'), 0 }

// member appends column i with a value.
func (c *changeEncoder) member(i int, v kalam.Value) {
	c.comma()
	c.dst = appendKey(c.dst, c.event.Table.Columns[i].Name)
	c.dst = datatype.AppendValue(c.dst, v)
}

func (c *changeEncoder) comma() {
	if c.members > 0 {
		c.dst = append(c.dst, ',')
	}
	c.members++
}

func (c *changeEncoder) seq(s kalam.Seq) {
	c.comma()
	c.dst = appendSeq(c.dst, s)
}

func (c *changeEncoder) deleted(d bool) {
	c.comma()
	c.dst = appendKey(c.dst, kalam.ColumnDeleted)
	c.dst = strconv.AppendBool(c.dst, d)
}

// full writes all columns shown. A deleted row always says so.
func (c *changeEncoder) full(vals []kalam.Value, seq kalam.Seq, deleted bool) {
	c.open()
	c.each(func(i int) { c.member(i, vals[i]) })
	c.seq(seq)
	if c.columns == nil || deleted {
		c.deleted(deleted)
	}
	c.dst = append(c.dst, '}')
}

// updated writes the rows of an update: complete ones in exact mode, else the
// key with what is not NULL, and the key with what has changed.
func (c *changeEncoder) updated() {
	e := c.event
	if c.exact {
		c.full(e.New, e.NewSeq, e.Deleted)
		c.dst = append(c.dst, `],"old_values":[`...)
		c.full(e.Old, e.OldSeq, false)
		return
	}
	c.open()
	for _, i := range e.Table.PrimaryKey {
		c.member(i, e.New[i])
	}
	c.seq(e.NewSeq)
	c.each(func(i int) {
		if !e.Table.IsKey(i) && !e.New[i].IsNull() {
			c.member(i, e.New[i])
		}
	})
	c.dst = append(c.dst, `}],"old_values":[`...)
	c.open()
	for _, i := range e.Table.PrimaryKey {
		c.member(i, e.New[i])
	}
	c.seq(e.OldSeq)
	c.each(func(i int) {
		if !e.Table.IsKey(i) && (e.Old == nil || e.Old[i] != e.New[i]) {
			c.member(i, oldValue(e, i))
		}
	})
	c.dst = append(c.dst, '}')
}

// oldValue returns column i of the row before, NULL when it is not known.
func oldValue(e *subscribe.Event, i int) kalam.Value {
	if e.Old == nil {
		return kalam.Null()
	}
	return e.Old[i]
}
