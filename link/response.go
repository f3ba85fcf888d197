package link

import (
	"encoding/json"
	"net/http"
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

// decodeResponse reads the answer of the SQL endpoint. Both results may be set:
// an error and the results before it.
func decodeResponse(a answer) (*Response, error) {
	var raw rawResponse
	if err := json.Unmarshal(a.body, &raw); err != nil || raw.Status == "" {
		if a.status != http.StatusOK {
			return nil, plainError(a)
		}
		if err == nil {
			return nil, errorf(KindSerialization, "an answer without status: %s", oneLine(a.body))
		}
		return nil, wrap(KindSerialization, err, "decode answer")
	}
	res := &Response{took: raw.Took, wire: raw.Response}
	for i := range raw.Results {
		r, err := decodeResult(&raw.Results[i], res.Took())
		if err != nil {
			return nil, err
		}
		res.Results = append(res.Results, r)
	}
	switch {
	case raw.Error != nil:
		return res, responseError(a.status, raw.Error)
	case raw.Status != wire.StatusSuccess || a.status != http.StatusOK:
		return nil, &Error{Kind: KindHTTP, Status: a.status,
			Message: "status " + oneLine([]byte(raw.Status)) + " without an error"}
	}
	return res, nil
}

// decodeResult checks one result.
func decodeResult(raw *rawResult, took time.Duration) (*Result, error) {
	r := &Result{wire: raw.Result, took: took}
	for _, f := range raw.Schema {
		c := f.column()
		r.columns = append(r.columns, c)
		r.wire.Schema = append(r.wire.Schema, wire.Field{Name: f.Name, DataType: c.Type, Index: f.Index, Flags: f.Flags})
	}
	rows, err := splitRows(raw.Rows, len(r.columns))
	if err != nil {
		return nil, err
	}
	r.rows = rows
	return r, nil
}

// responseError is the error of a response.
func responseError(status int, w *wire.Error) *Error {
	e := &Error{
		Kind: KindSQL, Code: w.Code, Message: w.Message, Details: w.Details,
		Statement: w.StatementIndex, Position: w.Position, Status: status, Hint: w.Hint, Suggestions: w.Suggestions,
	}
	switch w.Code {
	case wire.CodeMissingAuthorization, wire.CodeTokenExpired, wire.CodeInvalidCredentials, wire.CodeAccountLocked,
		"INSUFFICIENT_PERMISSIONS", "REMOTE_ACCESS_DENIED", "SETUP_REQUIRED", "AUTHENTICATION_ERROR":
		e.Kind = KindAuthentication
	}
	return e
}
