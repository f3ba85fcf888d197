package link_test

import (
	"cmp"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	diff "github.com/google/go-cmp/cmp"

	"github.com/kalamlake/kalam/internal/eventually"
	"github.com/kalamlake/kalam/internal/servertest"
	"github.com/kalamlake/kalam/link"
)

// TestWithServer runs what is more than frames against a server of this code.
func TestWithServer(t *testing.T) {
	url := servertest.Start(t)
	root := connect(t, url, "root", servertest.RootPassword)
	must(t, root, "CREATE NAMESPACE app")
	must(t, root, `CREATE USER alice WITH PASSWORD 'a-password-of-tests' ROLE user`)
	must(t, root, `CREATE USER bob WITH PASSWORD 'a-password-of-tests' ROLE user`)
	alice := connect(t, url, "alice", "a-password-of-tests")
	t.Run("scan", func(t *testing.T) { testScan(t, root, alice) })
	t.Run("transaction", func(t *testing.T) { testTransaction(t, root, alice) })
	t.Run("live rows", func(t *testing.T) { testLiveRows(t, root, url) })
	t.Run("live rows altered", func(t *testing.T) { testLiveRowsAltered(t, root, alice) })
	t.Run("live rows refused", func(t *testing.T) { testLiveRowsRefused(t, root, alice) })
}

