package api_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/api"
	"github.com/kalamlake/kalam/config"
	"github.com/kalamlake/kalam/link/wire"
	"github.com/kalamlake/kalam/session"
)

const everyType = `CREATE USER TABLE app.everything (
	id BIGINT PRIMARY KEY, flag BOOLEAN, small SMALLINT, n INT, f FLOAT, d DOUBLE, amount DECIMAL(10,2), body TEXT NOT NULL,
	ts TIMESTAMP, dt DATETIME, day DATE, tm TIME, doc JSON, raw BYTES, uid UUID)`

// TestEnvelopeGolden holds the shape of answers of the SQL endpoint, byte by byte.
func TestEnvelopeGolden(t *testing.T) {
	h := start(t, setup{})
	root, alice := h.root(), h.user("alice", kalam.RoleUser)
	h.mustSQL(root, "CREATE NAMESPACE app")
	h.mustSQL(root, everyType)
	h.mustSQL(root, "CREATE SHARED TABLE app.secret (id BIGINT PRIMARY KEY) WITH (ACCESS_LEVEL = 'DBA')")
	tests := []struct{ name, token, body string }{
		{"insert", alice,
			`{"sql":"INSERT INTO app.everything VALUES (1, true, -2, 3, 0.1, 3, -0.50, 'text \"quoted\"', '2024-01-02T03:04:05.678901Z', '2024-01-02T03:04:05Z', '2024-01-02', '03:04:05', '{\"a\":1}', X'00ff', '01234567-89ab-cdef-0123-456789abcdef')"}`},
		{"insert with parameters", alice,
			`{"sql":"INSERT INTO app.everything (id, body, flag, d) VALUES ($1, $2, $3, $4)","params":[2,"two",null,1e21]}`},
		{"select every type", alice, `{"sql":"SELECT * FROM app.everything ORDER BY id"}`},
		{"point read", alice,
			`{"sql":"SELECT id, amount FROM everything WHERE id = $1","params":["1"],"namespace_id":"app"}`},
		{"no rows", alice, `{"sql":"SELECT id FROM app.everything WHERE id > 99"}`},
		{"update", alice, `{"sql":"UPDATE app.everything SET n = 4 WHERE id = 1"}`},
		{"delete nothing", alice, `{"sql":"DELETE FROM app.everything WHERE id = 99"}`},
		{"returning", alice, `{"sql":"INSERT INTO app.everything (id, body) VALUES (3, 'x') RETURNING id, body"}`},
		{"batch", alice,
			`{"sql":"SELECT 1 AS one; INSERT INTO app.everything (id, body) VALUES (4, 'x'); SELECT count(*) AS n FROM app.everything;"}`},
		{"batch that fails", alice,
			`{"sql":"SELECT 1 AS one; INSERT INTO app.everything (id, body) VALUES (4, 'x'); SELECT 2"}`},
		{"execute as", root, `{"sql":"EXECUTE AS USER 'alice' (SELECT count(*) AS n FROM app.everything)"}`},
		{"unknown table", alice, `{"sql":"SELECT * FROM app.nothing"}`},
		{"unknown table as admin", root, `{"sql":"SELECT 1; SELECT * FROM app.nothing"}`},
		{"not null", alice, `{"sql":"INSERT INTO app.everything (id) VALUES (9)"}`},
		{"permission", alice, `{"sql":"DROP TABLE app.everything"}`},
		{"hidden table", alice, `{"sql":"SELECT * FROM app.secret"}`},
		{"execute as without right", alice, `{"sql":"SELECT 1; EXECUTE AS USER 'root' (SELECT 1)"}`},
		{"syntax", alice, `{"sql":"SELECT FROM WHERE"}`},
		{"unterminated", alice, `{"sql":"SELECT 'a"}`},
		{"empty", alice, `{"sql":" ; -- nothing"}`},
		{"parameters with a batch", alice, `{"sql":"SELECT $1; SELECT 2","params":[1]}`},
		{"wrong number of parameters", alice, `{"sql":"SELECT $1, $2","params":[1]}`},
		{"array parameter", alice, `{"sql":"SELECT id FROM app.everything WHERE id IN ($1)","params":[[1,3,99]]}`},
		{"array parameter out of range", alice, `{"sql":"SELECT $1","params":[[1e999]]}`},
		{"no json", alice, `SELECT 1`},
		{"bad namespace", alice, `{"sql":"SELECT 1","namespace_id":"a.b"}`},
		{"no token", "", `{"sql":"SELECT 1"}`},
		{"bad token", "nonsense", `{"sql":"SELECT 1"}`},
	}
	var got []exchange
	for _, tt := range tests {
		res := h.do("POST", "/v1/api/sql", tt.token, tt.body)
		if ct := res.header.Get("Content-Type"); ct != "application/json" {
			t.Errorf("%s: content type %q", tt.name, ct)
		}
		got = append(got, exchange{tt.name, tt.body, res.status, res.body})
	}
	golden(t, "envelope", got)
}

