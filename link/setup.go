package link

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/kalamlake/kalam/link/wire"
)

// Setup is what a new server is told once: the password of root, and the name and
// password of its first dba. Email may be "".
type Setup struct {
	User, Password string
	RootPassword   string
	Email          string
}

// String returns [redacted].
func (Setup) String() string { return "[redacted]" }

// GoString returns [redacted].
func (Setup) GoString() string { return "[redacted]" }

// NeedsSetup reports whether the server waits for Setup. Servers tell only callers on
// their own machine, unless they are configured otherwise.
func (c *Client) NeedsSetup(ctx context.Context) (bool, error) {
	a, err := c.plain(ctx, call{method: http.MethodGet, path: wire.PathStatus})
	if err != nil {
		return false, err
	}
	var s wire.StatusResponse
	if err := json.Unmarshal(a.body, &s); err != nil {
		return false, wrap(KindSerialization, err, "status answer")
	}
	return s.NeedsSetup, nil
}

// Setup sets a new server up. It changes no credentials of the Client.
func (c *Client) Setup(ctx context.Context, s Setup) error {
	body, err := json.Marshal(wire.SetupRequest{ //nolint:gosec // The passwords are what the server is told.
		User: s.User, Password: s.Password, RootPassword: s.RootPassword, Email: s.Email,
	})
	if err != nil {
		return wrap(KindSerialization, err, "encode setup")
	}
	_, err = c.plain(ctx, call{method: http.MethodPost, path: wire.PathSetup, body: body})
	return err
}

// plain makes one request without credentials and fails unless it is answered with 2xx.
func (c *Client) plain(ctx context.Context, r call) (answer, error) {
	ctx, cancel := c.deadline(ctx)
	defer cancel()
	a, err := c.do(ctx, r)
	if err == nil && a.status/100 != 2 {
		err = plainError(a)
	}
	return a, err
}
