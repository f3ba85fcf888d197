package api

import (
	"context"
	"errors"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/api/identity"
	"github.com/kalamlake/kalam/api/results"
	"github.com/kalamlake/kalam/session"
)

// call is one request of the SQL endpoint.
type call struct {
	server    *Server
	began     time.Time
	client    client
	requestID string
	login     *identity.Login // Who sent it, and what proves it.
	caller    kalam.Principal // Who sent it: decides which errors are told in full.
	principal kalam.Principal // In force.
	request   session.Request
	form      results.Form // Of the document.
}

// requestID returns the X-Request-ID of a request, "" when there is none that
// can be repeated in a header and a log.
func requestID(c *fiber.Ctx) string {
	id := c.Request().Header.Peek(fiber.HeaderXRequestID)
	if len(id) == 0 || len(id) > maxRequestID {
		return ""
	}
	for _, b := range id {
		if b <= ' ' || b > '~' {
			return ""
		}
	}
	return string(id)
}

// newDocument returns the document that produce writes by send, which reports
// false once nobody wants more. close is called when the document is done with.
func (s *Server) newDocument(produce func(send func([]byte) bool) error, close func()) *document {
	d := &document{producers: s.producers, producer: s.producers.get(), close: close}
	d.producer.produce = produce
	return d
}

// sendJSON answers with a whole document.
func sendJSON(c *fiber.Ctx, status int, body []byte) error {
	c.Response().Header.SetContentType(fiber.MIMEApplicationJSON)
	c.Response().SetBody(body)
	c.Status(status)
	return nil
}

// execute runs the statements. A panic is an error of the server, whatever was sent
// before.
func (q *call) execute(ctx context.Context, out session.Results) (err error) {
	defer func() {
		if r := recover(); r != nil {
			q.server.log.Error("panic in a statement", slog.Any("panic", r), slog.String("stack", string(debug.Stack())))
			err = kalam.Errorf(kalam.CodeInternal, "the statement ended in a panic")
		}
	}()
	return q.server.exec.Execute(ctx, q.principal, q.request, out)
}

// failed returns what is told of the end of a request: that its credentials ended, whatever
// that made of the statement under way.
func (q *call) failed(r *request, err error) error {
	var se *session.StatementError
	if err == nil || !r.revoked.Load() {
		return err
	}
	if errors.As(err, &se) {
		return &session.StatementError{Statement: se.Statement, Err: errRevoked}
	}
	return errRevoked
}

// fail ends the document with the error of the request.
func (q *call) fail(enc *results.JSON, failure error) (body []byte, status int) {
	e, status := q.server.sqlError(failure, q.caller, q.requestID)
	return enc.Fail(q.server.now().Sub(q.began), &e), status
}

// finish notes the end of a request.
func (q *call) finish(gone bool) {
	if gone {
		q.server.log.Debug("client went away", slog.String("user", string(q.principal.User)),
			slog.Duration("took", q.server.now().Sub(q.began)), slog.String("request", q.requestID))
	}
}

// maxRequestID is the length up to which an X-Request-ID is echoed.
const maxRequestID = 128
