package api

import (
	"errors"
	"fmt"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/access"
	"github.com/kalamlake/kalam/api/identity"
	"github.com/kalamlake/kalam/audit"
	"github.com/kalamlake/kalam/link/wire"
)

const (
	// headerActingUser is the user that a request acts for (AUTH-010).
	headerActingUser = "X-User-Id"
	// headerAPIKey carries an API key (AUTH-007).
	headerAPIKey = "X-Api-Key" //nolint:gosec // The name of a header.
)

// Reasons why credentials are refused. Those of tokens look alike to users; the code
// of the first makes clients ask for a new one.
var (
	errTokenExpired = &requestError{code: wire.CodeTokenExpired,
		status: fiber.StatusUnauthorized, text: "Invalid credentials"}
	errBadToken = &requestError{code: wire.CodeInvalidCredentials,
		status: fiber.StatusUnauthorized, text: "Invalid credentials"}
	errNoToken = &requestError{code: wire.CodeMissingAuthorization, status: fiber.StatusUnauthorized,
		text: "Authentication required"}
)

// refused returns what is told of an error of package identity.
func refused(err error) error {
	if errors.Is(err, identity.ErrExpired) {
		return errTokenExpired
	}
	return errBadToken
}

// bearer returns the token of an Authorization header: "" without the header, an
// error for another scheme.
func bearer(c *fiber.Ctx) (string, error) {
	header := c.Get(fiber.HeaderAuthorization)
	if header == "" {
		return "", nil
	}
	scheme, text, ok := strings.Cut(header, " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return "", errBadToken
	}
	return strings.TrimSpace(text), nil
}

// hasCredentials reports whether a request carries any that credentials looks at.
func hasCredentials(c *fiber.Ctx) bool {
	return c.Get(fiber.HeaderAuthorization) != "" || len(c.Request().Header.Peek(headerAPIKey)) > 0
}

// credentials returns who sent a request, by its Bearer token or its API key. A request
// with both is refused: nobody could tell which of the two it meant. Errors: errNoToken,
// errBadToken, errTokenExpired.
func (s *Server) credentials(c *fiber.Ctx) (*identity.Login, error) {
	text, err := bearer(c)
	if err != nil {
		return nil, err
	}
	key := c.Get(headerAPIKey)
	var l *identity.Login
	switch {
	case text != "" && key != "":
		return nil, errBadToken
	case key != "":
		l, err = s.identity.ByKey(key)
	case text != "":
		l, err = s.identity.ByBearer(text)
	default:
		return nil, errNoToken
	}
	if err != nil {
		s.note(c, nil, audit.Event{Action: audit.ActionAuthenticate, Outcome: audit.Denied, Details: err.Error()})
		return nil, refused(err)
	}
	return l, nil
}

// authenticate returns the principal that sent a request.
func (s *Server) authenticate(c *fiber.Ctx) (kalam.Principal, error) {
	l, err := s.credentials(c)
	if err != nil {
		return kalam.Principal{}, err
	}
	return l.Principal, nil
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

// login is who a socket belongs to and how it speaks. It is immutable.
type login struct {
	proof     *identity.Login
	principal kalam.Principal // In force: that of proof, or whom it acts for.
	protocol  wire.ProtocolOptions
}

// The methods of the authenticate message.
const (
	methodToken = "jwt"
	methodKey   = "api_key"
)

// login returns who a token belongs to, or with methodKey an API key.
func (s *Server) login(method, token string, protocol wire.ProtocolOptions) (*login, error) {
	prove := s.identity.ByBearer
	if method == methodKey {
		prove = s.identity.ByKey
	}
	l, err := prove(token)
	if err != nil {
		return nil, refused(err)
	}
	return &login{proof: l, principal: l.Principal, protocol: protocol}, nil
}

// stillValid reports whether the credentials of a login have neither expired nor been
// ended, and it may still act for whom it acts.
func (s *Server) stillValid(l *login) bool {
	if !s.identity.Valid(l.proof) {
		return false
	}
	if l.principal == l.proof.Principal {
		return true
	}
	as, err := s.actFor(l.proof.Principal, string(l.principal.User))
	return err == nil && as == l.principal
}
