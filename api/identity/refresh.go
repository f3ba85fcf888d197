package identity

import (
	"errors"

	"github.com/kalamlake/kalam/catalog"
)

// Pair are the two tokens of a login.
type Pair struct{ Access, Refresh Issued }

// Begin returns the first tokens of a login by password, and thereby begins a family.
func (s *Service) Begin(u *catalog.User) (Pair, error) { return s.pair(u, newFamily()) }

func (s *Service) pair(u *catalog.User, family string) (p Pair, err error) {
	if p.Access, err = s.tokens.issue(u, tokenAccess, family); err != nil {
		return Pair{}, err
	}
	p.Refresh, err = s.tokens.issue(u, tokenRefresh, family)
	return p, err
}

// ErrNoRefresh says that the token is valid, but not for a refresh.
var ErrNoRefresh = errors.New("no refresh token")

// ErrReused says that the refresh token was used before. It was copied, and nobody can tell by whom, so that all
// tokens of its login have ended.
var ErrReused = errors.New("the refresh token was used before")

// Refresh takes a refresh token for its one use and returns its user and the tokens that follow it. Errors:
// ErrNoRefresh, ErrReused, after which callers look at all that is under way, ErrExpired and ErrInvalid.
func (s *Service) Refresh(text string) (catalog.User, Pair, error) {
	if c, err := s.tokens.verify(text); err == nil && c.Type != tokenRefresh {
		return catalog.User{}, Pair{}, ErrNoRefresh
	}
	u, c, err := s.tokens.holder(s.catalog, text, tokenRefresh)
	if err != nil {
		return catalog.User{}, Pair{}, err
	}
	switch ok, stolen := s.tokens.families.use(text, c.Family, s.now()); {
	case stolen:
		return u, Pair{}, ErrReused
	case !ok:
		return catalog.User{}, Pair{}, ErrInvalid
	}
	p, err := s.pair(&u, c.Family)
	return u, p, err
}

// Holder returns the user of a valid token, whether for access or for a refresh. Minted ones are none of the user's.
func (s *Service) Holder(text string) (catalog.User, bool) {
	u, _, err := s.tokens.holder(s.catalog, text, tokenRefresh, tokenAccess)
	return u, err == nil
}
