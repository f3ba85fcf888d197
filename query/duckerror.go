package query

import (
	"encoding/json"
	"strconv"
	"strings"
)

// duckError is an error of DuckDB, taken apart. The instances report errors as
// JSON, so no text needs to be understood.
type duckError struct {
	Type    string `json:"exception_type"`
	Message string `json:"exception_message"`
	Subtype string `json:"error_subtype"`
	Name    string `json:"name"`
	Kind    string `json:"type"` // Of what is missing: "Scalar Function".
	offset  int    // 0-based offset in the statement that ran, -1 when unknown.
}

// Error returns the text for logs.
func (e *duckError) Error() string { return e.Type + " Error: " + e.Message }

// parseDuckError reads the message of an error.
func parseDuckError(msg string) *duckError {
	e := &duckError{offset: -1}
	doc := msg
	if i := strings.IndexByte(doc, '{'); i > 0 && !strings.ContainsAny(doc[:i], "\n\"") {
		doc = doc[i:] // "Parser Error: {...}"
	}
	var raw struct {
		*duckError
		Position string `json:"position"`
	}
	raw.duckError = e
	if err := json.Unmarshal([]byte(doc), &raw); err == nil && e.Type != "" {
		if n, err := strconv.Atoi(raw.Position); err == nil {
			e.offset = n
		}
		return e
	}
	// Errors of opening and settings come as text.
	kind, text, ok := strings.Cut(msg, " Error: ")
	if !ok || strings.ContainsAny(kind, "\n{") {
		kind, text = "Internal", msg
	}
	e.Type, e.Message = kind, text
	return e
}
