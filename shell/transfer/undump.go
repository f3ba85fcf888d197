package transfer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/kalamlake/kalam/link"
	"github.com/kalamlake/kalam/link/wire"
	"github.com/kalamlake/kalam/sqltext"
)

// IsDump reports whether a path is the directory of a dump.
func IsDump(path string) bool {
	info, err := os.Stat(filepath.Join(path, dumpIndex))
	return err == nil && info.Mode().IsRegular()
}

// readDump reads what is in a dump, and refuses one that would do something else.
func readDump(dir string) (*dumpFile, error) {
	b, err := os.ReadFile(filepath.Join(dir, dumpIndex))
	if err != nil {
		return nil, err
	}
	d := &dumpFile{}
	if err := json.Unmarshal(b, d); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, dumpIndex), err)
	}
	if d.Version != dumpVersion {
		return nil, fmt.Errorf("%s is a dump of version %d; this kalam reads version %d", dir, d.Version, dumpVersion)
	}
	for _, t := range d.Tables {
		if t.File != filepath.Base(t.File) || !createsOne(t.Create, "USER TABLE", "SHARED TABLE", "STREAM TABLE") {
			return nil, fmt.Errorf("%s: table %s.%s has a file or a statement that no dump has", dir, t.Namespace, t.Name)
		}
	}
	for _, v := range d.Views {
		if !createsOne(v.Create, "VIEW") {
			return nil, fmt.Errorf("%s: view %s.%s has a statement that no dump has", dir, v.Namespace, v.Name)
		}
	}
	return d, nil
}

// createsOne reports whether a text is one statement that creates one of the things.
func createsOne(sql string, things ...string) bool {
	fragments, err := sqltext.Split(sql)
	if err != nil || len(fragments) != 1 {
		return false
	}
	for _, thing := range things {
		if strings.HasPrefix(fragments[0].Text, "CREATE "+thing+" ") {
			return true
		}
	}
	return false
}

// loadDump makes what a dump has and is not there, and loads its rows.
func loadDump(ctx context.Context, env Env, o LoadOptions) error {
	d, err := readDump(o.File)
	if err != nil {
		return err
	}
	env.Say("A dump of %s: %d tables and %d views of user %s at %s", d.Created, len(d.Tables), len(d.Views), d.User,
		d.Server)
	for _, t := range d.Tables {
		env.Say("  %s.%s: %s rows", t.Namespace, t.Name, Count(t.Rows))
	}
	if yes, err := o.consent(env); !yes {
		return err
	}
	for _, ns := range d.Namespaces {
		_, err := env.Client.Query(ctx, "CREATE NAMESPACE IF NOT EXISTS "+sqltext.QuoteIdent(ns))
		if err != nil && link.CodeOf(err) != wire.CodePermissionDenied { // It may be there: then the tables can be made.
			return err
		}
	}
	var done []*load
	for _, t := range d.Tables {
		l, err := t.load(ctx, env, o)
		if err != nil {
			return fmt.Errorf("%s.%s: %w", t.Namespace, t.Name, err)
		}
		done = append(done, l)
	}
	if err := makeViews(ctx, env, d.Views); err != nil {
		return err
	}
	return forget(done)
}

// load makes a table if it is not there and loads its rows.
func (t *dumpTable) load(ctx context.Context, env Env, o LoadOptions) (l *load, err error) {
	o.File, o.Format, o.Table = filepath.Join(o.File, t.File), t.Format, Name{t.Namespace, t.Name}
	o.State, o.Rejects, o.Columns, o.NoHeader, o.Null = "", "", nil, false, ""
	there, err := tableColumns(ctx, env.Client, o.Table)
	if err != nil {
		return nil, err
	}
	if len(there) == 0 {
		if _, err := env.Client.Query(ctx, t.Create); err != nil {
			return nil, err
		}
	}
	if t.Rows == 0 {
		return &load{plan: &plan{}, state: &state{}}, nil
	}
	p, err := newPlan(ctx, env, &o)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.source.close()) }()
	return p.run(ctx, env, &o)
}

// makeViews makes views, of which some may read others.
func makeViews(ctx context.Context, env Env, views []dumpCreate) error {
	for len(views) > 0 {
		var left []dumpCreate
		var errs []error
		for _, v := range views {
			sql := "CREATE OR REPLACE " + strings.TrimPrefix(v.Create, "CREATE ")
			if _, err := env.Client.Query(ctx, sql); err != nil {
				left = append(left, v)
				errs = append(errs, fmt.Errorf("view %s.%s: %w", v.Namespace, v.Name, err))
			}
		}
		if len(left) == len(views) {
			return errors.Join(errs...)
		}
		views = left
	}
	return nil
}
