package identity

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/catalog"
	"github.com/kalamlake/kalam/config"
)

// The algorithms of tokens of others: those of a shared secret, and those of an issuer with
// public keys. No issuer has both, so that no public key is taken for a secret.
var (
	sharedMethods = []string{"HS256"}
	publicMethods = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
)

// verifiedLife is how long a verified token is taken without another look at its
// signature: a key that its issuer has withdrawn counts no longer than that.
const verifiedLife = 5 * time.Minute

// issuer is somebody whose tokens are trusted.
type issuer struct {
	name   string
	parser *jwt.Parser
	key    func(*jwt.Token) (any, error)
}

// external verifies the tokens of other issuers. It is safe for concurrent use.
type external struct {
	catalog   *catalog.Catalog
	config    config.AuthConfig
	maxRole   kalam.Role
	log       *slog.Logger
	now       func() time.Time
	issuers   map[string]*issuer
	verified  *lru.Cache[[sha256.Size]byte, *proof]
	unchecked *jwt.Parser
}

// newExternal returns nil when no issuer is trusted. The errors name a configuration key.
func newExternal(o *Options) (*external, error) {
	cfg := o.Auth
	if len(cfg.TrustedSecrets)+len(cfg.OIDCIssuers) == 0 {
		return nil, nil
	}
	if cfg.ExternalAudience == "" {
		return nil, errors.New("configuration key auth.external_audience: tokens of others need an audience")
	}
	role, err := kalam.ParseRole(cfg.ExternalMaxRole)
	if err != nil || role > kalam.RoleDBA || role < kalam.RoleUser {
		return nil, errors.New("configuration key auth.external_max_role: expected user, service or dba")
	}
	verified, err := lru.New[[sha256.Size]byte, *proof](maxVerified)
	if err != nil {
		return nil, fmt.Errorf("make token cache: %w", err)
	}
	e := &external{
		catalog: o.Catalog, config: cfg, maxRole: role, log: o.Logger, now: o.Now, issuers: map[string]*issuer{},
		verified: verified, unchecked: jwt.NewParser(),
	}
	for _, entry := range cfg.TrustedSecrets {
		name, secret, ok := strings.Cut(entry, "=")
		if !ok || name == "" || len(secret) < minSecret {
			return nil, fmt.Errorf("configuration key auth.trusted_secrets: expected issuer=secret, with a secret of at least %d bytes",
				minSecret)
		}
		key := []byte(secret)
		if err := e.add(name, o.Issuer, sharedMethods, func(*jwt.Token) (any, error) { return key, nil }); err != nil {
			return nil, err
		}
	}
	for _, name := range cfg.OIDCIssuers {
		keys, err := newRemoteKeys(o.Context, name, o.Now)
		if err != nil {
			return nil, err
		}
		if err := e.add(name, o.Issuer, publicMethods, keys.key); err != nil {
			return nil, err
		}
	}
	return e, nil
}

func (e *external) add(name, own string, methods []string, key jwt.Keyfunc) error {
	if _, twice := e.issuers[name]; twice || name == own {
		return fmt.Errorf("configuration keys auth.trusted_secrets, auth.oidc_issuers: issuer '%s' is named twice, or is auth.jwt_issuer",
			name)
	}
	e.issuers[name] = &issuer{name: name, key: key, parser: jwt.NewParser(
		jwt.WithValidMethods(methods), jwt.WithIssuer(name), jwt.WithAudience(e.config.ExternalAudience),
		jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithLeeway(tokenLeeway), jwt.WithTimeFunc(e.now),
		jwt.WithStrictDecoding(),
	)}
	return nil
}

// knows reports whether a token was verified before.
func (e *external) knows(text string) bool {
	return len(text) <= maxToken && e.verified.Contains(sha256.Sum256([]byte(text)))
}

// login returns who a token of another issuer belongs to. known is false when it is of none that is trusted.
func (e *external) login(text string) (l *Login, known bool, err error) {
	if len(text) > maxToken {
		return nil, false, ErrInvalid
	}
	digest := sha256.Sum256([]byte(text))
	p, ok := e.verified.Get(digest)
	if !ok || e.now().Sub(p.verified) >= verifiedLife {
		if p, known, err = e.verify(text); err != nil {
			return nil, known, err
		}
		e.verified.Add(digest, p)
	}
	if p.expired(e.now()) {
		return nil, true, ErrExpired
	}
	u, ok := e.userOf(p)
	if !ok {
		return nil, true, ErrInvalid
	}
	e.catalog.Seen(u.ID)
	return &Login{
		Principal: kalam.Principal{User: u.ID, Role: min(u.Role, p.role)}, proof: p, epoch: u.TokenEpoch,
	}, true, nil
}

