package api

import (
	"context"
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
	s.rejected(o.status, string(o.code))
	text := s.textOf(se.Err, access.Has(p, access.SeeFaults), slog.String("user", string(p.User)),
		slog.String("request", requestID))
	e := wire.Error{Code: o.code, Message: text, StatementIndex: se.Statement}
	if se.Statement > 0 {
		e.Message = fmt.Sprintf("Statement %d failed: %s: %s", se.Statement, o.kind, text)
	}
	var ke *kalam.Error
	if errors.As(se.Err, &ke) && !o.hidden {
		e.Position, e.Suggestions, e.Hint = ke.Position, ke.Suggestions, ke.Hint
	}
	if access.Has(p, access.SeeFaults) {
		e.Details = se.SQL
		if sqltext.MayHoldSecret(se.SQL) {
			e.Details = hiddenDetails
		}
	}
	return e, o.status
}

// isEnd reports whether err says that a context has ended.
func isEnd(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, errGone)
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
