package audit

import (
	"errors"
	"strings"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/sqltext"
)

// Outcomes of events, beside the names of error codes.
const (
	OK     = "ok"
	Denied = "denied"
)

// Actions that are no statement; that of a statement is its verb.
const (
	ActionLogin        = "LOGIN"        // By a password.
	ActionAuthenticate = "AUTHENTICATE" // By a token or an API key: of a socket, or one that was refused.
	ActionLogout       = "LOGOUT"
	ActionReuse        = "REFRESH TOKEN REUSED" // The tokens of its login have ended.
	ActionMint         = "MINT TOKEN"
	ActionSetup        = "SETUP"
	ActionActFor       = "X-USER-ID"
	ActionDownload     = "DOWNLOAD EXPORT"
	ActionReload       = "RELOAD SETTINGS"
	ActionPurge        = "PURGE USER" // The server removes the data of a user.
	ActionRetention    = "AUDIT RETENTION"
	ActionDamage       = "AUDIT DAMAGE" // Found at a start; Verify tells more.
)

// maxText bounds the texts of a record, in bytes; those of users are longer at times.
const maxText = 1000

// Origin is who sent a request, from where. The zero value is the server itself.
type Origin struct {
	Actor      kalam.Principal // Who authenticated.
	Credential string          // What by, as a name: "key:ID", "token:ID".
	Address    string
	RequestID  string
}

// Event is something that happened.
type Event struct {
	Time     time.Time `json:"time"`
	Action   string    `json:"action"`
	Outcome  string    `json:"outcome"` // OK, Denied, or the name of a kalam.Code.
	Actor    string    `json:"actor,omitempty"`
	Role     string    `json:"role,omitempty"` // Of the actor.
	User     string    `json:"user,omitempty"` // In whose name it was done: the effective principal.
	Subject  string    `json:"subject,omitempty"`
	Target   string    `json:"target,omitempty"`
	Details  string    `json:"details,omitempty"`
	Address  string    `json:"address,omitempty"`
	By       string    `json:"credential,omitempty"`
	Request  string    `json:"request,omitempty"`
	Changed  []string  `json:"changed,omitempty"` // Keys of the catalog that were written.
	Repeats  int64     `json:"repeats,omitempty"` // Events like this one that were counted, not written.
	Earliest time.Time `json:"earliest,omitzero"` // Of them.
}

// From fills in who did it, from where. p is the principal in force.
func (e Event) From(o Origin, p kalam.Principal) Event {
	if o.Actor.User == "" {
		o.Actor = p
	}
	e.Actor, e.User = string(o.Actor.User), string(p.User)
	if e.Actor != "" {
		e.Role = o.Actor.Role.String()
	}
	e.Address, e.By, e.Request = o.Address, o.Credential, o.RequestID
	return e
}

// OutcomeOf returns the outcome of what ended with err.
func OutcomeOf(err error) string {
	switch {
	case err == nil:
		return OK
	case IsDenied(err):
		return Denied
	}
	return kalam.CodeOf(err).String()
}

// IsDenied reports whether err says that the principal may not do something, or hides that there is such a thing.
func IsDenied(err error) bool {
	var e *kalam.Error
	return errors.As(err, &e) && (e.Code == kalam.CodePermissionDenied || e.Hides)
}

// Text returns a text of statements as the log keeps it: without values and secrets, and cut.
func Text(sql string) string { return short(sqltext.WithoutValues(sqltext.Redact(sql))) }

func short(s string) string {
	if len(s) > maxText {
		s = s[:maxText] + "..."
	}
	return strings.ToValidUTF8(s, "?")
}

// bounded returns the event with its texts cut, in memory of their own: events are kept for minutes, and a name may be
// part of a statement of a megabyte.
func (e Event) bounded() Event {
	for _, text := range []*string{
		&e.Actor, &e.User, &e.Subject, &e.Target, &e.Details, &e.Address, &e.By, &e.Request,
	} {
		*text = strings.Clone(short(*text))
	}
	return e
}
