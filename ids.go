package kalam

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of identifiers, in bytes.
const (
	MaxIdentifier = 64
	MaxUserID     = 64
)

// UserID names the owner of rows. It is 1 to 64 bytes of UTF-8 without control
// characters, '/', '\', NUL or "..".
type UserID string

// NamespaceID names a namespace: [a-z0-9_], 1 to 64 bytes, no leading digit or '_'.
type NamespaceID string

// TableName names a table inside its namespace, under the rules of NamespaceID.
type TableName string

// StorageID names a storage, under the rules of NamespaceID.
type StorageID string

// LocalStorage is the storage of tables that name none. It exists from the first start.
const LocalStorage StorageID = "local"

// JobID is "{PREFIX}-{12 hex}", for instance FL-0123456789ab.
type JobID string

// TableNumber identifies one created table for ever: a table that is dropped
// and created again under its old name has another number, so nothing of the
// old one can be read through it. It is part of every row key.
type TableNumber uint64

// ColumnID identifies a column inside its table for ever, across renames.
// Ids start at 1; row encodings and Parquet field ids use it.
type ColumnID uint32

// TableID is the qualified name of a table.
type TableID struct {
	Namespace NamespaceID
	Name      TableName
}

// String returns "namespace.table".
func (t TableID) String() string { return string(t.Namespace) + "." + string(t.Name) }

// Scope is the unit of isolation, flush, caching and live delivery: the rows of
// one user in one table. A SHARED table is one scope whose User is empty.
type Scope struct {
	Table TableNumber
	User  UserID
}

// ParseUserID checks s and returns it as a UserID; the error is InvalidInput
// and says which rule s breaks.
func ParseUserID(s string) (UserID, error) {
	switch {
	case s == "":
		return "", Errorf(CodeInvalidInput, "user id is empty")
	case len(s) > MaxUserID:
		return "", Errorf(CodeInvalidInput, "user id is %d bytes long (maximum %d)", len(s), MaxUserID)
	case !utf8.ValidString(s):
		return "", Errorf(CodeInvalidInput, "user id is not valid UTF-8")
	case strings.Contains(s, ".."):
		return "", Errorf(CodeInvalidInput, "user id %q contains '..'", s)
	}
	for _, r := range s {
		if r == '/' || r == '\\' || unicode.IsControl(r) {
			return "", Errorf(CodeInvalidInput, "user id %q contains the character %q", s, r)
		}
	}
	return UserID(s), nil
}

// CheckIdentifier reports why s, already folded to lower case, cannot name a
// namespace, table or column; what is the word for the message ("table").
// Reserved words are the dialect's business, not checked here.
func CheckIdentifier(what, s string) error {
	switch {
	case s == "":
		return Errorf(CodeInvalidSQL, "%s name is empty", what)
	case len(s) > MaxIdentifier:
		return Errorf(CodeInvalidSQL, "%s name '%s...' is %d bytes long (maximum %d)", what,
			abbreviate(s), len(s), MaxIdentifier)
	case s[0] == '_' || s[0] >= '0' && s[0] <= '9':
		return Errorf(CodeInvalidSQL, "%s name '%s' must not begin with '_' or a digit", what, s)
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c != '_' && (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return Errorf(CodeInvalidSQL, "%s name %q may only hold letters, digits and '_'", what, s)
		}
	}
	return nil
}

// abbreviate cuts s to the 32 bytes that a message shows of it, at a rune boundary.
func abbreviate(s string) string {
	const most = 32
	if len(s) <= most {
		return s
	}
	for i := most; i > 0; i-- {
		if utf8.RuneStart(s[i]) {
			return s[:i]
		}
	}
	return ""
}

// ParseTableID splits "namespace.table"; an unqualified name gets def.
func ParseTableID(s string, def NamespaceID) (TableID, error) {
	ns, name, ok := strings.Cut(s, ".")
	if !ok {
		ns, name = string(def), s
	}
	if err := CheckIdentifier("namespace", ns); err != nil {
		return TableID{}, err
	}
	if err := CheckIdentifier("table", name); err != nil {
		return TableID{}, err
	}
	return TableID{NamespaceID(ns), TableName(name)}, nil
}

// LiveID names a subscription for KILL LIVE QUERY and system.live.
func LiveID(user UserID, connection, subscription string) string {
	return fmt.Sprintf("%s-%s-%s", user, connection, subscription)
}

// IsLiveIDOf reports whether id is, or could be, the name of a subscription of
// user: connections are 32 hex digits, which tells "a" from "a-b".
func IsLiveIDOf(id string, user UserID) bool {
	const digits = 32
	rest, ok := strings.CutPrefix(id, string(user)+"-")
	if !ok || len(rest) <= digits || rest[digits] != '-' {
		return false
	}
	return strings.Trim(rest[:digits], "0123456789abcdef") == ""
}