// TestRowsAsObjects asks for rows as objects of their columns.
func TestRowsAsObjects(t *testing.T) {
	h := start(t, setup{})
	alice := h.user("alice", kalam.RoleUser)
	h.mustSQL(h.root(), "CREATE NAMESPACE app; CREATE USER TABLE app.t (id BIGINT PRIMARY KEY, word TEXT)")
	h.mustSQL(alice, "INSERT INTO app.t VALUES (1, 'a\"b'), (2, NULL)")
	for _, c := range []struct{ query, sql, want string }{
		{"?rows=objects", "SELECT id, word FROM app.t ORDER BY id",
			`"rows":[{"id":"1","word":"a\"b"},{"id":"2","word":null}],"row_count":2`},
		{"?rows=objects", "SELECT id, word FROM app.t WHERE id = 2", `"rows":[{"id":"2","word":null}]`},
		{"?rows=objects", "SELECT id, id, 1 AS id_1, id FROM app.t WHERE id = 2 OR false",
			`"rows":[{"id":"2","id_2":"2","id_1":1,"id_3":"2"}]`},
		{"?rows=objects", `SELECT 1 AS "a""b"; SELECT 2 AS c`, `"rows":[{"a\"b":1}]`},
		{"?rows=objects", "SELECT id FROM app.t WHERE id > 9", `"rows":[]`},
		{"?rows=arrays", "SELECT id, word FROM app.t WHERE id = 2", `"rows":[["2",null]]`},
		{"?rows=", "SELECT 1, 2", `"rows":[[1,2]]`},
		{"?rows=maps", "SELECT 1", "rows must be arrays or objects"},
	} {
		res := h.do("POST", "/v1/api/sql"+c.query, alice, map[string]string{"sql": c.sql})
		if !strings.Contains(res.body, c.want) || (res.status == http.StatusOK) != strings.Contains(res.body, `"status":"success"`) {
			t.Errorf("%s %s: %d %s", c.query, c.sql, res.status, res.body)
		}
	}
}

