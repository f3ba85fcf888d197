package api

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"

	"github.com/gofiber/fiber/v2"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/access"
	"github.com/kalamlake/kalam/link/wire"
	"github.com/kalamlake/kalam/session"
	"github.com/kalamlake/kalam/sqltext"
)

// outcome is how an error is told: its code and status on the SQL endpoint, the
// word for its kind in a statement's message, its code in an error frame.
type outcome struct {
	code   wire.Code
	status int
	kind   string
	frame  wire.Code
	hidden bool // Its message is for admins only.
}

const kindExecution = "Execution error"

// outcomes has a line for every code of package kalam.
var outcomes = map[kalam.Code]outcome{
	kalam.CodeInternal: {wire.CodeInternal, fiber.StatusInternalServerError, kindExecution,
		wire.CodeSubscriptionFailed, true},
	kalam.CodeInvalidInput: {wire.CodeInvalidInput, fiber.StatusBadRequest,
		"Invalid operation", wire.CodeInvalidSQL, false},
	kalam.CodeEmptySQL:   {wire.CodeEmptySQL, fiber.StatusBadRequest, "Invalid SQL", wire.CodeInvalidSQL, false},
	kalam.CodeBatchParse: {wire.CodeBatchParse, fiber.StatusBadRequest, "Invalid SQL", wire.CodeInvalidSQL, false},
	kalam.CodeInvalidSQL: {wire.CodeInvalidSQL, fiber.StatusBadRequest, "Invalid SQL", wire.CodeInvalidSQL, false},
	kalam.CodeInvalidParameter: {wire.CodeInvalidParameter, fiber.StatusBadRequest,
		"Invalid operation", wire.CodeInvalidSQL, false},
	kalam.CodeParamsWithBatch: {wire.CodeParamsWithBatch, fiber.StatusBadRequest,
		"Invalid operation", wire.CodeInvalidSQL, false},
	kalam.CodeParameterMismatch: {wire.CodeSQLExecution, fiber.StatusBadRequest,
		"Invalid operation", wire.CodeInvalidSQL, false},
	kalam.CodeTableNotFound: {wire.CodeSQLExecution, fiber.StatusBadRequest,
		"Table not found", wire.CodeNotFound, false},
	kalam.CodeNotFound: {wire.CodeSQLExecution, fiber.StatusBadRequest, "Not found", wire.CodeNotFound, false},
	kalam.CodeAlreadyExists: {wire.CodeSQLExecution, fiber.StatusBadRequest, "Already exists",
		wire.CodeSubscriptionFailed, false},
	kalam.CodeConstraint: {wire.CodeSQLExecution, fiber.StatusBadRequest, "Constraint violation",
		wire.CodeSubscriptionFailed, false},
	kalam.CodeInvalidOperation: {wire.CodeSQLExecution, fiber.StatusBadRequest, "Invalid operation",
		wire.CodeUnsupported, false},
	kalam.CodePermissionDenied: {wire.CodePermissionDenied, fiber.StatusForbidden, "Permission denied",
		wire.CodeUnauthorized, false},
	kalam.CodeConflict: {wire.CodeSQLExecution, fiber.StatusBadRequest, kindExecution,
		wire.CodeSubscriptionFailed, false},
	kalam.CodeTimeout: {wire.CodeTimeout, fiber.StatusBadRequest, kindExecution, wire.CodeBatchFetch, false},
	kalam.CodeCanceled: {wire.CodeSQLExecution, fiber.StatusBadRequest, kindExecution,
		wire.CodeSubscriptionFailed, false},
	kalam.CodeResourceExhausted: {wire.CodeResourceExhausted, fiber.StatusServiceUnavailable, kindExecution,
		wire.CodeSubscriptionFailed, false},
	kalam.CodeUnavailable: {wire.CodeUnavailable, fiber.StatusServiceUnavailable, kindExecution,
		wire.CodeSubscriptionFailed, false},
	kalam.CodeShuttingDown: {wire.CodeShuttingDown, fiber.StatusServiceUnavailable, kindExecution,
		wire.CodeShuttingDown, false},
	kalam.CodeUnauthenticated: {wire.CodeInvalidCredentials, fiber.StatusUnauthorized, "Permission denied",
		wire.CodeUnauthorized, false},
	kalam.CodeCorrupt: {wire.CodeInternal, fiber.StatusInternalServerError, kindExecution,
		wire.CodeSubscriptionFailed, true},
	kalam.CodeRateLimited: {wire.CodeRateLimit, fiber.StatusTooManyRequests,
		kindExecution, wire.CodeRateLimit, false},
	kalam.CodeTooLarge: {wire.CodeSQLExecution, fiber.StatusBadRequest, "Constraint violation",
		wire.CodeSubscriptionFailed, false},
	kalam.CodeUnsupported: {wire.CodeSQLExecution, fiber.StatusBadRequest, "Invalid operation",
		wire.CodeUnsupported, false},
	kalam.CodeResumeWindow: {wire.CodeSQLExecution, fiber.StatusBadRequest, "Invalid operation",
		wire.CodeResumeWindowExceeded, false},
}

