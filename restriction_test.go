package kalam_test

import (
	"testing"

	"github.com/kalamlake/kalam"
)

// TestRestriction builds restrictions from scopes, reads them back, and asks what they allow.
func TestRestriction(t *testing.T) {
	notes, other := kalam.TableID{Namespace: "app", Name: "notes"}, kalam.TableID{Namespace: "app", Name: "other"}
	chat := kalam.TableID{Namespace: "chat", Name: "messages"}
	tests := []struct {
		scopes kalam.Scopes
		text   string
		allows [3]bool // notes, other, chat
	}{
		{kalam.Scopes{}, "", [3]bool{true, true, true}},
		{kalam.Scopes{ReadOnly: true}, "read only", [3]bool{true, true, true}},
		{kalam.Scopes{Delegated: true, ReadOnly: true}, "delegated, read only", [3]bool{true, true, true}},
		{kalam.Scopes{Namespaces: []kalam.NamespaceID{"chat", "app", "chat"}}, "namespace app, namespace chat",
			[3]bool{true, true, true}},
		{kalam.Scopes{Tables: []kalam.TableID{notes}}, "table app.notes", [3]bool{true, false, false}},
		{kalam.Scopes{Tables: []kalam.TableID{notes}, Namespaces: []kalam.NamespaceID{"chat"}, ReadOnly: true},
			"read only, namespace chat, table app.notes", [3]bool{true, false, true}},
	}
	for _, tt := range tests {
		r, err := tt.scopes.Restriction()
		if err != nil || r.String() != tt.text {
			t.Errorf("%+v: %q, %v; want %q", tt.scopes, r, err, tt.text)
			continue
		}
		again, err := kalam.ParseRestriction(tt.text)
		if err != nil || again != r {
			t.Errorf("%q is read as %q, %v", tt.text, again, err)
		}
		if r.IsReadOnly() != tt.scopes.ReadOnly || r.IsDelegated() != tt.scopes.Delegated {
			t.Errorf("%q: read only %v, delegated %v", r, r.IsReadOnly(), r.IsDelegated())
		}
		if got := [3]bool{r.AllowsTable(notes), r.AllowsTable(other), r.AllowsTable(chat)}; got != tt.allows {
			t.Errorf("%q allows %v, want %v", r, got, tt.allows)
		}
	}
	for _, text := range []string{"read only, read only", "namespace b, namespace a", "table x", "table a.b.c", "odd",
		"namespace ", "namespace A", ", ", "read only,namespace a", "table a.b, namespace a"} {
		if r, err := kalam.ParseRestriction(text); kalam.CodeOf(err) != kalam.CodeInvalidInput {
			t.Errorf("%q: %q, %v", text, r, err)
		}
	}
	for _, s := range []kalam.Scopes{
		{Namespaces: []kalam.NamespaceID{""}}, {Namespaces: []kalam.NamespaceID{"a, read only"}},
		{Tables: []kalam.TableID{{Namespace: "a", Name: "b, namespace c"}}}, {Tables: []kalam.TableID{{Name: "x"}}},
	} {
		if r, err := s.Restriction(); kalam.CodeOf(err) != kalam.CodeInvalidSQL {
			t.Errorf("%+v: %q, %v", s, r, err)
		}
	}
}
