package kalam

import (
	"slices"
	"strings"
)

// Restriction narrows what a principal may do below what its role allows: the scopes of an API key or of a minted
// token. It never widens anything. The text is canonical, so that equal restrictions are equal values and a Principal
// stays comparable: caches that are keyed by one hold nothing of another. "" restricts nothing. Others are made by
// Scopes.Restriction and Parse functions alone.
type Restriction string

// Scopes are what a Restriction says, as a statement or a request gives them. Empty lists allow every table.
type Scopes struct {
	ReadOnly   bool
	Delegated  bool          // Credentials that somebody else asked for: they never make other credentials.
	Namespaces []NamespaceID // Tables of these, beside those of Tables.
	Tables     []TableID
}

// The words of a Restriction. Names are letters, digits and '_', so that no name holds a separator.
const (
	wordDelegated = "delegated"
	wordReadOnly  = "read only"
	wordNamespace = "namespace "
	wordTable     = "table "
	wordSeparator = ", "
)

// Restriction returns the canonical form, "" for scopes that restrict nothing. Malformed names are refused with
// CodeInvalidSQL.
func (s Scopes) Restriction() (Restriction, error) {
	var words []string
	for _, ns := range s.Namespaces {
		if err := CheckIdentifier("namespace", string(ns)); err != nil {
			return "", err
		}
		words = append(words, wordNamespace+string(ns))
	}
	for _, t := range s.Tables {
		if _, err := ParseTableID(t.String(), ""); err != nil {
			return "", err
		}
		words = append(words, wordTable+t.String())
	}
	slices.Sort(words)
	words = slices.Compact(words)
	if s.ReadOnly {
		words = append([]string{wordReadOnly}, words...)
	}
	if s.Delegated {
		words = append([]string{wordDelegated}, words...)
	}
	return Restriction(strings.Join(words, wordSeparator)), nil
}

// ParseRestriction reads what Restriction.String wrote. An error is CodeInvalidInput.
func ParseRestriction(text string) (Restriction, error) {
	var s Scopes
	if text == "" {
		return "", nil
	}
	for word := range strings.SplitSeq(text, wordSeparator) {
		switch ns, isNamespace := strings.CutPrefix(word, wordNamespace); {
		case word == wordDelegated:
			s.Delegated = true
		case word == wordReadOnly:
			s.ReadOnly = true
		case isNamespace:
			s.Namespaces = append(s.Namespaces, NamespaceID(ns))
		default:
			name, ok := strings.CutPrefix(word, wordTable)
			id, err := ParseTableID(name, "")
			if !ok || err != nil {
				return "", Errorf(CodeInvalidInput, "the scopes hold '%s', which is none", abbreviate(word))
			}
			s.Tables = append(s.Tables, id)
		}
	}
	r, err := s.Restriction()
	if err != nil || string(r) != text {
		return "", Errorf(CodeInvalidInput, "the scopes are not in their canonical form")
	}
	return r, nil
}

// String returns the words, separated by ", ": "read only, namespace app, table chat.messages".
func (r Restriction) String() string { return string(r) }

// IsReadOnly reports whether nothing may be changed.
func (r Restriction) IsReadOnly() bool { return r != "" && r.has(wordReadOnly) }

// IsDelegated reports whether the principal's credentials may not make or end others.
func (r Restriction) IsDelegated() bool { return r != "" && r.has(wordDelegated) }

// NamesTables reports whether some tables only are allowed.
func (r Restriction) NamesTables() bool {
	return r != "" && (strings.Contains(string(r), wordNamespace) || strings.Contains(string(r), wordTable))
}

// AllowsTable reports whether a table is among the allowed ones.
func (r Restriction) AllowsTable(id TableID) bool {
	return !r.NamesTables() || r.has(wordNamespace+string(id.Namespace)) || r.has(wordTable+id.String())
}

// AllowsNamespace reports whether every table of a namespace is allowed.
func (r Restriction) AllowsNamespace(ns NamespaceID) bool {
	return !r.NamesTables() || r.has(wordNamespace+string(ns))
}

func (r Restriction) has(word string) bool {
	for w := range strings.SplitSeq(string(r), wordSeparator) {
		if w == word {
			return true
		}
	}
	return false
}
