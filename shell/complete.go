package shell

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/kalamlake/kalam/sqltext"
)

// completer finds what may stand at a place of a statement. It only looks at names
// that are in memory; see nameCache for where they come from.
type completer struct {
	names     func() *names // Never nil.
	namespace func() string // Of unqualified names.
	commands  []string      // Backslash commands, without the backslash.
}

// complete returns the completions at byte at of a text, the most likely ones
// first.
func (c *completer) complete(text string, at int) suggestions {
	if s, ok := c.command(text, at); ok {
		return s
	}
	tokens, inside := scan(text, at)
	if inside {
		return suggestions{start: at} // In a string or comment.
	}
	p := placeOf(text, tokens, at)
	f := &finder{completer: c, place: p, names: c.names(), seen: map[string]bool{}}
	f.find()
	return suggestions{start: p.start, items: f.sorted()}
}

// command completes a backslash command and its argument.
func (c *completer) command(text string, at int) (s suggestions, ok bool) {
	line := text[strings.LastIndexByte(text[:at], '\n')+1 : at]
	trimmed := strings.TrimLeft(line, " \t")
	if !strings.HasPrefix(trimmed, `\`) {
		return s, false
	}
	if before := text[:at-len(line)]; pending(before) {
		return s, false
	}
	word, argument, has := strings.Cut(trimmed, " ")
	f := &finder{completer: c, names: c.names(), seen: map[string]bool{}}
	if !has {
		f.place = place{start: at - len(word), partial: word}
		for _, name := range c.commands {
			f.add(`\`+name, `\`+name, "command", 0)
		}
		return suggestions{start: f.place.start, items: f.sorted()}, true
	}
	if strings.Contains(argument, " ") {
		return s, word != `\subscribe` && word != `\watch` && word != `\live`
	}
	tokens, _ := scan(argument, len(argument))
	f.place = placeOf(argument, tokens, len(argument))
	switch word {
	case `\d`:
		if len(f.qualifier) > 0 {
			f.qualified()
		} else {
			f.tables(0)
		}
	case `\use`, `\dt`:
		f.namespaces(0)
	case `\format`:
		f.words(0, Formats(), "format")
	case `\subscribe`, `\watch`, `\live`:
		f.words(0, []string{"SELECT", "SUBSCRIBE"}, "keyword")
	case `\history`:
		f.words(0, []string{"clear"}, "")
	case `\x`:
		f.words(0, []string{"all", "off", "on"}, "")
	case `\timing`:
		f.words(0, []string{"off", "on"}, "")
	}
	f.place.start += at - len(argument)
	return suggestions{start: f.place.start, items: f.sorted()}, true
}

// place is where in a statement something is to be completed.
type place struct {
	start     int      // Byte of the text at which the word begins.
	partial   string   // The word as far as it is typed, without quotes.
	quoted    bool     // It begins with a quote.
	qualifier []string // What stands before it with dots: n of n.t, m of m.c.
	before    []token  // Of the statement, up to the word and its qualifier.
	all       []token  // Of the statement.
}

// placeOf finds the statement and the word at a byte.
func placeOf(text string, tokens []token, at int) place {
	p := place{start: at}
	first, last := 0, len(tokens)
	for i, t := range tokens {
		if t.kind == tokenPunct && t.text == ";" {
			if t.end <= at {
				first = i + 1
			} else {
				last = i
				break
			}
		}
	}
	p.all = tokens[first:last]
	for _, t := range p.all {
		if t.start < at && t.end >= at && t.isName() {
			p.start, p.partial, p.quoted = t.start, text[t.start:at], t.kind == tokenQuoted
			if p.quoted {
				p.partial = strings.ReplaceAll(p.partial[1:], `""`, `"`)
			}
		}
	}
	for i, t := range p.all {
		if t.start >= p.start {
			break
		}
		p.before = p.all[:i+1]
	}
	for n := len(p.before); n >= 2 && p.before[n-1].text == "." && p.before[n-2].isName(); n -= 2 {
		p.qualifier = append([]string{p.before[n-2].name()}, p.qualifier...)
		p.before = p.before[:n-2]
	}
	return p
}

// finder collects the suggestions for a place.
type finder struct {
	*completer
	place
	names *names
	items []suggestion
	seen  map[string]bool
}

// add suggests text if what is typed is the begin of match.
func (f *finder) add(text, match, kind string, tier int) {
	if !hasPrefixFold(match, f.partial) || f.seen[text] || utf8.RuneCountInString(text) == 0 {
		return
	}
	f.seen[text] = true
	f.items = append(f.items, suggestion{text: text, kind: kind, tier: tier})
}

// sorted returns the suggestions by tier and by name, whatever their case and
// quotes.
func (f *finder) sorted() []suggestion {
	for i := range f.items {
		f.items[i].key = strings.ToLower(strings.ReplaceAll(f.items[i].text, `"`, ""))
	}
	slices.SortStableFunc(f.items, func(a, b suggestion) int {
		if a.tier != b.tier {
			return a.tier - b.tier
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
				f.columns([]reference{r}, 0)
			}
		}
		for _, t := range f.names.tablesOf(q) {
			f.identifier(t, "table", 0)
		}
		return
	}
	f.columns([]reference{{namespace: f.qualifier[len(f.qualifier)-2], table: q}}, 0)
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
			f.columns(f.references(), 0)
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
	case last.is("AS"): // A name of one's own.
	case isTableClause(clause) && !paren && (last.is(clause) || clause == "FROM" && last.text == ","):
		f.tables(0)
	case clause == "INTO" && paren:
		f.columns(f.references(), 0)
	case clause == "TABLE" && paren:
		f.words(0, typeWords, "type")
		f.words(1, sqltext.Keywords(), "keyword")
	case last.endsOperand():
		f.words(0, sqltext.Keywords(), "keyword")
	default:
		refs := f.references()
		f.columns(refs, 0)
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
func (f *finder) columns(refs []reference, tier int) {
	if len(refs) == 0 {
		f.names.eachUserColumn(func(c column) { f.identifier(c.name, c.kind, tier) })
		return
	}
	for _, r := range refs {
		for _, c := range f.names.columnsOf(r.namespace, r.table) {
			f.identifier(c.name, c.kind, tier)
		}
	}
}

// tables suggests the tables of the namespace by their name, the others with their
// namespace; of those only the namespaces as long as nothing is typed.
func (f *finder) tables(tier int) {
	current := f.namespace()
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
		clause := strings.ToUpper(f.all[i].text)
		if !f.all[i].isWord() || !isTableClause(clause) {
			continue
		}
		for i++; i < len(f.all) && f.all[i].isName(); {
			var r reference
			r, i = f.reference(i)
			refs = append(refs, r)
			if clause != "FROM" || i+1 >= len(f.all) || f.all[i].text != "," {
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
	parts := []string{f.all[i].name()}
	for i++; i+1 < len(f.all) && f.all[i].text == "." && f.all[i+1].isName(); i += 2 {
		parts = append(parts, f.all[i+1].name())
	}
	r := reference{namespace: f.namespace(), table: parts[len(parts)-1]}
	if len(parts) > 1 {
		r.namespace = parts[len(parts)-2]
	}
	r.alias = r.table
	if i < len(f.all) && f.all[i].is("AS") {
		i++
	}
	if i < len(f.all) && f.all[i].isName() && !(f.all[i].isWord() && isKeyword(f.all[i].text)) {
		r.alias = f.all[i].name()
		i++
	}
	return r, i
}

// hasPrefixFold reports whether s begins with prefix, whatever the case.
func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
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
