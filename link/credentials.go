package link

import (
	"context"
	"encoding/json"
	"net/http"
	"sync/atomic"

	"github.com/kalamlake/kalam/link/wire"
)

// login is one pair of tokens. It is immutable.
type login struct {
	access  string
	refresh string
	header  []string // "Bearer " + access, made once.
}

func newLogin(access, refresh string) *login {
	return &login{access: access, refresh: refresh, header: []string{"Bearer " + access}}
}

// credentials keeps the tokens of a Client. One caller at a time logs in or
// refreshes; the others wait for its result.
type credentials struct {
	core    *core
	auth    Auth
	current atomic.Pointer[login]
	turn    chan struct{} // Holds a token while someone renews. A mutex would not heed contexts.
}

func newCredentials(c *core, a Auth) *credentials {
	cr := &credentials{core: c, auth: a, turn: make(chan struct{}, 1)}
	if a.kind == authJWT {
		cr.current.Store(newLogin(a.secret, ""))
	}
	return cr
}

// get returns the tokens, logging in first if need be. It is nil for a Client
// that needs none.
func (cr *credentials) get(ctx context.Context) (*login, error) {
	if l := cr.current.Load(); l != nil || cr.auth.kind != authPassword {
		return l, nil
	}
	return cr.renew(ctx, nil)
}

// renew replaces tokens that the server refused. old is what the caller had; if
// somebody else renewed it meanwhile, theirs is returned. The error is
// KindAuthentication when there is no way to get a new one.
func (cr *credentials) renew(ctx context.Context, old *login) (*login, error) {
	if cr.auth.kind != authPassword {
		return nil, &Error{Kind: KindAuthentication, Code: wire.CodeTokenExpired,
			Message: "the token has expired; log in again"}
	}
	select {
	case cr.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-cr.turn }()
	if l := cr.current.Load(); l != old {
		return l, nil
	}
	if old != nil && old.refresh != "" {
		if l, err := cr.refresh(ctx, old); err == nil {
			cr.current.Store(l)
			return l, nil
		}
	}
	l, err := cr.logIn(ctx)
	if err != nil {
		return nil, err
	}
	cr.current.Store(l)
	return l, nil
}

// refresh asks for new tokens by the refresh token.
func (cr *credentials) refresh(ctx context.Context, old *login) (*login, error) {
	a, err := cr.core.do(ctx, call{method: http.MethodPost, path: wire.PathRefresh, login: newLogin(old.refresh, "")})
	if err != nil {
		return nil, err
	}
	return decodeLogin(a)
}

// logIn asks for tokens by user and password.
func (cr *credentials) logIn(ctx context.Context) (*login, error) {
	body, err := json.Marshal(wire.LoginRequest{User: cr.auth.user, Password: cr.auth.secret})
	if err != nil {
		return nil, wrap(KindSerialization, err, "encode login")
	}
	a, err := cr.core.do(ctx, call{method: http.MethodPost, path: wire.PathLogin, body: body})
	if err != nil {
		return nil, err
	}
	return decodeLogin(a)
}

// decodeLogin reads the answer of login and refresh.
func decodeLogin(a answer) (*login, error) {
	if a.status != http.StatusOK {
		return nil, plainError(a)
	}
	var r wire.LoginResponse
	if err := json.Unmarshal(a.body, &r); err != nil {
		return nil, wrap(KindSerialization, err, "login answer")
	}
	if r.AccessToken == "" || !isHeaderValue(r.AccessToken) || !isHeaderValue(r.RefreshToken) {
		return nil, errorf(KindSerialization, "login answer without a usable token")
	}
	return newLogin(r.AccessToken, r.RefreshToken), nil
}

// Login logs in now instead of at the first request, so that wrong credentials
// are known at once. It does nothing for a JWT, an API key or no credentials.
func (c *Client) Login(ctx context.Context) error {
	parent := ctx
	ctx, cancel := c.deadline(ctx)
	defer cancel()
	return c.retry(parent, ctx, "login", func() (bool, error) {
		_, err := c.credentials.get(ctx)
		return isUnsent(err), err
	})
}
