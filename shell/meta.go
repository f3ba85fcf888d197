package shell

import (
	"context"
	"errors"
	"strings"

	"github.com/kalamlake/kalam/internal/nearest"
	"github.com/kalamlake/kalam/shell/complete"
	"github.com/kalamlake/kalam/shell/format"
)

// metaCommand is one backslash command.
type metaCommand struct {
	names []string // Without the backslash.
	args  string   // For the help.
	help  string
	run   func(s *session, ctx context.Context, args string) error
}

// metaCommands returns the backslash commands in the order of the help.
func metaCommands() []metaCommand {
	return []metaCommand{
		{[]string{"help", "?"}, "", "show this help (also: help, ?)", (*session).metaHelp},
		{[]string{"quit", "q"}, "", "leave the shell (also: exit, quit)", (*session).metaQuit},
		{[]string{"d", "describe"}, "[NS.]TABLE", "show the columns of a table, or all tables", (*session).metaDescribe},
		{[]string{"dt", "tables"}, "[NS]", "list the tables, all or of a namespace", (*session).metaTables},
		{[]string{"dn", "l"}, "", "list the namespaces", (*session).metaNamespaces},
		{[]string{"du"}, "", "list the users, for dba and system", (*session).metaUsers},
		{[]string{"df"}, "[PART]", "list functions", (*session).metaFunctions},
		{[]string{"dv"}, "[NS]", "list the views, all or of a namespace", (*session).metaViews},
		{[]string{"explain"}, "SQL", "show how a query is computed: the plan", (*session).metaExplain},
		{[]string{"use"}, "NS", "choose the namespace of unqualified names", (*session).metaUse},
		{[]string{"connect", "c"}, "[URL] [-u USER]", "connect to another server, or as another user",
			(*session).metaConnect},
		{[]string{"as"}, "USER SQL", "run a statement as another user", (*session).metaAs},
		{[]string{"g"}, "", "run the last statement again; behind a statement, run it", (*session).metaGo},
		{[]string{"gx"}, "", "the same with a line per cell", (*session).metaGoExpanded},
		{[]string{"watch"}, "[SECONDS|SQL]", "run it again and again; with a query, show it live", (*session).metaWatch},
		{[]string{"e", "edit"}, "[FILE]", "edit the last statement in $EDITOR and run it", (*session).metaEdit},
		{[]string{"i", "include"}, "FILE", "run a script", (*session).metaInclude},
		{[]string{"o", "out"}, "[FILE]", "write results to a file, or here again", (*session).metaOutput},
		{[]string{"copy"}, "TABLE FROM|TO FILE", "load a file into a table, or write one to a file", (*session).metaCopy},
		{[]string{"!"}, "COMMAND", "run a command of the system", (*session).metaShell},
		{[]string{"set"}, "[NAME VALUE]", "set a variable for :NAME, or list them", (*session).metaSet},
		{[]string{"unset"}, "NAME", "forget a variable", (*session).metaUnset},
		{[]string{"echo"}, "TEXT", "print a text", (*session).metaEcho},
		{[]string{"x"}, "[on|off|auto|all]", "a line per cell; auto: if wide; all: _seq, _deleted", (*session).metaExpanded},
		{[]string{"pset"}, "[OPTION VALUE]", "show or change how results look", (*session).metaPset},
		{[]string{"format"}, "FORMAT", strings.Join(format.Names(), ", "), (*session).metaFormat},
		{[]string{"timing"}, "[on|off]", "tell how long each request took, from here", (*session).metaTiming},
		{[]string{"h", "history"}, "[clear]", "show or forget what was typed", (*session).metaHistory},
		{[]string{"refresh-tables", "refresh"}, "", "read the names for completion anew", (*session).metaRefresh},
		{[]string{"show-credentials", "credentials"}, "", "show for which servers tokens are stored",
			(*session).metaCredentials},
		{[]string{"save-credentials"}, "", "store the tokens of this session", (*session).metaSaveCredentials},
		{[]string{"delete-credentials"}, "[NAME]", "forget stored tokens", (*session).metaDeleteCredentials},
		{[]string{"health"}, "", "show how the server is", (*session).metaHealth},
		{[]string{"config"}, "", "show what is connected and how results look", (*session).metaConfig},
		{[]string{"info", "session"}, "", "the same and more of the server", (*session).metaInfo},
		{[]string{"stats", "metrics"}, "", "show the figures of the server", (*session).metaStats},
		{[]string{"jobs", "dj"}, "", "show the last jobs", (*session).metaJobs},
		{[]string{"sessions"}, "", "show who is connected, and the queries under way", (*session).metaSessions},
		{[]string{"flush"}, "", "flush all tables and wait for it", (*session).metaFlush},
		{[]string{"subscribe", "live"}, "SQL", "show a live query until Ctrl+C", (*session).metaSubscribe},
		{[]string{"pause"}, "[off]", "pause the live query, also by p; off: end it", (*session).metaPause},
		{[]string{"unsubscribe", "unwatch"}, "", "end the live query that is paused", (*session).metaUnsubscribe},
		{[]string{"continue"}, "", "show it again, what was held first", (*session).metaContinue},
	}
}

