package shell

import (
	"context"
	"fmt"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/dialect"
	"github.com/kalamlake/kalam/dialect/ast"
	"github.com/kalamlake/kalam/link"
	"github.com/kalamlake/kalam/shell/complete"
	"github.com/kalamlake/kalam/sqltext"
)

// execute runs one request and prints its results, also those before an error.
func (s *session) execute(ctx context.Context, sql string, name func(statement int) string) error {
	if s.timing {
		defer s.timed(s.config.Now())
	}
	if err := s.allowed(sql); err != nil {
		return err
	}
	s.last = sql
	res, err := s.query(ctx, sql, s.params...)
	return s.show(res, err, sql, name)
}

// show prints what came of a request: its results, also those before an error,
// which it returns.
func (s *session) show(res *link.Response, err error, sql string, name func(statement int) string) error {
	s.printer.SQL = sql
	if res != nil && (err == nil || len(res.Results) > 0) {
		if perr := s.printer.Response(res, name); err == nil {
			err = perr
		}
	}
	if ferr := s.out.Flush(); err == nil && ferr != nil {
		err = fmt.Errorf("write output: %w", ferr)
	}
	s.follow(sql, err == nil)
	return err
}

// timed tells how long it is since start.
func (s *session) timed(start time.Time) {
	s.remark("Time: %.3f ms", float64(s.config.Now().Sub(start).Nanoseconds())/1e6)
}

// follow does what the statements of a request ask of the session: if all worked,
// it remembers the namespace that they chose, which the server forgets at the
// request's end. Names that may have changed are read anew.
func (s *session) follow(sql string, worked bool) {
	fragments, err := sqltext.Split(sql)
	if err != nil {
		return
	}
	for _, f := range fragments {
		if complete.ChangesNames(f.Text) && s.names != nil {
			s.names.Refresh()
		}
		if !worked || !startsWith(f.Text, "USE") && !startsWith(f.Text, "SET") {
			continue
		}
		st, err := dialect.Parse(f.Text)
		if u, ok := st.(*ast.Use); ok && err == nil {
			s.chosen = u.Namespace.Name
			s.client = s.client.In(kalam.NamespaceID(s.chosen))
		}
	}
}
