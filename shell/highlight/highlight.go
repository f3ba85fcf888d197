package highlight

import (
	"strings"

	"github.com/kalamlake/kalam/sqltext"
)

// Style is what a byte of a text is.
type Style uint8

// The styles.
const (
	Plain Style = iota
	Keyword
	String
	Number
	Comment
	Command // A backslash command.
)

// Text says what a text of the prompt consists of.
type Text struct {
	Styles []Style  // Of each byte.
	Marks  []string // For each line end, what is open behind it; "" for nothing but a statement.
	Open   string   // The same of the end of the text.
}

// keywords are the words that statements are made of.
var keywords = keywordTable()

func keywordTable() map[string]bool {
	table := map[string]bool{}
	for _, list := range [][]string{sqltext.Keywords(), sqltext.ReservedWords()} {
		for _, k := range list {
			for word := range strings.FieldsSeq(k) {
				table[word] = true
			}
		}
	}
	return table
}

// Scan reads a text of statements and commands, which need not be whole.
func Scan(text string) Text {
	s := &scanner{text: text}
	s.Styles = make([]Style, len(text))
	for from := 0; from < len(text); {
		from = s.statement(from)
	}
	s.reach(len(text), "")
	return s.Text
}

// scanner reads a text.
type scanner struct {
	Text
	text     string
	brackets []string // That are open.
	at       int      // Up to which line ends have their marks.
}

// statement reads a statement or command that begins at byte from. It returns its end.
func (s *scanner) statement(from int) int {
	lexer := sqltext.LexerAt(s.text, from)
	first, afterDot := true, false
	for {
		begin := lexer.Pos
		if start, _ := sqltext.SkipBlank(s.text, begin); first && start < len(s.text) && s.text[start] == '\\' {
			s.gap(begin, start)
			return s.command(start)
		}
		t := lexer.Next()
		if t.Kind == sqltext.Invalid {
			s.gap(begin, lexer.Flaw.Pos)
			s.broken(lexer.Flaw.Pos)
			return len(s.text)
		}
		s.gap(begin, t.Pos)
		if t.Kind == sqltext.EOF {
			return len(s.text)
		}
		s.token(t, afterDot)
		if t.Kind == sqltext.Punct && t.Ch == ';' {
			s.brackets = nil
			return t.End
		}
		first, afterDot = false, t.Kind == sqltext.Punct && t.Ch == '.'
	}
}

// command reads a backslash command, which ends with its line.
func (s *scanner) command(from int) int {
	end := len(s.text)
	if i := strings.IndexByte(s.text[from:], '\n'); i >= 0 {
		end = from + i
	}
	word := end
	if i := strings.IndexAny(s.text[from:end], " \t"); i >= 0 {
		word = from + i
	}
	s.paint(from, word, Command)
	copy(s.Styles[word:end], Scan(s.text[word:end]).Styles)
	s.reach(min(end+1, len(s.text)), "")
	return min(end+1, len(s.text))
}

// token takes a token in.
func (s *scanner) token(t sqltext.Token, afterDot bool) {
	switch t.Kind {
	case sqltext.Word:
		if !afterDot && keywords[strings.ToUpper(s.text[t.Pos:t.End])] {
			s.paint(t.Pos, t.End, Keyword)
		}
	case sqltext.String, sqltext.Escape, sqltext.Dollar, sqltext.Hex:
		s.paint(t.Pos, t.End, String)
		s.reach(t.End, s.quote(t.Pos))
	case sqltext.Quoted, sqltext.Backtick:
		s.reach(t.End, s.quote(t.Pos))
	case sqltext.Number, sqltext.HexNumber, sqltext.Param:
		s.paint(t.Pos, t.End, Number)
	case sqltext.Punct:
		switch t.Ch {
		case '(', '[', '{':
			s.brackets = append(s.brackets, string(t.Ch))
		case ')', ']', '}':
			s.brackets = s.brackets[:max(len(s.brackets)-1, 0)]
		}
	}
}

// broken takes in what does not end.
func (s *scanner) broken(from int) {
	mark, style := s.quote(from), String
	switch {
	case strings.HasPrefix(s.text[from:], "/*"):
		mark, style = "/*", Comment
	case mark == `"` || mark == "`":
		style = Plain
	case mark == "":
		style = Plain // A byte that means nothing.
	}
	s.paint(from, len(s.text), style)
	s.reach(len(s.text), mark)
	s.Open = mark
}

// quote is the quote with which a token begins.
func (s *scanner) quote(from int) string {
	switch c := s.text[from]; c {
	case '\'', '"', '`':
		return string(c)
	case '$':
		return "$"
	case 'e', 'E', 'x', 'X':
		return "'"
	}
	return ""
}

// gap takes in blanks and comments.
func (s *scanner) gap(from, to int) {
	for i := from; i < to; {
		switch {
		case strings.HasPrefix(s.text[i:to], "--"):
			end := to
			if n := strings.IndexByte(s.text[i:to], '\n'); n >= 0 {
				end = i + n
			}
			s.paint(i, end, Comment)
			i = end
		case strings.HasPrefix(s.text[i:to], "/*"):
			s.reach(i, s.bracket())
			end := commentEnd(s.text[:to], i)
			s.paint(i, end, Comment)
			s.reach(end, "/*")
			i = end
		default:
			i++
		}
	}
	s.reach(to, s.bracket())
	s.Open = s.bracket()
}

// commentEnd is the end of a comment, in which others may be nested.
func commentEnd(text string, i int) int {
	depth := 0
	for i < len(text) {
		switch {
		case strings.HasPrefix(text[i:], "/*"):
			depth++
			i += 2
		case strings.HasPrefix(text[i:], "*/"):
			i += 2
			if depth--; depth == 0 {
				return i
			}
		default:
			i++
		}
	}
	return i
}

// bracket is the innermost bracket that is open, "" for none.
func (s *scanner) bracket() string {
	if n := len(s.brackets); n > 0 {
		return s.brackets[n-1]
	}
	return ""
}

// reach gives the line ends before byte to their mark.
func (s *scanner) reach(to int, mark string) {
	for ; s.at < to; s.at++ {
		if s.text[s.at] == '\n' {
			s.Marks = append(s.Marks, mark)
		}
	}
}

// paint gives bytes a style.
func (s *scanner) paint(from, to int, style Style) {
	for i := from; i < to; i++ {
		s.Styles[i] = style
	}
}
