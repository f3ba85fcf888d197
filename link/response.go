package link

import (
	"encoding/json"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/link/wire"
)

// Response is the answer to Query: one Result per statement, in order.
type Response struct {
	Results []*Result

	took float64
	wire wire.Response
}

// Took returns how long the server worked on the request.
func (r *Response) Took() time.Duration { return time.Duration(r.took * float64(time.Millisecond)) }

// Envelope returns the answer in the server's own form.
func (r *Response) Envelope() wire.Response {
	w := r.wire
	w.Results = make([]wire.Result, len(r.Results))
	for i, res := range r.Results {
		w.Results[i] = res.wire
		w.Results[i].Rows = res.rows
	}
	return w
}

// Column is one column of a Result.
type Column struct {
	Name       string
	Type       kalam.DataType // TEXT for a type that this library does not know.
	Nullable   bool
	PrimaryKey bool
	Unique     bool
}

// Result is the result of one statement. It is immutable.
type Result struct {
	columns []Column
	rows    [][]json.RawMessage
	took    time.Duration
	wire    wire.Result
}

// HasRows reports whether the statement gives rows, be it none.
func (r *Result) HasRows() bool { return r.rows != nil }

// Columns describes the cells of a row; nil without rows.
func (r *Result) Columns() []Column { return r.columns }

// Rows returns the rows, each with one cell per column, in the JSON of the wire:
// BIGINT and DECIMAL are strings, TIMESTAMP and DATETIME are microseconds since
// 1970, DATE days, TIME microseconds, BYTES an array of numbers. They must not be
// changed.
func (r *Result) Rows() [][]json.RawMessage { return r.rows }

// RowCount returns the number of rows, or of rows affected.
func (r *Result) RowCount() int64 {
	if r.rows != nil {
		return int64(len(r.rows))
	}
	return r.wire.RowCount
}

// RowsAffected returns the number of rows that the statement wrote; 0 for one
// that gives rows.
func (r *Result) RowsAffected() int64 {
	if r.rows != nil {
		return 0
	}
	return r.wire.RowCount
}

// Took returns how long the server worked on the request that this result is of.
func (r *Result) Took() time.Duration { return r.took }

// CacheHit reports whether the plan came from the server's cache; false when the
// server does not say.
func (r *Result) CacheHit() bool { return r.wire.CacheHit != nil && *r.wire.CacheHit }

// Message returns the text of a statement without rows, or the remark on a
// result that was cut; "" for none.
func (r *Result) Message() string { return r.wire.Message }

// Truncated reports whether the server cut the rows at its limit.
func (r *Result) Truncated() bool { return r.wire.Truncated }

// AsUser returns the user as whom the statement ran.
func (r *Result) AsUser() string { return r.wire.AsUser }

// Statement returns the 1-based number of the statement, 0 when the server does
// not say.
func (r *Result) Statement() int { return r.wire.StatementIndex }

// JobIDs returns the jobs that the statement started.
func (r *Result) JobIDs() []kalam.JobID { return r.wire.JobIDs }

// rawResult is wire.Result with the parts that are decoded here by hand.
type rawResult struct {
	wire.Result
	Schema []rawField      `json:"schema"`
	Rows   json.RawMessage `json:"rows"`
}

// rawField is wire.Field with a type that may be unknown.
type rawField struct {
	Name     string          `json:"name"`
	DataType json.RawMessage `json:"data_type"`
	Index    int             `json:"index"`
	Flags    []string        `json:"flags"`
}

// column returns the Column that f describes.
func (f *rawField) column() Column {
	c := Column{Name: f.Name, Nullable: true}
	if err := json.Unmarshal(f.DataType, &c.Type); err != nil {
		c.Type = kalam.TypeOf(kalam.KindText)
	}
	for _, flag := range f.Flags {
		switch flag {
		case "pk":
			c.PrimaryKey, c.Nullable = true, false
		case "nn":
			c.Nullable = false
		case "uq":
			c.Unique = true
		}
	}
	return c
}

// rawResponse is wire.Response in the same way.
type rawResponse struct {
	wire.Response
	Results []rawResult `json:"results"`
}

// answer is what came back.
type answer struct {
	status int
	body   []byte
}
