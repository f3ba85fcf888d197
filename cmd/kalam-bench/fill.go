package main

import (
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/kalamlake/kalam/link/wire"
)

// benchColumns are those of all tables here, which are flushed when a step says so.
const benchColumns = ` (id BIGINT PRIMARY KEY, conversation_id TEXT NOT NULL, role TEXT NOT NULL, content TEXT NOT NULL,
	created_at TIMESTAMP NOT NULL) FLUSH_POLICY 'manual'`

// setUp creates the user and the tables.
func (m *measurement) setUp() error {
	var err error
	if m.rootToken, err = login(m.server.url, "root", rootPassword); err != nil {
		return err
	}
	root, err := dial(m.server.url, m.rootToken)
	if err != nil {
		return err
	}
	defer root.Close()
	statements := []string{"CREATE NAMESPACE bench", fmt.Sprintf("CREATE USER '%s' WITH PASSWORD '%s' ROLE user",
		benchUser, benchPassword)}
	for _, name := range []string{"messages", "bulk", "small", "flushed", "beside", "users",
		"latest", "grouped", "restart", "scopes", "shared_out"} {
		statements = append(statements, "CREATE USER TABLE bench."+name+benchColumns) // Each step says itself what is buffered and what is flushed.
	}
	for _, sql := range statements {
		if _, err := root.exec(sql); err != nil {
			return err
		}
	}
	if err := m.signIn(); err != nil {
		return err
	}
	return m.load("bench.small", 1000)
}

// flush flushes a table and returns how long the job ran.
func (m *measurement) flush(ctx context.Context, name string) (time.Duration, error) {
	root, err := dial(m.server.url, m.rootToken)
	if err != nil {
		return 0, err
	}
	defer root.Close()
	r, err := root.exec("STORAGE FLUSH TABLE " + name)
	if err != nil {
		return 0, err
	}
	if len(r.Results[0].JobIDs) != 1 {
		return 0, fmt.Errorf("no job: %s", r.Results[0].Message)
	}
	for ctx.Err() == nil {
		r, err := root.exec("SELECT status, epoch_us(finished_at) - epoch_us(started_at) AS us, error FROM system.jobs WHERE job_id = $1", string(r.Results[0].JobIDs[0]))
		if err != nil {
			return 0, err
		}
		switch cell(r, 0) {
		case "completed":
			us, err := time.ParseDuration(cell(r, 1) + "us")
			return us, err
		case "failed", "cancelled", "skipped":
			return 0, fmt.Errorf("flush of %s is %s: %s", name, cell(r, 0), cell(r, 2))
		}
		<-time.After(5 * time.Millisecond)
	}
	return 0, ctx.Err()
}

// fill loads rows into a table and flushes them in the given number of files.
func (m *measurement) fill(ctx context.Context, name string, rows, files int) error {
	for range files {
		if err := m.load(name, rows/files); err != nil {
			return err
		}
		if _, err := m.flush(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// load inserts rows in statements of 2,000.
func (m *measurement) load(name string, rows int) error {
	c, err := m.connect()
	if err != nil {
		return err
	}
	defer c.Close()
	for rows > 0 {
		n := min(rows, 2000)
		if err := c.do(m.bulkRequest(c, name, n)); err != nil {
			return err
		}
		rows -= n
	}
	return nil
}

// filesOf returns read_parquet(...) over all segments of a table of the user.
func (m *measurement) filesOf(name string) (string, error) {
	var files []string
	err := filepath.WalkDir(filepath.Join(m.server.dir, "data", "storage", "users"),
		func(p string, _ fs.DirEntry, err error) error {
			if err == nil && strings.HasSuffix(p, ".parquet") && filepath.Base(filepath.Dir(p)) == name {
				files = append(files, "'"+p+"'")
			}
			return err
		})
	return "read_parquet([" + strings.Join(files, ", ") + "])", err
}

// cell returns a text cell of the first row of an answer.
func cell(r *wire.Response, i int) string {
	if len(r.Results) == 0 || len(r.Results[0].Rows) == 0 {
		return ""
	}
	return strings.Trim(string(r.Results[0].Rows[0][i]), `"`)
}
