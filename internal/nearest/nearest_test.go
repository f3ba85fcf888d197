package nearest_test

import (
	"strings"
	"testing"

	"github.com/kalamlake/kalam/internal/nearest"
)

func TestWord(t *testing.T) {
	words := []string{"quit", "q", "help", "history", "refresh-tables", strings.Repeat("x", 100)}
	for typed, want := range map[string]string{
		"qiut": "quit", "HELPP": "help", "histroy": "history", "refresh-table": "refresh-tables", "zzzz": "", "": "",
		"w": "q", strings.Repeat("x", 99): "",
	} {
		if got := nearest.Word(typed, words); got != want {
			t.Errorf("%q: %q, want %q", typed, got, want)
		}
	}
}
