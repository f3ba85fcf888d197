// Package shell is the kalam shell: it runs statements from the command line, a
// file, a pipe or a prompt, and shows their results. It holds only terminal,
// command parsing and formatting code; everything that reaches the server goes
// through package link.
//
// # Basics
//
// Run is the whole program but for the parsing of flags. It does one of four
// things: a command (Config.Command), a script (Config.File, or standard input
// that is no terminal), a live query (Config.Subscribe), or the prompt. Text is
// read through an edit.Editor, so that another line editor can take its place.
// Editing, completion, output and settings are packages of their own.
//
// # Guarantees
//
//   - Standard output carries data only; what is said about it goes to standard
//     error. In the formats for people, table and vertical, row counts and messages
//     of statements are part of the data.
//   - The exit code is 0 when everything worked, 1 when a statement, the connection,
//     the identity or a file failed, and 2 when the command line was wrong.
//   - json and csv output is valid whatever the data; what goes to a terminal in the
//     other formats holds no control character of the data.
//   - Passwords are never stored, tokens only when asked for, and neither is shown; the
//     history leaves out statements that may hold one.
//   - The terminal is given back as it was found, whether Run returns, panics, or is
//     ended through its context.
//   - Completion looks only at what is in memory and never waits for the server.
package shell