// verify checks a token's signature and its claims.
func (e *external) verify(text string) (p *proof, known bool, err error) {
	var head struct {
		jwt.RegisteredClaims
	}
	token, _, err := e.unchecked.ParseUnverified(text, &head)
	if err != nil {
		return nil, false, ErrInvalid
	}
	from, ok := e.issuers[head.Issuer]
	if !ok {
		return nil, false, ErrInvalid
	}
	if _, critical := token.Header["crit"]; critical || !slices.Contains(tokenTypes, token.Header["typ"]) {
		return nil, true, ErrInvalid
	}
	c := jwt.MapClaims{}
	switch _, err := from.parser.ParseWithClaims(text, c, from.key); {
	case errors.Is(err, jwt.ErrTokenExpired):
		return nil, true, ErrExpired
	case err != nil:
		return nil, true, ErrInvalid
	}
	p, err = e.proofOf(from, c)
	return p, true, err
}

// tokenTypes are the types that the header of a token may name: nil is none. An ID token or an access token has one
// of these; what an issuer signs for other ends, logout tokens and the like, has another.
var tokenTypes = []any{nil, "JWT", "jwt", "at+jwt"}

// proofOf reads the claims of a verified token.
func (e *external) proofOf(from *issuer, c jwt.MapClaims) (*proof, error) {
	subject, err := c.GetSubject()
	issued, errIssued := c.GetIssuedAt()
	expires, errExpires := c.GetExpirationTime()
	name, isText := c[e.config.ExternalUserClaim].(string)
	if err != nil || subject == "" || errIssued != nil || issued == nil || errExpires != nil || expires == nil || !isText {
		return nil, ErrInvalid
	}
	user, err := kalam.ParseUserID(name)
	if err != nil {
		return nil, ErrInvalid
	}
	p := &proof{
		issuer: from.name, subject: subject, user: user, role: kalam.RoleSystem, issued: issued.Time, expires: expires.Time,
		verified: e.now(),
	}
	if claim := e.config.ExternalRoleClaim; claim != "" {
		text, isText := c[claim].(string)
		role, err := kalam.ParseRole(text)
		if !isText || err != nil || role < kalam.RoleUser {
			role = kalam.RoleUser // A claim that is missing, or that nobody here knows, gives nothing.
		}
		p.role = min(role, e.maxRole)
	}
	return p, nil
}

// userOf returns the user that a token names: one that was created for this subject of this issuer, or is so now. A
// user of another kind is never one's by a token: who names users elsewhere must not become root here.
func (e *external) userOf(p *proof) (catalog.User, bool) {
	u, ok := e.catalog.User(p.user)
	if !ok && e.config.ExternalProvision {
		u, ok = e.provision(p)
	}
	return u, ok && e.holds(p, &u)
}

// holds reports whether a user is that of a proof, and has not ended its tokens since.
func (e *external) holds(p *proof, u *catalog.User) bool {
	var bound struct{ Provider, Subject string }
	if u.AuthType != catalog.AuthOAuth || json.Unmarshal([]byte(u.AuthData.Reveal()), &bound) != nil {
		return false
	}
	if bound.Provider != p.issuer || bound.Subject != p.subject {
		return false
	}
	// Epochs follow the clock; the first is that of the creation, and ends nothing.
	ended := u.TokenEpoch > uint64(max(u.CreatedAt.UnixMilli(), 0))
	return !ended || p.issued.UnixMilli() >= int64(u.TokenEpoch) //nolint:gosec // Milliseconds since 1970.
}

// provision creates the user of a token that was never seen before.
func (e *external) provision(p *proof) (catalog.User, bool) {
	data, err := json.Marshal(map[string]string{"provider": p.issuer, "subject": p.subject})
	if err != nil {
		return catalog.User{}, false
	}
	by := kalam.Principal{User: catalog.SystemUser, Role: kalam.RoleSystem}
	u, err := e.catalog.CreateUser(context.Background(), by, catalog.NewUser{
		ID: p.user, AuthType: catalog.AuthOAuth, AuthData: catalog.NewSecret(string(data)), Role: min(p.role, e.maxRole),
	})
	switch {
	case err == nil:
		e.log.Info("user provisioned", slog.String("user", string(u.ID)), slog.String("issuer", p.issuer))
		return u, true
	case kalam.CodeOf(err) == kalam.CodeAlreadyExists: // Another request was faster, or the user was dropped.
		return e.catalog.User(p.user)
	}
	e.log.Warn("user not provisioned", slog.String("issuer", p.issuer), slog.Any("error", err))
	return catalog.User{}, false
}

// valid reports whether a login still holds.
func (e *external) valid(l *Login) bool {
	if l.proof.expired(e.now()) {
		return false
	}
	u, ok := e.catalog.User(l.Principal.User)
	return ok && u.TokenEpoch == l.epoch && e.holds(l.proof, &u) && min(u.Role, l.proof.role) == l.Principal.Role
}
