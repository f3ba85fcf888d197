package link

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/kalamlake/kalam/link/wire"
)

// Kind classifies an Error.
type Kind uint8

// The kinds of error.
const (
	KindConnection     Kind = iota + 1 // The server cannot be reached, or the connection broke.
	KindAuthentication                 // No valid identity; Code says why when the server did.
	KindSQL                            // The server refused or could not run a statement: Code, Statement, Position.
	KindInvalidJWT                     // A token that cannot be a JWT.
	KindInvalidURL                     // A URL that cannot be a server's.
	KindInvalidOption                  // Another option that is out of its bounds.
	KindSubscription                   // A live query was refused or ended: Code.
	KindTimeout                        // The time allowed is over. Wraps context.DeadlineExceeded.
	KindCanceled                       // The caller's context was canceled. Wraps context.Canceled.
	KindHTTP                           // An answer that is none of kalam's: Status.
	KindWebSocket                      // The WebSocket could not be opened or broke the protocol.
	KindSerialization                  // An answer that cannot be decoded.
)

var kindNames = [...]string{
	"", "Connection error", "Authentication failed", "SQL error", "Invalid JWT", "Invalid URL", "Invalid option",
	"Subscription error", "Timeout", "Canceled", "HTTP error", "WebSocket error", "Serialization error",
}

// String returns the words with which an Error of this kind begins.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// Error is the error of every function of this package. Message is written for
// users, without the words of the kind.
type Error struct {
	Kind      Kind
	Code      wire.Code // What the server said, "" when it did not.
	Message   string
	Details   string // The statement's text, for admins only.
	Statement int    // 1-based number of the statement that failed, 0 when none did.
	Position  int    // 1-based byte offset of the fault in the SQL sent, 0 when unknown.
	Hint      string // What to do about it, "" when the server does not say.
	Status    int    // HTTP status, 0 when there was no answer.
	Err       error  // Cause.

	Suggestions []string // Names for which one was perhaps mistyped.

	unsent bool // The request never left this side.
}

// Error returns the kind's words and the message.
func (e *Error) Error() string {
	switch e.Kind {
	case KindInvalidJWT, KindTimeout:
		return e.Message
	case KindHTTP:
		return fmt.Sprintf("HTTP error %d: %s", e.Status, e.Message)
	}
	return e.Kind.String() + ": " + e.Message
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// KindOf returns the kind of the first *Error in err's chain, 0 if there is none.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return 0
}

// CodeOf returns the server's code of the first *Error in err's chain, "" if
// there is none.
func CodeOf(err error) wire.Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// BatchError is the error of Batch: which statement failed and why.
type BatchError struct {
	Statement int // From 1.
	Err       error
}

// Error names the statement.
func (e *BatchError) Error() string { return fmt.Sprintf("statement %d: %v", e.Statement, e.Err) }

// Unwrap returns the cause.
func (e *BatchError) Unwrap() error { return e.Err }

// errorf returns an *Error without a cause.
func errorf(k Kind, format string, args ...any) *Error {
	return &Error{Kind: k, Message: fmt.Sprintf(format, args...)}
}

// wrap returns an *Error whose message is that of its cause after the words.
func wrap(k Kind, cause error, words string) *Error {
	return &Error{Kind: k, Message: words + ": " + cause.Error(), Err: cause}
}

// ended returns the error for a context that has ended, nil for one that has
// not.
func ended(ctx context.Context, what string, allowed fmt.Stringer) *Error {
	switch err := ctx.Err(); {
	case err == nil:
		return nil
	case errors.Is(err, context.DeadlineExceeded):
		return &Error{Kind: KindTimeout, Message: fmt.Sprintf("Timeout after %s", allowed), Err: err}
	default:
		return &Error{Kind: KindCanceled, Message: what + " canceled", Err: err}
	}
}

// oneLine makes the text of a foreign server fit for a message.
func oneLine(b []byte) string {
	const most = 200
	s := strings.ToValidUTF8(string(b[:min(len(b), most)]), "?")
	return strings.Join(strings.Fields(s), " ")
}

// Unsent reports whether a request that failed surely did not reach the server, so that sending it again cannot do
// anything twice.
func Unsent(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.unsent
}
