package results

import (
	"errors"
	"math"
	"strconv"
	"sync"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/link/wire"
	"github.com/kalamlake/kalam/read"
	"github.com/kalamlake/kalam/session"
)

const (
	// spoolSize is how long a document is collected before any of it is sent: a
	// failure until then has its own status and results of before only.
	spoolSize = 1 << 20
	// pieceSize is how much of it is collected from then on.
	pieceSize = 64 << 10
	// keepSize is the size up to which a used buffer is kept for the next request.
	keepSize = spoolSize + spoolSize/2

	successHead = `{"status":"success","results":[`
	errorHead   = `{"status":"error","results":[`
	// streamHead begins a document that is sent before its outcome is known; the
	// status comes at its end.
	streamHead = `{"results":[`
)

// ErrAborted ends Execute when nobody takes the document any more.
var ErrAborted = errors.New("the response was given up")

// JSON writes the results of a request as the JSON document of the SQL
// endpoint. It implements session.Results and is used from one goroutine.
type JSON struct {
	timing bool // Write cache_hit and took_ms.
	// Send hands over a piece of the document, which is reused afterwards. It
	// reports false when nobody wants more. nil keeps the whole document.
	Send func([]byte) bool
	Sent bool // A piece was sent.
	Form      // Set before the first result.

	buf     []byte // Begins with room for the head until a piece was sent.
	results int    // Written or begun.
	start   int    // Of the result under way, in buf.
	open    bool   // A row result was begun and not ended.
	single  bool   // The first result is a row result.

	header  session.RowsHeader
	cells   []datatype.CellWriter
	times   []kalam.Kind // Of each column of times to be written as texts, KindNull for others; empty without ISO.
	lead    [][]byte     // Before each cell.
	columns []arrow.Array
	rows    int64 // Of the result under way.
}

var _ session.Results = (*JSON)(nil)

var encoders = sync.Pool{New: func() any { return new(JSON) }}

// NewJSON returns an JSON that Free takes back.
func NewJSON(timing bool) *JSON {
	e := encoders.Get().(*JSON)
	e.timing = timing
	e.buf = append(e.buf[:0], successHead...)
	return e
}

// Free gives the JSON back. Its buffer must not be used any more.
func (e *JSON) Free() {
	buf := e.buf
	if cap(buf) > keepSize {
		buf = nil
	}
	*e = JSON{buf: buf, times: e.times[:0], cells: e.cells[:0], columns: e.columns[:0], lead: e.lead[:0]}
	encoders.Put(e)
}

// begin starts a result.
func (e *JSON) begin() {
	e.start = len(e.buf)
	if e.results > 0 {
		e.buf = append(e.buf, ',')
	}
	e.results++
}

// StartRows writes the schema of a row result.
func (e *JSON) StartRows(h session.RowsHeader) error {
	e.begin()
	e.header, e.rows, e.open = h, 0, true
	e.single = e.results == 1
	e.cells = e.cells[:0]
	if h.Arrow != nil {
		for _, f := range h.Arrow.Fields() {
			e.cells = append(e.cells, datatype.NewCellWriter(f))
		}
	}
	e.times = e.times[:0]
	if e.ISO {
		e.times = temporal(e.times, len(h.Fields), func(i int) kalam.Kind { return h.Fields[i].Type.Kind })
	}
	e.lead = leads(e.lead[:0], h.Fields, e.Objects)
	e.buf = append(e.buf, `{"schema":`...)
	e.buf = AppendFields(e.buf, h.Fields)
	e.buf = append(e.buf, `,"rows":[`...)
	return nil
}

// Batch writes the rows of an Arrow batch.
func (e *JSON) Batch(b arrow.RecordBatch) error {
	e.columns = append(e.columns[:0], b.Columns()...)
	defer clear(e.columns)
	for i := range int(b.NumRows()) {
		e.beginRow()
		for j, col := range e.columns {
			e.buf = append(e.buf, e.lead[j]...)
			at := len(e.buf)
			e.buf = e.cells[j].Append(e.buf, col, i)
			e.timesFrom(at, j)
		}
		if err := e.endRow(); err != nil {
			return err
		}
	}
	return nil
}

// Values writes one row.
func (e *JSON) Values(row []kalam.Value) error {
	e.beginRow()
	for j, v := range row {
		e.buf = append(e.buf, e.lead[j]...)
		at := len(e.buf)
		e.buf = datatype.AppendValue(e.buf, v)
		e.timesFrom(at, j)
	}
	return e.endRow()
}

