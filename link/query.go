package link

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/kalamlake/kalam/link/wire"
)

// Query runs one or more statements and returns a result for each. Params are
// bound to $1, $2, ...: string, integer, float, bool, time.Time (sent in UTC), []byte,
// nil, slices of these, which are lists as in "id = ANY($1)", and maps, structs and what
// writes itself as JSON or text, for JSON columns; they need a single statement.
//
// When a statement fails, the error is KindSQL and the Response, not nil then
// either, holds the results of the statements before it, which stay committed.
// If ctx ends, the server cancels the statement; a write was then either done
// in full or not at all.
func (c *Client) Query(ctx context.Context, sql string, params ...any) (*Response, error) {
	body, err := encodeRequest(sql, params, c.namespace)
	if err != nil {
		return nil, err
	}
	return c.execute(ctx, body, readOnly(sql))
}

// Batch runs the statements in one request and returns their results. They are
// no transaction: what precedes a failure stays. The error is a *BatchError
// that names the statement, beside the results of those before it.
func (c *Client) Batch(ctx context.Context, statements ...string) ([]*Result, error) {
	if len(statements) == 0 {
		return nil, nil
	}
	// A line break keeps a comment at a statement's end from hiding the next.
	res, err := c.Query(ctx, strings.Join(statements, "\n;\n"))
	if err == nil {
		return res.Results, nil
	}
	var e *Error
	if errors.As(err, &e) && e.Statement > 0 {
		err = &BatchError{Statement: e.Statement, Err: err}
	}
	if res == nil {
		return nil, err
	}
	return res.Results, err
}

// execute posts a SQL request, again where that is safe.
func (c *core) execute(ctx context.Context, body []byte, repeatable bool) (*Response, error) {
	parent := ctx
	ctx, cancel := c.deadline(ctx)
	defer cancel()
	var res *Response
	err := c.retry(parent, ctx, "query", func() (bool, error) {
		l, err := c.credentials.get(ctx)
		if err != nil {
			return Unsent(err), err
		}
		res, err = c.post(ctx, l, body)
		if CodeOf(err) == wire.CodeTokenExpired && c.options.Auth.renews() {
			if l, err = c.credentials.renew(ctx, l); err == nil {
				res, err = c.post(ctx, l, body)
			}
		}
		return Unsent(err) || repeatable && KindOf(err) == KindConnection, err
	})
	return res, err
}

// post sends a SQL request once.
func (c *core) post(ctx context.Context, l *login, body []byte) (*Response, error) {
	a, err := c.do(ctx, call{method: http.MethodPost, path: wire.PathSQL, body: body, login: l})
	if err != nil {
		return nil, err
	}
	return decodeResponse(a)
}
