package transfer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/link"
	"github.com/kalamlake/kalam/sqltext"
)

// The files of a dump beside those of the tables.
const (
	dumpIndex      = "dump.json"
	dumpSchema     = "schema.sql"
	dumpUnfinished = "kalam-dump-unfinished" // In a directory that a dump has not finished.
)

// dumpVersion is that of the directory.
const dumpVersion = 1

// DumpOptions say what is dumped.
type DumpOptions struct {
	Directory string   // Made by the dump; it must not exist.
	Only      []string // Namespaces and ns.table; nil is all that the user sees.
	Format    string   // Of the data; "" is CSV.
}

// dumpFile is dump.json.
type dumpFile struct {
	Version    int          `json:"version"`
	Server     string       `json:"server"`
	User       string       `json:"user"` // Whose rows of USER and STREAM tables these are.
	Created    string       `json:"created_at"`
	Namespaces []string     `json:"namespaces"`
	Tables     []dumpTable  `json:"tables"`
	Views      []dumpCreate `json:"views"`
}

// dumpCreate is a statement that makes something.
type dumpCreate struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Create    string `json:"create"`
}

// dumpTable is a table of a dump.
type dumpTable struct {
	dumpCreate
	File   string `json:"file"`
	Format string `json:"format"`
	Rows   int64  `json:"rows"`
	Seq    string `json:"seq,omitempty"` // The commit as of which the rows are; "" if they are of several moments.
	kind   string
}

// sqlTables asks for the tables that a user sees.
const sqlTables = "SELECT table_schema, table_name, kalamdb_table_type FROM information_schema.tables" +
	" WHERE table_type IN ('BASE TABLE', 'VIEW') ORDER BY 1, 2"

// Dump writes the tables that a user sees, and the user's rows in them, to a new directory.
// It is there when all of it is.
func Dump(ctx context.Context, env Env, o DumpOptions) (err error) {
	if o.Format == "" {
		o.Format = CSV
	}
	if o.Format, err = checkFormat(o.Format, ""); err != nil {
		return err
	}
	if _, err := os.Lstat(o.Directory); !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(fmt.Errorf("%s exists already: a dump makes its directory", o.Directory), err)
	}
	d := dumpFile{Version: dumpVersion, Server: env.Client.URL(), User: env.User,
		Created: env.Now().UTC().Format(time.RFC3339), Tables: []dumpTable{}, Views: []dumpCreate{}}
	if err := d.find(ctx, env, o.Only); err != nil {
		return err
	}
	unfinished := o.Directory + ".unfinished"
	if err := makeUnfinished(unfinished); err != nil {
		return err
	}
	if err := d.write(ctx, env, unfinished, o.Format); err != nil {
		return errors.Join(err, os.RemoveAll(unfinished))
	}
	if err := os.Remove(filepath.Join(unfinished, dumpUnfinished)); err != nil {
		return err
	}
	if err := os.Rename(unfinished, o.Directory); err != nil {
		return err
	}
	rows := int64(0)
	for _, t := range d.Tables {
		rows += t.Rows
	}
	env.Say("Dumped %d tables with %s rows to %s", len(d.Tables), Count(rows), o.Directory)
	return nil
}

// makeUnfinished makes the directory of a dump under way. What a dump that was killed has
// left there goes.
func makeUnfinished(dir string) error {
	marker := filepath.Join(dir, dumpUnfinished)
	if _, err := os.Stat(marker); err == nil {
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	return writeSynced(marker, nil)
}

// find lists what is dumped.
func (d *dumpFile) find(ctx context.Context, env Env, only []string) error {
	res, err := env.Client.Query(ctx, sqlTables)
	if err != nil {
		return err
	}
	found := map[string]bool{}
	r := res.Results[0]
	for i := range r.Rows() {
		ns, _ := r.Text(i, 0)
		name, _ := r.Text(i, 1)
		kind, _ := r.Text(i, 2)
		full := ns + "." + name
		if len(only) > 0 && !wanted(only, found, ns, full) {
			continue
		}
		if n := len(d.Namespaces); n == 0 || d.Namespaces[n-1] != ns {
			d.Namespaces = append(d.Namespaces, ns)
		}
		c := dumpCreate{Namespace: ns, Name: name}
		if c.Create, err = showCreate(ctx, env.Client, kind, Name{ns, name}); err != nil {
			return err
		}
		if kind == "VIEW" {
			d.Views = append(d.Views, c)
		} else {
			d.Tables = append(d.Tables, dumpTable{dumpCreate: c, kind: kind})
		}
	}
	for _, o := range only {
		if !found[strings.ToLower(o)] {
			return fmt.Errorf("there is no namespace or table %s that you may see, or no table in it", o)
		}
	}
	return nil
}

// wanted reports whether a table is among those that are asked for, and notes which.
func wanted(only []string, found map[string]bool, ns, full string) (yes bool) {
	for _, o := range only {
		if o = strings.ToLower(o); o == ns || o == full {
			found[o], yes = true, true
		}
	}
	return yes
}

// showCreate asks for the statement that makes a table or view.
func showCreate(ctx context.Context, c *link.Client, kind string, name Name) (string, error) {
	what := "TABLE"
	if kind == "VIEW" {
		what = kind
	}
	res, err := c.Query(ctx, "SHOW CREATE "+what+" "+name.sql())
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	text, ok := res.Results[0].Text(0, 1)
	if !ok {
		return "", fmt.Errorf("%s: the server does not tell how it is made", name)
	}
	return text, nil
}

// write writes all files of a dump.
func (d *dumpFile) write(ctx context.Context, env Env, dir, format string) error {
	p := &progress{bytes: func() int64 { return 0 }, start: env.Now(), now: env.Now}
	stop := p.show(env.Screen, env.Width)
	defer stop()
	for i := range d.Tables {
		t := &d.Tables[i]
		t.Format, t.File = format, t.Namespace+"."+t.Name+"."+format
		if err := t.write(ctx, env, dir, p); err != nil {
			return fmt.Errorf("%s.%s: %w", t.Namespace, t.Name, err)
		}
	}
	var schema strings.Builder
	for _, ns := range d.Namespaces {
		fmt.Fprintf(&schema, "CREATE NAMESPACE IF NOT EXISTS %s;\n", sqltext.QuoteIdent(ns))
	}
	for _, t := range d.Tables {
		fmt.Fprintf(&schema, "\n%s;\n", t.Create)
	}
	for _, v := range d.Views {
		fmt.Fprintf(&schema, "\n%s;\n", v.Create)
	}
	index, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return err
	}
	return errors.Join(writeSynced(filepath.Join(dir, dumpSchema), []byte(schema.String())),
		writeSynced(filepath.Join(dir, dumpIndex), append(index, '\n')))
}