// timesFrom writes the cell of column j, which begins at an offset, as a text if it is a time and texts were asked for.
func (e *JSON) timesFrom(at, j int) {
	if len(e.times) > 0 && e.times[j] != kalam.KindNull {
		e.buf = isoCell(e.buf, at, e.times[j])
	}
}

func (e *JSON) beginRow() {
	if e.rows > 0 {
		e.buf = append(e.buf, ',')
	}
	e.rows++
	e.buf = append(e.buf, "[{"[e.shape()])
}

func (e *JSON) endRow() error {
	e.buf = append(e.buf, "]}"[e.shape()])
	return e.flush()
}

// shape is 1 of objects, 0 of arrays.
func (e *JSON) shape() int {
	if e.Objects {
		return 1
	}
	return 0
}

// flush sends what has been collected once it is a piece.
func (e *JSON) flush() error {
	least := pieceSize
	if !e.Sent {
		least = spoolSize
	}
	if len(e.buf) < least || e.Send == nil {
		return nil
	}
	piece := e.buf
	if !e.Sent {
		piece = e.buf[len(successHead)-len(streamHead):]
		copy(piece, streamHead)
	}
	e.Sent = true
	if !e.Send(piece) {
		return ErrAborted
	}
	e.buf, e.start = e.buf[:0], 0
	return nil
}

// EndRows ends a row result.
func (e *JSON) EndRows(t session.RowsTrailer) error {
	e.buf = append(e.buf, `],"row_count":`...)
	e.buf = strconv.AppendInt(e.buf, t.RowCount, 10)
	if t.Message != "" {
		e.buf = append(e.buf, `,"message":`...)
		e.buf = datatype.AppendJSONString(e.buf, t.Message)
	}
	e.tail(e.header.AsUser, e.header.Statement, t.CacheHit)
	if t.Truncated {
		e.buf = append(e.buf, `,"truncated":true`...)
	}
	e.buf = append(e.buf, '}')
	e.open = false
	return e.flush()
}

// Done writes the result of a statement without rows.
func (e *JSON) Done(d session.Done) error {
	e.begin()
	e.buf = append(e.buf, `{"row_count":`...)
	e.buf = strconv.AppendInt(e.buf, d.RowCount, 10)
	e.buf = append(e.buf, `,"message":`...)
	e.buf = datatype.AppendJSONString(e.buf, d.Message)
	e.tail(d.AsUser, d.Statement, d.CacheHit)
	for i, id := range d.JobIDs {
		e.buf = append(e.buf, []string{`,"job_ids":[`, `,`}[min(i, 1)]...)
		e.buf = datatype.AppendJSONString(e.buf, string(id))
	}
	if len(d.JobIDs) > 0 {
		e.buf = append(e.buf, ']')
	}
	e.buf = append(e.buf, '}')
	return e.flush()
}

// tail writes what every result ends with.
func (e *JSON) tail(user kalam.UserID, statement int, hit *bool) {
	e.buf = append(e.buf, `,"as_user":`...)
	e.buf = datatype.AppendJSONString(e.buf, string(user))
	e.buf = append(e.buf, `,"statement_index":`...)
	e.buf = strconv.AppendInt(e.buf, int64(statement), 10)
	if e.timing {
		e.buf = append(e.buf, `,"cache_hit":`...)
		e.buf = strconv.AppendBool(e.buf, hit != nil && *hit)
	}
}

// Succeed ends the document of a request that went well. It returns what of it
// was not yet sent, the whole document if nothing was, valid until Free.
func (e *JSON) Succeed(took time.Duration) []byte {
	e.buf = append(e.buf, ']')
	e.buf = AppendTook(e.buf, took, e.timing)
	if e.Sent {
		e.buf = append(e.buf, `,"status":"success"`...)
	}
	if e.single && e.results == 1 {
		e.buf = append(e.buf, `,"error":null`...)
	}
	e.buf = append(e.buf, '}')
	return e.buf
}

// Fail ends the document of a request that failed after the results written so
// far. It returns what of it was not yet sent, the whole document if nothing was,
// valid until Free. What the failed statement had written is dropped, unless it
// was sent: then its result says that it is not whole.
func (e *JSON) Fail(took time.Duration, failure *wire.Error) []byte {
	if e.open && e.Sent {
		e.buf = append(e.buf, `],"row_count":`...)
		e.buf = strconv.AppendInt(e.buf, e.rows, 10)
		e.tail(e.header.AsUser, e.header.Statement, nil)
		e.buf = append(e.buf, `,"truncated":true}`...)
	} else if e.open {
		e.buf = e.buf[:e.start]
	}
	e.buf = append(e.buf, ']')
	e.buf = AppendTook(e.buf, took, e.timing)
	if e.Sent {
		e.buf = append(e.buf, `,"status":"error","error":`...)
		return append(AppendError(e.buf, failure), '}')
	}
	e.buf = append(e.buf, `,"error":`...)
	e.buf = append(AppendError(e.buf, failure), '}')
	body := e.buf[len(successHead)-len(errorHead):]
	copy(body, errorHead)
	return body
}

