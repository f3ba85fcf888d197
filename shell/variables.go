package shell

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/kalamlake/kalam/shell/format"
	"github.com/kalamlake/kalam/shell/scan"
	"github.com/kalamlake/kalam/shell/settings"
	"github.com/kalamlake/kalam/sqltext"
)

// interpolate replaces :name, :'name' and :"name" outside of strings and comments by
// the variable as it is, as a string, or as a name. What is no variable stays.
func (s *session) interpolate(text string) string {
	if len(s.variables) == 0 || !strings.Contains(text, ":") {
		return text
	}
	tokens, _ := scan.Tokens(text, 0)
	var b strings.Builder
	from := 0
	for i := 0; i+1 < len(tokens); i++ {
		colon, name := tokens[i], tokens[i+1]
		cast := i > 0 && tokens[i-1].Text == ":" && tokens[i-1].End == colon.Start
		if colon.Text != ":" || colon.End != name.Start || cast {
			continue
		}
		if value, ok := s.variable(name); ok {
			b.WriteString(text[from:colon.Start] + value)
			from = name.End
			i++
		}
	}
	return b.String() + text[from:]
}

// variable returns what stands for a variable's name.
func (s *session) variable(name scan.Token) (string, bool) {
	quote := func(value string) string { return value }
	key := name.Text
	switch name.Kind {
	case scan.Word:
	case scan.String:
		key, quote = strings.Trim(key, "'"), sqltext.QuoteString
	case scan.Quoted:
		key, quote = strings.Trim(key, `"`), sqltext.QuoteIdent
	default:
		return "", false
	}
	value, ok := s.variables[key]
	return quote(value), ok
}

// systemColumns is the name by which \set shows and hides the server's columns.
const systemColumns = "system_columns"

// metaSet sets a variable, or lists them.
func (s *session) metaSet(_ context.Context, args string) error {
	if args == "" {
		s.remark("%s = %s", systemColumns, sqltext.QuoteString(onOff(s.printer.All)))
		for _, name := range slices.Sorted(maps.Keys(s.variables)) {
			s.remark("%s = %s", name, sqltext.QuoteString(s.variables[name]))
		}
		return nil
	}
	name, value, _ := strings.Cut(args, " ")
	if !isVariableName(name) {
		return fmt.Errorf("%q is not the name of a variable", name)
	}
	value = unquoted(strings.TrimSpace(value))
	if name == systemColumns {
		on, err := switched(s.printer.All, value)
		if err != nil {
			return err
		}
		s.printer.All = on
		s.remark("_seq and _deleted in tables: %s.", onOff(on))
		return nil
	}
	s.variables[name] = value
	return nil
}

// metaUnset forgets a variable.
func (s *session) metaUnset(_ context.Context, name string) error {
	if _, ok := s.variables[name]; !ok {
		return fmt.Errorf("there is no variable %q", name)
	}
	delete(s.variables, name)
	return nil
}

// metaEcho prints a text with its variables.
func (s *session) metaEcho(_ context.Context, args string) error {
	fmt.Fprintln(s.out, format.Escape(unquoted(s.interpolate(args))))
	return s.out.Flush()
}

// unquoted is an argument without the quotes around it.
func unquoted(arg string) string {
	if n := len(arg); n >= 2 && (arg[0] == '\'' || arg[0] == '"') && arg[n-1] == arg[0] {
		q := arg[:1]
		return strings.ReplaceAll(arg[1:n-1], q+q, q)
	}
	return arg
}

// psetOptions are what \pset changes.
var psetOptions = []string{"bytes", "format", "max_rows", "null", "times"}

// metaPset shows or changes how results are shown.
func (s *session) metaPset(ctx context.Context, args string) error {
	name, value, given := strings.Cut(args, " ")
	value = unquoted(strings.TrimSpace(value))
	p := s.printer
	switch {
	case name == "":
		s.remark("format    %s\nnull      %s\nmax_rows  %d\ntimes     %s\nbytes     %s",
			p.Format, sqltext.QuoteString(p.Null), p.MaxRows, p.Times, cmp.Or(p.Bytes, format.BytesText))
		return nil
	case name == "format":
		return s.metaFormat(ctx, value)
	case name == "null":
		if given {
			p.Null, p.NullGiven = value, true
		}
		s.remark("NULL is shown as %s.", sqltext.QuoteString(p.Null))
		return nil
	case name == "max_rows" && given:
		n, err := strconv.Atoi(value)
		if err != nil || n < 0 {
			return errors.New("max_rows is a number of rows, 0 without pages")
		}
		p.MaxRows = n
		s.remark("Pages have %d rows.", n)
		return nil
	case name == "times" && slices.Contains(settings.TimestampFormats(), value):
		p.Times = value
		s.remark("Times are shown as %s.", value)
		return nil
	case name == "bytes" && (value == format.BytesText || value == format.BytesHex):
		p.Bytes = value
		s.remark("BYTES are shown as %s.", value)
		return nil
	}
	return fmt.Errorf(`\pset takes format, null, max_rows, bytes (text or hex) or times with a value (times: %s), not %q`,
		strings.Join(settings.TimestampFormats(), ", "), args)
}

func (s *session) metaFormat(_ context.Context, name string) error {
	if name != "" {
		if !format.IsFormat(name) {
			return fmt.Errorf("unknown format %q (expected %s)", name, strings.Join(format.Names(), ", "))
		}
		s.printer.Format = name
	}
	s.remark("Output format set to: %s", s.printer.Format)
	return nil
}
