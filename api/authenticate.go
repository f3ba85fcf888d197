package api

import (
	"fmt"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/access"
	"github.com/kalamlake/kalam/link/wire"
)

// headerActingUser is the user that a request acts for (AUTH-010).
const headerActingUser = "X-User-Id"

// authenticate returns who sent a request, by its Bearer token.
func (s *Server) authenticate(c *fiber.Ctx) (kalam.Principal, error) {
	text, err := bearer(c)
	if err != nil {
		return kalam.Principal{}, err
	}
	if text == "" {
		return kalam.Principal{}, errNoToken
	}
	u, _, err := s.tokens.holder(s.engine.Catalog(), text, tokenAccess)
	if err != nil {
		return kalam.Principal{}, err
	}
	s.engine.Catalog().Seen(u.ID)
	return kalam.Principal{User: u.ID, Role: u.Role}, nil
}

// actFor returns the principal in force when a request names a user to act for.
// Like EXECUTE AS USER it acts with role user.
func (s *Server) actFor(p kalam.Principal, target string) (kalam.Principal, error) {
	if target == "" || target == string(p.User) {
		return p, nil
	}
	id, err := kalam.ParseUserID(strings.Clone(target)) // The header's memory is reused.
	if err != nil {
		return p, badRequest(wire.CodeInvalidInput, "X-USER-ID: %s", err)
	}
	rank, there := s.engine.Catalog().RankOf(id)
	as, ok := access.ActFor(p, id, rank)
	if !ok || !there {
		return p, &requestError{code: wire.CodePermissionDenied, status: fiber.StatusForbidden,
			text: fmt.Sprintf("X-USER-ID: actor '%s' with role %s cannot act for '%s'", p.User, p.Role, id)}
	}
	return as, nil
}

// login returns who an access token belongs to.
func (s *Server) login(token string, protocol wire.ProtocolOptions) (*login, error) {
	u, claims, err := s.tokens.holder(s.engine.Catalog(), token, tokenAccess)
	if err != nil {
		return nil, err
	}
	s.engine.Catalog().Seen(u.ID)
	return &login{principal: kalam.Principal{User: u.ID, Role: u.Role}, claims: claims, protocol: protocol}, nil
}

// stillValid reports whether the token has neither expired nor been ended.
func (s *Server) stillValid(l *login) bool {
	if l.claims.expired(s.now()) {
		return false
	}
	u, ok := s.engine.Catalog().User(l.principal.User)
	return ok && s.tokens.holds(l.claims, &u)
}
