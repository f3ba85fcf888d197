package sqldriver_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/kalamlake/kalam/internal/eventually"
	"github.com/kalamlake/kalam/internal/servertest"
	"github.com/kalamlake/kalam/link"
	"github.com/kalamlake/kalam/link/sqldriver"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestDriver runs everything against one server of this code.
func TestDriver(t *testing.T) {
	server := servertest.Start(t)
	root := open(t, dsn(t, server, "root", servertest.RootPassword, "namespace=app"))
	exec1(t, root, "CREATE NAMESPACE app")
	exec1(t, root, "CREATE USER alice WITH PASSWORD 'a-password-of-tests' ROLE user")
	exec1(t, root, "CREATE USER bob WITH PASSWORD 'a-password-of-tests' ROLE user")
	alice := open(t, dsn(t, server, "alice", "a-password-of-tests", "namespace=app"))
	for _, test := range []struct {
		name string
		run  func(t *testing.T, root, alice *sql.DB)
	}{
		{"values", testValues}, {"null", testNull}, {"column types", testColumnTypes}, {"several results", testSeveral},
		{"prepared", testPrepared}, {"arguments", testArguments}, {"transactions", testTransactions},
		{"isolation", testIsolation}, {"errors", testErrors}, {"cancel", testCancel}, {"pool", testPool},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, root, alice) })
	}
	t.Run("time zones", func(t *testing.T) { testTimeZones(t, server, root) })
	t.Run("users", func(t *testing.T) { testUsers(t, server, root, alice) })
	t.Run("client", func(t *testing.T) { testClient(t, server) })
	t.Run("quickstart", func(t *testing.T) { testQuickstart(t, server) })
	t.Run("examples", func(t *testing.T) { testExamples(t, server) })
}

func dsn(t *testing.T, server, user, password, options string) string {
	t.Helper()
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	u.User, u.RawQuery = url.UserPassword(user, password), options
	return u.String()
}

