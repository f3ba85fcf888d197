package edit

import (
	"fmt"
	"strings"

	prompt "github.com/c-bata/go-prompt"
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/kalamlake/kalam/shell/format"
)

// view is what the line editor shows.
type view struct {
	prompt, next string // Before the first line and before the others.
	text         []rune
	styles       []string         // For each of text, how a terminal is told to show it; nil for plain.
	marks        []string         // For each further line, what is open there; nil for nothing.
	cursor       int              // Index in text.
	menu         []prompt.Suggest // Below the text.
	selected     int              // Of the menu, -1 for none.
	menuRows     int              // At most.
	color        bool
}

// frame is a view laid out for a terminal.
type frame struct {
	rows     []string
	widths   []int // In columns, of each row.
	row, col int   // Of the cursor.
}

// layout lays a view out for a terminal of the given size. What does not fit on
// its height is left out, farthest from the cursor first.
func layout(v view, columns, rows int) frame {
	b := &frameBuilder{columns: max(columns, 8)}
	b.put(v.prompt)
	lines := 0
	for i, r := range v.text {
		s := cellOf(r)
		if i < len(v.styles) {
			b.restyle(v.styles[i])
		}
		if r != '\n' {
			b.wrap(s)
		}
		if i == v.cursor {
			b.mark()
		}
		if r == '\n' {
			b.restyle("")
			b.newRow()
			b.put(v.nextPrompt(lines))
			lines++
			continue
		}
		b.put(s)
	}
	b.restyle("")
	if b.col >= b.columns {
		b.newRow()
	}
	if v.cursor >= len(v.text) {
		b.mark()
	}
	b.newRow()
	f := b.frame
	f.rows, f.widths = f.rows[:len(f.rows):len(f.rows)], f.widths[:len(f.widths):len(f.widths)]
	most := min(v.menuRows, max(rows-len(f.rows)-1, 0))
	for _, line := range menuLines(v, b.columns, most) {
		f.rows, f.widths = append(f.rows, line.text), append(f.widths, line.width)
	}
	return crop(f, max(rows, 1))
}

// nextPrompt is what stands before a further line, counted from 0.
func (v *view) nextPrompt(line int) string {
	if line < len(v.marks) {
		return Continuation(v.prompt, v.marks[line])
	}
	return v.next
}

// crop keeps as many rows around the cursor as fit.
func crop(f frame, rows int) frame {
	if len(f.rows) <= rows {
		return f
	}
	first := min(max(f.row-rows+1, 0), len(f.rows)-rows)
	f.rows, f.widths = f.rows[first:first+rows], f.widths[first:first+rows]
	f.row -= first
	return f
}

// frameBuilder puts text into rows.
type frameBuilder struct {
	frame
	columns int
	line    strings.Builder
	col     int
	style   string // In which the text is put.
}

// restyle changes the style of what is put.
func (b *frameBuilder) restyle(style string) {
	if style == b.style {
		return
	}
	if b.style != "" {
		b.line.WriteString(plainStyle)
	}
	b.line.WriteString(style)
	b.style = style
}

// plainStyle ends a style.
const plainStyle = "\x1b[0m"

// put appends text, going to a new row where one is full.
func (b *frameBuilder) put(s string) {
	for _, r := range s {
		w := text.RuneWidth(r)
		if b.col+w > b.columns {
			b.newRow()
		}
		b.line.WriteRune(r)
		b.col += w
	}
}

// wrap goes to a new row if s does not fit on this one.
func (b *frameBuilder) wrap(s string) {
	if b.col+text.StringWidthWithoutEscSequences(s) > b.columns {
		b.newRow()
	}
}

// mark puts the cursor here.
func (b *frameBuilder) mark() {
	b.row = len(b.rows)
	b.frame.col = b.col
}

func (b *frameBuilder) newRow() {
	if b.style != "" {
		b.line.WriteString(plainStyle)
		defer func() { b.line.WriteString(b.style) }() // It goes on in the next row.
	}
	b.rows = append(b.rows, b.line.String())
	b.widths = append(b.widths, b.col)
	b.line.Reset()
	b.col = 0
}

