package session

import (
	"context"
	"errors"
	"time"

	"github.com/kalamlake/kalam"
)

// The causes of contexts that end because a statement, or all of a request, took too
// long.
var (
	errStatementTimeout = errors.New("statement timeout")
	errRequestTimeout   = errors.New("request timeout")
)

// bound bounds ctx by the timeout of a statement or the deadline of the request,
// whichever comes first: one context, because a timer costs as much as an eighth of
// an INSERT.
func (s *Session) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, cause := s.deadline, errRequestTimeout
	if t, why := s.limit(); t > 0 {
		if end := time.Now().Add(t); deadline.IsZero() || end.Before(deadline) {
			deadline, cause = end, why
		}
	}
	if deadline.IsZero() {
		return ctx, func() {}
	}
	return context.WithDeadlineCause(ctx, deadline, cause)
}

// timedOut returns the error of a statement whose context ended, and says which limit
// it met; err when it met none.
func (s *Session) timedOut(ctx context.Context, err error) error {
	limits := s.server.limits.Load()
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, errStatementTimeout):
		return kalam.Errorf(kalam.CodeTimeout, "statement ran longer than %s (query.timeout_seconds)", limits.Statement)
	case errors.Is(cause, errOwnTimeout):
		return kalam.Errorf(kalam.CodeTimeout, "statement ran longer than %s (statement_timeout)", s.settings.Timeout)
	case errors.Is(cause, errRequestTimeout) && s.txn != nil && !s.txn.done:
		return kalam.Errorf(kalam.CodeTimeout,
			"transaction rolled back: its request ran longer than %s (query.request_timeout_seconds)", limits.Request)
	case errors.Is(cause, errRequestTimeout):
		return kalam.Errorf(kalam.CodeTimeout,
			"request ran longer than %s (query.request_timeout_seconds); statements before this one took effect",
			limits.Request)
	}
	return err
}

// isCancel reports whether err says that a context ended.
func isCancel(err error) bool {
	switch kalam.CodeOf(err) {
	case kalam.CodeCanceled, kalam.CodeTimeout:
		return true
	}
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// limit returns the timeout of a statement, 0 for none, and the cause of its end.
func (s *Session) limit() (time.Duration, error) {
	t, own := s.server.limits.Load().Statement, s.settings.Timeout
	if own > 0 && (t <= 0 || own < t) {
		return own, errOwnTimeout
	}
	return t, errStatementTimeout
}

// errOwnTimeout is the cause of a context that statement_timeout ended.
var errOwnTimeout = errors.New("statement_timeout")
