package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/api/identity"
	"github.com/kalamlake/kalam/audit"
	"github.com/kalamlake/kalam/catalog"
	"github.com/kalamlake/kalam/link/wire"
)

const (
	// maxAuthBody bounds the body of the auth endpoints.
	maxAuthBody = 16 << 10
	// maxLoginName and maxLoginPassword bound what is looked at, in bytes.
	maxLoginName     = 128
	maxLoginPassword = 256

	cookieAccess  = "kalamdb_auth"
	cookieRefresh = "kalamdb_refresh"

	// timeFormat is RFC 3339 with the offset written out, as KalamDB does.
	timeFormat = "2006-01-02T15:04:05.999999-07:00"
)

// authFailure is an error of an auth endpoint.
func authFailure(c *fiber.Ctx, status int, code, format string, args ...any) error {
	return plain(c, status, wire.PlainError{Error: code, Message: fmt.Sprintf(format, args...)})
}

// guarded runs an endpoint that takes credentials: not while the server stops,
// and not for an address that keeps failing. The handler reports a failed
// attempt by fail.
func (s *Server) guarded(c *fiber.Ctx, tooMany string, handle func(fail func()) error) error {
	if !s.active.Begin() {
		return s.refuseStopping(c)
	}
	defer s.active.End()
	peer := clientOf(c).addr
	if !s.limits.mayAuthenticate(peer) {
		skipBody(c)
		s.rejected(fiber.StatusTooManyRequests, reasonLogins)
		s.note(c, nil, audit.Event{Action: audit.ActionLogin, Outcome: kalam.CodeRateLimited.String()})
		return plain(c, fiber.StatusTooManyRequests, wire.PlainError{Error: "rate_limited", Message: tooMany,
			RetryAfterSeconds: 1})
	}
	return handle(func() { s.limits.failedAuth(peer) })
}

// readJSON decodes the body into v, whose members are all there may be. It
// answers the request itself when it reports false.
func readJSON(c *fiber.Ctx, v any) (ok bool, err error) {
	if bad := checkContent(c); bad != nil {
		skipBody(c)
		return false, authFailure(c, fiber.StatusBadRequest, "bad_request", "%s", bad.text)
	}
	body, err := readBody(c, maxAuthBody)
	if err != nil {
		return false, refuseBody(c, err, maxAuthBody)
	}
	if !utf8.Valid(body) {
		return false, authFailure(c, fiber.StatusBadRequest, "bad_request", "Invalid JSON payload: not valid UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return false, authFailure(c, fiber.StatusBadRequest, "bad_request", "Invalid JSON payload: %s", describe(err))
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return false, authFailure(c, fiber.StatusBadRequest, "bad_request", "Invalid JSON payload: text after the object")
	}
	return true, nil
}

// describe returns what is wrong with a JSON text, without the value in it,
// which may be a password.
func describe(err error) string {
	var syntax *json.SyntaxError
	var typed *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return fmt.Sprintf("syntax error at byte %d", syntax.Offset)
	case errors.As(err, &typed):
		return fmt.Sprintf("member '%s' has the wrong type", typed.Field)
	case strings.HasPrefix(err.Error(), "json: unknown field"):
		return strings.TrimPrefix(err.Error(), "json: ")
	}
	return "unexpected end"
}

// handleLogin answers POST auth/login.
func (s *Server) handleLogin(c *fiber.Ctx) error {
	return s.guarded(c, tooManyLogins, func(fail func()) error {
		var r wire.LoginRequest
		if ok, err := readJSON(c, &r); !ok {
			return err
		}
		name := r.User + r.Username
		if (r.User == "") == (r.Username == "") {
			return authFailure(c, fiber.StatusBadRequest, "bad_request", "Give the member 'user'")
		}
		if len(name) > maxLoginName || len(r.Password) > maxLoginPassword {
			return authFailure(c, fiber.StatusBadRequest, "bad_request", "User or password is too long")
		}
		ctx, stop := withWatch(s.base, c.Context().Conn())
		peer := clientOf(c)
		from := catalog.Origin{Addr: peer.addr, Local: peer.local}
		u, err := s.engine.Catalog().Login(ctx, kalam.UserID(name), r.Password, from)
		stop()
		if err != nil {
			fail()
			return s.loginFailed(c, name, err)
		}
		pair, err := s.identity.Begin(&u)
		if err != nil {
			return err
		}
		s.note(c, nil, audit.Event{Action: audit.ActionLogin, Outcome: audit.OK, Subject: string(u.ID)})
		return s.sendTokens(c, &u, pair)
	})
}

