package complete

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/kalamlake/kalam/shell/scan"
	"github.com/kalamlake/kalam/sqltext"
)

// Completer finds what may stand at a place of a statement. It only looks at names
// that are in memory; see NameCache for where they come from.
type Completer struct {
	Names     func() *Names // Never nil.
	Namespace func() string // Of unqualified names.
	Commands  []Command
	Pending   func(text string) bool // Whether a text ends inside a statement.
}

// Complete returns the completions at byte at of a text, the most likely ones
// first.
func (c *Completer) Complete(text string, at int) Suggestions {
	if s, ok := c.command(text, at); ok {
		return s
	}
	tokens, inside := scan.Tokens(text, at)
	if inside {
		return Suggestions{Start: at} // In a string or comment.
	}
	p := placeOf(text, tokens, at)
	f := &finder{Completer: c, place: p, names: c.Names(), seen: map[string]bool{}}
	f.find()
	return Suggestions{Start: p.start, Items: f.sorted()}
}

// command completes a backslash command and its argument.
func (c *Completer) command(text string, at int) (s Suggestions, ok bool) {
	line := text[strings.LastIndexByte(text[:at], '\n')+1 : at]
	trimmed := strings.TrimLeft(line, " \t")
	if !strings.HasPrefix(trimmed, `\`) || c.Pending(text[:at-len(line)]) {
		return s, false
	}
	word, argument, has := strings.Cut(trimmed, " ")
	f := &finder{Completer: c, names: c.Names(), seen: map[string]bool{}}
	if !has {
		f.place = place{start: at - len(word), partial: word}
		for _, command := range c.Commands {
			for _, name := range command.Names {
				f.add(`\`+name, `\`+name, "command", 0)
			}
		}
		return Suggestions{Start: f.place.start, Items: f.sorted()}, true
	}
	i := slices.IndexFunc(c.Commands, func(c Command) bool { return slices.Contains(c.Names, word[1:]) })
	if i < 0 {
		return s, true
	}
	if c.Commands[i].Argument == File {
		return files(argument, at), true
	}
	if strings.Contains(argument, " ") {
		return s, c.Commands[i].Argument != Query
	}
	tokens, _ := scan.Tokens(argument, len(argument))
	f.place = placeOf(argument, tokens, len(argument))
	f.argument(c.Commands[i])
	f.place.start += at - len(argument)
	return Suggestions{Start: f.place.start, Items: f.sorted()}, true
}

// argument suggests the argument of a command.
func (f *finder) argument(c Command) {
	switch c.Argument {
	case Table:
		if len(f.qualifier) > 0 {
			f.qualified()
		} else {
			f.tables(0)
		}
	case Namespace:
		f.namespaces(0)
	case Query:
		f.words(0, queryWords, "keyword")
	case Words:
		f.words(0, c.Words, "")
	case None, File:
	}
}

// queryWords begin what the commands of a query take.
var queryWords = []string{"SELECT", "SUBSCRIBE"}

// place is where in a statement something is to be completed.
type place struct {
	start     int          // Byte of the text at which the word begins.
	partial   string       // The word as far as it is typed, without quotes.
	quoted    bool         // It begins with a quote.
	qualifier []string     // What stands before it with dots: n of n.t, m of m.c.
	before    []scan.Token // Of the statement, up to the word and its qualifier.
	all       []scan.Token // Of the statement.
}

// placeOf finds the statement and the word at a byte.
func placeOf(text string, tokens []scan.Token, at int) place {
	p := place{start: at}
	first, last := 0, len(tokens)
	for i, t := range tokens {
		if t.Kind == scan.Punct && t.Text == ";" {
			if t.End <= at {
				first = i + 1
			} else {
				last = i
				break
			}
		}
	}
	p.all = tokens[first:last]
	for _, t := range p.all {
		if t.Start < at && t.End >= at && t.IsName() {
			p.start, p.partial, p.quoted = t.Start, text[t.Start:at], t.Kind == scan.Quoted
			if p.quoted {
				p.partial = strings.ReplaceAll(p.partial[1:], `""`, `"`)
			}
		}
	}
	for i, t := range p.all {
		if t.Start >= p.start {
			break
		}
		p.before = p.all[:i+1]
	}
	for n := len(p.before); n >= 2 && p.before[n-1].Text == "." && p.before[n-2].IsName(); n -= 2 {
		p.qualifier = append([]string{p.before[n-2].Name()}, p.qualifier...)
		p.before = p.before[:n-2]
	}
	return p
}

