package ast

import "github.com/kalamlake/kalam"

// SetSetting is SET name = value, and SET TIME ZONE value.
type SetSetting struct {
	Name     Ident
	Values   []string // The words, strings and numbers of the list; empty for DEFAULT.
	ValuePos int
}

// ShowSetting is SHOW name, and SHOW TIME ZONE; All is SHOW ALL.
type ShowSetting struct {
	Name Ident
	All  bool
}

// ResetSetting is RESET name, and RESET TIME ZONE; All is RESET ALL.
type ResetSetting struct {
	Name Ident
	All  bool
}

// Prepare is PREPARE name [(type, ...)] AS statement.
type Prepare struct {
	Name   Ident
	Types  []kalam.DataType // Of the first placeholders.
	Inner  string           // The statement's text.
	Offset int              // Of Inner in the text.
}

// Execute is EXECUTE name [(value, ...)].
type Execute struct {
	Name   Ident
	Args   []Expr
	Params int // Highest placeholder among the values.
}

// Deallocate is DEALLOCATE [PREPARE] name; All is DEALLOCATE ALL.
type Deallocate struct {
	Name Ident
	All  bool
}

// DescribePrepared is DESCRIBE PREPARED name.
type DescribePrepared struct{ Name Ident }

// Verb returns "SET".
func (*SetSetting) Verb() string { return "SET" }

// Verb returns "SHOW".
func (*ShowSetting) Verb() string { return "SHOW" }

// Verb returns "RESET".
func (*ResetSetting) Verb() string { return "RESET" }

// Verb returns "PREPARE".
func (*Prepare) Verb() string { return "PREPARE" }

// Verb returns "EXECUTE".
func (*Execute) Verb() string { return "EXECUTE" }

// Verb returns "DEALLOCATE".
func (*Deallocate) Verb() string { return "DEALLOCATE" }

// Verb returns "DESCRIBE PREPARED".
func (*DescribePrepared) Verb() string { return "DESCRIBE PREPARED" }
