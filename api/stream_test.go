package api_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/api"
	"github.com/kalamlake/kalam/config"
	"github.com/kalamlake/kalam/internal/eventually"
	"github.com/kalamlake/kalam/link"
	"github.com/kalamlake/kalam/link/wire"
	"github.com/kalamlake/kalam/read"
	"github.com/kalamlake/kalam/session"
)

// raw is a connection to the server on which requests are written by hand.
type raw struct {
	t testing.TB
	net.Conn
	r *bufio.Reader
}

func (h *harness) dial() *raw {
	h.t.Helper()
	c, err := net.Dial("tcp", h.addr)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		h.t.Fatal(err)
	}
	return &raw{t: h.t, Conn: c, r: bufio.NewReader(c)}
}

func (r *raw) write(s string) {
	r.t.Helper()
	if _, err := io.WriteString(r.Conn, s); err != nil {
		r.t.Fatal(err)
	}
}

// read reads one response.
func (r *raw) read() response {
	r.t.Helper()
	res, err := http.ReadResponse(r.r, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return response{status: res.StatusCode, header: res.Header, body: string(body), err: err, closes: res.Close}
}

// sqlText returns an SQL request as it is on the wire.
func sqlText(token, sql string) string {
	body, err := json.Marshal(map[string]string{"sql": sql})
	if err != nil {
		panic(err)
	}
	return fmt.Sprintf("POST /v1/api/sql HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		token, len(body), body)
}

// TestStreamManyRows reads a result that is much larger than what the server may
// use for it.
func TestStreamManyRows(t *testing.T) {
	h := start(t, setup{})
	root := h.root()
	const rows = 1_000_000
	sql := fmt.Sprintf("SELECT range AS id, '# ' || range || ' ' || repeat('x', 100) AS body FROM range(%d)", rows)
	c := h.dial()
	c.write(sqlText(root, sql))
	res, err := http.ReadResponse(c.r, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK || res.ContentLength != -1 {
		t.Fatalf("status %d, length %d", res.StatusCode, res.ContentLength)
	}
	var before, now runtime.MemStats
	runtime.ReadMemStats(&before)
	var peak uint64
	n, tail := 0, []byte(nil)
	buf := make([]byte, 1<<20)
	for {
		m, err := io.ReadFull(res.Body, buf)
		n += bytes.Count(buf[:m], []byte(`#`))
		if m > 0 {
			tail = append(tail[:0], buf[max(0, m-200):m]...)
		}
		runtime.ReadMemStats(&now)
		peak = max(peak, now.HeapInuse)
		if err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) ||
				!strings.HasSuffix(string(tail), `,"error":null}`) {
				t.Fatalf("after %d rows: %v, %q", n, err, tail)
			}
			break
		}
	}
	if n != rows {
		t.Errorf("%d rows, want %d", n, rows)
	}
	if grown := int64(peak) - int64(before.HeapInuse); grown > 96<<20 {
		t.Errorf("the heap grew by %d MB for a result of 130 MB", grown>>20)
	}
	// The connection lives on.
	c.write(sqlText(root, "SELECT 7 AS seven"))
	if res := c.read(); !strings.Contains(res.body, "[[7]]") {
		t.Errorf("next request: %s", res.body)
	}
}

// rowsThen writes n rows of 100 bytes and then calls f.
func rowsThen(n int, f func(ctx context.Context) error) api.ExecutorFunc {
	return func(ctx context.Context, p kalam.Principal, _ session.Request, out session.Results) error {
		header := session.RowsHeader{Fields: []read.Field{{Name: "body", Type: kalam.TypeOf(kalam.KindText)}},
			AsUser: p.User, Statement: 1}
		if err := out.StartRows(header); err != nil {
			return err
		}
		row := []kalam.Value{kalam.Text(strings.Repeat("x", 100))}
		for range n {
			if err := out.Values(row); err != nil {
				return err
			}
		}
		if err := f(ctx); err != nil {
			return &session.StatementError{Statement: 1, Err: err}
		}
		return out.EndRows(session.RowsTrailer{RowCount: int64(n)})
	}
}

// TestStreamSizes checks the border between documents sent at once and in pieces.
func TestStreamSizes(t *testing.T) {
	n := 0
	h := start(t, setup{})
	h.server.SetExecutor(func(ctx context.Context, p kalam.Principal, r session.Request, out session.Results) error {
		return rowsThen(n, func(context.Context) error { return nil })(ctx, p, r, out)
	})
	root := h.root()
	for _, n = range []int{0, 1, 640, 5000, 10_170, 10_175, 10_180, 10_185, 10_190, 10_200, 20_000} {
		res := h.sql(root, "x")
		var out wire.Response
		decode(t, res.body, &out)
		if res.status != http.StatusOK || len(out.Results) != 1 || len(out.Results[0].Rows) != n ||
			out.Results[0].RowCount != int64(n) || !strings.HasSuffix(res.body, `,"error":null}`) {
			t.Errorf("%d rows: status %d, %d bytes", n, res.status, len(res.body))
		}
		if streamed := res.header.Get("Content-Length") == ""; streamed != (len(res.body) >= 1<<20) {
			t.Errorf("%d rows, %d bytes: streamed %v", n, len(res.body), streamed)
		}
	}
}

// TestFailureInStream checks that a result that fails half-way is no success: the
// document ends with its status, its error, and a result that says that it is not
// whole (case A8).
func TestFailureInStream(t *testing.T) {
	h := start(t, setup{})
	root := h.root()
	for _, f := range []func(context.Context) error{
		func(context.Context) error { return kalam.Errorf(kalam.CodeTimeout, "too slow") },
		func(context.Context) error { return errors.New("broken") },
		func(context.Context) error { panic("boom") },
	} {
		const rows = 12_000
		h.server.SetExecutor(rowsThen(rows, f))
		res := h.sql(root, "x")
		var out wire.Response
		decode(t, res.body, &out)
		if res.status != http.StatusOK || res.err != nil || out.Status != wire.StatusError ||
			out.Error == nil || out.Error.Code == "" {
			t.Errorf("status %d, %v, ends with %s", res.status, res.err, res.body[len(res.body)-300:])
		}
		if len(out.Results) != 1 || !out.Results[0].Truncated || len(out.Results[0].Rows) != rows {
			t.Errorf("%d results: %+v", len(out.Results), out.Results[0].Truncated)
		}
	}
	c, err := link.New(link.Options{URL: h.url, Auth: link.Password("root", rootPassword)})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Query(t.Context(), "x"); link.KindOf(err) != link.KindSQL {
		t.Errorf("the client library says %v", err)
	}
	if !strings.Contains(h.log.String(), "broken") {
		t.Error("the internal error is not in the log")
	}
}

// TestFailureBeforeStream checks that a failure within the first piece has its
// status, and nothing of the failed result is left. Case A8.
func TestFailureBeforeStream(t *testing.T) {
	h := start(t, setup{})
	root := h.root()
	h.server.SetExecutor(rowsThen(10, func(context.Context) error { return kalam.Errorf(kalam.CodeTimeout, "too slow") }))
	res := h.sql(root, "x")
	if res.status != http.StatusBadRequest || !strings.HasPrefix(res.body, `{"status":"error","results":[],"took":`) ||
		!strings.Contains(res.body, "Statement 1 failed: Execution error: too slow") {
		t.Errorf("%d %s", res.status, res.body)
	}
	h.server.SetExecutor(rowsThen(10, func(context.Context) error { panic("boom") }))
	if res := h.sql(root, "x"); res.status != http.StatusInternalServerError || strings.Contains(res.body, "boom") {
		t.Errorf("%d %s", res.status, res.body)
	}
	h.server.SetExecutor(rowsThen(1, func(context.Context) error { return nil }))
	if res := h.sql(root, "x"); res.status != http.StatusOK {
		t.Errorf("after a panic: %d %s", res.status, res.body)
	}
}

// blocked is an executor that runs until its context ends, and tells when.
type blocked struct {
	entered chan struct{}
	ended   chan error
}

func newBlocked() *blocked {
	return &blocked{entered: make(chan struct{}, 10), ended: make(chan error, 10)}
}

func (b *blocked) run(ctx context.Context) error {
	b.entered <- struct{}{}
	<-ctx.Done()
	b.ended <- context.Cause(ctx)
	return ctx.Err()
}

func (b *blocked) wait(t *testing.T, within time.Duration) error {
	t.Helper()
	select {
	case err := <-b.ended:
		return err
	case <-time.After(within):
		t.Fatalf("the statement was not cancelled within %v", within)
		return nil
	}
}

// TestDisconnectCancels closes connections of all kinds under a running statement.
func TestDisconnectCancels(t *testing.T) {
	tests := []struct {
		name string
		rows int // Sent before the statement blocks.
		end  func(c *raw)
	}{
		{"closed", 0, func(c *raw) { c.Close() }},
		{"half-closed", 0, func(c *raw) { c.Conn.(*net.TCPConn).CloseWrite() }},
		{"reset", 0, func(c *raw) { c.Conn.(*net.TCPConn).SetLinger(0); c.Close() }},
		{"closed with a request behind", 0, func(c *raw) { c.write(sqlText("x", "SELECT 1")); c.Close() }},
		{"closed while streaming", 12_000, func(c *raw) { c.Close() }},
		{"reset while streaming", 12_000, func(c *raw) { c.Conn.(*net.TCPConn).SetLinger(0); c.Close() }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := start(t, setup{})
			b := newBlocked()
			h.server.SetExecutor(rowsThen(tt.rows, b.run))
			c := h.dial()
			c.write(sqlText(h.root(), "x"))
			if tt.rows > 0 {
				if _, err := http.ReadResponse(c.r, nil); err != nil {
					t.Fatal(err)
				}
				if _, err := io.CopyN(io.Discard, c.r, int64(tt.rows)*100); err != nil {
					t.Fatal(err)
				}
			}
			<-b.entered
			tt.end(c)
			b.wait(t, time.Second)
		})
	}
}

