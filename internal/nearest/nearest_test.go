package nearest_test

import (
	"slices"
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

// TestWords finds the likeliest first.
func TestWords(t *testing.T) {
	words := []string{"least", "len", "length", "WHEN", "WHERE", "TABLE", "TABLES", "body", "created_at", "body", "FROM", strings.Repeat("x", 100)}
	for typed, want := range map[string][]string{
		"wher": {"WHERE", "WHEN"}, "TABELS": {"TABLES", "TABLE"}, "lenth": {"length"}, "bdoy": {"body"}, "frm": {"FROM"},
		"createdat": {"created_at"}, "zzz": nil, "": nil, strings.Repeat("x", 99): nil,
	} {
		if got := nearest.Words(typed, words); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", typed, got, want)
		}
	}
}
