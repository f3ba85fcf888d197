package complete

// Suggestion is one completion of a word.
type Suggestion struct {
	Text string // What is inserted.
	Kind string // What it is, for the menu.
	Tier int    // 0 for the most likely ones.
	key  string // By which they are sorted.
}

// Suggestions are the completions of the word that begins at byte Start, the most
// likely ones first.
type Suggestions struct {
	Start int
	Items []Suggestion
}

// Command is a backslash command.
type Command struct {
	Names    []string // Without the backslash.
	Argument Argument
	Words    []string // Of an Argument that is one of Words.
}

// Argument is what a command takes.
type Argument uint8

// The arguments of commands.
const (
	None Argument = iota // Or what cannot be completed.
	Table
	Namespace
	Query
	File
	Words // One of Command.Words.
)
