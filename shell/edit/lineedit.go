package edit

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"unicode/utf8"

	prompt "github.com/c-bata/go-prompt"

	"github.com/kalamlake/kalam/shell/complete"
)

// errTerminalGone is returned by promptEditor.ReadLine after a hang-up.
var errTerminalGone = errors.New("the terminal has gone")

// promptEditor is the Editor of a terminal: parts of go-prompt under a loop of its
// own (docs/architecture/adrs/010-shell-editor.md says which and why).
type promptEditor struct {
	console    *console
	paint      painter
	edit       *editing
	past       *History
	cleared    int // Of past, when edit was given it.
	interrupts <-chan struct{}
	highlight  func(text string) (styles, marks []string) // nil while no statement is edited.
	color      bool

	strokes chan []byte // What was typed.
	failed  chan error  // Why there will be no more.
	redraw  chan os.Signal
	closing chan struct{}
	ended   chan struct{} // The reader has ended.
}

// Options are what the Editor of a terminal asks its owner.
type Options struct {
	History *History
	// Ready returns the offset up to which a text consists of what can be run.
	Ready func(text string) int
	// Suggest returns what may stand at a byte of a text. It never waits.
	Suggest func(text string, cursor int) complete.Suggestions
	// Highlight returns, for each byte of a text, how a terminal is told to show it, "" for
	// plain, and for each line end what is open behind it.
	Highlight func(text string) (styles, marks []string)
	// Interrupts gives what Ctrl+C and SIGINT mean while no line is edited.
	Interrupts <-chan struct{}
	Color      bool
}

// ErrNoTerminal is returned by NewTerminal for what is no terminal.
var ErrNoTerminal = errors.New("no terminal")

// NewTerminal returns the Editor of the terminal in, drawn on the first of outs that is a
// terminal too. It is changed until Close. The error is ErrNoTerminal without one.
func NewTerminal(in io.Reader, outs []io.Writer, o Options) (Editor, error) {
	fd, ok := terminal(in)
	out := editorOutput(outs)
	if !ok || out == nil {
		return nil, ErrNoTerminal
	}
	c, err := openConsole(fd)
	if err != nil {
		return nil, err
	}
	return newPromptEditor(c, out, o)
}

// newPromptEditor returns the Editor of a terminal that draws on out.
func newPromptEditor(c *console, out prompt.ConsoleWriter, o Options) (*promptEditor, error) {
	e := &promptEditor{
		console: c, paint: painter{out: out}, past: o.History, cleared: o.History.cleared,
		interrupts: o.Interrupts, highlight: o.Highlight, color: o.Color,
		edit:    newEditing(o.History.entries, o.Ready, o.Suggest),
		strokes: make(chan []byte, 1024), failed: make(chan error, 1), redraw: make(chan os.Signal, 1),
		closing: make(chan struct{}), ended: make(chan struct{}),
	}
	if err := c.Attend(); err != nil {
		return nil, err
	}
	out.WriteRawStr(pasteOn)
	if err := out.Flush(); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	notifyRedraw(e.redraw)
	go e.read()
	return e, nil
}

// read hands over strokes until the terminal has gone or Close.
func (e *promptEditor) read() {
	defer close(e.ended)
	for {
		stroke, err := e.console.Read()
		if err != nil {
			e.failed <- err
			return
		}
		select {
		case e.strokes <- stroke:
		case <-e.closing:
			return
		}
	}
}

// ReadLine returns a text of whole statements and commands, of one or more lines.
func (e *promptEditor) ReadLine(ctx context.Context, promptText string) (text string, err error) {
	if err := e.console.Setup(); err != nil {
		return "", err
	}
	defer func() {
		if aerr := e.console.Attend(); err == nil {
			err = aerr
		}
	}()
	if e.cleared != e.past.cleared {
		e.edit.setPast(e.past.entries)
		e.cleared = e.past.cleared
	}
	e.edit.begin()
	return e.loop(ctx, promptText)
}

// Ask returns a line as it is typed. What a paste left over waits.
func (e *promptEditor) Ask(ctx context.Context, question string) (string, error) {
	ready, suggest, rest, highlight := e.edit.ready, e.edit.suggest, e.edit.rest, e.highlight
	e.highlight = nil
	e.edit.ready = func(text string) int { return len(text) }
	e.edit.suggest = func(_ string, at int) complete.Suggestions { return complete.Suggestions{Start: at} }
	e.edit.rest = ""
	defer func() { e.edit.ready, e.edit.suggest, e.edit.rest, e.highlight = ready, suggest, rest, highlight }()
	return e.ReadLine(ctx, question)
}

// Typed returns what is typed while no line is read.
func (e *promptEditor) Typed() <-chan []byte { return e.strokes }

