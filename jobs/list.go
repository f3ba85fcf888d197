package jobs

import (
	"strings"

	"github.com/kalamlake/kalam"
)

// List returns ids as answers of statements show them: "[a, b]".
func List(ids []kalam.JobID) string {
	words := make([]string, len(ids))
	for i, id := range ids {
		words[i] = string(id)
	}
	return "[" + strings.Join(words, ", ") + "]"
}