// loginFailed answers a login that did not succeed.
func (s *Server) loginFailed(c *fiber.Ctx, name string, err error) error {
	var locked *catalog.LockedError
	e := audit.Event{Action: audit.ActionLogin, Outcome: audit.OutcomeOf(err), Details: "no such user"}
	if u, known := s.engine.Catalog().AnyUser(kalam.UserID(name)); known {
		e.Subject, e.Details = string(u.ID), ""
	} // Another name is not kept: it may be a password, in the wrong field.
	s.note(c, nil, e)
	s.log.Info("login failed", slog.String("user", name),
		slog.String("address", clientOf(c).addr.String()), slog.Any("reason", err))
	switch {
	case errors.Is(err, catalog.ErrSetupRequired):
		return authFailure(c, fiber.StatusPreconditionRequired, "setup_required", "%s", s.textOf(err, false))
	case errors.As(err, &locked):
		return authFailure(c, fiber.StatusUnauthorized, "account_locked", "%s", locked.Error())
	case errors.Is(err, catalog.ErrInvalidCredentials):
		return authFailure(c, fiber.StatusUnauthorized, "unauthorized", "Invalid credentials")
	case kalam.CodeOf(err) == kalam.CodeRateLimited:
		s.rejected(fiber.StatusTooManyRequests, reasonLogins)
		return plain(c, fiber.StatusTooManyRequests, wire.PlainError{Error: "rate_limited", Message: tooManyLogins,
			RetryAfterSeconds: 1})
	}
	s.textOf(err, false, slog.String("user", name))
	return authFailure(c, fiber.StatusInternalServerError, "internal_error", "Authentication failed")
}

// sendTokens answers with a new pair of tokens, in the body and as cookies.
func (s *Server) sendTokens(c *fiber.Ctx, u *catalog.User, p identity.Pair) error {
	s.setCookie(c, cookieAccess, p.Access.Text, p.Access.Expires)
	s.setCookie(c, cookieRefresh, p.Refresh.Text, p.Refresh.Expires)
	c.Set(fiber.HeaderCacheControl, "no-store")
	return c.JSON(wire.LoginResponse{
		User: wireUser(u), ExpiresAt: p.Access.Expires.Format(timeFormat), AccessToken: p.Access.Text,
		RefreshToken: p.Refresh.Text, RefreshExpiresAt: p.Refresh.Expires.Format(timeFormat),
	})
}

// setCookie sets a cookie that scripts cannot read and other sites cannot send.
func (s *Server) setCookie(c *fiber.Ctx, name, value string, expires time.Time) {
	c.Cookie(&fiber.Cookie{
		Name: name, Value: value, Path: "/", Expires: expires, HTTPOnly: true, SameSite: fiber.CookieSameSiteStrictMode,
		Secure: s.config.Auth.CookieSecure && c.Protocol() == "https",
	})
}

// wireUser shows a user as the auth endpoints do.
func wireUser(u *catalog.User) wire.User {
	var email *string // null when there is none.
	if u.Email != "" {
		email = &u.Email
	}
	return wire.User{
		ID: string(u.ID), Role: u.Role.String(), Email: email,
		CreatedAt: u.CreatedAt.UTC().Format(timeFormat), UpdatedAt: u.UpdatedAt.UTC().Format(timeFormat),
	}
}

// handleRefresh answers POST auth/refresh: new tokens for a refresh token.
func (s *Server) handleRefresh(c *fiber.Ctx) error {
	return s.guarded(c, tooManyLogins, func(fail func()) error {
		skipBody(c)
		text := c.Cookies(cookieRefresh)
		if text == "" {
			var err error
			if text, err = bearer(c); err != nil || text == "" {
				fail()
				return authFailure(c, fiber.StatusUnauthorized, "unauthorized", "Refresh endpoint requires a refresh token")
			}
		}
		u, pair, err := s.identity.Refresh(text)
		switch {
		case err == nil:
			return s.sendTokens(c, &u, pair)
		case errors.Is(err, identity.ErrReused):
			s.log.Warn("a refresh token came again after its use; the tokens of its login end",
				slog.String("user", string(u.ID)))
			s.note(c, nil, audit.Event{Action: audit.ActionReuse, Outcome: audit.Denied, Subject: string(u.ID)})
			s.endInvalid()
		}
		fail()
		if errors.Is(err, identity.ErrNoRefresh) {
			return authFailure(c, fiber.StatusUnauthorized, "unauthorized", "Refresh endpoint requires a refresh token")
		}
		return authFailure(c, fiber.StatusUnauthorized, "unauthorized", "Invalid credentials")
	})
}