func open(t *testing.T, name string) *sql.DB {
	t.Helper()
	db, err := sql.Open(sqldriver.Name, name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func exec1(t *testing.T, db interface {
	ExecContext(context.Context, string, ...any) (sql.Result, error)
}, query string, args ...any) sql.Result {
	t.Helper()
	res, err := db.ExecContext(t.Context(), query, args...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return res
}

// refused fails the test unless err has the words.
func refused(t *testing.T, err error, words string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), words) {
		t.Errorf("got %v, want %q", err, words)
	}
}

func testValues(t *testing.T, root, alice *sql.DB) {
	exec1(t, root, `CREATE USER TABLE everything (id BIGINT PRIMARY KEY, small SMALLINT, ok BOOLEAN, ratio DOUBLE, f FLOAT,
		price DECIMAL(38,4), name TEXT, data BYTES, doc JSON, day DATE, at TIME, ts TIMESTAMP, code UUID)`)
	when := time.Date(2026, 3, 1, 1, 2, 3, 4000, time.FixedZone("", 7200))
	exec1(t, alice, "INSERT INTO everything VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13)", int64(9007199254740993), -3,
		true, 0.1, float32(0.25), "1234567890123456789012345678901234.5678", "it's", []byte{0, 255}, `{"a":[1]}`,
		"2026-02-28", "12:34:56.000007", when, "123e4567-e89b-12d3-a456-426614174000")
	var (
		id            int64
		small         int16
		ok            bool
		ratio, f      float64
		price, name   string
		data, doc     []byte
		day, ts       time.Time
		at, code, lst string
	)
	err := alice.QueryRowContext(t.Context(), `SELECT id, small, ok, ratio, f, price, name, data, doc, day, at, ts, code,
			[1, 2] AS lst FROM everything WHERE ts = $1`, when).Scan(
		&id, &small, &ok, &ratio, &f, &price, &name, &data, &doc, &day, &at, &ts, &code, &lst)
	got := fmt.Sprint(err, id, small, ok, ratio, f, price, name, data, string(doc), day, at, ts, code, lst)
	want := fmt.Sprint(nil, 9007199254740993, -3, true, 0.1, 0.25, "1234567890123456789012345678901234.5678", "it's",
		[]byte{0, 255}, `{"a":[1]}`, time.Date(2026, 2, 28, 0, 0, 0, 0, time.UTC), "12:34:56.000007", when.UTC(),
		"123e4567-e89b-12d3-a456-426614174000", "[1,2]")
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func testNull(t *testing.T, _, alice *sql.DB) {
	var (
		s  sql.NullString
		n  sql.NullInt64
		at sql.Null[time.Time]
		b  []byte
	)
	row := alice.QueryRowContext(t.Context(), "SELECT $1::TEXT, $2::BIGINT, $3::TIMESTAMP, $4::BYTES",
		sql.NullString{}, (*int64)(nil), sql.NullTime{}, []byte(nil))
	if err := row.Scan(&s, &n, &at, &b); err != nil || s.Valid || n.Valid || at.Valid || b != nil {
		t.Errorf("got %v %v %v %v, %v", s, n, at, b, err)
	}
	var text string
	refused(t, alice.QueryRowContext(t.Context(), "SELECT NULL::TEXT").Scan(&text), "converting NULL to string")
	if err := alice.QueryRowContext(t.Context(), "SELECT 1 WHERE false").Scan(&text); !errors.Is(err, sql.ErrNoRows) {
		t.Errorf("got %v", err)
	}
}

func testColumnTypes(t *testing.T, root, alice *sql.DB) {
	exec1(t, root, "CREATE USER TABLE typed (id BIGINT PRIMARY KEY, price DECIMAL(10,2) NOT NULL, name TEXT, ts TIMESTAMP)")
	rows, err := alice.QueryContext(t.Context(), "SELECT id, price, name, ts FROM typed")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	types, err := rows.ColumnTypes()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range types {
		nullable, _ := c.Nullable()
		precision, scale, sized := c.DecimalSize()
		_, long := c.Length()
		got = append(got, fmt.Sprintf("%s %s %s %t %d %d %t %t",
			c.Name(), c.DatabaseTypeName(), c.ScanType(), nullable, precision, scale, sized, long))
	}
	want := []string{
		"id BIGINT int64 false 0 0 false false", "price DECIMAL string false 10 2 true false",
		"name TEXT sql.NullString true 0 0 false true", "ts TIMESTAMP sql.NullTime true 0 0 false false",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	// Each column can be scanned into what it says.
	for rows.Next() {
		dest := make([]any, len(types))
		for i, c := range types {
			dest[i] = reflect.New(c.ScanType()).Interface()
		}
		if err := rows.Scan(dest...); err != nil {
			t.Error(err)
		}
	}
	if err := rows.Err(); err != nil {
		t.Error(err)
	}
}

func testSeveral(t *testing.T, _, alice *sql.DB) {
	rows, err := alice.QueryContext(t.Context(), "SELECT 1 AS a; USE app; SELECT 2 AS b, 3 AS c")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var got []string
	for more := true; more; more = rows.NextResultSet() {
		names, err := rows.Columns()
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for rows.Next() {
			n++
		}
		got = append(got, fmt.Sprint(names, n))
	}
	if d := cmp.Diff([]string{"[a] 1", "[] 0", "[b c] 1"}, got); d != "" || rows.Err() != nil {
		t.Errorf("%s, %v", d, rows.Err())
	}
}

func testPrepared(t *testing.T, root, alice *sql.DB) {
	exec1(t, root, "CREATE USER TABLE prepared (id BIGINT PRIMARY KEY, name TEXT)")
	insert, err := alice.PrepareContext(t.Context(), "INSERT INTO prepared VALUES ($1, $2) RETURNING id")
	if err != nil {
		t.Fatal(err)
	}
	defer insert.Close()
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			res, err := insert.ExecContext(t.Context(), i, fmt.Sprint(i))
			if err != nil {
				t.Error(err)
				return
			}
			n, err := res.RowsAffected()
			if n != 1 || err != nil {
				t.Errorf("%d rows, %v", n, err)
			}
			_, err = res.LastInsertId()
			refused(t, err, "RETURNING")
		})
	}
	all.Wait()
	var n int
	row := alice.QueryRowContext(t.Context(), "SELECT count(*) FROM prepared WHERE id = ANY($1)", []int{3, 4, 99})
	if err := row.Scan(&n); err != nil || n != 2 {
		t.Errorf("%d rows, %v", n, err)
	}
	_, err = insert.ExecContext(t.Context(), 1)
	refused(t, err, "expected 2 arguments, got 1")
}

type money struct{ cents int64 }

func (m money) Value() (driver.Value, error) {
	return fmt.Sprintf("%d.%02d", m.cents/100, m.cents%100), nil
}