// AppendError appends the error of an envelope.
func AppendError(dst []byte, e *wire.Error) []byte {
	dst = append(dst, `{"code":`...)
	dst = datatype.AppendJSONString(dst, string(e.Code))
	dst = append(dst, `,"message":`...)
	dst = datatype.AppendJSONString(dst, e.Message)
	if e.Details != "" {
		dst = append(dst, `,"details":`...)
		dst = datatype.AppendJSONString(dst, e.Details)
	}
	if e.StatementIndex > 0 {
		dst = append(dst, `,"statement_index":`...)
		dst = strconv.AppendInt(dst, int64(e.StatementIndex), 10)
	}
	if e.Position > 0 {
		dst = append(dst, `,"position":`...)
		dst = strconv.AppendInt(dst, int64(e.Position), 10)
	}
	if e.Hint != "" {
		dst = append(dst, `,"hint":`...)
		dst = datatype.AppendJSONString(dst, e.Hint)
	}
	for i, name := range e.Suggestions {
		dst = append(dst, []string{`,"suggestions":[`, `,`}[min(i, 1)]...)
		dst = datatype.AppendJSONString(dst, name)
	}
	if len(e.Suggestions) > 0 {
		dst = append(dst, ']')
	}
	return append(dst, '}')
}

// AppendTook appends how long a request ran.
func AppendTook(dst []byte, d time.Duration, timing bool) []byte {
	dst = append(dst, `,"took":`...)
	dst = appendMillis(dst, d)
	if timing {
		dst = append(dst, `,"took_ms":`...)
		dst = strconv.AppendInt(dst, d.Milliseconds(), 10)
	}
	return dst
}

// appendMillis appends d as milliseconds with at most three decimals and at
// least one: 12.345, 1.5, 3.0.
func appendMillis(dst []byte, d time.Duration) []byte {
	micros := int64(math.Round(float64(d) / float64(time.Microsecond)))
	dst = strconv.AppendInt(dst, micros/1000, 10)
	rest := micros % 1000
	dst = append(dst, '.', byte('0'+rest/100))
	if rest%100 == 0 {
		return dst
	}
	dst = append(dst, byte('0'+rest/10%10))
	if rest%10 == 0 {
		return dst
	}
	return append(dst, byte('0'+rest%10))
}

// AppendFields appends a schema.
func AppendFields(dst []byte, fields []read.Field) []byte {
	dst = append(dst, '[')
	for i, f := range fields {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"name":`...)
		dst = datatype.AppendJSONString(dst, f.Name)
		dst = append(dst, `,"data_type":`...)
		dst = appendType(dst, f.Type)
		dst = append(dst, `,"index":`...)
		dst = strconv.AppendInt(dst, int64(i), 10)
		for j, flag := range f.Flags {
			dst = append(dst, []string{`,"flags":[`, `,`}[min(j, 1)]...)
			dst = datatype.AppendJSONString(dst, flag)
		}
		if len(f.Flags) > 0 {
			dst = append(dst, ']')
		}
		dst = append(dst, '}')
	}
	return append(dst, ']')
}

// typeNames are the wire spellings of the types without parameters.
var typeNames = func() map[kalam.Kind]string {
	names := map[kalam.Kind]string{}
	for _, k := range kalam.Kinds() {
		if text, err := (kalam.DataType{Kind: k}).MarshalJSON(); err == nil && k != kalam.KindDecimal {
			names[k] = string(text)
		}
	}
	return names
}()

// appendType appends the wire spelling of a type; one that has none is shown as
// Text, as its cells are.
func appendType(dst []byte, t kalam.DataType) []byte {
	if name, ok := typeNames[t.Kind]; ok {
		return append(dst, name...)
	}
	if t.Kind != kalam.KindDecimal {
		return append(dst, typeNames[kalam.KindText]...)
	}
	dst = append(dst, `{"Decimal":{"precision":`...)
	dst = strconv.AppendUint(dst, uint64(t.Precision), 10)
	dst = append(dst, `,"scale":`...)
	dst = strconv.AppendUint(dst, uint64(t.Scale), 10)
	return append(dst, '}', '}')
}
