package link

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/kalamlake/kalam/link/wire"
)

func newCredentials(c *core, a Auth) *credentials {
	cr := &credentials{core: c, auth: a, turn: make(chan struct{}, 1)}
	switch a.kind {
	case authJWT:
		cr.current.Store(newLogin(Tokens{Access: a.secret}))
	case authSession:
		cr.current.Store(newLogin(a.tokens))
	case authNone, authAPIKey, authPassword:
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
	if !cr.auth.renews() {
		return nil, errExpired()
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
	t, err := cr.renewed(ctx, old)
	if err != nil {
		return nil, err
	}
	l := newLogin(t)
	cr.current.Store(l)
	return l, nil
}

// renewed returns new tokens: by the refresh token, else by the password.
func (cr *credentials) renewed(ctx context.Context, old *login) (Tokens, error) {
	err := error(errExpired())
	if old != nil && old.tokens.Refresh != "" {
		var t Tokens
		refresh := func(ctx context.Context) (Tokens, error) { return cr.refresh(ctx, old.tokens.Refresh) }
		if hook := cr.core.options.Renew; hook != nil {
			t, err = hook(ctx, old.tokens, refresh)
		} else {
			t, err = refresh(ctx)
		}
		if err == nil && !isHeaderValue(t.Access) {
			err = errExpired()
		}
		if err == nil {
			if t.User == "" {
				t.User = old.tokens.User
			}
			return t, nil
		}
	}
	if cr.auth.kind == authPassword {
		return cr.logIn(ctx)
	}
	if KindOf(err) == KindAuthentication {
		err = errExpired()
	}
	return Tokens{}, err
}

// errExpired says that there is no way to a new token.
func errExpired() *Error {
	return &Error{Kind: KindAuthentication, Code: wire.CodeTokenExpired, Message: "the token has expired; log in again"}
}

// refresh asks for new tokens by a refresh token.
func (cr *credentials) refresh(ctx context.Context, token string) (Tokens, error) {
	l := newLogin(Tokens{Access: token})
	a, err := cr.core.do(ctx, call{method: http.MethodPost, path: wire.PathRefresh, login: l})
	if err != nil {
		return Tokens{}, err
	}
	return decodeLogin(a)
}

// logIn asks for tokens by user and password.
func (cr *credentials) logIn(ctx context.Context) (Tokens, error) {
	//nolint:gosec // The password is what a login sends.
	body, err := json.Marshal(wire.LoginRequest{User: cr.auth.user, Password: cr.auth.secret})
	if err != nil {
		return Tokens{}, wrap(KindSerialization, err, "encode login")
	}
	a, err := cr.core.do(ctx, call{method: http.MethodPost, path: wire.PathLogin, body: body})
	if err != nil {
		return Tokens{}, err
	}
	return decodeLogin(a)
}

// decodeLogin reads the answer of login and refresh.
func decodeLogin(a answer) (Tokens, error) {
	if a.status != http.StatusOK {
		return Tokens{}, plainError(a)
	}
	var r wire.LoginResponse
	if err := json.Unmarshal(a.body, &r); err != nil {
		return Tokens{}, wrap(KindSerialization, err, "login answer")
	}
	if r.AccessToken == "" || !isHeaderValue(r.AccessToken) || !isHeaderValue(r.RefreshToken) {
		return Tokens{}, errorf(KindSerialization, "login answer without a usable token")
	}
	return tokensOf(r), nil
}

// Login logs in now instead of at the first request, so that wrong credentials
// are known at once. It does nothing for what needs no login.
func (c *Client) Login(ctx context.Context) error {
	parent := ctx
	ctx, cancel := c.deadline(ctx)
	defer cancel()
	return c.retry(parent, ctx, "login", func() (bool, error) {
		_, err := c.credentials.get(ctx)
		return Unsent(err), err
	})
}

// Tokens returns the tokens in use, to be kept for Session. ok is false before the
// first login, and for a Client that does not log in.
func (c *Client) Tokens() (t Tokens, ok bool) {
	l := c.credentials.current.Load()
	if l == nil {
		return t, false
	}
	return l.tokens, true
}
