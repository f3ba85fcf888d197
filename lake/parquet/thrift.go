package parquet

import "encoding/binary"

// thriftType is the type of a field in Thrift's compact protocol.
type thriftType byte

const (
	thriftTrue   thriftType = 1
	thriftFalse  thriftType = 2
	thriftI32    thriftType = 5
	thriftI64    thriftType = 6
	thriftBinary thriftType = 8
	thriftList   thriftType = 9
	thriftStruct thriftType = 12
)

// thriftWriter encodes structs in Thrift's compact protocol, as the headers and the
// footer of a Parquet file are. The fields of a struct are written in the order of
// their ids.
type thriftWriter struct {
	buf  []byte
	last []int16 // The last field of each open struct.
}

// begin opens a struct: the outermost, or an element of a list.
func (w *thriftWriter) begin() { w.last = append(w.last, 0) }

// end closes the innermost struct.
func (w *thriftWriter) end() {
	w.buf = append(w.buf, 0)
	w.last = w.last[:len(w.last)-1]
}

func (w *thriftWriter) header(id int16, t thriftType) {
	top := &w.last[len(w.last)-1]
	if delta := id - *top; delta > 0 && delta <= 15 {
		w.buf = append(w.buf, byte(delta)<<4|byte(t))
	} else {
		w.buf = binary.AppendVarint(append(w.buf, byte(t)), int64(id))
	}
	*top = id
}

func (w *thriftWriter) i32(id int16, v int32) {
	w.header(id, thriftI32)
	w.buf = binary.AppendVarint(w.buf, int64(v))
}

func (w *thriftWriter) i64(id int16, v int64) {
	w.header(id, thriftI64)
	w.buf = binary.AppendVarint(w.buf, v)
}

func (w *thriftWriter) bool(id int16, v bool) {
	t := thriftFalse
	if v {
		t = thriftTrue
	}
	w.header(id, t)
}

func (w *thriftWriter) binary(id int16, v []byte) {
	w.header(id, thriftBinary)
	w.buf = append(binary.AppendUvarint(w.buf, uint64(len(v))), v...)
}

func (w *thriftWriter) text(id int16, v string) {
	w.header(id, thriftBinary)
	w.element(v)
}

// structure opens a struct that is a field.
func (w *thriftWriter) structure(id int16) {
	w.header(id, thriftStruct)
	w.begin()
}

// list begins a list; its elements follow.
func (w *thriftWriter) list(id int16, of thriftType, n int) {
	w.header(id, thriftList)
	if n < 15 {
		w.buf = append(w.buf, byte(n)<<4|byte(of))
		return
	}
	w.buf = binary.AppendUvarint(append(w.buf, 0xf0|byte(of)), uint64(n))
}

// element adds a text to a list.
func (w *thriftWriter) element(v string) {
	w.buf = append(binary.AppendUvarint(w.buf, uint64(len(v))), v...)
}

// number adds a number to a list.
func (w *thriftWriter) number(v int32) { w.buf = binary.AppendVarint(w.buf, int64(v)) }