// loop edits until a text is complete.
func (e *promptEditor) loop(ctx context.Context, promptText string) (string, error) {
	for {
		if len(e.strokes) == 0 {
			if err := e.show(promptText); err != nil {
				return "", err
			}
		}
		select {
		case stroke := <-e.strokes:
			done, text, err := e.stroke(stroke, promptText)
			if done || err != nil {
				return text, err
			}
			continue
		default:
		}
		select {
		case stroke := <-e.strokes:
			done, text, err := e.stroke(stroke, promptText)
			if done || err != nil {
				return text, err
			}
		case <-e.redraw:
			if err := e.console.Setup(); err != nil {
				return "", err
			}
		case <-e.interrupts:
			return e.interrupted(promptText)
		case err := <-e.failed:
			if len(e.strokes) > 0 {
				e.failed <- err // What was typed before comes first.
				continue
			}
			if errors.Is(err, io.EOF) {
				err = errTerminalGone // io.EOF is for whom types Ctrl+D.
			}
			return "", err
		case <-ctx.Done():
			return "", errors.Join(ctx.Err(), e.finish(promptText))
		}
	}
}

// stroke feeds one stroke; done says that the text is complete.
func (e *promptEditor) stroke(stroke []byte, promptText string) (done bool, text string, err error) {
	switch e.edit.feed(stroke) {
	case outcomeSubmit:
		text = e.edit.buf.Text()
		return true, text, e.finish(promptText)
	case outcomeInterrupt:
		text, err = e.interrupted(promptText)
		return true, text, err
	case outcomeEnd:
		return true, "", errors.Join(io.EOF, e.finish(promptText))
	case outcomeClear:
		e.paint.clear()
	case outcomeSuspend:
		return false, "", e.suspend(promptText)
	default:
		if len(e.strokes) == 0 && (IsText(stroke) || keyOf(stroke) == prompt.Backspace) {
			e.edit.typing()
		}
	}
	return false, "", nil
}

// interrupted discards the text.
func (e *promptEditor) interrupted(promptText string) (string, error) {
	text := e.edit.buf.Text()
	e.edit.rest = ""
	e.edit.search = nil
	return text, errors.Join(ErrInterrupted, e.finish(promptText))
}

// finish shows the text as it is, without a menu, and goes to a new line.
func (e *promptEditor) finish(promptText string) error {
	e.edit.menu.close()
	moveTo(e.edit.buf, len([]rune(e.edit.buf.Text())))
	if err := e.show(promptText); err != nil {
		return err
	}
	return e.paint.leave()
}

// show draws what is edited.
func (e *promptEditor) show(promptText string) error {
	size := e.console.GetWinSize()
	v := view{
		prompt: promptText, next: Continuation(promptText, ""), color: e.color,
		menu: e.edit.menu.items, selected: e.edit.menu.selected(), menuRows: menuTyping,
	}
	if e.edit.menu.tabbed {
		v.menuRows = menuAfterTab + 1
	}
	v.text, v.cursor = []rune(e.edit.buf.Text()), cursorOf(e.edit.buf)
	if s := e.edit.search; s != nil {
		text, cursor := s.match()
		v.prompt, v.text, v.cursor = s.prompt(), []rune(text), cursor
	}
	if e.highlight != nil {
		styles, marks := e.highlight(string(v.text))
		if v.marks = marks; e.edit.search != nil {
			v.marks = nil // Its prompt is another.
		}
		if e.color {
			v.styles = byRune(v.text, styles)
		}
	}
	return e.paint.draw(layout(v, int(size.Col), int(size.Row)), int(size.Col))
}

// byRune picks of what is said of each byte of a text what is of each rune's first.
func byRune(text []rune, ofBytes []string) []string {
	out := make([]string, 0, len(text))
	at := 0
	for _, r := range text {
		if at < len(ofBytes) {
			out = append(out, ofBytes[at])
		}
		at += utf8.RuneLen(r)
	}
	return out
}

// suspend stops the shell, with the terminal as it was found, until it is
// continued.
func (e *promptEditor) suspend(promptText string) error {
	e.paint.out.WriteRawStr(pasteOff)
	if err := errors.Join(e.finish(promptText), e.console.TearDown(), suspend()); err != nil {
		return err
	}
	e.paint.out.WriteRawStr(pasteOn)
	return e.console.Setup()
}

// Remember adds a statement to the history.
func (e *promptEditor) Remember(statement string) error {
	added, err := e.past.Add(statement)
	if added {
		e.edit.past = e.past.entries
		e.edit.nav.Add(statement)
	}
	return err
}

// Close gives the terminal back as it was found and ends the reader. It may be
// called more than once.
func (e *promptEditor) Close() error {
	select {
	case <-e.closing:
		return nil
	default:
	}
	signal.Stop(e.redraw)
	close(e.closing)
	e.paint.out.WriteRawStr(pasteOff)
	ferr := e.paint.out.Flush()
	err := e.console.Close()
	<-e.ended
	return errors.Join(ferr, err, e.console.release(), e.past.close())
}