// TestTimesAsISO asks for times as texts, of rows that the engine gives and of rows by their key.
func TestTimesAsISO(t *testing.T) {
	h := start(t, setup{})
	alice := h.user("alice", kalam.RoleUser)
	h.mustSQL(h.root(), `CREATE NAMESPACE app;
		CREATE USER TABLE app.t (id BIGINT PRIMARY KEY, ts TIMESTAMP, dt DATETIME, d DATE, ti TIME, n INT)`)
	h.mustSQL(alice, `INSERT INTO app.t VALUES (1, '2026-03-01 01:02:03.000004', '2026-03-01T01:02:03+02:00', '1969-12-31',
		'12:34:56.5', 7), (2, NULL, NULL, NULL, NULL, NULL)`)
	const first = `["1","2026-03-01T01:02:03.000004Z","2026-02-28T23:02:03Z","1969-12-31","12:34:56.5",7]`
	for _, c := range []struct{ query, sql, want string }{
		{"?times=iso", "SELECT id, ts, dt, d, ti, n FROM app.t WHERE id = 1", `"rows":[` + first + `]`},
		{"?times=iso", "SELECT id, ts, dt, d, ti, n FROM app.t ORDER BY id",
			`"rows":[` + first + `,["2",null,null,null,null,null]]`},
		{"?times=iso&rows=objects", "SELECT d FROM app.t WHERE id = 1", `"rows":[{"d":"1969-12-31"}]`},
		{"?times=iso", "SELECT 1 AS n; SELECT ts FROM app.t WHERE id = 1; SELECT 5", `"rows":[[5]]`},
		{"?times=numbers", "SELECT d FROM app.t WHERE id = 1", `"rows":[[-1]]`},
		{"", "SELECT d FROM app.t WHERE id = 1", `"rows":[[-1]]`},
		{"?times=local", "SELECT 1", "times must be numbers or iso"},
	} {
		res := h.do("POST", "/v1/api/sql"+c.query, alice, map[string]string{"sql": c.sql})
		if !strings.Contains(res.body, c.want) {
			t.Errorf("%s %s: %d %s", c.query, c.sql, res.status, res.body)
		}
	}
}

// TestLargeParameters writes a row of more than 1 MiB by parameters, which the text of SQL cannot hold.
func TestLargeParameters(t *testing.T) {
	h := start(t, setup{})
	alice := h.user("alice", kalam.RoleUser)
	h.mustSQL(h.root(), "CREATE NAMESPACE app; CREATE USER TABLE app.t (id BIGINT PRIMARY KEY, a TEXT, b TEXT, c TEXT, d TEXT)")
	long := strings.Repeat("x", 500<<10)
	h.mustSQL(alice, "INSERT INTO app.t VALUES (1, $1, $2, $3, $4)", long, long, long, long)
	res := h.mustSQL(alice, "SELECT length(a) + length(b) + length(c) + length(d) AS n FROM app.t")
	if got := string(res.Results[0].Rows[0][0]); got != `"2048000"` {
		t.Errorf("length %s", got)
	}
	if res := h.sql(alice, "SELECT '"+strings.Repeat(long, 3)+"'"); !strings.Contains(res.body, "SQL query too long") {
		t.Errorf("a long text of SQL: %.200s", res.body)
	}
}

func TestTimingOff(t *testing.T) {
	h := start(t, setup{config: func(c *config.Config) { c.Query.Timing = false }})
	for _, sql := range []string{"SELECT 1 AS one", "SELEC"} {
		res := h.sql(h.root(), sql)
		if strings.Contains(res.body, "took_ms") || strings.Contains(res.body, "cache_hit") ||
			!strings.Contains(res.body, `"took":`) {
			t.Errorf("%s: %s", sql, res.body)
		}
	}
}

func TestContentType(t *testing.T) {
	h := start(t, setup{})
	root := h.root()
	tests := []struct {
		name   string
		header []string
		status int
	}{
		{"charset", []string{"Content-Type", "application/json; charset=utf-8"}, http.StatusOK},
		{"upper case", []string{"Content-Type", "Application/JSON"}, http.StatusOK},
		{"text", []string{"Content-Type", "text/plain"}, http.StatusBadRequest},
		{"none", []string{"Content-Type", ""}, http.StatusBadRequest},
		{"multipart", []string{"Content-Type", "multipart/form-data; boundary=x"}, http.StatusBadRequest},
		{"prefix", []string{"Content-Type", "application/jsonx"}, http.StatusBadRequest},
		{"gzip", []string{"Content-Encoding", "gzip"}, http.StatusBadRequest},
		{"identity", []string{"Content-Encoding", "identity"}, http.StatusOK},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			res := h.do("POST", "/v1/api/sql", root, `{"sql":"SELECT 1"}`, tt.header...)
			if res.status != tt.status {
				t.Errorf("status %d, want %d: %s", res.status, tt.status, res.body)
			}
			if tt.status != http.StatusOK && !strings.Contains(res.body, `"code":"INVALID_INPUT"`) {
				t.Errorf("body %s", res.body)
			}
		})
	}
}

