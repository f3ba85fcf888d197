package identity

import (
	"time"

	"github.com/kalamlake/kalam"
)

// proof is what a verified token of another issuer says.
type proof struct {
	issuer, subject string
	user            kalam.UserID
	role            kalam.Role // RoleSystem when it says none.
	issued, expires time.Time
	verified        time.Time
}

func (p *proof) expired(now time.Time) bool { return !now.Before(p.expires.Add(tokenLeeway)) }
