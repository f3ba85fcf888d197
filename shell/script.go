package shell

import (
	"context"
	"errors"
	"fmt"
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

// script runs a text step by step and stops at the first error.
func (s *session) script(ctx context.Context, text string) int {
	start := s.config.Now()
	steps, err := plan(text)
	if err != nil {
		s.fail(err, text)
		return ExitError
	}
	done := 0
	for _, st := range steps {
		if ctx.Err() != nil {
			s.fail(fmt.Errorf("canceled after %d statements", done), "")
			return ExitError
		}
		err := s.step(ctx, st, done+1)
		if errors.Is(err, errQuit) {
			break
		}
		if err != nil {
			return ExitError
		}
		done += st.statements
	}
	if s.nested == 0 {
		s.note("Completed %d statements in %.3fs", done, s.config.Now().Sub(start).Seconds())
	}
	return ExitOK
}

// step runs one step, whose first statement has number first, and shows its
// error.
func (s *session) step(ctx context.Context, st step, first int) error {
	if st.command {
		return s.meta(ctx, st.text)
	}
	st.text = s.interpolate(st.text)
	if s.open != nil {
		s.collect(ctx, st)
		return nil
	}
	if q, ok := subscription(st.text); ok {
		if s.subscribeTo(ctx, q) != ExitOK {
			return errShown
		}
		return nil
	}
	err := s.execute(ctx, st.text, func(n int) string {
		if s.config.Quiet {
			return ""
		}
		return fmt.Sprintf("Statement %d: ", first+n-1)
	})
	if err != nil {
		s.failAt(err, st.text, first, st.line)
	}
	return err
}

// errShown stands for an error that was shown already.
var errShown = errors.New("already shown")

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