func connect(t *testing.T, url, user, password string) *link.Client {
	t.Helper()
	c, err := link.New(link.Options{
		URL: url, Auth: link.Password(user, password), MaxReconnects: -1,
		FirstWait: time.Millisecond, LongestWait: 20 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func must(t *testing.T, c *link.Client, sql string, params ...any) *link.Result {
	t.Helper()
	res, err := c.Query(within(t), sql, params...)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return res.Results[0]
}

// stamps is embedded in structs of the tests.
type stamps struct {
	CreatedAt time.Time
	Day       *time.Time
}

type everything struct {
	stamps
	ID     int64 `db:"id"`
	Small  int16
	Ok     *bool
	Ratio  float64
	Price  string
	Exact  big.Rat `kalam:"price2"`
	Name   sql.NullString
	Data   []byte
	Doc    map[string]any `kalam:"doc"`
	Any    any            `kalam:"doc2"`
	Raw    json.RawMessage
	At     time.Duration
	Code   [16]byte
	Tags   []string
	Unused string `kalam:"-"`
}

func testScan(t *testing.T, root, alice *link.Client) {
	must(t, root, `CREATE USER TABLE app.everything (id BIGINT PRIMARY KEY, small SMALLINT, ok BOOLEAN, ratio DOUBLE,
		price DECIMAL(38,4), price2 DECIMAL(20,2), name TEXT, data BYTES, doc JSON, doc2 JSON, raw JSON, at TIME, code UUID,
		created_at TIMESTAMP, day DATE)`)
	zone := time.FixedZone("+02", 7200)
	must(t, alice, `INSERT INTO app.everything VALUES ($1, -3, true, 'NaN', '1234567890123456789012345678901234.5678',
		'-0.5', $2, $3, $4, $5, '[1]', '12:34:56.000007', '123e4567-e89b-12d3-a456-426614174000', $6, '2026-02-28')`,
		int64(9007199254740993), "naïve 'quoted'", []byte{0, 255}, map[string]any{"a": []int{1}},
		json.RawMessage(`{"big":12345678901234567890,"x":null}`), time.Date(2026, 3, 1, 1, 2, 3, 4000, zone))
	const query = `SELECT id, small, ok, ratio, price, price2, name, data, doc, doc2, raw, at, code, created_at, day,
		['x', 'y'] AS tags FROM app.everything WHERE id = $1`
	rows, err := link.Select[everything](within(t), alice, query, int64(9007199254740993))
	if err != nil || len(rows) != 1 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	got := rows[0]
	day := time.Date(2026, 2, 28, 0, 0, 0, 0, time.UTC)
	if got.Ratio == got.Ratio || got.Exact.Cmp(big.NewRat(-1, 2)) != 0 || got.Ok == nil || !*got.Ok || !got.Day.Equal(day) {
		t.Errorf("got %+v", got)
	}
	got.Ratio, got.Exact, got.Ok, got.Day = 0, big.Rat{}, nil, nil
	want := everything{
		stamps: stamps{CreatedAt: time.Date(2026, 2, 28, 23, 2, 3, 4000, time.UTC)},
		ID:     9007199254740993, Small: -3, Price: "1234567890123456789012345678901234.5678",
		Name: sql.NullString{String: "naïve 'quoted'", Valid: true}, Data: []byte{0, 255},
		Doc: map[string]any{"a": []any{float64(1)}},
		Any: map[string]any{"big": json.Number("12345678901234567890"), "x": nil}, Raw: json.RawMessage("[1]"),
		At:   12*time.Hour + 34*time.Minute + 56*time.Second + 7*time.Microsecond,
		Code: [16]byte{0x12, 0x3e, 0x45, 0x67, 0xe8, 0x9b, 0x12, 0xd3, 0xa4, 0x56, 0x42, 0x66, 0x14, 0x17, 0x40}, Tags: []string{"x", "y"},
	}
	type comparable struct{ everything } // cmp does not look into stamps, which is not exported.
	if fmt.Sprintf("%#v", comparable{got}) != fmt.Sprintf("%#v", comparable{want}) {
		t.Errorf("got  %#v\nwant %#v", got, want)
	}
	testScanNulls(t, alice)
}

func testScanNulls(t *testing.T, alice *link.Client) {
	must(t, alice, "INSERT INTO app.everything (id) VALUES (2)")
	res := must(t, alice, "SELECT * FROM app.everything WHERE id = 2")
	rows, err := link.Collect[map[string]any](res)
	if err != nil || len(rows) != 1 || rows[0]["id"] != int64(2) || rows[0]["doc"] != nil {
		t.Errorf("got %v, %v", rows, err)
	}
	names, err := link.Select[*string](within(t), alice, "SELECT name FROM app.everything WHERE id = 2")
	if err != nil || len(names) != 1 || names[0] != nil {
		t.Errorf("got %v, %v", names, err)
	}
	type note struct {
		ID   int64
		Name string
	}
	type deep struct {
		*note
		Deeper *deep
	}
	bad := map[string]func() error{
		"column name: it is NULL, for which a string has no room; use *string": func() error {
			_, err := link.Collect[note](must(t, alice, "SELECT id, name FROM app.everything WHERE id = 2"))
			return err
		},
		"column label has no field": func() error {
			_, err := link.Collect[note](must(t, alice, "SELECT id, name AS label FROM app.everything"))
			return err
		},
		"columns id and i_d both go to field ID": func() error {
			_, err := link.Collect[note](must(t, alice, "SELECT id, id AS i_d FROM app.everything"))
			return err
		},
		"300 does not fit a int8": func() error {
			_, err := link.Select[int8](within(t), alice, "SELECT 300")
			return err
		},
		"a int takes rows of one column, these have 2": func() error {
			_, err := link.Select[int](within(t), alice, "SELECT 1, 2")
			return err
		},
		"TEXT does not fit a time.Time": func() error {
			_, err := link.Select[time.Time](within(t), alice, "SELECT 'now'")
			return err
		},
		"Select takes one statement that gives rows": func() error {
			_, err := link.Select[int](within(t), alice, "SELECT 1; SELECT 2")
			return err
		},
		"column id has no field in link_test.deep": func() error {
			_, err := link.Collect[deep](must(t, alice, "SELECT id, name FROM app.everything"))
			return err
		},
	}
	for want, f := range bad {
		if err := f(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func testTransaction(t *testing.T, root, alice *link.Client) {
	must(t, root, "CREATE USER TABLE app.accounts (id BIGINT PRIMARY KEY, owner TEXT, amount DECIMAL(20,2), doc JSON, data BYTES, at TIMESTAMP)")
	hostile := `'); DELETE FROM app.accounts; --\' $1 E'x`
	at := time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	insert := link.Statement{SQL: "INSERT INTO app.accounts VALUES ($1, $2, 1-$3, $4, $5, $6) -- $7 and more",
		Params: []any{1, hostile, -2, map[string]string{"k": "it's"}, []byte{1, '\''}, at}}
	results, err := alice.Transaction(within(t), insert,
		link.Statement{SQL: "SELECT amount FROM app.accounts WHERE owner = $1", Params: []any{hostile}},
		link.Statement{SQL: "UPDATE app.accounts SET amount = amount + 1 WHERE id = 1"})
	if err != nil || len(results) != 3 {
		t.Fatalf("%d results, %v", len(results), err)
	}
	if got := string(results[1].JSON()); got != `[{"amount":"3.00"}]` || results[2].RowsAffected() != 1 {
		t.Errorf("got %s and %d rows", got, results[2].RowsAffected())
	}
	const all = `SELECT owner, amount, doc->>'k' AS k, data, at FROM app.accounts`
	var want = map[string]any{"owner": hostile, "amount": "4.00", "k": "it's", "data": []byte{1, '\''}, "at": at}
	rows, err := link.Select[map[string]any](within(t), alice, all)
	if err != nil || len(rows) != 1 || !diff.Equal(rows[0], want) {
		t.Errorf("got %v, %v", rows, err)
	}
	var failed *link.BatchError
	_, err = alice.Transaction(within(t), link.Statement{SQL: "DELETE FROM app.accounts WHERE id = 1"}, insert,
		link.Statement{SQL: "INSERT INTO app.accounts (id) VALUES ($1)", Params: []any{"many"}})
	if !errors.As(err, &failed) || failed.Statement != 3 {
		t.Errorf("got %v", err)
	}
	if rows, err := link.Select[map[string]any](within(t), alice, all); err != nil || len(rows) != 1 || !diff.Equal(rows[0], want) {
		t.Errorf("after a failure %v, %v", rows, err)
	}
	for sql, words := range map[string]string{
		"commit":                    "COMMIT cannot stand in a transaction",
		"SELECT 1; SELECT 2":        "takes one statement at a time, this text has 2",
		"SELECT $2":                 "$2 has no value: 1 value was given",
		"SELECT '$1'":               "there is no $1 in the statement",
		"SELECT 'open $1":           "nterminated",
		"SELECT 1 WHERE 1 = ANY($1": "",
	} {
		_, err := alice.Transaction(within(t), link.Statement{SQL: sql, Params: []any{1}})
		if !errors.As(err, &failed) || failed.Statement != 1 || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: got %v", sql, err)
		}
	}
	_, err = alice.Transaction(within(t), link.Statement{SQL: "SELECT 1 = ANY($1)", Params: []any{[]int{1}}})
	if err == nil || !strings.Contains(err.Error(), "a list stands for its elements only where it is a parameter") {
		t.Errorf("got %v", err)
	}
}

type note struct {
	ID   int64
	Body string
}

// testLiveRows changes rows while connections break, and compares what is kept with what a query gives.
func testLiveRows(t *testing.T, root *link.Client, url string) {
	must(t, root, "CREATE USER TABLE app.notes (id BIGINT PRIMARY KEY, body TEXT)")
	writer, bob := connect(t, url, "alice", "a-password-of-tests"), connect(t, url, "bob", "a-password-of-tests")
	for id := range 50 {
		must(t, writer, "INSERT INTO app.notes VALUES ($1, 'first')", id)
	}
	wire := newProxy(t, strings.TrimPrefix(url, "http://"))
	const query = "SELECT id, body FROM app.notes WHERE body <> $1"
	live, err := link.NewLiveRows(within(t), connect(t, "http://"+wire.addr(), "alice", "a-password-of-tests"), query,
		link.LiveRowsOptions[note]{Params: []any{"hidden"}, BatchSize: 7,
			Compare: func(a, b note) int { return cmp.Compare(a.ID, b.ID) }})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := live.Close(); err != nil {
			t.Error(err)
		}
	}()
	if got := len(live.Rows()); got != 50 {
		t.Fatalf("%d rows at first", got)
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	const cuts = 40
	for cut := range cuts {
		for n := range 12 {
			switch id := rnd.IntN(100); rnd.IntN(4) {
			case 0:
				must(t, writer, "DELETE FROM app.notes WHERE id = $1", id)
			case 1:
				must(t, writer, "UPDATE app.notes SET body = 'hidden' WHERE id = $1", id)
			default:
				must(t, writer, "INSERT INTO app.notes VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET body = excluded.body",
					id, fmt.Sprintf("%d.%d", cut, n))
			}
			if n == 6 {
				wire.cut()
			}
		}
		must(t, bob, "INSERT INTO app.notes VALUES ($1, 'of bob')", 1000+cut)
	}
	must(t, writer, "INSERT INTO app.notes VALUES (999, 'last')")
	for rows, err := range live.All(within(t)) {
		if err != nil {
			t.Fatal(err)
		}
		if len(rows) > 0 && rows[len(rows)-1].ID == 999 {
			break
		}
	}
	want, err := link.Select[note](within(t), writer, query+" ORDER BY id", "hidden")
	if err != nil {
		t.Fatal(err)
	}
	eventually.True(t, "the rows are those of the query", func() bool { return diff.Equal(live.Rows(), want) })
	t.Logf("%d disconnects, %d rows", cuts, len(want))
	if err := live.Err(); err != nil {
		t.Error(err)
	}
}

func testLiveRowsAltered(t *testing.T, root, alice *link.Client) {
	must(t, root, "CREATE USER TABLE app.grows (id BIGINT PRIMARY KEY, body TEXT)")
	must(t, alice, "INSERT INTO app.grows VALUES (1, 'a')")
	live, err := link.NewLiveRows(within(t), alice, "SELECT * FROM app.grows", link.LiveRowsOptions[map[string]any]{})
	if err != nil {
		t.Fatal(err)
	}
	must(t, root, "ALTER TABLE app.grows ADD COLUMN n INT DEFAULT 7")
	changed := live.Changed()
	must(t, alice, "INSERT INTO app.grows (id, body) VALUES (2, 'b')")
	<-changed
	eventually.True(t, "the new column is there", func() bool {
		rows := live.Rows()
		return len(rows) == 2 && rows[1]["n"] == int64(7)
	})
	if err := live.Close(); err != nil || live.Err() != nil {
		t.Errorf("closed: %v, %v", err, live.Err())
	}
	if len(live.Rows()) != 2 {
		t.Error("the rows are gone with Close")
	}
}

func testLiveRowsRefused(t *testing.T, root, alice *link.Client) {
	must(t, root, "CREATE USER TABLE app.pairs (a BIGINT, b BIGINT, PRIMARY KEY (a, b))")
	must(t, alice, "INSERT INTO app.pairs VALUES (1, 1), (1, 2)")
	for sql, words := range map[string]string{
		"SELECT a FROM app.pairs":    "the same key",
		"SELECT body FROM app.grows": "LiveRows needs rows with a primary key",
		"SELECT a FROM app.none":     "app.none",
	} {
		live, err := link.NewLiveRows(within(t), alice, sql, link.LiveRowsOptions[map[string]any]{})
		if live != nil || err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: got %v", sql, err)
		}
	}
	if _, err := link.NewLiveRows(within(t), alice, "SELECT a, b FROM app.pairs", link.LiveRowsOptions[note]{}); err == nil ||
		!strings.Contains(err.Error(), "column a has no field in link_test.note") {
		t.Errorf("got %v", err)
	}
	if _, err := link.NewLiveRows(within(t), alice, "SELECT a, b FROM app.pairs", link.LiveRowsOptions[note]{Newest: -1}); link.KindOf(err) != link.KindInvalidOption {
		t.Errorf("got %v", err)
	}
}