// finder collects the Suggestions for a place.
type finder struct {
	*Completer
	place
	names *Names
	items []Suggestion
	seen  map[string]bool
}

// add suggests text if what is typed is the begin of match.
func (f *finder) add(text, match, kind string, tier int) {
	if !hasPrefixFold(match, f.partial) || f.seen[text] || utf8.RuneCountInString(text) == 0 {
		return
	}
	f.seen[text] = true
	f.items = append(f.items, Suggestion{Text: text, Kind: kind, Tier: tier})
}

// sorted returns the Suggestions by tier and by name, whatever their case and
// quotes.
func (f *finder) sorted() []Suggestion {
	for i := range f.items {
		f.items[i].key = strings.ToLower(strings.ReplaceAll(f.items[i].Text, `"`, ""))
	}
	slices.SortStableFunc(f.items, func(a, b Suggestion) int {
		if a.Tier != b.Tier {
			return a.Tier - b.Tier
		}
		return strings.Compare(a.key, b.key)
	})
	return f.items
}

// identifier suggests a name, in quotes where it needs them.
func (f *finder) identifier(name, kind string, tier int) {
	if !hasPrefixFold(name, f.partial) {
		return
	}
	f.add(f.quote(name), name, kind, tier)
}

func (f *finder) quote(name string) string {
	if f.quoted || !isPlainName(name) {
		return sqltext.QuoteIdent(name)
	}
	return name
}

// words suggests words as they are.
func (f *finder) words(tier int, words []string, kind string) {
	if f.quoted {
		return
	}
	for _, w := range words {
		f.add(w, w, kind, tier)
	}
}

// find suggests what the place asks for.
func (f *finder) find() {
	if len(f.qualifier) > 0 {
		f.qualified()
		return
	}
	if len(f.before) == 0 {
		f.words(0, statementWords, "statement")
		f.words(0, promptWords, "command")
		return
	}
	if f.phrase() {
		return
	}
	if options := optionWords(f.before); options != nil {
		f.words(0, options, "option")
		return
	}
	f.clause()
}

// qualified suggests what may stand behind a dot.
func (f *finder) qualified() {
	q := f.qualifier[len(f.qualifier)-1]
	if len(f.qualifier) == 1 {
		for _, r := range f.references() {
			if strings.EqualFold(r.alias, q) {
				f.columns([]reference{r})
			}
		}
		for _, t := range f.names.tablesOf(q) {
			f.identifier(t, "table", 0)
		}
		return
	}
	f.columns([]reference{{namespace: f.qualifier[len(f.qualifier)-2], table: q}})
}

// phrase follows the statements whose words come in a fixed order; see phrases.
func (f *finder) phrase() bool {
	found := false
	for _, p := range phrases {
		next, ok := p.after(f.before)
		if !ok {
			continue
		}
		found = true
		switch next {
		case "<table>":
			f.tables(0)
		case "<namespace>":
			f.namespaces(0)
		case "<column>":
			f.columns(f.references())
		case "<name>":
		default:
			f.words(0, []string{next}, "keyword")
		}
	}
	return found
}

