package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/kalamlake/kalam/link/wire"
)

// flushedWithin is how long a flush that fell due may take to be seen.
const flushedWithin = 6 * time.Second

// desk is a server process with root logged in.
type desk struct {
	*process
	client *http.Client
	token  string
}

func newDesk(t *testing.T, env ...string) *desk {
	t.Helper()
	d := &desk{process: &process{t: t, dir: t.TempDir(), env: env}, client: &http.Client{Timeout: 30 * time.Second}}
	d.start()
	t.Cleanup(d.client.CloseIdleConnections)
	t.Cleanup(d.kill)
	return d
}

func (d *desk) start() {
	d.t.Helper()
	d.process.start()
	d.token = d.login("root", testRootPassword)
}

func (d *desk) must(format string, args ...any) *wire.Response {
	d.t.Helper()
	return mustPost(d.t, d.client, d.url, d.token, fmt.Sprintf(format, args...))
}

// rows returns the cells of the only result of a statement, as they are in JSON.
func (d *desk) rows(format string, args ...any) [][]string {
	d.t.Helper()
	resp := d.must(format, args...)
	var out [][]string
	for _, row := range resp.Results[0].Rows {
		var cells []string
		for _, c := range row {
			cells = append(cells, strings.Trim(string(c), `"`))
		}
		out = append(out, cells)
	}
	return out
}

// stat returns one column of SHOW TABLE STATS.
func (d *desk) stat(table, column string) string {
	d.t.Helper()
	resp := d.must("SHOW TABLE STATS %s", table)
	for i, f := range resp.Results[0].Schema {
		if f.Name == column {
			return strings.Trim(string(resp.Results[0].Rows[0][i]), `"`)
		}
	}
	d.t.Fatalf("SHOW TABLE STATS has no column %s", column)
	return ""
}

// insert writes n rows with ids from first on, of some bytes each.
func (d *desk) insert(table string, first, n, size int) {
	d.t.Helper()
	d.must("%s", insertRows(table, first, n, size))
}

func insertRows(table string, first, n, size int) string {
	var b strings.Builder
	b.WriteString("INSERT INTO " + table + " VALUES ")
	for i := range n {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "(%d, '%s')", first+i, strings.Repeat("x", size))
	}
	return b.String()
}

// await waits until a condition holds, at most a time from since on.
func (d *desk) await(what string, since time.Time, most time.Duration, holds func() bool) {
	d.t.Helper()
	for !holds() {
		if time.Since(since) > most {
			d.t.Fatalf("%s: not within %s\n%s", what, most, d.log.String())
		}
		<-time.After(20 * time.Millisecond)
	}
}

// flushed waits until a table has nothing buffered.
func (d *desk) flushed(table string, since time.Time) {
	d.t.Helper()
	d.await(table+" flushed", since, flushedWithin, func() bool { return d.stat(table, "buffered_rows") == "0" })
}

// triggers returns the triggers of the flushes of a table, oldest first.
func (d *desk) triggers(table string) string {
	d.t.Helper()
	var out []string
	for _, row := range d.rows("SELECT parameters->>'trigger', status, message FROM system.jobs"+
		" WHERE job_type = 'flush' AND table_name = '%s' ORDER BY created_at", table) {
		if want := "; trigger: " + row[0]; row[1] == "completed" && !strings.HasSuffix(row[2], want) {
			d.t.Errorf("message %q does not say %q", row[2], want)
		}
		out = append(out, row[0])
	}
	return strings.Join(out, " ")
}

// TestScheduledFlushes runs tables with each kind of policy on the real server:
// each is flushed in time, by the trigger of its policy, and 'manual' never is.
func TestScheduledFlushes(t *testing.T) {
	d := newDesk(t)
	d.must("CREATE NAMESPACE app")
	policies := []struct{ table, options, trigger string }{
		{"rows", "FLUSH_POLICY 'rows:50'", "rows"},
		{"seconds", "FLUSH INTERVAL 2", "interval"},
		{"cron", "FLUSH_CRON = '@every 2s'", "cron"},
		{"first", "FLUSH_POLICY 'rows:50,interval:86399'", "rows"},
		{"manual", "FLUSH_POLICY 'manual'", ""},
		{"default_policy", "", ""},
	}
	for _, p := range policies {
		d.must("CREATE USER TABLE app.%s (id BIGINT PRIMARY KEY, v TEXT) %s", p.table, p.options)
	}
	if n := d.triggers("rows") + d.triggers("cron"); n != "" {
		t.Errorf("empty tables were flushed by %s", n)
	}
	// Below 50 rows nothing happens; then a row more makes it 50.
	d.insert("app.rows", 0, 49, 10)
	for round := range 3 {
		start := time.Now()
		for _, p := range policies {
			if p.table == "rows" && round == 0 {
				d.insert("app.rows", 49, 1, 10)
			} else {
				d.insert("app."+p.table, 100+50*round, 50, 10)
			}
		}
		want := strings.TrimSpace(strings.Repeat(" x", round+1))
		for _, p := range policies {
			if p.trigger == "" {
				continue
			}
			d.flushed("app."+p.table, start)
			if got := d.triggers(p.table); got != strings.ReplaceAll(want, "x", p.trigger) {
				t.Errorf("round %d: %s was flushed by %q", round, p.table, got)
			}
			if d.stat("app."+p.table, "last_flush") == "null" {
				t.Errorf("%s has no last_flush", p.table)
			}
		}
	}
	for _, table := range []string{"manual", "default_policy"} {
		if got := d.stat("app."+table, "buffered_rows"); got != "150" || d.triggers(table) != "" {
			t.Errorf("%s has %s buffered rows, and was flushed by %q", table, got, d.triggers(table))
		}
	}
	if got := d.rows("SELECT count(*) FROM app.rows")[0][0]; got != "150" {
		t.Errorf("%s rows", got)
	}
}