func outcomeOf(code kalam.Code) outcome {
	if o, ok := outcomes[code]; ok {
		return o
	}
	return outcomes[kalam.CodeInternal]
}

// textOf returns what is told of err: the message of its *kalam.Error, without
// the cause. What users must not see is logged under an id, which they see
// instead; admins see the whole chain with the id.
func (s *Server) textOf(err error, admin bool, attrs ...any) string {
	var ke *kalam.Error
	if errors.As(err, &ke) && !outcomeOf(ke.Code).hidden {
		return ke.Msg
	}
	id := newID(4)
	s.log.Error("internal error", append(attrs, slog.String("id", id), slog.Any("error", err))...)
	if admin {
		return fmt.Sprintf("internal error (id %s): %v", id, err)
	}
	return fmt.Sprintf("internal error (id %s)", id)
}

// sqlError turns what Execute returned into the error of a response.
func (s *Server) sqlError(err error, p kalam.Principal, requestID string) (wire.Error, int) {
	var se *session.StatementError
	if !errors.As(err, &se) {
		se = &session.StatementError{Err: err}
	}
	code := kalam.CodeOf(se.Err)
	if code == kalam.CodeInternal && isEnd(se.Err) {
		code, se = kalam.CodeCanceled, &session.StatementError{
			Statement: se.Statement, SQL: se.SQL, Err: kalam.Wrap(kalam.CodeCanceled, se.Err, "the statement was cancelled"),
		}
	}
	o := outcomeOf(code)
	text := s.textOf(se.Err, access.Has(p, access.SeeFaults), slog.String("user", string(p.User)),
		slog.String("request", requestID))
	e := wire.Error{Code: o.code, Message: text, StatementIndex: se.Statement}
	if se.Statement > 0 {
		e.Message = fmt.Sprintf("Statement %d failed: %s: %s", se.Statement, o.kind, text)
	}
	var ke *kalam.Error
	if errors.As(se.Err, &ke) && !o.hidden {
		e.Position = ke.Position
	}
	if access.Has(p, access.SeeFaults) {
		e.Details = se.SQL
		if sqltext.MayHoldSecret(se.SQL) {
			e.Details = hiddenDetails
		}
	}
	return e, o.status
}

// hiddenDetails stands for the text of a statement that may hold a secret.
const hiddenDetails = "(the statement is not shown: it may hold a password)"

// isEnd reports whether err says that a context has ended.
func isEnd(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, errGone)
}

// newID returns n random bytes in hex.
func newID(n int) string {
	b := make([]byte, n)
	rand.Read(b) // Never fails: it ends the process instead.
	return hex.EncodeToString(b)
}

// requestError is an error of the request as a whole, found before Execute.
type requestError struct {
	code   wire.Code
	status int
	text   string
}

// Error returns the message.
func (e *requestError) Error() string { return e.text }

func badRequest(code wire.Code, format string, args ...any) *requestError {
	return &requestError{code: code, status: fiber.StatusBadRequest, text: fmt.Sprintf(format, args...)}
}

// plain sends the error of an endpoint other than the SQL one.
func plain(c *fiber.Ctx, status int, e wire.PlainError) error {
	if e.RetryAfterSeconds > 0 {
		c.Response().Header.Set(fiber.HeaderRetryAfter, fmt.Sprint(e.RetryAfterSeconds))
	}
	return c.Status(status).JSON(e)
}

// handleError is fiber's error handler: it answers what no handler has answered,
// and requests that could not be read.
func (s *Server) handleError(c *fiber.Ctx, err error) error {
	var fe *fiber.Error
	if !errors.As(err, &fe) {
		return plain(c, fiber.StatusInternalServerError, wire.PlainError{Error: "internal_error",
			Message: s.textOf(err, false)})
	}
	switch fe.Code {
	case fiber.StatusNotFound:
		return plain(c, fe.Code, wire.PlainError{Error: "not_found", Message: "There is no such endpoint"})
	case fiber.StatusMethodNotAllowed:
		return plain(c, fe.Code, wire.PlainError{Error: "method_not_allowed",
			Message: "This endpoint does not take the method"})
	case fiber.StatusRequestTimeout:
		return plain(c, fe.Code, wire.PlainError{Error: "request_timeout", Message: "The request did not arrive in time"})
	case fiber.StatusRequestHeaderFieldsTooLarge:
		return plain(c, fe.Code, wire.PlainError{Error: "headers_too_large", Message: "The request's headers are too large"})
	}
	return plain(c, fe.Code, wire.PlainError{Error: "bad_request", Message: "The request is malformed"})
}
