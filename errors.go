package kalam

import (
	"errors"
	"fmt"
)

// Code classifies an Error. Callers branch on it; package api maps each code to
// an HTTP status, a wire code and the kind word of the message.
type Code uint8

// The codes. CodeInternal is the zero value: an error without a code is a
// defect or a failure of the machine, logged in full and hidden from users.
const (
	CodeInternal          Code = iota
	CodeInvalidInput           // The request itself is malformed.
	CodeEmptySQL               // No statement in the request.
	CodeBatchParse             // The text cannot be split into statements.
	CodeInvalidSQL             // Syntax error, or a statement or function that is not allowed.
	CodeInvalidParameter       // A parameter has a type that cannot be bound.
	CodeParamsWithBatch        // Parameters were given with several statements.
	CodeParameterMismatch      // Number or type of parameters does not fit the statement.
	CodeTableNotFound          // A relation does not exist.
	CodeNotFound               // Anything else that does not exist.
	CodeAlreadyExists          // A name or a primary key is taken.
	CodeConstraint             // NOT NULL, type, range or form of a value.
	CodeInvalidOperation       // A well-formed statement that this object does not take.
	CodePermissionDenied       // The principal may not do this.
	CodeConflict               // A concurrent change won; the caller may try again.
	CodeTimeout                // The statement ran longer than allowed.
	CodeCanceled               // The client went away or asked to stop.
	CodeResourceExhausted      // A memory, disk or queue limit was met.
	CodeShuttingDown           // The server is stopping.
	CodeUnauthenticated        // No valid identity.
	CodeCorrupt                // Stored bytes are damaged; the message names where.
	CodeRateLimited            // Too many requests.
	CodeTooLarge               // A body, row or frame is over its limit.
	CodeUnsupported            // Understood, but not offered.
	CodeUnavailable            // A part of the server failed under the statement, which changed nothing: it may run again.
	CodeResumeWindow           // A live query cannot be resumed from so far back; its client loads anew.
)

var codeNames = [...]string{
	CodeInternal: "internal", CodeInvalidInput: "invalid_input", CodeEmptySQL: "empty_sql", CodeBatchParse: "batch_parse",
	CodeInvalidSQL: "invalid_sql", CodeInvalidParameter: "invalid_parameter", CodeParamsWithBatch: "params_with_batch",
	CodeParameterMismatch: "parameter_mismatch", CodeTableNotFound: "table_not_found", CodeNotFound: "not_found",
	CodeAlreadyExists: "already_exists", CodeConstraint: "constraint", CodeInvalidOperation: "invalid_operation",
	CodePermissionDenied: "permission_denied", CodeConflict: "conflict", CodeTimeout: "timeout", CodeCanceled: "canceled",
	CodeResourceExhausted: "resource_exhausted", CodeShuttingDown: "shutting_down", CodeUnauthenticated: "unauthenticated",
	CodeCorrupt: "corrupt", CodeRateLimited: "rate_limited", CodeTooLarge: "too_large", CodeUnsupported: "unsupported",
	CodeUnavailable: "unavailable", CodeResumeWindow: "resume_window",
}

// String returns the name of the code in figures and logs, in lower case.
func (c Code) String() string {
	if int(c) < len(codeNames) {
		return codeNames[c]
	}
	return fmt.Sprintf("code(%d)", uint8(c))
}

// Missing is what kind of name an Error is about that means nothing.
type Missing uint8

// The kinds of names.
const (
	MissingNothing Missing = iota
	MissingColumn          // Of the tables that the statement names.
	MissingTable           // With its namespace, if one was given.
	MissingNamespace
	MissingFunction
	MissingType // Of a column or a cast.
	MissingWord // Of the grammar.
)

// Error is the error that crosses package borders. Msg is written for the user
// of the database: what was wrong, where, and what to do, without internals.
type Error struct {
	Code     Code
	Msg      string
	Position int   // 1-based byte offset in the statement's text, 0 when unknown.
	Err      error // Cause, for logs; never shown to users.

	// Missing and Name say which name means nothing, if that is the error. Suggestions are those
	// for which it was probably mistyped, the likeliest first: only such as its reader may know of.
	Missing     Missing
	Name        string
	Suggestions []string
	Hint        string // What to do about it, a sentence; "" where Msg says it.

	// Hides says that there is such a thing, but that who asked may not know of it. It is for the audit log: no text
	// tells it.
	Hides bool
}

// ErrTableChanged is in the error of a statement that was prepared for a version of a table that is not the newest any
// more. It changed nothing, and may run again.
var ErrTableChanged = errors.New("the table has another version")

// TableChanged returns the CodeConflict with ErrTableChanged of a table.
func TableChanged(id TableID) *Error {
	return Wrap(CodeConflict, ErrTableChanged, "Table %s was changed by another statement; try again", id)
}

// Error returns Msg, followed by the cause when there is one.
func (e *Error) Error() string {
	if e.Err == nil {
		return e.Msg
	}
	return e.Msg + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Errorf returns an *Error without a cause. Use Wrap to keep one.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Msg: fmt.Sprintf(format, args...)}
}

// Wrap returns an *Error with the given message and cause.
func Wrap(code Code, cause error, format string, args ...any) *Error {
	return &Error{Code: code, Msg: fmt.Sprintf(format, args...), Err: cause}
}

// Lacks notes which name means nothing, and returns e: whoever knows the names that do can then set Suggestions.
func (e *Error) Lacks(what Missing, name string) *Error {
	e.Missing, e.Name = what, name
	return e
}

// Advise sets what to do about it, and returns e.
func (e *Error) Advise(hint string) *Error {
	e.Hint = hint
	return e
}

// At returns e with the position set; offset is 0-based.
func (e *Error) At(offset int) *Error { e.Position = offset + 1; return e }

// Positioned returns err with the position offset, which is 0-based, if it has none.
func Positioned(err error, offset int) error {
	var e *Error
	if errors.As(err, &e) && e.Position == 0 {
		at := *e
		return at.At(offset)
	}
	return err
}

// Unpositioned returns err without its position.
func Unpositioned(err error) error {
	var e *Error
	if !errors.As(err, &e) || e.Position == 0 {
		return err
	}
	plain := *e
	plain.Position = 0
	return &plain
}

// MessageOf returns what a user is told of err: the message of an *Error in its chain, else err's text.
func MessageOf(err error) string {
	var ke *Error
	if errors.As(err, &ke) {
		return ke.Msg
	}
	return err.Error()
}

// CodeOf returns the code of the first *Error in err's chain, CodeInternal if
// there is none.
func CodeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return CodeInternal
}
