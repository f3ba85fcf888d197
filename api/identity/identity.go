package identity

import (
	"errors"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/catalog"
)

// Why credentials are refused. Callers tell both to users in the same words.
var (
	ErrExpired = errors.New("the token has expired")
	ErrInvalid = errors.New("invalid credentials")
)

// Options are what New needs.
type Options struct {
	Catalog *catalog.Catalog
	Secret  []byte        // That signs tokens, see Secret.
	Issuer  string        // Of them.
	Life    time.Duration // Of an access token.
	Now     func() time.Time
}

// Service knows who credentials belong to. It is safe for concurrent use.
type Service struct {
	catalog *catalog.Catalog
	now     func() time.Time
	tokens  *tokens
}

// New returns a service over a catalog, which stays the caller's.
func New(o Options) (*Service, error) {
	t, err := newTokens(o.Secret, o.Issuer, o.Life, o.Now)
	if err != nil {
		return nil, err
	}
	return &Service{catalog: o.Catalog, now: o.Now, tokens: t}, nil
}

// Login is who authenticated, and what proves it. It is immutable.
type Login struct {
	Principal kalam.Principal
	claims    *claims         // Of a token.
	epoch     uint64          // Of the user's tokens, of a token.
	key       *catalog.APIKey // Otherwise the key.
}

// ByBearer returns who an access token belongs to, and notes that the user was seen. The error is ErrExpired or
// ErrInvalid.
func (s *Service) ByBearer(text string) (*Login, error) {
	u, c, err := s.tokens.holder(s.catalog, text, tokenAccess, tokenMinted)
	if err != nil {
		return nil, err
	}
	l := &Login{Principal: kalam.Principal{User: u.ID, Role: u.Role}, claims: c, epoch: u.TokenEpoch}
	if c.Type == tokenMinted {
		l.Principal.Role, l.Principal.Restriction = kalam.RoleUser, c.Scopes
		if !s.mayMint(c) {
			return nil, ErrInvalid
		}
	}
	s.catalog.Seen(u.ID)
	return l, nil
}

// ByKey returns who an API key belongs to, and notes its use. The error is ErrInvalid.
func (s *Service) ByKey(text string) (*Login, error) {
	k, u, ok := s.catalog.KeyOf(text)
	if !ok {
		return nil, ErrInvalid
	}
	return &Login{Principal: kalam.Principal{User: u.ID, Role: u.Role, Restriction: k.Restriction}, key: &k}, nil
}

// Valid reports whether what proved a login still does: it has neither expired nor been ended.
func (s *Service) Valid(l *Login) bool {
	if l.key != nil {
		return s.catalog.HasKey(l.key, l.Principal.Role)
	}
	if l.claims.expired(s.now()) {
		return false
	}
	u, ok := s.catalog.User(l.Principal.User)
	return ok && s.tokens.holds(l.claims, &u) && (l.claims.Type != tokenMinted || s.mayMint(l.claims))
}

// User returns the user of a login, as it is now.
func (s *Service) User(l *Login) (catalog.User, bool) { return s.catalog.User(l.Principal.User) }
