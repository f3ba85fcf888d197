package ast

import "github.com/kalamlake/kalam"

// CreateAPIKey is CREATE API KEY. Without scopes the key may do what its user may.
type CreateAPIKey struct {
	Name       string
	User       kalam.UserID
	ReadOnly   bool
	Namespaces []Ident
	Tables     []Name
	Days       int // Until it expires; 0: never.
	Pos        int // Of the name.
	UserPos    int
}

// DropAPIKey is DROP API KEY.
type DropAPIKey struct {
	ID  string
	Pos int
}

// RevokeTokens is REVOKE TOKENS FOR USER.
type RevokeTokens struct {
	User kalam.UserID
	Pos  int
}

// Verb returns "CREATE API KEY".
func (*CreateAPIKey) Verb() string { return "CREATE API KEY" }

// Verb returns "DROP API KEY".
func (*DropAPIKey) Verb() string { return "DROP API KEY" }

// Verb returns "REVOKE TOKENS".
func (*RevokeTokens) Verb() string { return "REVOKE TOKENS" }
