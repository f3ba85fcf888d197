package link

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/kalamlake/kalam/link/wire"
)

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

// plainError is the error of an answer that is not of the SQL endpoint's form.
func plainError(a answer) *Error {
	var p wire.PlainError
	if err := json.Unmarshal(a.body, &p); err != nil || p.Error == "" && p.Message == "" {
		text := oneLine(a.body)
		if text == "" {
			text = http.StatusText(a.status)
		}
		return &Error{Kind: KindHTTP, Status: a.status, Message: text}
	}
	e := &Error{Kind: KindHTTP, Code: wire.Code(p.Error), Status: a.status, Message: p.Message}
	if e.Message == "" {
		e.Message = p.Error
	}
	switch a.status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusPreconditionRequired:
		e.Kind = KindAuthentication
	}
	return e
}