// completions returns the backslash commands for completion.
func completions() (commands []complete.Command) {
	for _, c := range metaCommands() {
		commands = append(commands, c.completion())
	}
	return commands
}

// completion returns what completes a command: its argument as the help names it.
func (c *metaCommand) completion() complete.Command {
	out := complete.Command{Names: c.names}
	argument, _, _ := strings.Cut(strings.Trim(c.args, "[]"), " FROM|TO")
	switch {
	case strings.Contains(argument, "FILE"):
		out.Argument = complete.File
	case strings.HasSuffix(argument, "TABLE"):
		out.Argument = complete.Table
	case argument == "NS":
		out.Argument = complete.Namespace
	case strings.HasSuffix(argument, "SQL"):
		out.Argument = complete.Query
	case argument == "OPTION VALUE":
		out.Argument, out.Words = complete.Words, psetOptions
	case argument == "FORMAT":
		out.Argument, out.Words = complete.Words, format.Names()
	case argument != "" && argument == strings.ToLower(argument):
		out.Argument, out.Words = complete.Words, strings.Split(argument, "|")
	}
	return out
}

// meta runs a backslash command and shows its error.
func (s *session) meta(ctx context.Context, text string) error {
	text = strings.TrimPrefix(strings.TrimSpace(text), `\`)
	word, args, _ := strings.Cut(text, " ")
	if command, ok := strings.CutPrefix(text, "!"); ok {
		word, args = "!", command
	}
	word = strings.TrimRight(word, ";")
	args = strings.TrimSpace(args)
	for _, c := range metaCommands() {
		for _, n := range c.names {
			if n == word {
				err := c.run(s, ctx, args)
				if err != nil && !errors.Is(err, errQuit) && !errors.Is(err, errShown) {
					s.fail(err, "")
				}
				return err
			}
		}
	}
	s.remark(`Unknown command: \%s.%s Type \help for help.`, word, meant(word))
	return errShown
}

// meant asks about the command for which another was probably mistyped.
func meant(word string) string {
	var names []string
	for _, c := range metaCommands() {
		names = append(names, c.names...)
	}
	if found := nearest.Word(word, names); found != "" {
		return ` Did you mean \` + found + `?`
	}
	return ""
}

func (s *session) metaHelp(context.Context, string) error {
	s.remark("Statements end with ';'. Commands:")
	for _, c := range metaCommands() {
		names := `\` + strings.Join(c.names, ` \`)
		if c.args != "" {
			names += " " + c.args
		}
		s.remark("  %-28s %s", names, c.help)
	}
	s.remark("TAB completes, the arrows and Ctrl+R recall what was typed, Ctrl+C discards it.")
	return nil
}

func (s *session) metaQuit(context.Context, string) error {
	s.remark("Goodbye!")
	return errQuit
}

func (s *session) metaExpanded(ctx context.Context, args string) error {
	if strings.EqualFold(args, "auto") {
		s.printer.Auto = !s.printer.Auto
		s.remark("A line per cell where a table is too wide: %s.", onOff(s.printer.Auto))
		return nil
	}
	if strings.EqualFold(args, "all") {
		s.printer.All = !s.printer.All
		s.remark("_seq and _deleted in tables: %s.", onOff(s.printer.All))
		return nil
	}
	on, err := switched(s.printer.Format == format.Vertical, args)
	if err != nil {
		return err
	}
	if on {
		return s.metaFormat(ctx, format.Vertical)
	}
	return s.metaFormat(ctx, format.Table)
}

func (s *session) metaHealth(ctx context.Context, _ string) error {
	h, err := s.client.Health(ctx)
	if err != nil {
		return err
	}
	s.remark("Server is %s, version %s, up %d s", h.Status, h.Version, h.UptimeSeconds)
	if m := h.Metrics; m != nil {
		s.remark("%d connections, %d subscriptions, %.1f queries/s",
			m.ActiveConnections, m.ActiveSubscriptions, m.QueriesPerSecond)
	}
	return nil
}