// TestDisconnectCancelsQuery does the same to a real query.
func TestDisconnectCancelsQuery(t *testing.T) {
	h := start(t, setup{config: func(c *config.Config) { c.Query.TimeoutSeconds = 0 }})
	root := h.root()
	c := h.dial()
	c.write(sqlText(root, "SELECT count(*) AS n FROM range(100000000000) a"))
	eventually.True(t, "the query runs", func() bool { return h.engine.Counters().Requests.Load() > 0 })
	c.Close()
	eventually.True(t, "the query is cancelled", func() bool {
		return strings.Contains(h.log.String(),
			"client went away")
	})
}

// TestPipelined sends requests without waiting for the answers, while the first
// is slow enough for its connection to be watched.
func TestPipelined(t *testing.T) {
	h := start(t, setup{})
	release := make(chan struct{})
	h.server.SetExecutor(func(ctx context.Context, p kalam.Principal, r session.Request, out session.Results) error {
		if r.SQL == "slow" {
			select {
			case <-release:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return out.Done(session.Done{Message: r.SQL, AsUser: p.User, Statement: 1})
	})
	root := h.root()
	c := h.dial()
	const n = 60 // More bytes than are read ahead.
	var text strings.Builder
	text.WriteString(sqlText(root, "slow"))
	for i := range n {
		text.WriteString(sqlText(root, fmt.Sprint("request ", i)))
	}
	c.write(text.String()[:text.Len()-10])
	time.AfterFunc(150*time.Millisecond, func() { close(release) }) // Past the time at which the watch begins.
	if res := c.read(); !strings.Contains(res.body, `"slow"`) {
		t.Fatalf("first answer: %s", res.body)
	}
	c.write(text.String()[text.Len()-10:])
	for i := range n {
		if res := c.read(); !strings.Contains(res.body, fmt.Sprintf(`"request %d"`, i)) {
			t.Fatalf("answer %d: %s", i, res.body)
		}
	}
}

// TestKeepAlive sends slow and fast requests in turn over one connection.
func TestKeepAlive(t *testing.T) {
	h := start(t, setup{})
	h.server.SetExecutor(func(_ context.Context, p kalam.Principal, r session.Request, out session.Results) error {
		if r.SQL == "slow" {
			<-time.After(80 * time.Millisecond)
		}
		return out.Done(session.Done{Message: r.SQL, AsUser: p.User, Statement: 1})
	})
	root := h.root()
	c := h.dial()
	for i := range 12 {
		sql := []string{"slow", "fast", "fast"}[i%3]
		c.write(sqlText(root, sql))
		if res := c.read(); res.status != http.StatusOK || !strings.Contains(res.body, sql) || res.closes {
			t.Fatalf("request %d: %d %s", i, res.status, res.body)
		}
	}
}

func TestBodyLimits(t *testing.T) {
	h := start(t, setup{config: func(c *config.Config) { c.Limits.MaxBodyBytes = 2 << 20 }})
	root := h.root()
	head := "POST /v1/api/sql HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + root +
		"\r\nContent-Type: application/json\r\n"
	tooLarge := func(t *testing.T, res response, size bool) {
		t.Helper()
		want := `{"error":"BODY_TOO_LARGE","message":"Request body exceeds maximum allowed size",`
		if res.status != http.StatusRequestEntityTooLarge || !strings.HasPrefix(res.body, want) ||
			strings.Contains(res.body, "size_bytes") != size || !strings.Contains(res.body, `"max_bytes":2097152`) {
			t.Errorf("%d %s", res.status, res.body)
		}
	}
	t.Run("announced", func(t *testing.T) {
		c := h.dial()
		c.write(head + "Content-Length: 1000000000\r\n\r\n" + strings.Repeat("x", 10000))
		tooLarge(t, c.read(), true)
	})
	t.Run("sent", func(t *testing.T) {
		res := h.do("POST", "/v1/api/sql", root, strings.Repeat("x", 3<<20))
		tooLarge(t, res, true)
	})
	t.Run("chunked", func(t *testing.T) {
		res := h.do("POST", "/v1/api/sql", root, io.MultiReader(strings.NewReader(strings.Repeat("x", 3<<20))))
		tooLarge(t, res, false)
	})
	t.Run("one chunk that promises much", func(t *testing.T) {
		c := h.dial()
		c.write(head + "Transfer-Encoding: chunked\r\n\r\n7fffffff\r\n" + strings.Repeat("x", 3<<20))
		tooLarge(t, c.read(), false)
	})
	t.Run("without a token", func(t *testing.T) {
		c := h.dial()
		c.write("POST /v1/api/sql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000000000\r\n\r\n" + strings.Repeat("x", 10000))
		if res := c.read(); res.status != http.StatusUnauthorized || !res.closes {
			t.Errorf("%d %s %s", res.status, res.header, res.body)
		}
	})
	t.Run("small chunks", func(t *testing.T) {
		body := `{"sql":"SELECT 1 AS one"}`
		var b bytes.Buffer
		for i := range len(body) {
			fmt.Fprintf(&b, "1\r\n%c\r\n", body[i])
		}
		c := h.dial()
		for range 2 {
			c.write(head + "Transfer-Encoding: chunked\r\n\r\n" + b.String() + "0\r\n\r\n")
			if res := c.read(); res.status != http.StatusOK || !strings.Contains(res.body, "[[1]]") {
				t.Errorf("%d %s", res.status, res.body)
			}
		}
	})
	t.Run("continue", func(t *testing.T) {
		body := `{"sql":"SELECT 1 AS one"}`
		c := h.dial()
		c.write(head + fmt.Sprintf("Expect: 100-continue\r\nContent-Length: %d\r\n\r\n", len(body)))
		if line, err := c.r.ReadString('\n'); err != nil || !strings.HasPrefix(line, "HTTP/1.1 100") {
			t.Fatalf("%q %v", line, err)
		}
		if _, err := c.r.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		c.write(body)
		if res := c.read(); res.status != http.StatusOK {
			t.Errorf("%d %s", res.status, res.body)
		}
	})
	t.Run("refused body is not the next request", func(t *testing.T) {
		smuggled := sqlText(root, "SELECT 42")
		c := h.dial()
		c.write(fmt.Sprintf("GET /health HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(smuggled), smuggled))
		if res := c.read(); res.status != http.StatusOK || !res.closes {
			t.Errorf("%d %s", res.status, res.header)
		}
		if _, err := c.r.ReadByte(); !errors.Is(err, io.EOF) {
			t.Errorf("the connection goes on: %v", err)
		}
	})
}

// TestManyIdleClients holds many requests that never finish their bodies: they
// cost little memory, and others are served.
func TestManyIdleClients(t *testing.T) {
	h := start(t, setup{})
	root := h.root()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for range 200 {
		h.dial().write("POST /v1/api/sql HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + root +
			"\r\nContent-Type: application/json\r\nContent-Length: 10000000\r\n\r\n" + strings.Repeat("{", 9000))
	}
	if res := h.sql(root, "SELECT 1 AS one"); res.status != http.StatusOK {
		t.Errorf("%d %s", res.status, res.body)
	}
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapInuse) - int64(before.HeapInuse); grown > 64<<20 {
		t.Errorf("200 unfinished bodies of 10 MB each cost %d MB", grown>>20)
	}
}
