package shell

import (
	"strings"

	"github.com/kalamlake/kalam/dialect"
	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/sqltext"
)

// step is what a script does at once: a request of one or, for a transaction,
// more statements, or a backslash command.
type step struct {
	text       string
	command    bool
	line       int // 1-based, of its begin.
	statements int
}

// plan cuts a script into steps. A line that begins with a backslash between
// statements is a command; BEGIN to COMMIT is one step, since a transaction is
// one request. The error is that of a quote or comment without end.
func plan(text string) ([]step, error) { return planLines(text, isCommandLine) }

// isCommandLine reports whether a line of a script, between statements, is a
// command.
func isCommandLine(line string) bool { return strings.HasPrefix(strings.TrimLeft(line, " \t"), `\`) }

// planLines is plan where isCommand tells which lines are commands.
func planLines(text string, isCommand func(line string) bool) ([]step, error) {
	var steps []step
	var err error
	line, from := 1, 0
	for from < len(text) {
		at, end := nextCommand(text, from, isCommand)
		if steps, err = planSQL(steps, text[from:at], line); err != nil {
			return nil, err
		}
		line += strings.Count(text[from:at], "\n")
		if command := strings.TrimSpace(text[at:end]); command != "" {
			steps = append(steps, step{text: command, command: true, line: line})
		}
		line += strings.Count(text[at:end], "\n")
		from = end
	}
	return steps, nil
}

// nextCommand returns the bounds of the next line from offset from that is a
// command, the end of text twice if there is none. Inside a statement or a quote
// a backslash is the statement's.
func nextCommand(text string, from int, isCommand func(line string) bool) (at, end int) {
	for at = from; at < len(text); at = end {
		end = len(text)
		if i := strings.IndexByte(text[at:], '\n'); i >= 0 {
			end = at + i + 1
		}
		if isCommand(text[at:end]) && !pending(text[from:at]) {
			return at, end
		}
	}
	return len(text), len(text)
}

// pending reports whether text ends inside a statement.
func pending(text string) bool {
	before, err := sqltext.Split(text)
	if err != nil {
		return true
	}
	// A further word is a statement of its own only after a `;` or nothing.
	after, err := sqltext.Split(text + "\nx")
	return err != nil || len(after) == len(before)
}

// readyPart returns the offset up to which a text typed at the prompt consists of
// whole statements and commands: its length if nothing is missing, 0 if everything
// is.
func readyPart(text string) int {
	if _, _, ok := cutGo(text); ok {
		return len(text)
	}
	from := 0
	for {
		at, end := nextCommand(text, from, isPromptLine)
		if at == len(text) {
			break
		}
		from = end
	}
	last := text[from:]
	if !pending(last) {
		return len(text)
	}
	fragments, err := sqltext.Split(last)
	if err != nil || len(fragments) == 0 {
		return from
	}
	return from + fragments[len(fragments)-1].Offset
}

// cutGo cuts \g or \gx off the end of a statement, which runs it as `;` does.
func cutGo(text string) (sql string, expanded, ok bool) {
	trimmed := strings.TrimRight(text, " \t\n")
	for _, word := range []string{`\gx`, `\g`} {
		body, found := strings.CutSuffix(trimmed, word)
		if !found || strings.TrimSpace(body) == "" {
			continue
		}
		if _, err := sqltext.Split(body); err == nil && pending(body) {
			return body, word == `\gx`, true
		}
	}
	return text, false, false
}

// isPromptLine is isCommandLine at the prompt, where a few words need no
// backslash.
func isPromptLine(line string) bool { return isCommandLine(line) || promptWord(line) != "" }

// promptWord returns the command for which a line stands that is no more than a
// word of the prompt, "" for any other line.
func promptWord(line string) string {
	switch word := strings.ToLower(strings.TrimSpace(strings.TrimRight(strings.TrimSpace(line), ";"))); word {
	case "help", "?":
		return `\help`
	case "exit", "quit":
		return `\quit`
	}
	return ""
}

// planSQL appends the steps of a text without commands, which begins at the
// given line.
func planSQL(steps []step, text string, line int) ([]step, error) {
	fragments, err := sqltext.Split(text)
	if err != nil {
		return nil, err
	}
	counted := 0
	for i := 0; i < len(fragments); {
		first, last := fragments[i], fragments[i]
		n := 1
		if opens(first.Text) {
			for n < len(fragments)-i && !closes(last.Text) {
				last = fragments[i+n]
				n++
			}
		}
		line += strings.Count(text[counted:first.Offset], "\n")
		counted = first.Offset
		steps = append(steps, step{text: text[first.Offset : last.Offset+len(last.Text)], line: line, statements: n})
		i += n
	}
	return steps, nil
}

// opens reports whether a statement begins a transaction.
func opens(sql string) bool {
	return parsesAs[*ast.Begin](sql, "BEGIN", "START")
}

// closes reports whether a statement ends a transaction.
func closes(sql string) bool {
	return parsesAs[*ast.Commit](sql, "COMMIT", "END") || parsesAs[*ast.Rollback](sql, "ROLLBACK", "ABORT")
}

// parsesAs reports whether sql begins with one of the words and is a T.
func parsesAs[T ast.Statement](sql string, words ...string) bool {
	for _, w := range words {
		if strings.EqualFold(sql, w) || startsWith(sql, w) {
			st, err := dialect.Parse(sql)
			_, ok := st.(T)
			return ok && err == nil
		}
	}
	return false
}

// startsWith reports whether the statement begins with a word.
func startsWith(sql, word string) bool {
	return len(sql) > len(word) && strings.EqualFold(sql[:len(word)], word) && !isWordByte(sql[len(word)])
}

func isWordByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}