// TestFlushByBytes: rows that are few and wide are flushed by their bytes.
func TestFlushByBytes(t *testing.T) {
	d := newDesk(t, "KALAM_FLUSH_DEFAULT_BYTES=20000")
	d.must("CREATE NAMESPACE app; CREATE USER TABLE app.wide (id BIGINT PRIMARY KEY, v TEXT); " +
		"CREATE USER TABLE app.policy (id BIGINT PRIMARY KEY, v TEXT) FLUSH ROWS 50")
	d.insert("app.policy", 0, 3, 10_000)
	for round := range 3 {
		d.insert("app.wide", 10*round, 1, 10_000)
		if got := d.stat("app.wide", "buffered_rows"); got != "1" {
			t.Errorf("round %d: %s buffered rows of half the bytes", round, got)
		}
		start := time.Now()
		d.insert("app.wide", 10*round+1, 1, 10_000)
		d.flushed("app.wide", start)
	}
	if got := d.triggers("wide"); got != "bytes bytes bytes" || d.triggers("policy") != "" {
		t.Errorf("flushed by %q; the table with a policy by %q", got, d.triggers("policy"))
	}
	if last, config := d.stat("app.wide", "last_flush_trigger"), d.stat("app.wide", "flush_config"); last != "bytes" ||
		config != "Auto (300s/10000 rows/20000 bytes)" {
		t.Errorf("last flush by %q, %q", last, config)
	}
}

// TestDueFlushesAfterACrash kills the server while rows wait for their flush: those
// that fell due while it was down are flushed once after the start, and what waits
// for more rows goes on counting.
func TestDueFlushesAfterACrash(t *testing.T) {
	d := newDesk(t)
	d.must("CREATE NAMESPACE app; " +
		"CREATE USER TABLE app.seconds (id BIGINT PRIMARY KEY, v TEXT) FLUSH INTERVAL 3; " +
		"CREATE USER TABLE app.cron (id BIGINT PRIMARY KEY, v TEXT) FLUSH_CRON '@every 3s'; " +
		"CREATE USER TABLE app.rows (id BIGINT PRIMARY KEY, v TEXT) FLUSH ROWS 50; " +
		"CREATE USER TABLE app.manual (id BIGINT PRIMARY KEY, v TEXT) FLUSH_POLICY 'manual'")
	tables := []string{"seconds", "cron", "rows", "manual"}
	for _, table := range tables {
		d.insert("app."+table, 0, 40, 10)
	}
	written := time.Now()
	d.kill()
	d.await("3 s have passed", written, time.Minute, func() bool { return time.Since(written) > 3200*time.Millisecond })
	d.start()
	start := time.Now()
	d.flushed("app.seconds", start)
	d.flushed("app.cron", start)
	for _, table := range tables[2:] {
		if got := d.stat("app."+table, "buffered_rows"); got != "40" {
			t.Errorf("%s has %s buffered rows after a restart, want 40", table, got)
		}
	}
	d.insert("app.rows", 40, 10, 10)
	d.flushed("app.rows", time.Now())
	// Once each; the cron table may have met a tick before the kill.
	for table, want := range map[string]string{"seconds": "interval", "cron": "cron", "rows": "rows", "manual": ""} {
		if got := d.triggers(table); got != want {
			t.Errorf("%s was flushed by %q, want %q", table, got, want)
		}
		want := map[bool]string{true: "50", false: "40"}[table == "rows"]
		if got := d.rows("SELECT count(*) FROM app.%s", table)[0][0]; got != want {
			t.Errorf("%s has %s rows, want %s", table, got, want)
		}
	}
}

