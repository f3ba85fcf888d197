package catalog

import (
	"encoding/json"
	"fmt"
	"log/slog"
)

// redacted is what every printed form of a Secret shows.
const redacted = "[redacted]"

// Secret is a text that must not be printed: a password hash, a credential. Its
// text comes out through Reveal only; fmt, slog and encoding/json print
// "[redacted]", also where the Secret is an unexported field. The zero Secret is
// empty. It is immutable.
type Secret struct{ text *string } // A pointer, so that printing by reflection shows no text.

// NewSecret returns a Secret that holds text.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{text: &text}
}

// Reveal returns the text. The caller must not log, show or store it in clear.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// IsEmpty reports whether s holds no text.
func (s Secret) IsEmpty() bool { return s.text == nil }

// Equal reports whether both hold the same text. The time it takes depends on
// the texts: it is not for comparing what an attacker sent.
func (s Secret) Equal(o Secret) bool { return s.Reveal() == o.Reveal() }

// String returns "[redacted]".
func (s Secret) String() string { return redacted }

// Format prints "[redacted]" for every verb.
func (s Secret) Format(f fmt.State, _ rune) {
	// A state that cannot be written to has nobody to tell.
	_, _ = f.Write([]byte(redacted))
}

// LogValue returns "[redacted]".
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON returns "[redacted]". The records of the catalog are written from
// their own types, not from this one.
func (s Secret) MarshalJSON() ([]byte, error) { return json.Marshal(redacted) }

// MarshalText returns "[redacted]".
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
