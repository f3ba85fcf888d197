package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/kalamlake/kalam"
)

// plan is what is loaded from one file into one table.
type plan struct {
	source  *source
	reader  reader
	sample  []ahead
	name    Name
	create  string   // "" if the table exists.
	columns []column // That are written.
	from    []int    // See insert.
	keyed   bool     // The key of each row is known before it is sent.
	guesses []guess  // By column of the reader; nil if the types were given.
	format  string
}

// ahead is a record that was read to guess types, or why it was not.
type ahead struct {
	record record
	err    error
}

// openReader returns the reader of a file in one of the formats.
func openReader(in io.Reader, format string, o *LoadOptions) (reader, error) {
	var given []string
	if o.NoHeader {
		given = o.Columns
	}
	switch format {
	case CSV:
		return newDelimited(in, ',', o.Null, given)
	case TSV:
		return newDelimited(in, '\t', o.Null, given)
	}
	return newDocuments(in, format == NDJSON, o.Sample)
}

// peek reads the first records.
func (p *plan) peek(n int) []record {
	var good []record
	for len(p.sample) < n {
		r, err := p.reader.next()
		p.sample = append(p.sample, ahead{r, err})
		if err == nil {
			good = append(good, r)
			continue
		}
		var bad *badRecord
		if !errors.As(err, &bad) {
			break // It is given again when the records before it have been.
		}
	}
	return good
}

// next returns the next record: those that were read ahead come first.
func (p *plan) next() (record, error) {
	if len(p.sample) == 0 {
		return p.reader.next()
	}
	a := p.sample[0]
	p.sample = p.sample[1:]
	return a.record, a.err
}

// newPlan opens the file and decides into which columns of which table it goes.
func newPlan(ctx context.Context, env Env, o *LoadOptions) (*plan, error) {
	format, err := checkFormat(o.Format, o.File)
	if err != nil {
		return nil, err
	}
	p := &plan{name: o.Table, format: format}
	if p.source, err = openSource(o.File, env.In); err != nil {
		return nil, err
	}
	if err := p.match(ctx, env, o); err != nil {
		return nil, errors.Join(err, p.source.close())
	}
	return p, nil
}

// match finds the columns of the table for those of the file.
func (p *plan) match(ctx context.Context, env Env, o *LoadOptions) error {
	var err error
	if p.reader, err = openReader(p.source.in, p.format, o); err != nil {
		return fmt.Errorf("%s: %w", o.File, err)
	}
	names := identifiers(p.reader.columns())
	for i, n := range p.reader.columns() {
		if isSystemColumn(n) {
			names[i] = "-"
		}
	}
	if len(o.Columns) > len(names) {
		return fmt.Errorf("--columns has %d names, the file %d columns", len(o.Columns), len(names))
	}
	for i, n := range o.Columns {
		if names[i] = strings.TrimSpace(n); names[i] == "" {
			names[i] = "-"
		}
	}
	good := p.peek(o.Sample)
	if len(good) == 0 && len(p.sample) > 0 && !errors.Is(p.sample[0].err, io.EOF) {
		return fmt.Errorf("%s: %w", o.File, p.sample[0].err)
	}
	there, err := tableColumns(ctx, env.Client, p.name)
	if err != nil {
		return err
	}
	if p.guesses = guessTypes(len(names), good); len(there) > 0 {
		return p.into(names, there)
	}
	return p.invent(names, o)
}

// into takes the columns of a table that exists.
func (p *plan) into(names []string, there []column) error {
	var has []string
	for _, c := range there {
		has = append(has, c.name)
	}
	p.keyed = true
	for i, n := range names {
		at := slices.Index(has, n)
		switch {
		case n == "-":
		case at < 0:
			return fmt.Errorf("column %s of the file is not in table %s (%s); --columns names the file's columns in their order, "+
				"- leaves one out", n, p.name, strings.Join(has, ", "))
		default:
			p.columns, p.from = append(p.columns, there[at]), append(p.from, i)
		}
	}
	keys := 0
	for _, c := range there {
		if !c.key {
			continue
		}
		keys++
		if slices.Contains(names, c.name) {
			continue
		}
		if c.name == keyColumn && c.kind == kalam.KindBigInt && !c.generated { // Of a table that a load has made.
			p.columns, p.from = append(p.columns, c), append(p.from, recordNumber)
			continue
		}
		if p.keyed = false; !c.generated {
			return fmt.Errorf("the file has no column %s, which is of the key of table %s and has no default", c.name, p.name)
		}
	}
	if p.keyed = p.keyed && keys > 0; len(p.columns) == 0 {
		return errors.New("no column of the file is left")
	}
	return nil
}