func testArguments(t *testing.T, _, alice *sql.DB) {
	_, err := alice.ExecContext(t.Context(), "SELECT $1", sql.Named("id", 1))
	refused(t, err, "kalam has no named parameters: write $1 for id")
	_, err = alice.ExecContext(t.Context(), "SELECT $1", sql.Out{Dest: new(int)})
	refused(t, err, "no output parameters")
	_, err = alice.ExecContext(t.Context(), "SELECT $1", make(chan int))
	refused(t, err, "parameter $1")
	_, err = alice.ExecContext(t.Context(), "SELECT ?", 1)
	refused(t, err, "$1")
	_, err = alice.ExecContext(t.Context(), "SELECT $1; SELECT 2", 1)
	refused(t, err, "Parameters not supported with multi-statement batches")
	var got string
	if err := alice.QueryRowContext(t.Context(), "SELECT $1::DECIMAL(10,2)", money{1234}).Scan(&got); err != nil || got != "12.34" {
		t.Errorf("got %s, %v", got, err)
	}
}

func testTransactions(t *testing.T, root, alice *sql.DB) {
	exec1(t, root, "CREATE USER TABLE accounts (id BIGINT PRIMARY KEY, amount BIGINT)")
	exec1(t, alice, "INSERT INTO accounts VALUES (1, 100), (2, 0)")
	sum := func() (a, b int) {
		t.Helper()
		if err := errors.Join(alice.QueryRowContext(t.Context(), "SELECT amount FROM accounts WHERE id = 1").Scan(&a),
			alice.QueryRowContext(t.Context(), "SELECT amount FROM accounts WHERE id = 2").Scan(&b)); err != nil {
			t.Fatal(err)
		}
		return a, b
	}
	begin := func() *sql.Tx {
		t.Helper()
		tx, err := alice.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		return tx
	}
	tx := begin()
	res := exec1(t, tx, "UPDATE accounts SET amount = amount - $1 WHERE id = $2", 30, 1)
	exec1(t, tx, "UPDATE accounts SET amount = amount + $1 WHERE id = $2", 30, 2)
	_, err := res.RowsAffected()
	refused(t, err, "call RowsAffected after it")
	_, err = tx.QueryContext(t.Context(), "SELECT 1")
	refused(t, err, "kalam answers no query inside a transaction")
	if a, b := sum(); a != 100 || b != 0 {
		t.Errorf("before Commit %d and %d", a, b)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	n, err := res.RowsAffected()
	if a, b := sum(); a != 70 || b != 30 || n != 1 || err != nil {
		t.Errorf("after Commit %d and %d; %d rows, %v", a, b, n, err)
	}
	tx = begin()
	exec1(t, tx, "DELETE FROM accounts WHERE id = 1")
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	tx = begin()
	exec1(t, tx, "UPDATE accounts SET amount = 0 WHERE id = 1")
	exec1(t, tx, "INSERT INTO accounts VALUES (2, 1)")
	refused(t, tx.Commit(), "statement 2: ")
	ctx, cancel := context.WithCancel(t.Context())
	tx, err = alice.BeginTx(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	exec1(t, tx, "UPDATE accounts SET amount = 0 WHERE id = 1")
	cancel()
	if err := tx.Commit(); !errors.Is(err, context.Canceled) && !errors.Is(err, sql.ErrTxDone) {
		t.Errorf("got %v", err)
	}
	if a, b := sum(); a != 70 || b != 30 {
		t.Errorf("at last %d and %d", a, b)
	}
}

func testIsolation(t *testing.T, _, alice *sql.DB) {
	for level := sql.LevelDefault; level <= sql.LevelLinearizable; level++ {
		tx, err := alice.BeginTx(t.Context(), &sql.TxOptions{Isolation: level})
		switch level {
		case sql.LevelWriteCommitted, sql.LevelSerializable, sql.LevelLinearizable:
			refused(t, err, "kalam has no isolation level "+level.String())
		default:
			if err != nil || tx.Commit() != nil {
				t.Errorf("%s: %v", level, err)
			}
		}
	}
	_, err := alice.BeginTx(t.Context(), &sql.TxOptions{ReadOnly: true})
	refused(t, err, "read-only")
}

func testErrors(t *testing.T, _, alice *sql.DB) {
	_, err := alice.QueryContext(t.Context(), "SELECT * FROM evrything")
	var e *link.Error
	if !errors.As(err, &e) || e.Position != 15 || len(e.Suggestions) == 0 {
		t.Errorf("got %#v", e)
	}
	if errors.Is(err, driver.ErrBadConn) {
		t.Error("an error of a statement is no bad connection")
	}
	gone := open(t, "http://alice:secret@127.0.0.1:1")
	if err := gone.PingContext(t.Context()); !errors.Is(err, driver.ErrBadConn) || link.KindOf(err) != link.KindConnection {
		t.Errorf("got %v", err)
	}
	for name, words := range map[string]string{
		"http://a:b@localhost?nmaespace=app":        `unknown option "nmaespace"`,
		"http://a:b@localhost?token=a.b.c":          "more than one of",
		"http://a:b@localhost?location=Moon":        "option location",
		"http://a:b@localhost?timeout=soon":         "option timeout",
		"postgres://a:b@localhost":                  "does not begin with http",
		"http://localhost?token=secret":             "Invalid JWT",
		"http://alice:se%cret@localhost?token=what": "is no URL",
	} {
		_, err := sql.Open(sqldriver.Name, name)
		refused(t, err, words)
		if err != nil && strings.Contains(err.Error(), "cret") {
			t.Errorf("the error shows the password: %v", err)
		}
	}
}

func testCancel(t *testing.T, root, alice *sql.DB) {
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error)
	const slow = "SELECT count(*) FROM range(100000000000) AS a(x) WHERE hash(x) = 1"
	go func() {
		_, err := alice.ExecContext(ctx, slow)
		failed <- err
	}()
	running := func() (n int) {
		err := root.QueryRowContext(t.Context(),
			"SELECT count(*) FROM system.sessions WHERE user_id = 'alice' AND state = 'running'").Scan(&n)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	eventually.True(t, "the statement runs", func() bool { return running() == 1 })
	cancel()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	eventually.True(t, "the server has ended the statement", func() bool { return running() == 0 })
	ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := alice.ExecContext(ctx, slow); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func testPool(t *testing.T, root, alice *sql.DB) {
	exec1(t, root, "CREATE USER TABLE pooled (id BIGINT PRIMARY KEY)")
	alice.SetMaxOpenConns(3)
	defer alice.SetMaxOpenConns(0)
	tx, err := alice.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	exec1(t, tx, "INSERT INTO pooled VALUES (1000)")
	var all sync.WaitGroup
	for i := range 50 { // On other connections than the transaction.
		all.Go(func() {
			if _, err := alice.ExecContext(t.Context(), "INSERT INTO pooled VALUES ($1)", i); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	var n int
	if err := alice.QueryRowContext(t.Context(), "SELECT count(*) FROM pooled").Scan(&n); err != nil || n != 50 {
		t.Errorf("%d rows beside the transaction, %v", n, err)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	// A connection that had a transaction has none any more.
	exec1(t, alice, "INSERT INTO pooled VALUES (2000)")
	if err := alice.QueryRowContext(t.Context(), "SELECT count(*) FROM pooled").Scan(&n); err != nil || n != 51 {
		t.Errorf("%d rows, %v", n, err)
	}
	if got := alice.Stats().OpenConnections; got > 3 {
		t.Errorf("%d connections", got)
	}
}

func testTimeZones(t *testing.T, server string, root *sql.DB) {
	berlin := open(t, dsn(t, server, "alice", "a-password-of-tests", "namespace=app&location=Europe/Berlin"))
	exec1(t, root, "CREATE USER TABLE zoned (id BIGINT PRIMARY KEY, ts TIMESTAMP, day DATE)")
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	// The hour that comes twice, and the night in which UTC has another day.
	for i, at := range []time.Time{
		time.Date(2026, 10, 25, 0, 30, 0, 0, time.UTC), time.Date(2026, 10, 25, 1, 30, 0, 0, time.UTC),
		time.Date(2026, 7, 1, 0, 30, 0, 1000, zone),
	} {
		exec1(t, berlin, "INSERT INTO zoned VALUES ($1, $2, '2026-07-01')", i, at)
		var got, day time.Time
		row := berlin.QueryRowContext(t.Context(), "SELECT ts, day FROM zoned WHERE ts = $1", at)
		if err := row.Scan(&got, &day); err != nil {
			t.Fatal(err)
		}
		if !got.Equal(at) || got.Location().String() != "Europe/Berlin" ||
			day.Format(time.RFC3339) != "2026-07-01T00:00:00Z" {
			t.Errorf("got %s and %s, want %s", got, day, at)
		}
	}
}

// testUsers tries to see another user's rows by what the driver adds: who to act for, and a shared pool.
func testUsers(t *testing.T, server string, root, alice *sql.DB) {
	exec1(t, root, "CREATE USER TABLE secrets (id BIGINT PRIMARY KEY, body TEXT)")
	exec1(t, alice, "INSERT INTO secrets VALUES (1, 'of alice')")
	bob := open(t, dsn(t, server, "bob", "a-password-of-tests", "namespace=app"))
	var n int
	if err := bob.QueryRowContext(t.Context(), "SELECT count(*) FROM secrets").Scan(&n); err != nil || n != 0 {
		t.Errorf("%d rows, %v", n, err)
	}
	as := open(t, dsn(t, server, "bob", "a-password-of-tests", "namespace=app&as=alice"))
	if err := as.QueryRowContext(t.Context(), "SELECT count(*) FROM secrets").Scan(&n); err == nil {
		t.Errorf("bob acts for alice and sees %d rows", n)
	}
	tx, err := bob.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	exec1(t, tx, "INSERT INTO secrets VALUES (2, $1)", "'); EXECUTE AS USER 'alice' (DELETE FROM app.secrets); --")
	if err := tx.Commit(); err != nil {
		t.Error(err)
	}
	if err := alice.QueryRowContext(t.Context(), "SELECT count(*) FROM secrets").Scan(&n); err != nil || n != 1 {
		t.Errorf("%d rows of alice, %v", n, err)
	}
}

// testClient shares a client, which stays open when the sql.DB is closed.
func testClient(t *testing.T, server string) {
	client, err := link.New(link.Options{URL: server, Auth: link.Password("alice", "a-password-of-tests")})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	db := sql.OpenDB(sqldriver.NewConnector(client, nil))
	if err := errors.Join(db.PingContext(t.Context()), db.Close()); err != nil {
		t.Error(err)
	}
	if _, err := client.Query(t.Context(), "SELECT 1"); err != nil {
		t.Error(err)
	}
}

// TestLostConnection breaks connections after a statement was sent: nobody knows whether it ran, so it is not sent again,
// and the connection leaves the pool.
func TestLostConnection(t *testing.T) {
	var sent atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent.Add(1)
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			t.Error(err)
		}
		panic(http.ErrAbortHandler) // It drops the connection: net/http recovers it.
	}))
	defer server.Close()
	db := open(t, server.URL+"?apikey=kalam_of_tests")
	_, err := db.ExecContext(t.Context(), "INSERT INTO app.notes VALUES (1)")
	if link.KindOf(err) != link.KindConnection || errors.Is(err, driver.ErrBadConn) || sent.Load() != 1 {
		t.Errorf("sent %d times, got %v", sent.Load(), err)
	}
	if got := db.Stats().OpenConnections; got != 0 {
		t.Errorf("%d connections are kept", got)
	}
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	exec1(t, tx, "DELETE FROM app.notes WHERE id = 1")
	err = tx.Commit()
	refused(t, err, "it is not known whether the transaction was committed")
	if link.KindOf(err) != link.KindConnection || sent.Load() != 2 {
		t.Errorf("sent %d times, got %v", sent.Load(), err)
	}
}

// testQuickstart runs the program of docs/quickstart/go.md.
func testQuickstart(t *testing.T, server string) {
	text, err := os.ReadFile("../../docs/quickstart/go.md")
	if err != nil {
		t.Fatal(err)
	}
	_, program, found := strings.Cut(string(text), "```go\n")
	program, _, closed := strings.Cut(program, "```")
	if !found || !closed {
		t.Fatal("the page has no program")
	}
	_, body, _ := strings.Cut(program, "func main() {\n")
	body, _, _ = strings.Cut(body, "\n}\n")
	if n := strings.Count(strings.ReplaceAll(body, "\tcheck(err)\n", ""), "\n"); n > 15 {
		t.Errorf("the first live event takes %d lines", n)
	}
	file := filepath.Join(t.TempDir(), "first.go")
	program = strings.ReplaceAll(program, "http://127.0.0.1:8080", server)
	if err := os.WriteFile(file, []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, server, file, "INSERT \"hello\"\n")
}

// testExamples runs the programs in examples as a reader would.
func testExamples(t *testing.T, server string) {
	for name, want := range map[string]string{
		"databasesql": "bob has 30\nalice has 70\nno such table: did you mean accounts?\n",
		"liverows":    "first: [hello]\nthen: [hello world]\n",
	} {
		run(t, server, "../../examples/"+name, want)
	}
}

// run runs a program and compares what it prints.
func run(t *testing.T, server, program, want string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "run", program)
	cmd.Env = append(os.Environ(), "KALAM_URL="+server, "KALAM_ROOT_PASSWORD="+servertest.RootPassword)
	out, err := cmd.CombinedOutput()
	if err != nil || string(out) != want {
		t.Errorf("%s: %v\n%s", program, err, out)
	}
}