// handleLogout answers POST auth/logout: it ends every token of the user whose
// refresh or access token the request carries, and takes the cookies back.
func (s *Server) handleLogout(c *fiber.Ctx) error {
	if !s.active.Begin() {
		return s.refuseStopping(c)
	}
	defer s.active.End()
	skipBody(c)
	text, err := bearer(c)
	if err != nil {
		text = ""
	}
	if u, ok := s.anyHolder(c.Cookies(cookieRefresh), c.Cookies(cookieAccess), text); ok {
		err := s.engine.Catalog().EndTokens(s.base, u.ID)
		if err != nil && kalam.CodeOf(err) != kalam.CodeNotFound {
			return err
		}
		out := audit.Event{Action: audit.ActionLogout}
		if err := s.record(c, kalam.Principal{User: u.ID, Role: u.Role}, "", out); err != nil {
			return err
		}
	}
	gone := time.Unix(1, 0).UTC()
	s.setCookie(c, cookieAccess, "", gone)
	s.setCookie(c, cookieRefresh, "", gone)
	return c.JSON(fiber.Map{"message": "Logged out successfully"})
}

// anyHolder returns the user of the first valid token.
func (s *Server) anyHolder(texts ...string) (catalog.User, bool) {
	for _, text := range texts {
		if u, ok := s.identity.Holder(text); ok {
			return u, true
		}
	}
	return catalog.User{}, false
}

// handleMe answers GET auth/me for an API key, a Bearer token or the cookie.
func (s *Server) handleMe(c *fiber.Ctx) error {
	l, err := s.credentials(c)
	if errors.Is(err, errNoToken) {
		if text := c.Cookies(cookieAccess); text != "" {
			l, err = s.identity.ByBearer(strings.Clone(text))
		}
	}
	if errors.Is(err, errNoToken) {
		return authFailure(c, fiber.StatusUnauthorized, "unauthorized", "Authentication required")
	}
	if err == nil {
		if u, ok := s.identity.User(l); ok {
			return c.JSON(wire.MeResponse{User: wireUser(&u)})
		}
	}
	return authFailure(c, fiber.StatusUnauthorized, "unauthorized", "Invalid credentials")
}

// handleStatus answers GET auth/status.
func (s *Server) handleStatus(c *fiber.Ctx) error {
	if err := s.checkSetup(c); err != nil {
		return authFailure(c, fiber.StatusForbidden, "forbidden", "The setup status is shown %s", err)
	}
	r := wire.StatusResponse{Message: "Server is configured and ready"}
	if s.engine.Catalog().NeedsSetup() {
		r = wire.StatusResponse{NeedsSetup: true,
			Message: "Server requires initial setup. The root password is not configured."}
	}
	return c.JSON(r)
}

// handleSetup answers POST auth/setup: once, the password of root and a dba.
func (s *Server) handleSetup(c *fiber.Ctx) error {
	if err := s.checkSetup(c); err != nil {
		return authFailure(c, fiber.StatusForbidden, "forbidden", "Setup is allowed %s", err)
	}
	return s.guarded(c, tooManySetups, func(fail func()) error {
		var r wire.SetupRequest
		if ok, err := readJSON(c, &r); !ok {
			return err
		}
		if (r.User == "") == (r.Username == "") {
			return authFailure(c, fiber.StatusBadRequest, "invalid_user", "Give the member 'user'")
		}
		id, err := kalam.ParseUserID(r.User + r.Username)
		if err != nil {
			return authFailure(c, fiber.StatusBadRequest, "invalid_user", "%s", s.textOf(err, false))
		}
		ctx, stop := withWatch(s.base, c.Context().Conn())
		u, err := s.engine.Catalog().Setup(ctx, catalog.NewUser{ID: id, Password: r.Password, Email: r.Email}, r.RootPassword)
		stop()
		if err != nil {
			fail()
			return s.setupFailed(c, err)
		}
		s.log.Info("server was set up", slog.String("user", string(u.ID)))
		done := audit.Event{Action: audit.ActionSetup, Subject: string(u.ID)}
		if err := s.record(c, kalam.Principal{}, "", done); err != nil {
			return err
		}
		return c.JSON(wire.SetupResponse{User: wireUser(&u), Message: fmt.Sprintf(
			"Server setup complete. Root password configured and DBA user '%s' created. Please login to continue.", u.ID)})
	})
}

// setupFailed answers a setup that did not succeed.
func (s *Server) setupFailed(c *fiber.Ctx, err error) error {
	status, code := fiber.StatusInternalServerError, "internal_error"
	s.note(c, nil, audit.Event{Action: audit.ActionSetup, Outcome: audit.OutcomeOf(err)})
	switch {
	case errors.Is(err, catalog.ErrAlreadyConfigured):
		status, code = fiber.StatusConflict, "already_configured"
	case errors.Is(err, catalog.ErrWeakPassword):
		status, code = fiber.StatusBadRequest, "weak_password"
	case kalam.CodeOf(err) == kalam.CodeAlreadyExists:
		status, code = fiber.StatusConflict, "user_exists"
	case kalam.CodeOf(err) == kalam.CodeInvalidInput, kalam.CodeOf(err) == kalam.CodeConstraint:
		status, code = fiber.StatusBadRequest, "invalid_user"
	}
	return authFailure(c, status, code, "%s", s.textOf(err, false))
}