// Continuation is what stands before the further lines of a statement whose first
// one has the given prompt. open is what is open there, such as a quote or bracket; a
// transaction is if nothing else.
func Continuation(first, open string) string {
	if open == "" && strings.HasSuffix(first, "*> ") {
		open = "*"
	}
	arrow := open + "-> "
	return text.Pad("", max(text.StringWidthWithoutEscSequences(first)-len(arrow), 0), ' ') + arrow
}

// cellOf is a character as the editor shows it.
func cellOf(r rune) string {
	switch {
	case r == '\t':
		return "    "
	case format.IsControl(r):
		return format.Escape(string(r))
	}
	return string(r)
}

// menuLine is one row of the menu.
type menuLine struct {
	text  string
	width int
}

// menuLines returns the part of the menu around its selection.
func menuLines(v view, columns, most int) []menuLine {
	if len(v.menu) == 0 || most <= 0 {
		return nil
	}
	shown := min(len(v.menu), most)
	if shown < len(v.menu) && shown > 1 {
		shown-- // The last row tells how many there are.
	}
	first := min(max(v.selected-shown+1, 0), len(v.menu)-shown)
	width := 0
	for _, s := range v.menu[first : first+shown] {
		width = max(width, text.StringWidthWithoutEscSequences(format.Escape(s.Text)))
	}
	width = min(width, columns-4)
	lines := make([]menuLine, 0, shown+1)
	for i, s := range v.menu[first : first+shown] {
		lines = append(lines, menuItem(s, width, columns, first+i == v.selected, v.color))
	}
	if rest := len(v.menu) - shown; rest > 0 {
		more := fmt.Sprintf("   (%d of %d)", shown, len(v.menu))
		lines = append(lines, menuLine{more, len(more)})
	}
	return lines
}

// menuItem is the row of one suggestion, whose text takes width columns.
func menuItem(s prompt.Suggest, width, columns int, selected, color bool) menuLine {
	name := text.Pad(text.Snip(format.Escape(s.Text), width, "..."), width, ' ')
	mark := "  "
	if selected {
		mark = "> "
	}
	line := mark + name
	kind := "  " + format.Escape(s.Description)
	if s.Description == "" || width+2+text.StringWidthWithoutEscSequences(kind) > columns-1 {
		kind = ""
	}
	total := text.StringWidthWithoutEscSequences(line + kind)
	if color {
		if selected {
			line = "\x1b[7m" + line + "\x1b[0m"
		}
		kind = "\x1b[2m" + kind + "\x1b[0m"
	}
	return menuLine{line + kind, total}
}

// painter draws frames over each other.
type painter struct {
	out   prompt.ConsoleWriter
	shown frame // What is on the terminal; without rows if nothing is.
	width int   // Of the terminal when it was drawn.
}

// draw replaces what is shown. The terminal has the given width now; lines that a
// narrower terminal has broken are reckoned with.
func (p *painter) draw(f frame, columns int) error {
	p.out.HideCursor()
	p.home(columns)
	for i, row := range f.rows {
		if i > 0 {
			p.out.WriteRawStr("\r\n")
		}
		p.out.WriteRawStr(row)
	}
	p.out.CursorUp(len(f.rows) - 1 - f.row)
	p.out.WriteRawStr("\r")
	p.out.CursorForward(f.col)
	p.out.ShowCursor()
	p.shown, p.width = f, columns
	return p.out.Flush()
}

// home erases what is shown and goes to where it began.
func (p *painter) home(columns int) {
	up := p.shown.row
	if len(p.shown.rows) > 0 && columns < p.width {
		up = p.shown.col / columns
		for _, w := range p.shown.widths[:p.shown.row] {
			up += max((w+columns-1)/columns, 1)
		}
	}
	p.out.CursorUp(up)
	p.out.WriteRawStr("\r")
	p.out.EraseDown()
}

// leave ends the drawing: what follows begins on a new line.
func (p *painter) leave() error {
	p.out.WriteRawStr("\r\n")
	p.shown = frame{}
	return p.out.Flush()
}

// clear empties the whole terminal.
func (p *painter) clear() {
	p.out.EraseScreen()
	p.out.CursorGoTo(0, 0)
	p.shown = frame{}
}
