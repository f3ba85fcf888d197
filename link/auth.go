package link

import (
	"log/slog"
	"strings"
)

type authKind uint8

const (
	authNone authKind = iota
	authJWT
	authAPIKey
	authPassword
	authSession
)

// Auth is how a Client identifies itself: by JWT, APIKey, Password or Session. The zero
// Auth sends no credentials. It prints as its kind only.
type Auth struct {
	kind   authKind
	user   string
	secret string
	tokens Tokens // Of authSession.
}

// JWT returns an Auth by access token. The error is KindInvalidJWT unless the
// token has three segments of base64url.
func JWT(token string) (Auth, error) {
	segments := strings.Split(token, ".")
	if len(segments) != 3 {
		return Auth{}, errorf(KindInvalidJWT, "Invalid JWT token format")
	}
	for _, s := range segments {
		if s == "" || strings.ContainsFunc(s, func(r rune) bool { return !isBase64URL(r) }) {
			return Auth{}, errorf(KindInvalidJWT, "Invalid JWT token format")
		}
	}
	return Auth{kind: authJWT, secret: token}, nil
}

func isBase64URL(r rune) bool {
	return r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '='
}

// APIKey returns an Auth by API key.
func APIKey(key string) Auth { return Auth{kind: authAPIKey, secret: key} }

// Password returns an Auth that logs in when first needed, and again when its
// token has expired and cannot be refreshed.
func Password(user, password string) Auth {
	return Auth{kind: authPassword, user: user, secret: password}
}

// Session returns an Auth by the tokens of an earlier login. They are renewed when they
// have expired, as long as the refresh token is good. The error is KindInvalidJWT for an
// access token that JWT refuses.
func Session(t Tokens) (Auth, error) {
	if _, err := JWT(t.Access); err != nil {
		return Auth{}, err
	}
	return Auth{kind: authSession, secret: t.Access, tokens: t}, nil
}

// IsZero reports whether a sends no credentials.
func (a Auth) IsZero() bool { return a.kind == authNone }

// User returns the user name of Password, "" for the others.
func (a Auth) User() string { return a.user }

// IsSession reports whether a is a Session.
func (a Auth) IsSession() bool { return a.kind == authSession }

// renews reports whether there is a way to new tokens.
func (a Auth) renews() bool {
	return a.kind == authPassword || a.kind == authSession && a.tokens.Refresh != ""
}

var authNames = [...]string{"none", "jwt", "apikey", "password", "session"}

// String returns none, jwt, apikey, password or session.
func (a Auth) String() string { return authNames[a.kind] }

// GoString returns what String returns, so that %#v shows no secret.
func (a Auth) GoString() string { return "link.Auth(" + a.String() + ")" }

// LogValue returns what String returns.
func (a Auth) LogValue() slog.Value { return slog.StringValue(a.String()) }
