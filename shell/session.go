package shell

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"unicode/utf8"

	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/link"
	"github.com/kalamlake/kalam/shell/complete"
	"github.com/kalamlake/kalam/shell/edit"
	"github.com/kalamlake/kalam/shell/format"
	"github.com/kalamlake/kalam/sqltext"
)

// errQuit is returned by \quit.
var errQuit = errors.New("quit")

// errShown stands for an error that was shown already.
var errShown = errors.New("already shown")

// session runs statements and shows what comes of them. It is used by one
// goroutine.
type session struct {
	config  Config
	client  *link.Client // In the namespace that USE chose.
	chosen  string       // That namespace; "" is the server's default.
	auth    link.Auth
	out     *bufio.Writer
	output  io.Writer // Below out.
	err     io.Writer
	printer *format.Printer
	timing  bool // Tell how long each request took.

	last      string            // The request that ran last, for \g.
	variables map[string]string // For :name in statements.
	params    []any             // Of the next requests.
	nested    int               // How deep scripts run scripts.
	server    atomic.Pointer[link.Client]
	paused    *liveView // nil for none.

	redirected *os.File        // Where \o sends results, nil for output.
	atTerminal *format.Printer // How they are shown without it.

	// Of the prompt.
	in        io.Reader
	line      edit.Editor         // nil without a prompt.
	reopen    func() edit.Editor  // Opens it again after a program had the terminal.
	ask       edit.Asker          // nil without a terminal.
	user      string              // As whom the server knows the user.
	open      *transaction        // nil outside transactions.
	past      *edit.History       // nil without a prompt.
	names     *complete.NameCache // nil without a prompt.
	forgetful bool                // That the history is not kept was said.
}

// namespace returns that of unqualified names.
func (s *session) namespace() string {
	if s.chosen == "" {
		return string(kalam.DefaultNamespace)
	}
	return s.chosen
}

// unnamed is for results that are not numbered.
func unnamed(int) string { return "" }

// note is a remark that --quiet leaves out.
func (s *session) note(words string, args ...any) {
	if !s.config.Quiet {
		s.remark(words, args...)
	}
}

// fail shows an error. sql is what was sent, "" if that does not matter.
func (s *session) fail(err error, sql string) {
	s.failAt(err, sql, 0, 0)
}

// failAt shows an error of a request of a script: first is the number of its
// first statement and line the line at which it begins, both 0 outside scripts.
func (s *session) failAt(err error, sql string, first, line int) {
	message, position := err.Error(), 0
	var e *link.Error
	var parsed *kalam.Error
	switch {
	case errors.As(err, &e):
		message, position = s.explain(e), e.Position
		switch {
		case first > 0 && e.Statement > 0:
			message = renumber(message, e.Statement, first+e.Statement-1)
		case isSingle(sql):
			message = strings.TrimPrefix(message, "Statement 1 failed: ")
		}
	case errors.As(err, &parsed):
		message, position = parsed.Msg, parsed.Position
	}
	shown := ""
	if position > 0 {
		shown = excerpt(sql, position-1, max(line, 1), edit.Width(s.err))
	}
	if shown == "" && line > 0 {
		message += fmt.Sprintf(" (line %d)", line)
	}
	word := "ERROR"
	if s.printer.Color {
		word = "\x1b[31mERROR\x1b[0m"
	}
	fmt.Fprintf(s.err, "%s: %s\n%s", word, format.EscapeLines(message), shown)
	if e != nil {
		s.advise(e)
	}
}

// advise shows what the server proposes.
func (s *session) advise(e *link.Error) {
	switch n := len(e.Suggestions); {
	case n == 1:
		s.remark("Did you mean %s?", e.Suggestions[0])
	case n > 1:
		s.remark("Did you mean %s or %s?", strings.Join(e.Suggestions[:n-1], ", "), e.Suggestions[n-1])
	}
	if e.Hint != "" {
		s.remark("HINT: %s", e.Hint)
	}
}

// explain words an error for people.
func (s *session) explain(err error) string {
	var e *link.Error
	if !errors.As(err, &e) {
		return err.Error()
	}
	text := e.Error()
	switch e.Kind {
	case link.KindSQL, link.KindSubscription:
		text = e.Message
	case link.KindConnection:
		text = "Connection failed: " + e.Message
	}
	if s.config.Verbose && e.Code != "" {
		text += " [" + string(e.Code) + "]"
	}
	return text
}

// renumber puts the number of the script into a message that counts statements
// by request.
func renumber(message string, from, to int) string {
	old := fmt.Sprintf("Statement %d failed: ", from)
	if rest, ok := strings.CutPrefix(message, old); ok {
		message = rest
	}
	return fmt.Sprintf("Statement %d failed: %s", to, message)
}

// isSingle reports whether a request has one statement, so that its number says
// nothing.
func isSingle(sql string) bool {
	fragments, err := sqltext.Split(sql)
	return err == nil && len(fragments) == 1
}

// Bounds of the line that an error shows.
const (
	excerptWidth  = 100
	excerptNarrow = 20
)

// excerpt shows the line of sql with the byte at offset, and marks it. Lines are
// counted from first. columns is the width of the terminal, 0 for none.
func excerpt(sql string, offset, first, columns int) string {
	if offset < 0 || offset > len(sql) || !utf8.ValidString(sql) {
		return ""
	}
	start := strings.LastIndexByte(sql[:offset], '\n') + 1
	line, _, _ := strings.Cut(sql[start:], "\n")
	before := sql[start:offset]
	label := fmt.Sprintf("LINE %d: ", strings.Count(sql[:start], "\n")+first)
	most := excerptWidth
	if columns > 0 {
		most = min(most, max(columns-len(label)-1, excerptNarrow))
	}
	if len(before) > most/2 {
		cut := len(before) - most/2
		for !utf8.RuneStart(before[cut]) {
			cut++
		}
		line, before = line[cut:], before[cut:]
	}
	line = text.Trim(format.Escape(strings.TrimRight(line, "\r")), most)
	column := len(label) + text.StringWidthWithoutEscSequences(format.Escape(before))
	return label + line + "\n" + strings.Repeat(" ", column) + "^\n"
}

// remark prints what is neither data nor an error.
func (s *session) remark(words string, args ...any) {
	fmt.Fprintln(s.err, format.EscapeLines(fmt.Sprintf(words, args...)))
}

// liveView shows the events of one subscription.
type liveView struct {
	*session
	sub     *link.Subscription
	cancel  context.CancelFunc
	line    []byte // Typed while it is shown.
	want    int    // Changes after which it is enough; 0 for no end.
	changes int
	initial int
	resumed bool // The connection was lost at least once.
	headed  bool // The header of csv was written.
}

// transaction is what was typed since BEGIN. A transaction lives in one request,
// so its statements are collected and sent with COMMIT.
type transaction struct {
	statements []string // BEGIN is the first.
}

// shortened is a statement on one line of a message.
func shortened(sql string) string {
	const most = 100
	r := []rune(strings.Join(strings.Fields(sql), " "))
	if len(r) > most {
		return string(r[:most]) + "..."
	}
	return string(r)
}
