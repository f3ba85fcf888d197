package link

import (
	"log/slog"
	"time"

	"github.com/kalamlake/kalam/link/wire"
)

// Tokens are what a login gives. They print as [redacted].
type Tokens struct {
	User            string    // "" when unknown.
	Access, Refresh string    // Refresh is "" for a login that cannot be renewed.
	Expires         time.Time // Of Access; zero when unknown.
	RefreshExpires  time.Time // Likewise.
}

// String returns [redacted].
func (Tokens) String() string { return "[redacted]" }

// GoString returns [redacted].
func (Tokens) GoString() string { return "[redacted]" }

// LogValue returns [redacted].
func (Tokens) LogValue() slog.Value { return slog.StringValue("[redacted]") }

// tokensOf reads the answer of login and refresh. A time that cannot be read is
// unknown.
func tokensOf(r wire.LoginResponse) Tokens {
	t := Tokens{User: r.User.ID, Access: r.AccessToken, Refresh: r.RefreshToken}
	t.Expires = timeOf(r.ExpiresAt)
	t.RefreshExpires = timeOf(r.RefreshExpiresAt)
	return t
}

func timeOf(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}
	}
	return t
}
