package shell

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/shell/complete"
	"github.com/kalamlake/kalam/sqltext"
)

// What \stats and \jobs ask, and \flush until the jobs have ended.
const (
	sqlStats = "SELECT metric_name, metric_value FROM system.stats ORDER BY metric_name"
	sqlJobs  = "SELECT job_id, job_type, status, namespace_id, table_name, created_at, finished_at," +
		" coalesce(error, message, progress) AS message FROM system.jobs ORDER BY created_at DESC LIMIT 20"
	sqlJobStates = "SELECT job_id, status, coalesce(error, message, progress, '') FROM system.jobs WHERE job_id IN (%s)"
)

// jobsPoll is the time between two looks at jobs that are followed.
const jobsPoll = 200 * time.Millisecond

func (s *session) metaStats(ctx context.Context, _ string) error { return s.list(ctx, sqlStats, "") }

func (s *session) metaJobs(ctx context.Context, _ string) error {
	return s.list(ctx, sqlJobs, "there are no jobs that you may see")
}

// metaAs runs a statement as another user.
func (s *session) metaAs(ctx context.Context, args string) error {
	user, sql, _ := strings.Cut(args, " ")
	user = unquoted(user)
	if sql = strings.TrimRight(strings.TrimSpace(sql), "; "); user == "" || sql == "" {
		return errors.New(`\as needs a user and a statement: \as alice SELECT * FROM ns.t`)
	}
	text := "EXECUTE AS USER " + sqltext.QuoteString(user) + " (" + s.interpolate(sql) + ")"
	if err := s.execute(ctx, text, unnamed); err != nil {
		s.fail(err, text)
		return errShown
	}
	return nil
}

// metaFlush flushes all tables and follows the jobs until they have ended.
func (s *session) metaFlush(ctx context.Context, _ string) error {
	const sql = "STORAGE FLUSH ALL"
	if err := s.allowed(sql); err != nil {
		return err
	}
	res, err := s.query(ctx, sql)
	if err := s.show(res, err, sql, unnamed); err != nil {
		return err
	}
	open := map[string]bool{}
	for _, r := range res.Results {
		for _, id := range r.JobIDs() {
			open[string(id)] = true
		}
	}
	failed := 0
	for len(open) > 0 {
		n, err := s.ended(ctx, open)
		if err != nil {
			return err
		}
		failed += n
		if len(open) == 0 {
			break
		}
		t := time.NewTimer(jobsPoll)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return errors.New("the jobs go on; \\jobs shows them")
		}
	}
	if failed > 0 {
		return fmt.Errorf("%s failed", counted(failed, "job", "jobs"))
	}
	return nil
}

// ended tells which of the open jobs have ended, and takes them out. It returns how
// many of them failed.
func (s *session) ended(ctx context.Context, open map[string]bool) (failed int, err error) {
	var ids []string
	for id := range open {
		ids = append(ids, sqltext.QuoteString(id))
	}
	res, err := s.query(ctx, fmt.Sprintf(sqlJobStates, strings.Join(ids, ", ")))
	if err != nil {
		return 0, err
	}
	known := map[string]bool{}
	for _, r := range res.Results {
		for i := range r.Rows() {
			id, _ := r.Text(i, 0)
			status, _ := r.Text(i, 1)
			message, _ := r.Text(i, 2)
			known[id] = true
			if !kalam.JobStatus(status).Done() {
				continue
			}
			s.remark("%s %s: %s", id, status, message)
			delete(open, id)
			if kalam.JobStatus(status) == kalam.JobFailed {
				failed++
			}
		}
	}
	for id := range open {
		if !known[id] {
			s.remark("%s: no such job", id)
			delete(open, id)
		}
	}
	return failed, nil
}

// metaFunctions lists functions whose names hold a text.
func (s *session) metaFunctions(_ context.Context, args string) error {
	line := ""
	part := strings.ToLower(strings.Trim(args, "*%; "))
	for _, name := range complete.Functions() {
		if !strings.Contains(name, part) {
			continue
		}
		if line != "" && len(line)+len(name) > 76 {
			fmt.Fprintln(s.out, line)
			line = ""
		}
		line = strings.TrimLeft(line+"  "+name, " ")
	}
	if line != "" {
		fmt.Fprintln(s.out, line)
	}
	s.remark("The other functions of DuckDB work too, but those that reach outside the database.")
	return s.out.Flush()
}

// sqlViews asks for views.
const sqlViews = `SELECT table_schema AS namespace, table_name AS "view" FROM information_schema.tables` +
	` WHERE table_type = 'VIEW'%s ORDER BY 1, 2`

// metaViews shows the views of a namespace, or without one all.
func (s *session) metaViews(ctx context.Context, args string) error {
	where := ""
	if args != "" {
		namespace, err := oneName(args)
		if err != nil {
			return err
		}
		where = " AND table_schema = " + sqltext.QuoteString(namespace)
	}
	return s.list(ctx, fmt.Sprintf(sqlViews, where), "")
}

// metaExplain shows the plan of a query, the last one if none is given.
func (s *session) metaExplain(ctx context.Context, args string) error {
	sql := strings.TrimRight(args, "; ")
	if sql == "" {
		sql = strings.TrimRight(s.last, "; \n")
	}
	if sql == "" {
		return errors.New(`\explain needs a query: \explain SELECT * FROM ns.t`)
	}
	text := "EXPLAIN " + s.interpolate(sql)
	if err := s.allowed(text); err != nil {
		return err
	}
	return s.list(ctx, text, "")
}

// sqlSessions asks for the sessions.
const sqlSessions = "SELECT * FROM system.sessions"

func (s *session) metaSessions(ctx context.Context, _ string) error {
	return s.list(ctx, sqlSessions, "")
}
