package query

import (
	"context"
	"errors"
	"io"
	"strings"

	"github.com/apache/arrow-go/v18/arrow/array"
)

// Explain returns DuckDB's plan of a query as text, with the names of tables and
// without the folders of files. With analyze the query runs, and the plan has the
// rows and times of each step. Sources and arguments are those of Query.
func (e *Engine) Explain(ctx context.Context, plan *Plan, sources []Source, args Args, analyze bool) (string, error) {
	if err := plan.check(sources, args); err != nil {
		return "", err
	}
	if e.closed.Load() {
		return "", errClosed()
	}
	valued, err := e.withValues(ctx, plan, sources, args)
	if err != nil {
		return "", e.worded(err, plan)
	}
	plan = valued
	if err := e.writeTop(ctx, plan.analysed, sources); err != nil {
		return "", err
	}
	s, err := e.pool.get(ctx)
	if err != nil {
		return "", err
	}
	r := &Rows{e: e, session: s, plan: plan}
	var text string
	err = r.compute(ctx, func() (err error) {
		text, err = r.explain(sources, args, analyze)
		return err
	})
	r.end(err)
	if err != nil {
		return "", e.worded(err, plan)
	}
	return text, nil
}

func (r *Rows) explain(sources []Source, args Args, analyze bool) (string, error) {
	shapes, v, err := r.expose(sources, args.Params)
	defer releaseShapes(shapes)
	if err != nil {
		return "", err
	}
	verb := "EXPLAIN "
	if analyze {
		verb = "EXPLAIN ANALYZE "
	}
	st, err := r.session.prepare(verb + v.sql)
	if err != nil {
		return "", err
	}
	defer st.close()
	if err := r.bind(st, v, shapes, args); err != nil {
		return "", err
	}
	res, err := st.start(false)
	if err != nil {
		return "", err
	}
	defer res.close()
	if err := res.describe(); err != nil {
		return "", err
	}
	var b strings.Builder
	for {
		rec, err := res.fetch()
		if errors.Is(err, io.EOF) {
			return cleanPlan(r.plan.restoreNames(b.String())), nil
		}
		if err != nil {
			return "", err
		}
		if col, ok := rec.Column(int(rec.NumCols()) - 1).(*array.String); ok {
			for i := range col.Len() {
				b.WriteString(col.Value(i))
			}
		}
		rec.Release()
	}
}

// cleanPlan removes folders and names of ours from the text of a plan.
func cleanPlan(text string) string {
	text = pathPattern.ReplaceAllStringFunc(text, func(s string) string { return s[strings.LastIndexByte(s, '/')+1:] })
	return strings.NewReplacer("KALAM_SCAN", "BUFFER    ", "kalam_scan", "buffer    ", "kalam_alive", "alive      ").Replace(text)
}
