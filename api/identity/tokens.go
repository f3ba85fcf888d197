package identity

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/golang-jwt/jwt/v5"
	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/catalog"
)

const (
	tokenAccess  = "access"
	tokenRefresh = "refresh"
	// tokenMinted is an access token that somebody else had made, see Service.Mint. Programs that know no scopes
	// refuse it.
	tokenMinted = "minted"
	// refreshFactor is how many times longer than an access token a refresh
	// token lives.
	refreshFactor = 7
	// tokenLeeway is how far clocks may be apart.
	tokenLeeway = time.Minute
	// maxToken is the length up to which a token is looked at; ours are shorter
	// than 1 KiB.
	maxToken = 8 << 10
	// maxVerified is how many verified tokens are remembered.
	maxVerified = 4096
)

// claims are what a token says.
type claims struct {
	jwt.RegisteredClaims
	Email *string `json:"email"`
	Role  string  `json:"role"`
	Type  string  `json:"token_type"`
	// Epoch is the user's catalog.User.TokenEpoch when the token was made: a
	// change of password or role, DROP USER and logout raise it.
	Epoch uint64 `json:"epoch"`
	// Family names the login that the token descends from.
	Family string `json:"family,omitempty"`
	// Of a minted token: what it allows less than role user, who had it made, and by which
	// API key or under which token epoch.
	Scopes   kalam.Restriction `json:"scopes,omitempty"`
	MintedBy string            `json:"minted_by,omitempty"`
	ByKey    string            `json:"by_key,omitempty"`
	ByEpoch  uint64            `json:"by_epoch,omitempty"`
}

// tokens signs and verifies tokens with HS256 and nothing else. It is safe for
// concurrent use.
type tokens struct {
	secret []byte
	issuer string
	life   time.Duration // Of an access token.
	now    func() time.Time
	parser *jwt.Parser
	// verified holds the claims of tokens whose signature was checked, by their
	// digest. It saves the check, not the look at the user behind the token.
	verified *lru.Cache[[sha256.Size]byte, *claims]
	families *families
}

func newTokens(secret []byte, issuer string, life time.Duration, now func() time.Time) (*tokens, error) {
	verified, err := lru.New[[sha256.Size]byte, *claims](maxVerified)
	if err != nil {
		return nil, fmt.Errorf("make token cache: %w", err)
	}
	parser := jwt.NewParser(jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}), jwt.WithIssuer(issuer),
		jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithLeeway(tokenLeeway), jwt.WithTimeFunc(now))
	return &tokens{
		secret: secret, issuer: issuer, life: life, now: now, parser: parser, verified: verified, families: newFamilies(),
	}, nil
}

// Issued is a new token.
type Issued struct {
	Text    string
	Expires time.Time
}

// issue makes a token of a type for a user. No two are equal.
func (t *tokens) issue(u *catalog.User, kind, family string) (Issued, error) {
	life := t.life
	if kind == tokenRefresh {
		life *= refreshFactor
	}
	return t.sign(u, life, claims{Type: kind, Family: family})
}

// sign makes a token for a user of what c says beside.
func (t *tokens) sign(u *catalog.User, life time.Duration, c claims) (Issued, error) {
	now := t.now().UTC().Truncate(time.Second)
	c.RegisteredClaims = jwt.RegisteredClaims{
		ID: rand.Text(), Issuer: t.issuer, Subject: string(u.ID),
		IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(life)),
	}
	c.Role, c.Epoch = u.Role.String(), u.TokenEpoch
	if u.Email != "" {
		c.Email = &u.Email
	}
	text, err := jwt.NewWithClaims(jwt.SigningMethodHS256, c).SignedString(t.secret)
	if err != nil {
		return Issued{}, fmt.Errorf("sign token: %w", err)
	}
	return Issued{Text: text, Expires: now.Add(life)}, nil
}

// verify checks a token's signature and its own claims, not its user. The
// result is shared and must not be changed.
func (t *tokens) verify(text string) (*claims, error) {
	if len(text) > maxToken {
		return nil, ErrInvalid
	}
	digest := sha256.Sum256([]byte(text))
	if c, ok := t.verified.Get(digest); ok {
		if c.expired(t.now()) {
			t.verified.Remove(digest)
			return nil, ErrExpired
		}
		return c, nil
	}
	c := new(claims)
	_, err := t.parser.ParseWithClaims(text, c, func(*jwt.Token) (any, error) { return t.secret, nil })
	switch {
	case errors.Is(err, jwt.ErrTokenExpired):
		return nil, ErrExpired
	case err != nil, c.Subject == "", c.Role == "":
		return nil, ErrInvalid
	}
	if _, err := kalam.ParseRestriction(c.Scopes.String()); err != nil {
		return nil, ErrInvalid
	}
	t.verified.Add(digest, c)
	return c, nil
}

func (c *claims) expired(now time.Time) bool { return !now.Before(c.ExpiresAt.Add(tokenLeeway)) }

// holder returns the user behind a token of a wanted type: one who still
// exists, has the role that the token claims, and has not ended it since.
func (t *tokens) holder(cat *catalog.Catalog, text string, kinds ...string) (catalog.User, *claims, error) {
	c, err := t.verify(text)
	if err != nil {
		return catalog.User{}, nil, err
	}
	if !slices.Contains(kinds, c.Type) {
		return catalog.User{}, nil, ErrInvalid
	}
	u, ok := cat.User(kalam.UserID(c.Subject))
	if !ok || !t.holds(c, &u) {
		return catalog.User{}, nil, ErrInvalid
	}
	return u, c, nil
}

// holds reports whether the claims are those of the user as it is now, and their
// family has not ended.
func (t *tokens) holds(c *claims, u *catalog.User) bool {
	return c.Role == u.Role.String() && c.Epoch == u.TokenEpoch && u.ID != catalog.SystemUser &&
		!t.families.isEnded(c.Family)
}