func TestRequestID(t *testing.T) {
	h := start(t, setup{})
	res := h.do("POST", "/v1/api/sql", h.root(), `{"sql":"SELECT 1"}`, "X-Request-ID", "abc-123")
	if got := res.header.Get("X-Request-ID"); got != "abc-123" {
		t.Errorf("request id %q", got)
	}
	res = h.do("GET", "/health", "", nil, "X-Request-ID", strings.Repeat("x", 129))
	if got := res.header.Get("X-Request-ID"); got != "" {
		t.Errorf("a long request id came back: %q", got)
	}
}

func TestActingUser(t *testing.T) {
	h := start(t, setup{})
	alice, service := h.user("alice", kalam.RoleUser), h.user("worker", kalam.RoleService)
	h.mustSQL(h.root(), "CREATE NAMESPACE app; CREATE USER TABLE app.notes (id BIGINT PRIMARY KEY)")
	h.mustSQL(alice, "INSERT INTO app.notes VALUES (1), (2)")
	count := `{"sql":"SELECT count(*) AS n FROM app.notes"}`
	tests := []struct {
		name, token, header string
		status              int
		want                string
	}{
		{"none", service, "", http.StatusOK, `"rows":[["0"]],"row_count":1,"as_user":"worker"`},
		{"self", alice, "alice", http.StatusOK, `"rows":[["2"]],"row_count":1,"as_user":"alice"`},
		{"a user, by a service", service, "alice", http.StatusOK, `"rows":[["2"]],"row_count":1,"as_user":"alice"`},
		{"nobody yet, by a service", service, "newcomer", http.StatusOK, `"rows":[["0"]],"row_count":1,"as_user":"newcomer"`},
		{"root, by a service", service, "root", http.StatusForbidden,
			"X-USER-ID: actor 'worker' with role service cannot act for 'root'"},
		{"another user, by a user", alice, "worker", http.StatusForbidden,
			"X-USER-ID: actor 'alice' with role user cannot act for 'worker'"},
		{"no user id", service, "../x", http.StatusBadRequest, "X-USER-ID"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			res := h.do("POST", "/v1/api/sql", tt.token, count, "X-USER-ID", tt.header)
			if res.status != tt.status || !strings.Contains(res.body, tt.want) {
				t.Errorf("status %d, body %s; want %d with %s", res.status, res.body, tt.status, tt.want)
			}
		})
	}
}

// TestInternalErrors checks that users see the id of an internal error, admins
// the error, and the log both.
func TestInternalErrors(t *testing.T) {
	h := start(t, setup{server: func(s *api.Server) {
		s.SetExecutor(func(_ context.Context, _ kalam.Principal, r session.Request, _ session.Results) error {
			err := error(kalam.Wrap(kalam.CodeCorrupt, errors.New("open /data/canary"), "segment /data/canary is damaged"))
			if r.SQL == "plain" {
				err = errors.New("open /data/canary")
			}
			return &session.StatementError{Statement: 1, SQL: r.SQL, Err: err}
		})
	}})
	root, alice := h.root(), h.user("alice", kalam.RoleUser)
	for _, sql := range []string{"plain", "coded"} {
		res := h.sql(alice, sql)
		if res.status != http.StatusInternalServerError || strings.Contains(res.body, "canary") ||
			strings.Contains(res.body, "details") {
			t.Errorf("%s: user got %d %s", sql, res.status, res.body)
		}
		var out wire.Response
		decode(t, res.body, &out)
		_, id, ok := strings.Cut(out.Error.Message, "(id ")
		if !ok || !strings.Contains(h.log.String(), "id="+strings.TrimSuffix(id, ")")) ||
			!strings.Contains(h.log.String(), "canary") {
			t.Errorf("%s: %q is not in the log", sql, out.Error.Message)
		}
		if res := h.sql(root, sql); !strings.Contains(res.body, "canary") {
			t.Errorf("%s: admin got %s", sql, res.body)
		}
	}
}

