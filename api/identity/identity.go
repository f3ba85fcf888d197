package identity

import (
	"context"
	"log/slog"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/access"
	"github.com/kalamlake/kalam/catalog"
)

// Service knows who credentials belong to. It is safe for concurrent use.
type Service struct {
	catalog *catalog.Catalog
	now     func() time.Time
	tokens  *tokens
	// external is nil when no other issuer is trusted.
	external *external
}

// New returns a service over a catalog, which stays the caller's.
func New(o Options) (*Service, error) {
	t, err := newTokens(o.Secret, o.Issuer, o.Life, o.Now)
	if err != nil {
		return nil, err
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Context == nil {
		o.Context = context.Background()
	}
	e, err := newExternal(&o)
	if err != nil {
		return nil, err
	}
	return &Service{catalog: o.Catalog, now: o.Now, tokens: t, external: e}, nil
}

// ByBearer returns who an access token belongs to, of this server or of an issuer that it trusts, and notes that the
// user was seen. The error is ErrExpired or ErrInvalid.
func (s *Service) ByBearer(text string) (*Login, error) {
	if s.external == nil {
		return s.byToken(text)
	}
	if s.external.knows(text) {
		l, _, err := s.external.login(text)
		return l, err
	}
	l, err := s.byToken(text)
	if err == nil {
		return l, nil
	}
	if l, known, errExternal := s.external.login(text); known {
		return l, errExternal
	}
	return nil, err
}

// byToken is ByBearer for a token of this server.
func (s *Service) byToken(text string) (*Login, error) {
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
	if l.proof != nil {
		return s.external.valid(l)
	}
	if l.claims.expired(s.now()) {
		return false
	}
	u, ok := s.catalog.User(l.Principal.User)
	return ok && s.tokens.holds(l.claims, &u) && (l.claims.Type != tokenMinted || s.mayMint(l.claims))
}

// User returns the user of a login, as it is now.
func (s *Service) User(l *Login) (catalog.User, bool) { return s.catalog.User(l.Principal.User) }

// mayMint reports whether what a token was minted by is still there, and may still act for its user.
func (s *Service) mayMint(c *claims) bool {
	by, ok := s.catalog.User(kalam.UserID(c.MintedBy))
	switch {
	case !ok, !c.Scopes.IsDelegated():
		return false
	case c.ByKey != "":
		ok = s.catalog.HasKeyID(by.ID, c.ByKey)
	default:
		ok = c.ByEpoch == by.TokenEpoch
	}
	rank, there := s.catalog.RankOf(kalam.UserID(c.Subject))
	_, may := access.ActFor(kalam.Principal{User: by.ID, Role: by.Role}, kalam.UserID(c.Subject), rank)
	return ok && there && may && access.Has(kalam.Principal{User: by.ID, Role: by.Role}, access.MintTokens)
}
