package export

import (
	"archive/zip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"slices"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/access"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/jobs"
	"github.com/kalamlake/kalam/read"
	"github.com/kalamlake/kalam/sqltext"
)

// contentsName is the file of an export that says what is in the others.
const contentsName = "export.json"

// contents is what contentsName holds.
type contents struct {
	User      kalam.UserID `json:"user_id"`
	CreatedAt time.Time    `json:"created_at"`
	Seq       kalam.Seq    `json:"seq"`
	Format    Format       `json:"format"`
	Tables    []tableEntry `json:"tables"`
}

type tableEntry struct {
	Table   string        `json:"table"`
	Kind    string        `json:"kind"`
	Comment string        `json:"comment,omitempty"`
	File    string        `json:"file"`
	Rows    int64         `json:"rows"`
	Columns []columnEntry `json:"columns"`
}

type columnEntry struct {
	Name     string `json:"name"`
	Type     string `json:"type"`
	Nullable bool   `json:"nullable"`
	Key      bool   `json:"primary_key,omitempty"`
	Comment  string `json:"comment,omitempty"`
}

// work is the writing of one export.
type work struct {
	*Exporter
	caller *read.Caller
	point  *buffer.ReadPoint
	zip    *zip.Writer
	format Format
}

// write writes the zip: every table of the user with rows, all at one read point, and the contents.
func (e *Exporter) write(ctx context.Context, h *jobs.Handle, p parameters, out io.Writer) (r Result, err error) {
	w := &work{
		Exporter: e, zip: zip.NewWriter(out), format: p.Format,
		caller: &read.Caller{
			Reader: e.Reader, Principal: kalam.Principal{User: p.User, Role: kalam.RoleUser},
			Namespace: kalam.DefaultNamespace, Now: e.Now(),
		},
	}
	defer w.caller.Release()
	tables, err := w.fix(ctx)
	if w.point != nil {
		defer w.point.Release()
	}
	if err != nil {
		return r, err
	}
	r.Seq = w.point.Seq()
	list := contents{User: p.User, CreatedAt: e.Now().UTC(), Seq: r.Seq, Format: p.Format, Tables: []tableEntry{}}
	for i, t := range tables {
		h.SetProgress(fmt.Sprintf("%d of %d tables", i, len(tables)))
		entry, err := w.table(ctx, t)
		if err != nil {
			return r, fmt.Errorf("export table %s: %w", t.ID, err)
		}
		list.Tables = append(list.Tables, entry)
		r.Rows += entry.Rows
	}
	r.Tables = len(tables)
	text, err := json.MarshalIndent(list, "", "  ")
	if err != nil {
		return r, fmt.Errorf("encode the contents: %w", err)
	}
	f, err := w.create(contentsName, zip.Deflate)
	if err == nil {
		_, err = f.Write(text)
	}
	if err != nil {
		return r, err
	}
	return r, w.zip.Close()
}

// fix fixes the read point, and takes the views of all tables that the user has rows of, whose list
// it returns.
func (w *work) fix(ctx context.Context) (tables []*kalam.Table, err error) {
	w.point = w.Reader.Store.Begin()
	defer w.point.Seal()
	for _, t := range w.Reader.Catalog.Tables("") {
		if !t.HasScopePerUser() {
			continue
		}
		name := ast.Name{Parts: []string{string(t.ID.Namespace), string(t.ID.Name)}}
		a, err := w.caller.Resolve(name, access.Read)
		if err == nil {
			err = w.caller.Hold(a.Table)
		}
		if kalam.CodeOf(err) == kalam.CodeTableNotFound {
			continue // It was dropped meanwhile.
		}
		if err != nil {
			return nil, err
		}
		v, err := w.caller.View(ctx, a.Table, w.point)
		if err != nil {
			return nil, err
		}
		if v.BufferedRows() > 0 || len(v.Stored()) > 0 {
			tables = append(tables, a.Table)
		}
	}
	slices.SortFunc(tables, func(a, b *kalam.Table) int {
		if a.ID.String() < b.ID.String() {
			return -1
		}
		return 1
	})
	return tables, nil
}

// table writes the rows of a table as a file of the zip.
func (w *work) table(ctx context.Context, t *kalam.Table) (entry tableEntry, err error) {
	quoted := sqltext.QuoteIdent(string(t.ID.Namespace)) + "." + sqltext.QuoteIdent(string(t.ID.Name))
	rows, err := w.caller.Open(ctx, "SELECT * FROM "+quoted, nil,
		read.Options{Point: w.point, Composed: true, Inner: true})
	if err != nil {
		return entry, err
	}
	defer rows.Close()
	if now := rows.Table(); now != nil {
		t = now // A statement may have changed it since the views were taken.
	}
	if len(t.Columns) != rows.Schema().NumFields() {
		return entry, kalam.Errorf(kalam.CodeInternal, "%d columns were read instead of %d", rows.Schema().NumFields(),
			len(t.Columns))
	}
	entry = describe(t)
	entry.File = fmt.Sprintf("%s/%s.%s", url.PathEscape(string(t.ID.Namespace)), url.PathEscape(string(t.ID.Name)),
		w.format)
	method := zip.Deflate
	if w.format == Parquet {
		method = zip.Store // It is compressed.
	}
	f, err := w.create(entry.File, method)
	if err != nil {
		return entry, err
	}
	enc, err := newEncoder(w.format, f, rows.Schema(), t.Columns)
	if err != nil {
		return entry, err
	}
	err = rows.EachBatch(ctx, func(b arrow.RecordBatch) error {
		entry.Rows += b.NumRows()
		return enc.write(b)
	})
	if err != nil {
		return entry, err
	}
	return entry, enc.close()
}

// create begins a file of the zip.
func (w *work) create(name string, method uint16) (io.Writer, error) {
	f, err := w.zip.CreateHeader(&zip.FileHeader{Name: name, Method: method, Modified: w.Now().UTC()})
	if err != nil {
		return nil, fmt.Errorf("begin %s: %w", name, err)
	}
	return f, nil
}

// describe returns what the contents say of a table.
func describe(t *kalam.Table) tableEntry {
	e := tableEntry{Table: t.ID.String(), Kind: t.Kind.String(), Comment: t.Comment}
	for i := range t.Columns {
		c := &t.Columns[i]
		e.Columns = append(e.Columns, columnEntry{
			Name: c.Name, Type: c.Type.String(), Nullable: !c.NotNull, Key: t.IsKey(i), Comment: c.Comment,
		})
	}
	return e
}
