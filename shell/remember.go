package shell

import (
	"strings"

	"github.com/kalamlake/kalam/sqltext"
)

// memorable reports whether a statement belongs into the history: it holds no secret,
// and somebody may want it again.
func memorable(statement string) bool { return !isSecret(statement) && !isFarewell(statement) }

// isFarewell reports whether a command leaves the shell or is about the history
// itself.
func isFarewell(statement string) bool {
	word, _, _ := strings.Cut(strings.TrimRight(strings.TrimSpace(statement), ";"), " ")
	switch word {
	case `\q`, `\quit`, `\history`, `\show-credentials`, `\credentials`, `\save-credentials`, `\delete-credentials`:
		return true
	}
	return promptWord(statement) == `\quit`
}

// secretWords mark statements that are not stored.
var secretWords = []string{"password", "token", "secret", "api_key", "apikey", "credentials", "bearer"}

// isSecret reports whether a statement may hold a secret.
func isSecret(statement string) bool {
	lower := strings.ToLower(statement)
	for _, w := range secretWords {
		if strings.Contains(lower, w) {
			return true
		}
	}
	if strings.HasPrefix(statement, `\!`) {
		return false // No SQL.
	}
	return sqltext.Redact(statement) != statement
}
