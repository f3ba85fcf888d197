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
)

// Auth is how a Client identifies itself: by JWT, APIKey or Password. The zero
// Auth sends no credentials. It prints as its kind only.
type Auth struct {
	kind   authKind
	user   string
	secret string
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

// IsZero reports whether a sends no credentials.
func (a Auth) IsZero() bool { return a.kind == authNone }

// User returns the user name of Password, "" for the others.
func (a Auth) User() string { return a.user }

// String returns none, jwt, apikey or password.
func (a Auth) String() string { return [...]string{"none", "jwt", "apikey", "password"}[a.kind&3] }

// GoString returns what String returns, so that %#v shows no secret.
func (a Auth) GoString() string { return "link.Auth(" + a.String() + ")" }

// LogValue returns what String returns.
func (a Auth) LogValue() slog.Value { return slog.StringValue(a.String()) }
