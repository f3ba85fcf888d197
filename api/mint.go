package api

import (
	"log/slog"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/api/identity"
	"github.com/kalamlake/kalam/audit"
	"github.com/kalamlake/kalam/link/wire"
)

// maxMintedScopes is how many namespaces and tables a minted token names: it is sent with every request.
const maxMintedScopes = 100

// handleToken answers POST auth/token: a short-lived token for a user, to service and above.
func (s *Server) handleToken(c *fiber.Ctx) error {
	return s.guarded(c, tooManyLogins, func(fail func()) error {
		by, err := s.credentials(c)
		if err != nil {
			fail()
			skipBody(c)
			return authFailure(c, fiber.StatusUnauthorized, "unauthorized", "%s", err)
		}
		var r wire.TokenRequest
		if ok, err := readJSON(c, &r); !ok {
			return err
		}
		token, err := s.mint(by, &r)
		e := audit.Event{Action: audit.ActionMint, Outcome: audit.OutcomeOf(err), Subject: r.User}
		if err != nil {
			s.note(c, by, e)
		} else if err := s.record(c, by.Principal, by.Credential(), e); err != nil {
			return err
		}
		s.log.Info("token minted", slog.String("by", string(by.Principal.User)), slog.String("user", r.User),
			slog.String("address", clientOf(c).addr.String()), slog.Bool("allowed", err == nil))
		if err != nil {
			return s.mintFailed(c, err)
		}
		c.Set(fiber.HeaderCacheControl, "no-store")
		return c.JSON(wire.TokenResponse{
			User: r.User, AccessToken: token.Text, TokenType: "Bearer", ExpiresAt: token.Expires.Format(timeFormat),
		})
	})
}

// mint makes the token that a request asks for.
func (s *Server) mint(by *identity.Login, r *wire.TokenRequest) (identity.Issued, error) {
	user, err := kalam.ParseUserID(r.User)
	if err != nil {
		return identity.Issued{}, err
	}
	if len(r.Scopes.Namespaces)+len(r.Scopes.Tables) > maxMintedScopes {
		return identity.Issued{}, kalam.Errorf(kalam.CodeInvalidInput, "a token has at most %d scopes", maxMintedScopes)
	}
	scopes := kalam.Scopes{ReadOnly: r.Scopes.ReadOnly}
	for _, ns := range r.Scopes.Namespaces {
		scopes.Namespaces = append(scopes.Namespaces, kalam.NamespaceID(ns))
	}
	for _, name := range r.Scopes.Tables {
		t, err := kalam.ParseTableID(name, "")
		if err != nil {
			return identity.Issued{}, err
		}
		scopes.Tables = append(scopes.Tables, t)
	}
	life := identity.DefaultMintedLife
	if r.ExpiresIn != nil {
		life = time.Duration(min(max(*r.ExpiresIn, 0), 1<<20)) * time.Second
	}
	return s.identity.Mint(by, user, scopes, life)
}

// mintFailed answers a request for a token that is not made.
func (s *Server) mintFailed(c *fiber.Ctx, err error) error {
	status, code := fiber.StatusInternalServerError, "internal_error"
	switch kalam.CodeOf(err) {
	case kalam.CodePermissionDenied:
		status, code = fiber.StatusForbidden, "forbidden"
	case kalam.CodeNotFound:
		status, code = fiber.StatusNotFound, "not_found"
	case kalam.CodeInvalidInput, kalam.CodeInvalidSQL:
		status, code = fiber.StatusBadRequest, "bad_request"
	}
	return authFailure(c, status, code, "%s", s.textOf(err, false))
}
