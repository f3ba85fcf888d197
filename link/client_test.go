package link_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/link"
	"github.com/kalamlake/kalam/link/wire"
)

func TestNewErrors(t *testing.T) {
	for _, c := range []struct{ name, url, want string }{
		{"missing", "", "Invalid URL: no URL given"},
		{"scheme", "ftp://h", `Invalid URL: "ftp://h" does not begin with http:// or https://`},
		{"no scheme", "localhost:8080", `Invalid URL: "localhost:8080" does not begin with http:// or https://`},
		{"no host", "http://", `Invalid URL: "http://" has no host`},
		{"only a port", "http://:8080", `Invalid URL: "http://:8080" has no host`},
		{"user", "http://u:p@h", "Invalid URL: the URL must not hold a user or password"},
		{"query", "http://h/?a=1", `Invalid URL: "http://h/?a=1" must not have a query or fragment`},
		{"fragment", "http://h/#x", `Invalid URL: "http://h/#x" must not have a query or fragment`},
		{"malformed", "http://h:x", "Invalid URL: the URL cannot be parsed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := link.New(link.Options{URL: c.url})
			if link.KindOf(err) != link.KindInvalidURL || err.Error() != c.want {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
	for name, o := range map[string]link.Options{
		"user":    {URL: "http://h", User: "a\r\nX: y"},
		"api key": {URL: "http://h", Auth: link.APIKey("a\nb")},
		"version": {URL: "http://h", APIVersion: "v1/../x"},
	} {
		if _, err := link.New(o); link.KindOf(err) != link.KindInvalidOption {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestJWTFormat(t *testing.T) {
	for _, s := range []string{"", "a.b", "a.b.c.d", "a..c", "a.b.c\n", "a b.c.d", strings.Repeat(".", 1<<20)} {
		if _, err := link.JWT(s); link.KindOf(err) != link.KindInvalidJWT || err.Error() != "Invalid JWT token format" {
			t.Errorf("JWT(%.20q): %v", s, err)
		}
	}
	a, err := link.JWT("abc.DEF-_.123")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{fmt.Sprint(a), fmt.Sprintf("%#v", a),
		fmt.Sprintf("%+v", link.Password("u", "s3cret")), a.LogValue().String()} {
		if strings.Contains(s, "DEF") || strings.Contains(s, "s3cret") {
			t.Errorf("the secret shows in %q", s)
		}
	}
}

func TestQuery(t *testing.T) {
	f := newFake(t)
	f.answer(200,
		`{"status":"success","results":[{"schema":[{"name":"id","data_type":"BigInt","index":0,"flags":["pk","nn","uq"]},`+
			`{"name":"price","data_type":{"Decimal":{"precision":38,"scale":2}},"index":1},{"name":"x","data_type":{"Embedding":3},"index":2}],`+
			`"rows":[["9223372036854775807","-0.50",[1,2,3]],["-1",null,null]],"row_count":2,"as_user":"alice","statement_index":1,"cache_hit":true},`+
			`{"row_count":3,"message":"Inserted 3 row(s)","as_user":"alice","statement_index":2},`+
			`{"schema":[{"name":"n","data_type":"Int","index":0}],"rows":[],"row_count":0,"as_user":"alice","truncated":true}],"took":1.234,"took_ms":1}`)
	res, err := f.alice().In("app").Query(within(t), "SELECT <1>; INSERT", nil)
	if err != nil {
		t.Fatal(err)
	}
	r := res.Results[0]
	want := []link.Column{
		{Name: "id", Type: kalam.TypeOf(kalam.KindBigInt), PrimaryKey: true, Unique: true},
		{Name: "price", Type: kalam.DataType{Kind: kalam.KindDecimal, Precision: 38, Scale: 2}, Nullable: true},
		{Name: "x", Type: kalam.TypeOf(kalam.KindText), Nullable: true},
	}
	if d := cmp.Diff(want, r.Columns()); d != "" {
		t.Error(d)
	}
	if !r.HasRows() || r.RowCount() != 2 || r.RowsAffected() != 0 || !r.CacheHit() ||
		r.AsUser() != "alice" || r.Statement() != 1 {
		t.Errorf("result %+v", r)
	}
	if text, ok := r.Text(0, 0); !ok || text != "9223372036854775807" {
		t.Errorf("id is %q", text)
	}
	if _, ok := r.Text(1, 1); ok || string(r.Rows()[0][2]) != "[1,2,3]" {
		t.Errorf("rows %s", r.Rows())
	}
	if m := res.Results[1]; m.HasRows() || m.RowsAffected() != 3 || m.RowCount() != 3 ||
		m.Message() != "Inserted 3 row(s)" || m.Columns() != nil || m.CacheHit() {
		t.Errorf("message %+v", m)
	}
	if e := res.Results[2]; !e.HasRows() || e.RowCount() != 0 || !e.Truncated() {
		t.Errorf("empty result %+v", e)
	}
	if res.Took() != 1234*time.Microsecond || r.Took() != res.Took() {
		t.Errorf("took %s", res.Took())
	}
	if w := res.Envelope(); w.Status != "success" || len(w.Results) != 3 ||
		len(w.Results[0].Rows) != 2 || w.Results[1].RowCount != 3 {
		t.Errorf("envelope %+v", w)
	}
	req, body := f.last()
	if body.SQL != "SELECT <1>; INSERT" || *body.NamespaceID != "app" || string(body.Params[0]) != "null" {
		t.Errorf("request %+v", body)
	}
	if req.Header.Get("Content-Type") != "application/json" || req.Header.Get("Authorization") == "" ||
		req.Header.Get("X-User-Id") != "" || req.Header.Get("X-Tenant-Id") != "" {
		t.Errorf("headers %v", req.Header)
	}
}

func TestParams(t *testing.T) {
	type myText string
	n := int32(7)
	at := time.Date(2026, 1, 2, 3, 4, 5, 123456789, time.FixedZone("x", 3600))
	f := newFake(t)
	c := f.client(link.Options{})
	_, err := c.Query(within(t), "SELECT $1", "ü\"\x00<", int64(-1<<63), 1.5, 3.0, 1e300, true, nil, at, 5, uint8(6),
		float32(0.1), myText("m"), &n, (*int)(nil), kalam.Seq(1<<62), []int64{1, 2}, []any{"a", nil, []bool{true}, at},
		[]byte{0, 255}, []byte(nil), []string(nil), [2]int{3, 4}, map[string]any{"k": []int{1}, "h": "<"},
		struct {
			N int `json:"n"`
		}{5}, json.RawMessage(`{"raw": [1]}`), netip.MustParseAddr("10.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	_, body := f.last()
	var got []string
	for _, p := range body.Params {
		got = append(got, string(p))
	}
	want := []string{
		"\"ü\\\"\\u0000\\u003c\"", "-9223372036854775808", "1.5", "3.0", "1e+300", "true", "null",
		`"2026-01-02T02:04:05.123456Z"`,
		"5", "6", "0.1", `"m"`, "7", "null", "4611686018427387904", "[1,2]", `["a",null,[true],"2026-01-02T02:04:05.123456Z"]`,
		`"\\x00ff"`, "null", "null", "[3,4]", `{"h":"<","k":[1]}`, `{"n":5}`, `{"raw":[1]}`, `"10.0.0.1"`,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	for _, p := range []any{[]any{1, "\xff"}, []float64{math.NaN()}, map[string]any{"x": make(chan int)}, json.RawMessage("{"),
		uint64(1 << 63), "\xff", make(chan int)} {
		_, err := c.Query(within(t), "SELECT $1, $2", 1, p)
		if link.CodeOf(err) != wire.CodeInvalidParameter || !strings.HasPrefix(err.Error(), "SQL error: parameter $2: ") {
			t.Errorf("%T: %v", p, err)
		}
	}
	if _, err := c.Query(within(t), "SELECT '\xff'"); link.KindOf(err) != link.KindSQL {
		t.Errorf("invalid UTF-8: %v", err)
	}
}

func TestSQLErrors(t *testing.T) {
	for _, c := range []struct {
		name, body string
		status     int
		kind       link.Kind
		text       string
	}{
		{"sql", `{"status":"error","results":[],"took":1,"error":{"code":"INVALID_SQL","message":"Statement 1 failed: no","statement_index":1,"position":8}}`, 400, link.KindSQL, "SQL error: Statement 1 failed: no"},
		{"sql in 200", `{"status":"error","results":[],"took":1,"error":{"code":"INVALID_SQL","message":"no"}}`, 200,
			link.KindSQL, "SQL error: no"},
		{"permission", `{"status":"error","results":[],"took":1,"error":{"code":"PERMISSION_DENIED","message":"no"}}`, 403,
			link.KindSQL, "SQL error: no"},
		{"authentication",
			`{"status":"error","error":{"code":"MISSING_AUTHORIZATION","message":"Authentication required"},"results":[],"took":0}`, 401, link.KindAuthentication, "Authentication failed: Authentication required"},
		{"locked", `{"status":"error","error":{"code":"ACCOUNT_LOCKED","message":"Account locked"},"results":[],"took":0}`,
			401, link.KindAuthentication, "Authentication failed: Account locked"},
		{"plain", `{"error":"RATE_LIMIT_EXCEEDED","message":"Too many requests from your IP address","retry_after_seconds":1}`, 429, link.KindHTTP, "HTTP error 429: Too many requests from your IP address"},
		{"too large",
			`{"error":"BODY_TOO_LARGE","message":"Request body exceeds maximum allowed size","size_bytes":2,"max_bytes":1}`, 413,
			link.KindHTTP, "HTTP error 413: Request body exceeds maximum allowed size"},
		{"html", "<html>\n<h1>Bad gateway</h1>", 502, link.KindHTTP, "HTTP error 502: <html> <h1>Bad gateway</h1>"},
		{"empty", "", 404, link.KindHTTP, "HTTP error 404: Not Found"},
		{"no error", `{"status":"error","results":[]}`, 500, link.KindHTTP, "HTTP error 500: status error without an error"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFake(t)
			f.answer(c.status, c.body)
			_, err := f.client(link.Options{}).Query(within(t), "SELECT 1")
			var e *link.Error
			if !errors.As(err, &e) || e.Kind != c.kind || e.Error() != c.text || e.Status != c.status {
				t.Errorf("got %#v", err)
			}
			if c.name == "sql" && (e.Statement != 1 || e.Position != 8 || e.Code != wire.CodeInvalidSQL) {
				t.Errorf("got %+v", e)
			}
		})
	}
}

func TestMalformedAnswers(t *testing.T) {
	for _, body := range []string{
		"", "null", "[]", "{}", "{", `"x"`, `{"status":"success","results":5}`, `{"status":"success","results":[{"rows":5}]}`,
		`{"status":"success","results":[{"rows":[5]}]}`, `{"status":"success","results":[{"rows":{"a":[1]}}]}`,
		`{"status":"success","results":[{"schema":[{"name":"a"}],"rows":[[1,2]]}]}`,
		`{"status":"success","results":[{"schema":[{"name":"a"}],"rows":[[]]}]}`,
		`{"status":"success","results":[{"rows":[[1]]}]}`, `{"status":"success","results":[{"schema":{},"rows":[]}]}`,
		`{"status":"success","results":[{"row_count":"x"}]}`,
	} {
		t.Run(body, func(t *testing.T) {
			f := newFake(t)
			f.answer(200, body)
			if _, err := f.client(link.Options{}).Query(within(t), "SELECT 1"); link.KindOf(err) != link.KindSerialization {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Run("broken off", func(t *testing.T) {
		f := newFake(t)
		f.onSQL(func(w http.ResponseWriter, _ *http.Request, _ wire.SQLRequest) {
			fmt.Fprint(w, `{"status":"success","results":[{"rows":[[1],`)
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		})
		if _, err := f.client(link.Options{}).Query(within(t), "INSERT"); link.KindOf(err) != link.KindConnection {
			t.Errorf("got %v", err)
		}
	})
}

func TestBatch(t *testing.T) {
	f := newFake(t)
	f.answer(400,
		`{"status":"error","results":[{"row_count":1,"message":"Inserted 1 row(s)","as_user":"a","statement_index":1}],"took":1,`+
			`"error":{"code":"SQL_EXECUTION_ERROR","message":"Statement 2 failed: no","statement_index":2}}`)
	results, err := f.client(link.Options{}).Batch(within(t), "INSERT 1 -- one", "INSERT 2", "INSERT 3")
	var be *link.BatchError
	if !errors.As(err, &be) || be.Statement != 2 || link.KindOf(err) != link.KindSQL ||
		err.Error() != "statement 2: SQL error: Statement 2 failed: no" {
		t.Errorf("error %v", err)
	}
	if len(results) != 1 || results[0].RowsAffected() != 1 {
		t.Errorf("results %v", results)
	}
	if _, body := f.last(); body.SQL != "INSERT 1 -- one\n;\nINSERT 2\n;\nINSERT 3" {
		t.Errorf("sent %q", body.SQL)
	}
	if r, err := f.client(link.Options{}).Batch(within(t)); r != nil || err != nil {
		t.Errorf("no statements: %v, %v", r, err)
	}
}

func TestLogin(t *testing.T) {
	t.Run("once for all", func(t *testing.T) {
		f := newFake(t)
		c := f.alice()
		var g sync.WaitGroup
		for range 20 {
			g.Go(func() {
				if _, err := c.Query(within(t), "SELECT 1"); err != nil {
					t.Error(err)
				}
			})
		}
		g.Wait()
		if requests, logins, _, _ := f.counts(); requests != 20 || logins != 1 {
			t.Errorf("%d requests, %d logins", requests, logins)
		}
	})
	t.Run("wrong password", func(t *testing.T) {
		f := newFake(t)
		c := f.client(link.Options{Auth: link.Password("alice", "x")})
		if err := c.Login(within(t)); link.KindOf(err) != link.KindAuthentication ||
			err.Error() != "Authentication failed: Invalid credentials" {
			t.Errorf("got %v", err)
		}
		if _, err := c.Query(within(t), "SELECT 1"); link.KindOf(err) != link.KindAuthentication {
			t.Errorf("got %v", err)
		}
		if requests, logins, _, _ := f.counts(); requests != 0 || logins != 2 {
			t.Errorf("%d requests, %d logins", requests, logins)
		}
	})
	t.Run("expired token is refreshed once for all", func(t *testing.T) {
		f := newFake(t)
		c := f.alice()
		if err := c.Login(within(t)); err != nil {
			t.Fatal(err)
		}
		f.expire(false)
		var g sync.WaitGroup
		for range 10 {
			g.Go(func() {
				if _, err := c.Query(within(t), "INSERT"); err != nil {
					t.Error(err)
				}
			})
		}
		g.Wait()
		if _, logins, renewals, _ := f.counts(); logins != 1 || renewals != 1 {
			t.Errorf("%d logins, %d renewals", logins, renewals)
		}
	})
	t.Run("expired refresh token", func(t *testing.T) {
		f := newFake(t)
		c := f.alice()
		if err := c.Login(within(t)); err != nil {
			t.Fatal(err)
		}
		f.expire(true)
		if _, err := c.Query(within(t), "INSERT"); err != nil {
			t.Error(err)
		}
		if _, logins, renewals, _ := f.counts(); logins != 2 || renewals != 0 {
			t.Errorf("%d logins, %d renewals", logins, renewals)
		}
	})
	t.Run("expired JWT", func(t *testing.T) {
		f := newFake(t)
		jwt, _ := link.JWT("a.b.c")
		if _, err := f.client(link.Options{Auth: jwt}).Query(within(t),
			"SELECT 1"); link.CodeOf(err) != wire.CodeTokenExpired || link.KindOf(err) != link.KindAuthentication {
			t.Errorf("got %v", err)
		}
		if requests, _, _, _ := f.counts(); requests != 1 {
			t.Errorf("%d requests", requests)
		}
	})
	t.Run("garbage", func(t *testing.T) {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter,
			_ *http.Request) {
			fmt.Fprint(w, `{"access_token":"a\nb"}`)
		}))
		defer s.Close()
		c, err := link.New(link.Options{URL: s.URL, Auth: link.Password("a", "b")})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := c.Login(within(t)); link.KindOf(err) != link.KindSerialization {
			t.Errorf("got %v", err)
		}
	})
}

func TestCredentialHeaders(t *testing.T) {
	f := newFake(t)
	if _, err := f.client(link.Options{Auth: link.APIKey("k3y"), User: "bob"}).Query(within(t), "SELECT 1"); err != nil {
		t.Fatal(err)
	}
	req, _ := f.last()
	if req.Header.Get("X-API-Key") != "k3y" || req.Header.Get("X-USER-ID") != "bob" ||
		req.Header.Get("Authorization") != "" {
		t.Errorf("headers %v", req.Header)
	}
}

func TestConnectionsAreReused(t *testing.T) {
	f := newFake(t)
	c := f.alice()
	for range 50 {
		if _, err := c.Query(within(t), "SELECT 1"); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, _, conns := f.counts(); conns != 1 {
		t.Errorf("%d connections, want 1", conns)
	}
}

func TestRetries(t *testing.T) {
	drop := func(w http.ResponseWriter, _ *http.Request, _ wire.SQLRequest) { panic(http.ErrAbortHandler) }
	for _, c := range []struct {
		sql  string
		max  int
		want int
	}{{"SELECT 1", 0, 4}, {"SELECT 1", 1, 2}, {"SELECT 1", -1, 1}, {"INSERT INTO t VALUES (1)", 0, 1},
		{"SELECT 1; DELETE FROM t", 0, 1}} {
		f := newFake(t)
		f.onSQL(drop)
		_, err := f.client(link.Options{MaxRetries: c.max}).Query(within(t), c.sql)
		requests, _, _, _ := f.counts()
		if link.KindOf(err) != link.KindConnection || requests != c.want {
			t.Errorf("%s with %d retries: %d requests, error %v", c.sql, c.max, requests, err)
		}
	}
	t.Run("server comes up", func(t *testing.T) {
		f := newFake(t)
		c := f.client(link.Options{URL: "http://127.0.0.1:1",
			HTTPClient: &http.Client{Transport: &refuseFirst{n: 2, to: f.Listener.Addr().String()}}})
		if _, err := c.Query(within(t), "INSERT INTO t VALUES (1)"); err != nil {
			t.Errorf("what was never sent may be sent again: %v", err)
		}
	})
}

// refuseFirst fails the first n dials and then reaches to.
type refuseFirst struct {
	n  int
	to string
}

func (r *refuseFirst) RoundTrip(req *http.Request) (*http.Response, error) {
	t := &http.Transport{DisableKeepAlives: true}
	if r.n--; r.n < 0 {
		req.URL.Host = r.to
	}
	return t.RoundTrip(req)
}

func TestTimeoutAndCancel(t *testing.T) {
	f := newFake(t)
	arrived, gone := make(chan struct{}, 10), make(chan struct{}, 10)
	f.onSQL(func(_ http.ResponseWriter, r *http.Request, _ wire.SQLRequest) {
		arrived <- struct{}{}
		<-r.Context().Done()
		gone <- struct{}{}
	})
	t.Run("timeout", func(t *testing.T) {
		_, err := f.client(link.Options{Timeout: 30 * time.Millisecond}).Query(within(t), "SELECT 1")
		if link.KindOf(err) != link.KindTimeout || err.Error() != "Timeout after 30ms" ||
			!errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		<-arrived
		<-gone
	})
	t.Run("deadline", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Millisecond)
		defer cancel()
		_, err := f.client(link.Options{}).Query(ctx, "SELECT 1")
		if link.KindOf(err) != link.KindTimeout || !strings.HasPrefix(err.Error(), "Timeout after ") {
			t.Errorf("got %v", err)
		}
		<-arrived
		<-gone
	})
	t.Run("cancel", func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		go func() {
			<-arrived
			cancel()
		}()
		_, err := f.client(link.Options{Timeout: -1}).Query(ctx, "SELECT 1")
		if link.KindOf(err) != link.KindCanceled || err.Error() != "Canceled: query canceled" ||
			!errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		<-gone // The server learns of it.
	})
	t.Run("closed", func(t *testing.T) {
		c := f.client(link.Options{})
		c.Close()
		if _, err := c.Query(within(t), "SELECT 1"); err == nil || err.Error() != "Connection error: the client is closed" {
			t.Errorf("got %v", err)
		}
	})
}

func TestRedirects(t *testing.T) {
	f := newFake(t)
	other := newFake(t)
	to := ""
	f.onSQL(func(w http.ResponseWriter, r *http.Request, _ wire.SQLRequest) {
		if r.URL.RawQuery == "" {
			http.Redirect(w, r, to, http.StatusTemporaryRedirect)
			return
		}
		reply(w, 200, `{"status":"success","results":[],"took":0.1}`)
	})
	to = other.URL + "/v1/api/sql"
	_, err := f.alice().Query(within(t), "SELECT secret")
	if link.KindOf(err) != link.KindHTTP || !strings.HasPrefix(err.Error(),
		"HTTP error 307: the redirect to http://127.0.0.1:") {
		t.Errorf("got %v", err)
	}
	if requests, logins, _, _ := other.counts(); requests+logins != 0 {
		t.Error("the statement went to another host")
	}
	to = f.URL + "/v1/api/sql?again"
	if _, err := f.alice().Query(within(t), "SELECT 1"); err != nil {
		t.Errorf("redirect on the same host: %v", err)
	}
}

func TestHealth(t *testing.T) {
	f := newFake(t)
	h, err := f.alice().Health(within(t))
	if err != nil {
		t.Fatal(err)
	}
	want := &link.Health{Status: "healthy", Version: "1.2.3", APIVersion: "v1", UptimeSeconds: 42,
		Metrics: &link.Metrics{ActiveConnections: 3, ActiveSubscriptions: 2, QueriesPerSecond: 1.5}}
	if d := cmp.Diff(want, h); d != "" {
		t.Error(d)
	}
	if _, logins, _, _ := f.counts(); logins != 0 {
		t.Error("a health check must not log in")
	}
	for _, c := range []struct {
		status int
		body   string
		kind   link.Kind
	}{
		{503, `{"status":"shutting_down","version":"1"}`, 0},
		{403, `{"error":"Access denied. Health endpoint is localhost-only."}`, link.KindAuthentication},
		{404, "no", link.KindHTTP}, {200, "no", link.KindSerialization},
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { reply(w, c.status, c.body) }))
		client, err := link.New(link.Options{URL: s.URL + "/base/", APIVersion: "v2"})
		if err != nil {
			t.Fatal(err)
		}
		h, err := client.Health(within(t))
		if link.KindOf(err) != c.kind || c.kind == 0 && h.Status != "shutting_down" {
			t.Errorf("%d %s: %v, %v", c.status, c.body, h, err)
		}
		client.Close()
		s.Close()
	}
}

func TestReadOnly(t *testing.T) {
	for sql, want := range map[string]bool{
		"SELECT 1": true, " select 1 ; ": true, "SHOW TABLES": true, "DESCRIBE t": true, "FROM t": true,
		"VALUES (1)": true, "SELECT(1)": true,
		"": false, "SELECTED": false, "SELECT 1; DELETE FROM t": false, "WITH a AS (SELECT 1) SELECT 1": false,
		"INSERT INTO t VALUES (1)": false,
		"/* x */ SELECT 1":         false, "EXECUTE AS USER 'a' (SELECT 1)": false,
	} {
		if got := link.ReadOnly(sql); got != want {
			t.Errorf("ReadOnly(%q) = %t", sql, got)
		}
	}
}

func TestBackoffAndPace(t *testing.T) {
	for n, most := range []time.Duration{100, 200, 400, 800, 1600} {
		for range 50 {
			if d := link.Backoff(100*time.Millisecond, 30*time.Second, n); d > most*time.Millisecond ||
				d < most*time.Millisecond*4/5 {
				t.Errorf("backoff %d is %s", n, d)
			}
		}
	}
	if d := link.Backoff(100*time.Millisecond, 30*time.Second, 1000); d > 30*time.Second || d < 24*time.Second {
		t.Errorf("backoff 1000 is %s", d)
	}
	const rate = 40
	p := link.NewPacer(rate)
	start := time.Unix(0, 0)
	var at []time.Duration
	for range 200 {
		at = append(at, p.Reserve(start))
	}
	for i := range at {
		if j := i + rate; j < len(at) && at[j]-at[i] < time.Second {
			t.Fatalf("%d actions within %s", rate+1, at[j]-at[i])
		}
	}
	if at[0] != 0 || at[199] > 6*time.Second {
		t.Errorf("first after %s, last after %s", at[0], at[199])
	}
}
