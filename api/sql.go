package api

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/kalamlake/kalam/api/results"
	"github.com/kalamlake/kalam/link/wire"
	"github.com/kalamlake/kalam/session"
)

// handleSQL answers POST /v1/api/sql.
func (s *Server) handleSQL(c *fiber.Ctx) error {
	began := s.now()
	s.rate.Add(began)
	if !s.active.Begin() {
		c.Context().SetConnectionClose()
		return s.refuseSQL(c, began, &requestError{code: wire.CodeShuttingDown, status: fiber.StatusServiceUnavailable,
			text: "Server is shutting down"})
	}
	streaming := false
	defer func() {
		if !streaming {
			s.active.End()
		}
	}()
	q := &call{server: s, began: began, client: clientOf(c), requestID: requestID(c)}
	if err := q.prepare(c); err != nil {
		return s.refuseSQL(c, began, err)
	}
	if bytes.Contains(c.Request().Header.Peek(fiber.HeaderAccept), []byte(results.MIMEArrow)) {
		return q.runArrow(c, &streaming)
	}
	return q.run(c, &streaming)
}

// prepare finds out who asks for what.
func (q *call) prepare(c *fiber.Ctx) (err error) {
	s := q.server
	if q.login, err = s.credentials(c); err != nil {
		skipBody(c)
		return err
	}
	q.caller = q.login.Principal
	if !s.limits.query(q.caller.User) {
		skipBody(c)
		c.Response().Header.Set(fiber.HeaderRetryAfter, "1")
		return &requestError{code: wire.CodeRateLimit, status: fiber.StatusTooManyRequests,
			text: "Too many queries per second. Please slow down."}
	}
	if q.principal, err = s.actingFor(c, q.login); err != nil {
		skipBody(c)
		return err
	}
	if bad := checkContent(c); bad != nil {
		skipBody(c)
		return bad
	}
	var problem string
	if q.form, problem = results.FormOf(c.Query("rows"), c.Query("times")); problem != "" {
		skipBody(c)
		return badRequest(wire.CodeInvalidInput, "%s", problem)
	}
	body, err := readBody(c, bodyLimit(s.config))
	if err != nil {
		return err
	}
	r, err := decodeRequest(body)
	if err != nil {
		return err
	}
	q.request = session.Request{
		SQL: r.sql, Params: r.params, Namespace: r.namespace, RequestID: q.requestID,
		Origin: origin(q.client, q.requestID, q.login),
	}
	return nil
}

// refuseSQL answers a request that did not run. A failed authentication has its
// members in another order, as in KalamDB.
func (s *Server) refuseSQL(c *fiber.Ctx, began time.Time, err error) error {
	var re *requestError
	if !errors.As(err, &re) {
		return refuseBody(c, err, bodyLimit(s.config))
	}
	s.rejected(re.status, string(re.code))
	took, timing := s.now().Sub(began), s.config.Query.Timing
	failure := wire.Error{Code: re.code, Message: re.text}
	var body []byte
	if re.status == fiber.StatusUnauthorized {
		c.Response().Header.Set(fiber.HeaderWWWAuthenticate, "Bearer")
		body = results.AppendError([]byte(`{"status":"error","error":`), &failure)
		body = append(results.AppendTook(append(body, `,"results":[]`...), took, timing), '}')
	} else {
		body = results.AppendTook([]byte(`{"status":"error","results":[]`), took, timing)
		body = append(results.AppendError(append(body, `,"error":`...), &failure), '}')
	}
	return sendJSON(c, re.status, body)
}

// run executes the request and sends its document: at once when it is small, in
// pieces while it is made otherwise, in which case streaming becomes true.
func (q *call) run(c *fiber.Ctx, streaming *bool) error {
	s := q.server
	enc, packed := results.NewJSON(s.config.Query.Timing), packingOf(c)
	enc.Form = q.form
	ctx, own, release := q.underWay(c)
	var (
		failure error
		body    []byte // Of a document that was not sent in pieces.
		status  = fiber.StatusOK
	)
	doc := s.newDocument(func(send func([]byte) bool) error {
		enc.Send = packed.Pieces(send)
		failure = q.failed(own, q.execute(ctx, enc))
		switch {
		case own.revoked.Load() && enc.Sent:
			return results.ErrAborted
		case failure == nil:
			body = enc.Succeed(s.now().Sub(q.began))
		case errors.Is(failure, results.ErrAborted) || errors.Is(context.Cause(ctx), errGone):
			return failure // Nobody takes it.
		default:
			body, status = q.fail(enc, failure)
		}
		if enc.Sent && !(enc.Send(body) && packed.End(send)) {
			return results.ErrAborted
		}
		return nil
	}, func() {
		gone := errors.Is(context.Cause(ctx), errGone)
		release()
		q.finish(gone)
		enc.Free()
		packed.Free()
		if *streaming {
			s.active.End()
		}
	})
	more, err := doc.start()
	*streaming = more
	own.streaming.Store(more)
	if more {
		packed.mark(c)
		c.Response().Header.SetContentType(fiber.MIMEApplicationJSON)
		c.Response().SetBodyStream(doc, -1)
		return nil
	}
	defer doc.Close()
	if err != nil {
		return err
	}
	return sendJSON(c, status, packed.whole(c, body))
}
