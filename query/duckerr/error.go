package duckerr

import (
	"encoding/json"
	"errors"
	"regexp"
	"strings"
)

// Error is an error of DuckDB, taken apart. The instances report errors as
// JSON, so no text needs to be understood.
type Error struct {
	Type    string `json:"exception_type"`
	Message string `json:"exception_message"`
	Subtype string `json:"error_subtype"`
	Name    string `json:"name"`
	Kind    string `json:"type"` // Of what is missing: "Scalar Function".
}

// Error returns the text for logs.
func (e *Error) Error() string { return e.Type + " Error: " + e.Message }

// Parse reads the message of an error: JSON, or text where DuckDB does
// not go by the setting, as when it binds a prepared statement again.
func Parse(msg string) *Error {
	e := &Error{}
	doc, said := msg, ""
	if kind, text, ok := strings.Cut(msg, " Error: {"); ok && !strings.ContainsAny(kind, "\n{") {
		doc, said = "{"+text, kind // "Parser Error: {...}"
	}
	// What follows a type is believed if it says the same.
	if err := json.Unmarshal([]byte(doc), e); err != nil || e.Type == "" ||
		said != "" && !strings.EqualFold(said, e.Type) {
		*e = Error{}
		kind, text, ok := strings.Cut(msg, " Error: ")
		if !ok || strings.ContainsAny(kind, "\n{") {
			kind, text = "Unknown", msg
		}
		e.Type, e.Message = kind, text
	}
	if _, inner, ok := strings.Cut(e.Message, pendingFailed); ok && strings.HasPrefix(e.Message, unsuccessful) {
		return Parse(inner) // "Conversion Error: .."
	}
	e.findName()
	return e
}

// How DuckDB wraps the error of a statement whose execution it was asked to go on with.
const (
	unsuccessful  = "Attempting to execute an unsuccessful or closed pending query result"
	pendingFailed = "Error: "
)

// unnamed are the messages that name something without a field for it.
var unnamed = []struct {
	pattern *regexp.Regexp
	subtype string
}{
	{regexp.MustCompile(`^Referenced column "([^"]*)" (?:was )?not found`), ColumnNotFound},
	{regexp.MustCompile(`^(?:Table|Values list) "[^"]*" does not have a column named "([^"]*)"`), ColumnNotFound},
	{regexp.MustCompile(`^Cannot extract field '([^']*)' from expression`), ColumnNotFound},
	{regexp.MustCompile(`^Ambiguous reference to column name "([^"]*)"`), ""},
	{regexp.MustCompile(`^No function matches the given name and argument types '([^'(]*)\(`), ""},
	{regexp.MustCompile(`^Referenced table "([^"]*)" not found`), ""},
	{regexp.MustCompile(`^column "([^"]*)" must appear in the GROUP BY clause`), ""},
}

// ColumnNotFound is the subtype of an error about a column that does not exist.
const ColumnNotFound = "COLUMN_NOT_FOUND"

// findName fills in what the message says.
func (e *Error) findName() {
	for _, u := range unnamed {
		if m := u.pattern.FindStringSubmatch(e.Message); m != nil && e.Name == "" {
			e.Name, e.Subtype = m[1], u.subtype
		}
	}
}

// Invalidates reports whether the instance that gave err is, or may be, unusable:
// DuckDB gives up on an instance after an assertion of its own failed.
func Invalidates(err error) bool {
	var de *Error
	if !errors.As(err, &de) {
		return false
	}
	return strings.EqualFold(de.Type, "fatal") || strings.EqualFold(de.Type, "internal")
}

// FirstLine returns the part of a message before its suggestions.
func FirstLine(msg string) string {
	lines := strings.Split(msg, "\n")
	n := 0
	for n < len(lines) && !addedPattern.MatchString(lines[n]) {
		n++
	}
	return strings.Join(lines[:max(n, 1)], " ")
}

// addedPattern is how the lines of a message begin that suggest something.
var addedPattern = regexp.MustCompile(`^\s*(Candidate|Did you mean|LINE |Possible solutions|$)`)