// clause suggests by the clause of a query or a change.
func (f *finder) clause() {
	last := f.before[len(f.before)-1]
	clause, paren := clauseOf(f.before)
	switch {
	case last.Is("AS"): // A name of one's own.
	case isTableClause(clause) && !paren && (last.Is(clause) || clause == "FROM" && last.Text == ","):
		f.tables(0)
	case clause == "INTO" && paren:
		f.columns(f.references())
	case clause == "TABLE" && paren:
		f.words(0, typeWords, "type")
		f.words(1, sqltext.Keywords(), "keyword")
	case endsOperand(last):
		f.words(0, sqltext.Keywords(), "keyword")
	default:
		refs := f.references()
		f.columns(refs)
		for _, r := range refs {
			f.identifier(r.alias, "table", 0)
		}
		for _, name := range functionWords {
			f.add(name+"(", name, "function", 1)
		}
		f.words(1, sqltext.Keywords(), "keyword")
	}
}

// columns suggests the columns of the tables that the statement names; without
// any, those of all tables but the server's.
func (f *finder) columns(refs []reference) {
	if len(refs) == 0 {
		f.names.eachUserColumn(func(c column) { f.identifier(c.name, c.kind, 0) })
		return
	}
	for _, r := range refs {
		for _, c := range f.names.columnsOf(r.namespace, r.table) {
			f.identifier(c.name, c.kind, 0)
		}
	}
}

// tables suggests the tables of the namespace by their name, the others with their
// namespace; of those only the namespaces as long as nothing is typed.
func (f *finder) tables(tier int) {
	current := f.Namespace()
	for _, ns := range f.names.namespaces {
		tables := f.names.tablesOf(ns)
		if ns == current {
			for _, t := range tables {
				f.identifier(t, "table", tier)
			}
		}
		if f.partial == "" || len(tables) == 0 || f.quoted {
			if ns != current || f.partial != "" {
				f.add(f.quote(ns)+".", ns, "namespace", tier)
			}
			continue
		}
		for _, t := range tables {
			full := f.quote(ns) + "." + f.quote(t)
			if ns != current && hasPrefixFold(t, f.partial) {
				f.add(full, t, "table", tier)
			}
			f.add(full, ns, "table", tier)
		}
	}
}

func (f *finder) namespaces(tier int) {
	for _, ns := range f.names.namespaces {
		f.identifier(ns, "namespace", tier)
	}
}

// reference is a table that a statement names.
type reference struct {
	namespace, table string
	alias            string // The table's name without one.
}

// references returns the tables that the statement names, before or after the
// cursor.
func (f *finder) references() (refs []reference) {
	for i := 0; i < len(f.all); i++ {
		clause := strings.ToUpper(f.all[i].Text)
		if !f.all[i].IsWord() || !isTableClause(clause) {
			continue
		}
		for i++; i < len(f.all) && f.all[i].IsName(); {
			var r reference
			r, i = f.reference(i)
			refs = append(refs, r)
			if clause != "FROM" || i+1 >= len(f.all) || f.all[i].Text != "," {
				break
			}
			i++
		}
		i--
	}
	return refs
}

// reference reads the name of a table and its alias at index i, and returns the
// index after them.
func (f *finder) reference(i int) (reference, int) {
	parts := []string{f.all[i].Name()}
	for i++; i+1 < len(f.all) && f.all[i].Text == "." && f.all[i+1].IsName(); i += 2 {
		parts = append(parts, f.all[i+1].Name())
	}
	r := reference{namespace: f.Namespace(), table: parts[len(parts)-1]}
	if len(parts) > 1 {
		r.namespace = parts[len(parts)-2]
	}
	r.alias = r.table
	if i < len(f.all) && f.all[i].Is("AS") {
		i++
	}
	if i < len(f.all) && f.all[i].IsName() && !(f.all[i].IsWord() && isKeyword(f.all[i].Text)) {
		r.alias = f.all[i].Name()
		i++
	}
	return r, i
}

// isPlainName reports whether a name needs no quotes.
func isPlainName(name string) bool {
	if name == "" || sqltext.IsReserved(name) {
		return false
	}
	for i, r := range name {
		if r != '_' && (r < 'a' || r > 'z') && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return true
}
