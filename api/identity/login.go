package identity

import (
	"context"
	"log/slog"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/catalog"
	"github.com/kalamlake/kalam/config"
)

// Options are what New needs.
type Options struct {
	Catalog *catalog.Catalog
	Secret  []byte        // That signs tokens, see Secret.
	Issuer  string        // Of them.
	Life    time.Duration // Of an access token.
	Now     func() time.Time
	Auth    config.AuthConfig // Says which other issuers are trusted.
	Logger  *slog.Logger      // nil discards.
	Context context.Context   // As long as which the keys of issuers are fetched anew; nil is for ever.
}

// Login is who authenticated, and what proves it. It is immutable.
type Login struct {
	Principal kalam.Principal
	claims    *claims         // Of a token.
	epoch     uint64          // Of the user's tokens, of a token.
	key       *catalog.APIKey // Otherwise the key,
	proof     *proof          // or what a token of another issuer says.
}

// Credential names what proves the login, for the audit log: an id, never what is secret of it.
func (l *Login) Credential() string {
	switch {
	case l.key != nil:
		return "key:" + l.key.ID
	case l.proof != nil:
		return "issuer:" + l.proof.issuer
	case l.claims.Type == tokenMinted:
		return "minted:" + l.claims.ID
	}
	return "token:" + l.claims.ID
}