// TestFullBufferIsFlushed writes far more than the buffer takes: the writers wait
// for the flushes and lose nothing.
func TestFullBufferIsFlushed(t *testing.T) {
	d := newDesk(t, "KALAM_BUFFER_MAX_BYTES=1000000")
	d.must("CREATE NAMESPACE app; CREATE SHARED TABLE app.big (id BIGINT PRIMARY KEY, v TEXT) FLUSH ROWS 900000; " +
		"CREATE SHARED TABLE app.small (id BIGINT PRIMARY KEY, v TEXT) FLUSH ROWS 900000")
	d.insert("app.small", 0, 10, 10)
	const writers, statements, rows = 4, 50, 50
	var g errgroup.Group
	var slowest atomic.Int64
	for w := range writers {
		g.Go(func() error {
			for i := range statements {
				start := time.Now()
				resp, err := post(d.client, d.url, d.token, insertRows("app.big", (w*statements+i)*rows, rows, 1000))
				if err == nil && resp.Error != nil {
					err = fmt.Errorf("%s", resp.Error.Message)
				}
				if err != nil {
					return err
				}
				slowest.Store(max(slowest.Load(), int64(time.Since(start))))
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatalf("a writer failed: %v\n%s", err, d.log.String())
	}
	t.Logf("10 times the buffer was written; the slowest statement took %s", time.Duration(slowest.Load()))
	if got := d.rows("SELECT count(*) FROM app.big")[0][0]; got != strconv.Itoa(writers*statements*rows) {
		t.Errorf("%s rows", got)
	}
	if got := d.triggers("big"); !strings.HasPrefix(got, "buffer buffer") ||
		strings.ReplaceAll(got, "buffer", "") != strings.Repeat(" ", strings.Count(got, " ")) {
		t.Errorf("flushed by %q", got)
	}
	if got := d.triggers("small"); got != "" {
		t.Errorf("the small table was flushed by %q", got)
	}
}

// TestFullBufferOfManualTables fills the buffer with what only STORAGE FLUSH moves:
// writes wait 5 s and then fail with what helps, reads go on, and after it writes work.
func TestFullBufferOfManualTables(t *testing.T) {
	d := newDesk(t, "KALAM_BUFFER_MAX_BYTES=200000")
	d.must("CREATE NAMESPACE app; CREATE SHARED TABLE app.m (id BIGINT PRIMARY KEY, v TEXT) FLUSH_POLICY 'manual'; " +
		"CREATE SHARED TABLE app.o (id BIGINT PRIMARY KEY, v TEXT); CREATE STREAM TABLE app.s (id BIGINT PRIMARY KEY, v TEXT) TTL 2")
	d.insert("app.m", 0, 200, 1000)
	for _, sql := range []string{"INSERT INTO app.o VALUES (1, 'x')", "DELETE FROM app.m WHERE id = 1"} {
		start := time.Now()
		status, resp := d.postStatus(sql)
		if took := time.Since(start); took < 4*time.Second || took > 8*time.Second {
			t.Errorf("%s: failed after %s", sql, took)
		}
		if status != http.StatusServiceUnavailable || resp.Error == nil || resp.Error.Code != wire.CodeResourceExhausted ||
			!strings.Contains(resp.Error.Message, "write buffer full") ||
			!strings.Contains(resp.Error.Message, "STORAGE FLUSH") {
			t.Errorf("%s: status %d, %+v", sql, status, resp.Error)
		}
	}
	// Reads and a flush go on while a writer waits, and the flush ends its waiting.
	wrote := make(chan error, 1)
	go func() {
		resp, err := post(d.client, d.url, d.token, "INSERT INTO app.o VALUES (2, 'y')")
		if err == nil && resp.Error != nil {
			err = fmt.Errorf("%s", resp.Error.Message)
		}
		wrote <- err
	}()
	if got := d.rows("SELECT count(*) FROM app.m")[0][0]; got != "200" {
		t.Errorf("%s rows while the buffer is full", got)
	}
	d.must("STORAGE FLUSH TABLE app.m")
	if err := <-wrote; err != nil {
		t.Errorf("a write that waited while the buffer was flushed: %v", err)
	}
	// Rows of STREAM tables give room when they expire.
	d.insert("app.s", 0, 200, 1000)
	start := time.Now()
	d.insert("app.m", 1000, 1, 10)
	if took := time.Since(start); took > 4500*time.Millisecond {
		t.Errorf("a write waited %s for rows that live 2 s", took)
	}
	if got := d.rows("SELECT count(*) FROM app.m")[0][0]; got != "201" {
		t.Errorf("%s rows", got)
	}
}

// postStatus sends a statement and returns the status of the answer too.
func (d *desk) postStatus(sql string) (int, *wire.Response) {
	d.t.Helper()
	body, err := json.Marshal(wire.SQLRequest{SQL: sql})
	if err != nil {
		d.t.Fatal(err)
	}
	req, err := http.NewRequest(http.MethodPost, d.url+"/v1"+wire.PathSQL, bytes.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+d.token)
	resp, err := d.client.Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	defer resp.Body.Close()
	var out wire.Response
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
		d.t.Fatal(err)
	}
	return resp.StatusCode, &out
}