// write writes the rows of a table.
func (t *dumpTable) write(ctx context.Context, env Env, dir string, p *progress) error {
	f, err := os.OpenFile(filepath.Join(dir, t.File), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	pages := &pager{client: env.Client, name: Name{t.Namespace, t.Name}, stream: t.kind == "STREAM"}
	t.Rows, err = pages.writeTo(ctx, f, t.Format, func(n int) { p.rows.Add(int64(n)) })
	if t.Seq = pages.seq; pages.moved {
		env.Say("%s.%s was changed while it was dumped, and what it was is not kept: its rows are of several moments",
			t.Namespace, t.Name)
	}
	return errors.Join(err, f.Sync(), f.Close())
}

// pager reads a table by its key, a page at a time, as of one commit if the server keeps it.
type pager struct {
	client  *link.Client
	name    Name
	stream  bool // It has no history.
	seq     string
	moved   bool // The commit was not kept to the end.
	columns []column
	order   []string // The names of the key's columns, quoted; `_seq` where there is none.
	last    []any    // Of these, those of the last row.
	rows    int      // Of the next page.
}

// Bounds of a page.
const (
	firstPage = 1000
	mostPage  = 100_000
	pageBytes = 16 << 20 // About which a page has.
)

// writeTo writes all rows. each is called with the number of rows of each page.
func (p *pager) writeTo(ctx context.Context, out io.Writer, format string, each func(rows int)) (int64, error) {
	if err := p.begin(ctx); err != nil {
		return 0, err
	}
	var w *writer
	for {
		r, err := p.page(ctx)
		if err != nil {
			return 0, err
		}
		n := len(p.columns)
		if w == nil {
			if w, err = newWriter(out, format, r.Columns()[:n]); err != nil {
				return 0, err
			}
		}
		bytes := 0
		for i, row := range r.Rows() {
			for _, cell := range row {
				bytes += len(cell)
			}
			if err := w.write(r, i); err != nil {
				return 0, err
			}
		}
		count := len(r.Rows())
		each(count)
		if count < p.rows {
			return w.rows, w.end()
		}
		p.last = p.last[:0]
		for i := range p.order {
			text, _ := r.Text(count-1, n+i)
			p.last = append(p.last, text)
		}
		p.rows = min(max(count*pageBytes/max(bytes, 1), 1), mostPage, 4*p.rows)
	}
}

// begin finds the columns, the key and the commit.
func (p *pager) begin(ctx context.Context) error {
	var err error
	if p.columns, err = tableColumns(ctx, p.client, p.name); err != nil {
		return err
	}
	if len(p.columns) == 0 {
		return fmt.Errorf("there is no table %s that you may see", p.name)
	}
	p.rows = firstPage
	for _, c := range p.columns {
		if c.key {
			p.order = append(p.order, sqltext.QuoteIdent(c.name))
		}
	}
	if len(p.order) == 0 {
		p.order = []string{kalam.ColumnSeq}
	}
	if p.stream {
		return nil
	}
	res, err := p.client.Query(ctx, "SELECT max(_seq) FROM "+p.name.sql())
	if err != nil {
		return err
	}
	p.seq, _ = res.Results[0].Text(0, 0) // Without rows there is none.
	return nil
}

// page reads the next rows.
func (p *pager) page(ctx context.Context) (*link.Result, error) {
	res, err := p.client.Query(ctx, p.query(), p.last...)
	if err != nil && p.seq != "" && isRefusal(err) {
		p.seq, p.moved = "", true
		res, err = p.client.Query(ctx, p.query(), p.last...)
	}
	if err != nil {
		return nil, err
	}
	return res.Results[0], nil
}

// query is the text that asks for the next rows.
func (p *pager) query() string {
	var names, marks []string
	for _, c := range p.columns {
		names = append(names, sqltext.QuoteIdent(c.name))
	}
	for i, o := range p.order {
		names = append(names, o+fmt.Sprintf(" AS order_%d", i+1))
		marks = append(marks, fmt.Sprintf("$%d", i+1))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "SELECT %s FROM %s", strings.Join(names, ", "), p.name.sql())
	if p.seq != "" {
		fmt.Fprintf(&b, " AT (SEQ => %s)", p.seq)
	}
	keys := strings.Join(p.order, ", ")
	if len(p.last) == 1 {
		fmt.Fprintf(&b, " WHERE %s > $1", keys)
	} else if len(p.last) > 1 {
		fmt.Fprintf(&b, " WHERE (%s) > (%s)", keys, strings.Join(marks, ", "))
	}
	fmt.Fprintf(&b, " ORDER BY %s LIMIT %d", keys, p.rows)
	return b.String()
}
