// Package edit reads what is typed at a terminal: lines of several statements with
// history, search and completion, questions, and passwords that are not shown.
//
// # Basics
//
// An Editor gives the lines of the prompt: NewTerminal over parts of go-prompt
// (docs/architecture/adrs/010-shell-editor.md says which and why), NewLines over any
// input. In it, editing is what the keys do, layout what is shown, console the terminal.
// An Asker reads one line. The package knows no statement: its owner says what can be run
// (Options.Ready), what may stand where (Options.Suggest), and what the history leaves out.
//
// # Guarantees
//
//   - The terminal is given back as it was found, whether ReadLine returns, panics, or is
//     ended through its context or Close.
//   - What is typed while nothing is read is neither shown nor lost.
//   - The history's file is written under a lock, one line for a statement, with mode 0600.
package edit
