package api

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"

	"github.com/gofiber/fiber/v2"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/link/wire"
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

// hiddenDetails stands for the text of a statement that may hold a secret.
const hiddenDetails = "(the statement is not shown: it may hold a password)"

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
