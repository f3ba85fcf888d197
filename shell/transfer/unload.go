package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

// UnloadOptions say what is written to one file.
type UnloadOptions struct {
	Table  Name   // Whose rows are written, by its key.
	Query  string // In place of Table: one statement that gives rows.
	File   string // "-" is Out of the Env.
	Format string // "" is what the name of the file says, CSV for Out.
}

// Unload writes rows to a file, which is there when all of it is. A table is read a page at a
// time; the result of a query is held in memory.
func Unload(ctx context.Context, env Env, o UnloadOptions) (err error) {
	if o.File == "-" {
		if o.Format == "" {
			o.Format = CSV
		}
	}
	if o.Format, err = checkFormat(o.Format, o.File); err != nil {
		return err
	}
	if o.File == "-" {
		_, err := o.write(ctx, env, env.Out)
		return err
	}
	unfinished := o.File + ".unfinished"
	f, err := createOwn(unfinished)
	if err != nil {
		return err
	}
	rows, err := o.write(ctx, env, f)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(unfinished))
	}
	if err := os.Rename(unfinished, o.File); err != nil {
		return err
	}
	env.Say("Wrote %s rows to %s", Count(rows), o.File)
	return nil
}

// write writes the rows.
func (o *UnloadOptions) write(ctx context.Context, env Env, out io.Writer) (int64, error) {
	p := &progress{bytes: func() int64 { return 0 }, start: env.Now(), now: env.Now}
	stop := p.show(env.Screen, env.Width)
	defer stop()
	if o.Query == "" {
		pages := &pager{client: env.Client, name: o.Table}
		return pages.writeTo(ctx, out, o.Format, func(n int) { p.rows.Add(int64(n)) })
	}
	res, err := env.Client.Query(ctx, o.Query)
	if err != nil {
		return 0, err
	}
	if len(res.Results) != 1 || !res.Results[0].HasRows() {
		return 0, fmt.Errorf("what is written to a file is one statement that gives rows")
	}
	r := res.Results[0]
	w, err := newWriter(out, o.Format, r.Columns())
	if err != nil {
		return 0, err
	}
	for i := range r.Rows() {
		if err := w.write(r, i); err != nil {
			return 0, err
		}
	}
	return w.rows, w.end()
}
