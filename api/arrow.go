package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/gofiber/fiber/v2"

	"github.com/kalamlake/kalam/api/results"
	"github.com/kalamlake/kalam/dialect"
	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/sqltext"
)

// checkArrow lets only requests of one SELECT pass, before anything runs.
func checkArrow(sql string) error {
	fragments, err := sqltext.Split(sql)
	if err != nil {
		return err
	}
	if len(fragments) != 1 {
		return results.ErrNotArrow
	}
	st, err := dialect.Parse(fragments[0].Text)
	if err != nil {
		return err
	}
	if _, ok := st.(*ast.Select); !ok {
		return results.ErrNotArrow
	}
	return nil
}

// cut logs a failure that came too late to be told: the client sees a stream
// without its end mark. It returns failure.
func (q *call) cut(failure error) error {
	if !errors.Is(failure, results.ErrAborted) && !isEnd(failure) {
		e, _ := q.server.sqlError(failure, q.caller, q.requestID)
		q.server.log.Warn("a result was cut", slog.String("user", string(q.principal.User)),
			slog.String("code", string(e.Code)),
			slog.String("request", q.requestID))
	}
	return failure
}

// runArrow executes the request and streams its rows as Arrow. An error before
// the first piece is told as JSON.
func (q *call) runArrow(c *fiber.Ctx, streaming *bool) error {
	s := q.server
	enc, packed := &results.Arrow{}, packingOf(c)
	ctx, own, release := q.underWay(c)
	var failure error
	doc := s.newDocument(func(send func([]byte) bool) error {
		enc.Send = packed.Pieces(send)
		if failure = checkArrow(q.request.SQL); failure == nil {
			failure = q.failed(own, q.execute(ctx, enc))
		}
		switch {
		case own.revoked.Load() && enc.Sent:
			return results.ErrAborted
		case failure != nil && enc.Sent:
			return q.cut(failure)
		case failure == nil && enc.Sent && !(enc.Send(enc.Rest()) && packed.End(send)):
			return results.ErrAborted
		}
		return nil
	}, func() {
		gone := errors.Is(context.Cause(ctx), errGone)
		release()
		q.finish(gone)
		enc.Release()
		packed.Free()
		if *streaming {
			s.active.End()
		}
	})
	more, err := doc.start()
	own.streaming.Store(more)
	if *streaming = more; more {
		packed.mark(c)
		c.Response().Header.SetContentType(results.MIMEArrow)
		c.Response().SetBodyStream(doc, -1)
		return nil
	}
	defer doc.Close()
	if err != nil {
		return fmt.Errorf("stream arrow: %w", err)
	}
	if failure == nil {
		c.Response().Header.SetContentType(results.MIMEArrow)
		c.Response().SetBody(packed.whole(c, enc.Rest()))
		return nil
	}
	envelope := results.NewJSON(s.config.Query.Timing)
	defer envelope.Free()
	body, status := q.fail(envelope, failure)
	return sendJSON(c, status, body)
}