// invent makes columns of a table that is to be created.
func (p *plan) invent(names []string, o *LoadOptions) error {
	types := map[string]string{}
	for _, t := range o.Types {
		name, typ, ok := strings.Cut(t, "=")
		name = strings.TrimSpace(name)
		if !ok || !slices.Contains(names, name) {
			return fmt.Errorf("--types has %q: it is column=type, and the columns are %s", t, strings.Join(names, ", "))
		}
		types[name] = strings.TrimSpace(typ)
	}
	for i, n := range names {
		if n == "-" {
			continue
		}
		if err := kalam.CheckIdentifier("column", n); err != nil {
			return fmt.Errorf("%w; --columns gives the columns other names", err)
		}
		c := column{name: n, kind: p.guesses[i].kind()}
		if c.typ = types[n]; c.typ != "" {
			c.kind = kindOf(c.typ)
		} else {
			c.typ = kalam.TypeOf(c.kind).String()
		}
		p.columns, p.from = append(p.columns, c), append(p.from, i)
	}
	if err := p.inventKey(o.Key); err != nil {
		return err
	}
	p.keyed = true
	p.create = createTable(p.name, o.Kind, p.columns)
	return nil
}

// keyColumn is the key of a table that is created where the file has none.
const keyColumn = "record_number"

// inventKey chooses the key: the columns that are named, else the first one called id or
// like it whose values differ, else the number of the record.
func (p *plan) inventKey(given []string) error {
	for _, k := range given {
		at := slices.IndexFunc(p.columns, func(c column) bool { return c.name == k })
		if at < 0 {
			return fmt.Errorf("--key: the file has no column %q", k)
		}
		p.columns[at].key = true
	}
	if len(given) > 0 {
		return nil
	}
	for i := range p.columns {
		c := &p.columns[i]
		called := c.name == "id" || c.name == "uuid" || c.name == "key" || strings.HasSuffix(c.name, "_id") && i == 0
		if called && p.guesses[p.from[i]].isKey() {
			c.key = true
			return nil
		}
	}
	for _, c := range p.columns {
		if c.name == keyColumn {
			return fmt.Errorf("no column is called id: --key says which columns tell rows apart")
		}
	}
	p.columns = append(p.columns, column{name: keyColumn, typ: "BIGINT", kind: kalam.KindBigInt, key: true})
	p.from = append(p.from, recordNumber)
	return nil
}

// describe shows what will be done.
func (p *plan) describe(say func(string, ...any)) {
	into := "existing table"
	if p.create != "" {
		into = "new table"
	}
	say("%s (%s) into %s %s", p.source.name, p.format, into, p.name)
	for i, c := range p.columns {
		mark := ""
		if c.key {
			mark = "  key"
		}
		if p.from[i] == recordNumber {
			say("  %-24s %-14s the number of the record%s", c.name, c.typ, mark)
			continue
		}
		example := "no value in the sample"
		if p.guesses != nil {
			g := &p.guesses[p.from[i]]
			if g.values > 0 {
				example = "such as " + shortened(g.example)
			}
			if g.nulls > 0 && g.values > 0 {
				example += fmt.Sprintf(", %d%% empty", 100*g.nulls/(g.nulls+g.values))
			}
		}
		say("  %-24s %-14s %s%s", c.name, c.typ, example, mark)
	}
	if p.create != "" {
		say("%s;", p.create)
	}
}

// shortened is the begin of an example, on one line.
func shortened(s string) string {
	const most = 40
	s = strings.Join(strings.Fields(s), " ")
	if utf8.RuneCountInString(s) > most {
		return string([]rune(s)[:most]) + "..."
	}
	return s
}
