package shell

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"

	"github.com/kalamlake/kalam/link"
	"github.com/kalamlake/kalam/shell/complete"
	"github.com/kalamlake/kalam/shell/edit"
	"github.com/kalamlake/kalam/shell/scan"
	"github.com/kalamlake/kalam/shell/transfer"
)

// transfer does what kalam load and kalam dump ask for. ask reads an answer from the
// terminal; it is nil without one.
func (s *session) transfer(ctx context.Context, ask edit.Asker) error {
	if err := s.login(ctx, ask); err != nil {
		return err
	}
	env := s.surroundings()
	if ask != nil {
		env.Ask = func(question string) (bool, error) { return agreed(ask(question+" [Y/n] ", true)) }
	}
	if s.config.Dump != nil {
		return whole(transfer.Dump(ctx, env, *s.config.Dump))
	}
	o := *s.config.Load
	if o.File == "-" {
		env.Ask = nil // Standard input has the data.
	}
	return s.load(ctx, env, o, s.config.LoadInto)
}

// surroundings is what a transfer needs of the session.
func (s *session) surroundings() transfer.Env {
	env := transfer.Env{Client: s.client, User: s.user, In: s.in, Out: s.out, Say: s.note, Now: s.config.Now,
		Width: func() int { return edit.Width(s.err) }}
	if edit.IsTerminal(s.err) && !s.config.NoSpinner && !s.config.Quiet && s.config.Getenv("TERM") != "dumb" {
		env.Screen = s.err
	}
	return env
}

// agreed reports whether an answer is yes, as an empty one is.
func agreed(answer string, err error) (bool, error) {
	answer = strings.ToLower(strings.TrimSpace(answer))
	return answer == "" || answer == "y" || answer == "yes", err
}

// load loads a file into what a text names: a table, a namespace for the export of a chat,
// nothing for a dump.
func (s *session) load(ctx context.Context, env transfer.Env, o transfer.LoadOptions, into string) error {
	if s.config.ReadOnly {
		return errors.New("nothing is loaded: the shell was started with --read-only")
	}
	o.File = fileName(o.File)
	var err error
	switch {
	case o.As != "":
		if o.Table.Namespace = s.namespace(); into != "" {
			o.Table.Namespace, err = oneName(into)
		}
	case transfer.IsDump(o.File):
		if into != "" {
			err = errors.New("a dump says itself into which tables it goes")
		}
	case into == "":
		err = fmt.Errorf("into which table does %s go? kalam load FILE TABLE", o.File)
	default:
		o.Table.Namespace, o.Table.Table, err = s.tableName(into)
	}
	if err != nil {
		return err
	}
	if s.names != nil {
		defer s.names.Refresh()
	}
	return whole(transfer.Load(ctx, env, o))
}

// whole is an error that is shown with all of its text: of one that only wraps an error of
// the server, that one would be shown alone.
func whole(err error) error {
	if _, ok := err.(*link.Error); err == nil || ok { //nolint:errorlint // Only the outermost.
		return err
	}
	return errors.New(err.Error())
}

// fileName is the path of a file, or - for standard input.
func fileName(name string) string {
	if name == "-" {
		return name
	}
	return complete.ExpandHome(name)
}

// copyUsage is what \copy takes.
const copyUsage = `\copy takes TABLE FROM FILE, TABLE TO FILE or (QUERY) TO FILE, and options: ` +
	`--format csv|tsv|ndjson|json, for FROM all those of kalam load`

// metaCopy loads a file into a table, or writes a table or the result of a query to one.
func (s *session) metaCopy(ctx context.Context, args string) error {
	what, rest, err := copyTarget(args)
	if err != nil {
		return err
	}
	direction, rest, _ := strings.Cut(rest, " ")
	words, err := argumentWords(rest)
	if err != nil || len(words) == 0 {
		return errors.Join(errors.New(copyUsage), err)
	}
	env := s.surroundings()
	if s.line != nil {
		env.Ask = func(question string) (bool, error) { return agreed(s.line.Ask(ctx, question+" [Y/n] ")) }
	}
	switch {
	case strings.EqualFold(direction, "from") && !strings.HasPrefix(what, "("):
		return s.copyFrom(ctx, env, what, words)
	case strings.EqualFold(direction, "to"):
		return s.copyTo(ctx, env, what, words)
	}
	return errors.New(copyUsage)
}

// copyTarget cuts the table, or the query in parentheses, off the arguments.
func copyTarget(args string) (what, rest string, err error) {
	if !strings.HasPrefix(args, "(") {
		what, rest, _ = strings.Cut(args, " ")
		return what, strings.TrimSpace(rest), nil
	}
	tokens, _ := scan.Tokens(args, 0)
	depth := 0
	for _, t := range tokens {
		switch t.Text {
		case "(":
			depth++
		case ")":
			if depth--; depth == 0 {
				return args[:t.End], strings.TrimSpace(args[t.End:]), nil
			}
		}
	}
	return "", "", errors.New("the query's parenthesis does not end")
}

// copyFrom loads a file.
func (s *session) copyFrom(ctx context.Context, env transfer.Env, table string, words []string) error {
	var o transfer.LoadOptions
	f := flag.NewFlagSet(`\copy`, flag.ContinueOnError)
	f.SetOutput(io.Discard)
	o.Flags(f)
	if err := f.Parse(words[1:]); err != nil {
		return err
	}
	if f.NArg() > 0 {
		return fmt.Errorf("%q is no option; %s", f.Arg(0), copyUsage)
	}
	o.File = words[0]
	if o.File == "-" {
		return errors.New("standard input is the shell's: load it with kalam load -")
	}
	return s.load(ctx, env, o, table)
}

// copyTo writes a file.
func (s *session) copyTo(ctx context.Context, env transfer.Env, what string, words []string) (err error) {
	o := transfer.UnloadOptions{File: fileName(words[0])}
	f := flag.NewFlagSet(`\copy`, flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.StringVar(&o.Format, "format", "", "")
	if err := f.Parse(words[1:]); err != nil {
		return err
	}
	if f.NArg() > 0 {
		return fmt.Errorf("%q is no option; %s", f.Arg(0), copyUsage)
	}
	if query, ok := strings.CutPrefix(what, "("); ok {
		o.Query = s.interpolate(strings.TrimSuffix(query, ")"))
		if err := s.allowed(o.Query); err != nil {
			return err
		}
	} else if o.Table.Namespace, o.Table.Table, err = s.tableName(what); err != nil {
		return err
	}
	return errors.Join(whole(transfer.Unload(ctx, env, o)), s.out.Flush())
}

// argumentWords cuts arguments at blanks outside of quotes.
func argumentWords(args string) (words []string, err error) {
	var word strings.Builder
	open, begun := rune(0), false
	for _, r := range args {
		switch {
		case open != 0 && r == open:
			open = 0
		case open != 0:
			word.WriteRune(r)
		case r == '\'' || r == '"':
			open, begun = r, true
		case r == ' ' || r == '\t':
			if begun {
				words = append(words, word.String())
				word.Reset()
			}
			begun = false
		default:
			word.WriteRune(r)
			begun = true
		}
	}
	if open != 0 {
		return nil, errors.New("a quote does not end")
	}
	if begun {
		words = append(words, word.String())
	}
	return words, nil
}
