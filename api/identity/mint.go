package identity

import (
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/access"
	"github.com/kalamlake/kalam/catalog"
)

// How long minted tokens live.
const (
	DefaultMintedLife = 15 * time.Minute
	MaxMintedLife     = time.Hour
)

// Mint makes an access token for a user on behalf of a login, whose role must be service or above and must be one
// that may act for the user. Whoever has the token acts as EXECUTE AS USER does, with role user, within the scopes,
// and makes no other credentials. It ends with its time, with the credentials that it was minted by, and with the
// user's tokens. Errors: CodePermissionDenied, CodeNotFound for the user, CodeInvalidInput for a life that is none.
func (s *Service) Mint(by *Login, user kalam.UserID, scopes kalam.Scopes, life time.Duration) (Issued, error) {
	p := by.Principal
	if err := access.Check(p, access.MintTokens); err != nil {
		return Issued{}, err
	}
	if life < time.Second || life > MaxMintedLife {
		return Issued{}, kalam.Errorf(kalam.CodeInvalidInput, "a minted token lives from 1 to %d seconds",
			MaxMintedLife/time.Second)
	}
	rank, there := s.catalog.RankOf(user)
	if _, ok := access.ActFor(p, user, rank); !ok || !there {
		return Issued{}, kalam.Errorf(kalam.CodePermissionDenied, "user '%s' with role %s cannot mint tokens for '%s'",
			p.User,
			p.Role, user)
	}
	u, ok := s.catalog.User(user)
	if !ok || user == catalog.SystemUser {
		return Issued{}, kalam.Errorf(kalam.CodeNotFound, "User '%s' not found", user)
	}
	scopes.Delegated = true
	restriction, err := scopes.Restriction()
	if err != nil {
		return Issued{}, err
	}
	c := claims{Type: tokenMinted, Scopes: restriction, MintedBy: string(p.User)}
	if by.key != nil {
		c.ByKey = by.key.ID
	} else { // Of a token of another issuer, too.
		c.ByEpoch = by.epoch
	}
	return s.tokens.sign(&u, life, c)
}
