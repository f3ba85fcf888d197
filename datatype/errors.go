package datatype

import (
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/kalamlake/kalam"
)

// invalidJSON begins the message of every refused JSON document; ForColumn
// names the column right after it.
const invalidJSON = "Invalid JSON value"

// ForColumn returns err with the column's name in its message: "INT value out of
// range for column 'c'", "Invalid JSON value for column 'c': expected object or
// array". Errors that this package did not make come back as they are, nil as
// nil.
func ForColumn(err error, column string) error {
	var e *kalam.Error
	if !errors.As(err, &e) || e.Code != kalam.CodeConstraint {
		return err
	}
	where := " for column '" + column + "'"
	msg := e.Msg + where
	if rest, ok := strings.CutPrefix(e.Msg, invalidJSON); ok {
		msg = invalidJSON + where + rest
	}
	return &kalam.Error{Code: e.Code, Msg: msg, Position: e.Position, Err: e.Err}
}

// outOfRange is the error of a value of the right form that t cannot hold.
func outOfRange(t kalam.DataType) error {
	return kalam.Errorf(kalam.CodeConstraint, "%s value out of range", t)
}

// mismatchText is the error of a string that is not the text of a t.
func mismatchText(t kalam.DataType, s string) error {
	return kalam.Errorf(kalam.CodeConstraint, "Type mismatch: expected %s, got '%s'", t, abbreviate(s))
}

// mismatch is the error of a value other than a string that t does not take; s
// is how a message writes it.
func mismatch(t kalam.DataType, s string) error {
	return kalam.Errorf(kalam.CodeConstraint, "Type mismatch: expected %s, got %s", t, s)
}

// badJSON is the error of text that is no JSON document.
func badJSON() error {
	return kalam.Errorf(kalam.CodeConstraint, "%s: expected object or array", invalidJSON)
}

// abbreviate returns what a message shows of s: valid UTF-8 of at most 64 bytes.
func abbreviate(s string) string {
	const most = 64
	if len(s) > most {
		cut := most
		for cut > most-utf8.UTFMax && !utf8.RuneStart(s[cut]) {
			cut--
		}
		s = s[:cut] + "..."
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