// TestEveryCodeHasAnOutcome checks that no code of the system falls through the
// table to "internal".
func TestEveryCodeHasAnOutcome(t *testing.T) {
	for c := kalam.CodeInternal; c <= kalam.CodeResumeWindow; c++ {
		code, status, kind := api.Outcome(c)
		if code == "" || status < 400 || kind == "" {
			t.Errorf("code %d: %q %d %q", c, code, status, kind)
		}
		if c != kalam.CodeInternal && c != kalam.CodeCorrupt && code == string(wire.CodeInternal) {
			t.Errorf("code %d has no line in the table", c)
		}
	}
	if n := int(kalam.CodeResumeWindow) + 1; api.NumOutcomes() != n {
		t.Errorf("the table has %d lines for %d codes", api.NumOutcomes(), n)
	}
}

func TestArrowStream(t *testing.T) {
	h := start(t, setup{})
	root := h.root()
	h.mustSQL(root, "CREATE NAMESPACE app; CREATE USER TABLE app.n (id BIGINT PRIMARY KEY, body TEXT)")
	h.mustSQL(root, "INSERT INTO app.n VALUES (1, 'one'), (2, NULL)")
	ask := func(sql string) response {
		return h.do("POST", "/v1/api/sql", root, map[string]string{"sql": sql}, "Accept",
			"application/vnd.apache.arrow.stream")
	}
	for _, sql := range []string{"SELECT id, body FROM app.n ORDER BY id", "SELECT id, body FROM app.n WHERE id = 2",
		"SELECT range AS id, 'x' AS body FROM range(200000)"} {
		res := ask(sql)
		if res.status != http.StatusOK || res.header.Get("Content-Type") != "application/vnd.apache.arrow.stream" ||
			res.err != nil {
			t.Fatalf("%s: %d %s %v", sql, res.status, res.header, res.err)
		}
		rows := readArrow(t, res.body)
		switch {
		case strings.Contains(sql, "ORDER BY") && fmt.Sprint(rows) != "[1 one 2 null]",
			strings.Contains(sql, "id = 2") && fmt.Sprint(rows) != "[2 null]",
			strings.Contains(sql, "range") && (len(rows) != 400000 || rows[399998] != "199999"):
			t.Errorf("%s: %d cells, %v", sql, len(rows), rows[:min(8, len(rows))])
		}
	}
	for sql, want := range map[string]string{
		"SELECT 1; SELECT 2": "exactly one SELECT", "INSERT INTO app.n VALUES (3, 'x')": "exactly one SELECT",
		"SELECT * FROM app.nothing": "does not exist", "SELEC": "",
	} {
		res := ask(sql)
		if res.status != http.StatusBadRequest || res.header.Get("Content-Type") != "application/json" ||
			!strings.Contains(res.body, want) {
			t.Errorf("%s: %d %s", sql, res.status, res.body)
		}
	}
	if res := h.sql(root, "SELECT count(*) AS n FROM app.n"); !strings.Contains(res.body, `[["2"]]`) {
		t.Errorf("the refused INSERT wrote: %s", res.body)
	}
}

// readArrow returns the cells of an IPC stream as text.
func readArrow(t *testing.T, body string) (cells []string) {
	t.Helper()
	r, err := ipc.NewReader(bytes.NewReader([]byte(body)))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Release()
	for r.Next() {
		b := r.RecordBatch()
		for i := range int(b.NumRows()) {
			for _, col := range b.Columns() {
				cells = append(cells, cellText(col, i))
			}
		}
	}
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	return cells
}

func cellText(a arrow.Array, i int) string {
	if a.IsNull(i) {
		return "null"
	}
	if s, ok := a.(*array.String); ok {
		return s.Value(i)
	}
	return a.ValueStr(i)
}
