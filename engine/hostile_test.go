package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/config"
	"github.com/kalamlake/kalam/session"
)

// TestBadInput runs statements that are wrong in every way they can be: each
// gets an error with the right code that names what is wrong, and where the text
// has a place, its position; nothing is half applied.
func TestBadInput(t *testing.T) {
	s := newServer(t)
	s.must(root, "CREATE NAMESPACE app")
	s.must(root, "CREATE USER TABLE app.t (id BIGINT PRIMARY KEY, n INT NOT NULL, j JSON, x TEXT)")
	alice := userOf("alice")
	s.must(alice, "INSERT INTO app.t VALUES (1, 1, '{}', 'one')")
	long := strings.Repeat("a", 1_000_000)
	i64, text := kalam.BigInt, kalam.Text
	cases := []struct {
		name, sql string
		params    []kalam.Value
		code      kalam.Code
		says      string // Part of the message.
		at        string // The text at the position.
	}{
		{"empty", "  ;; -- nothing\n", nil, kalam.CodeEmptySQL, "No SQL statements", ""},
		{"broken", "SELECT FROM WHERE", nil, kalam.CodeInvalidSQL, "yntax error", ""},
		{"unknown verb", "FROBNICATE app.t", nil, kalam.CodeInvalidSQL, "FROBNICATE", ""},
		{"open quote", "SELECT 'abc", nil, kalam.CodeBatchParse, "Failed to parse SQL batch", ""},
		{"open comment", "SELECT 1 /* abc", nil, kalam.CodeBatchParse, "Failed to parse SQL batch", ""},
		{"unknown table", "SELECT * FROM app.nope", nil, kalam.CodeTableNotFound, "app.nope", "app.nope"},
		{"unknown namespace", "SELECT * FROM nope.t", nil, kalam.CodeTableNotFound, "nope.t", "nope.t"},
		{"table of no name", "SELECT * FROM ''", nil, kalam.CodeInvalidSQL, "name of a table is empty", "''"},
		{"relation of RETURNING", "SELECT * FROM _written.app.t", nil, kalam.CodeTableNotFound, "_written.app.t", "_written"},
		{"unknown column", "SELECT id, nope FROM app.t", nil, kalam.CodeInvalidSQL, "nope", "nope"},
		{"unknown function", "SELECT frobnicate(id) FROM app.t", nil, kalam.CodeInvalidSQL, "frobnicate", "frobnicate"},
		{"unknown column in INSERT", "INSERT INTO app.t (id, nope) VALUES (2, 2)", nil, kalam.CodeInvalidOperation, "nope",
			"nope"},
		{"unknown column in WHERE", "DELETE FROM app.t WHERE nope = 1", nil, kalam.CodeInvalidSQL, "nope", ""},
		{"too few values", "INSERT INTO app.t VALUES (2)", nil, kalam.CodeInvalidSQL, "1 values for 4 columns", ""},
		{"wrong type", "INSERT INTO app.t VALUES ('x', 1, NULL, NULL)", nil, kalam.CodeConstraint, "'x'", "'x'"},
		{"out of range", "INSERT INTO app.t VALUES (2, 3000000000, NULL, NULL)", nil, kalam.CodeConstraint,
			"INT value out of range", "3000000000"},
		{"NULL in NOT NULL", "INSERT INTO app.t VALUES (2, NULL, NULL, NULL)", nil, kalam.CodeConstraint,
			"column 'n' cannot be NULL (row 1)", ""},
		{"NULL key", "INSERT INTO app.t VALUES (NULL, 1, NULL, NULL)", nil, kalam.CodeConstraint,
			"column 'id' cannot be NULL", ""},
		{"second row bad", "INSERT INTO app.t VALUES (2, 2, NULL, NULL), (3, NULL, NULL, NULL)", nil, kalam.CodeConstraint,
			"(row 2)", ""},
		{"bad JSON", "INSERT INTO app.t VALUES (2, 2, '{\"a\":', NULL)", nil, kalam.CodeConstraint,
			"Invalid JSON value for column 'j'", ""},
		{"taken key", "INSERT INTO app.t VALUES (1, 2, NULL, NULL)", nil, kalam.CodeAlreadyExists, "'1' already exists", ""},
		{"key twice", "INSERT INTO app.t VALUES (2, 2, NULL, NULL), (2, 3, NULL, NULL)", nil, kalam.CodeAlreadyExists,
			"multiple times", ""},
		{"missing parameter", "SELECT * FROM app.t WHERE id = $1", nil, kalam.CodeParameterMismatch,
			"1 placeholders but 0 parameters", ""},
		{"surplus parameter", "SELECT * FROM app.t", []kalam.Value{i64(1)}, kalam.CodeParameterMismatch,
			"0 placeholders but 1 parameters", ""},
		{"missing in INSERT", "INSERT INTO app.t VALUES ($1, $2, NULL, NULL)", []kalam.Value{i64(5)},
			kalam.CodeParameterMismatch, "2 placeholders but 1", ""},
		{"gap", "SELECT $1, $3", []kalam.Value{i64(1), i64(2), i64(3)}, kalam.CodeInvalidSQL,
			"Invalid parameter placeholder '$3'", "$3"},
		{"zero", "SELECT $0", []kalam.Value{i64(1)}, kalam.CodeInvalidSQL, "'$0'", "$0"},
		{"wrong type of parameter", "INSERT INTO app.t VALUES (2, $1, NULL, NULL)", []kalam.Value{text("abc")},
			kalam.CodeConstraint, "$1", ""},
		{"params with batch", "SELECT $1; SELECT 2", []kalam.Value{i64(1)}, kalam.CodeParamsWithBatch, "multi-statement", ""},
		{"long identifier", "SELECT * FROM app." + long, nil, kalam.CodeInvalidSQL, "long", ""},
		{"long quoted identifier", `SELECT "` + long + `" FROM app.t`, nil, kalam.CodeInvalidSQL, "", ""},
		{"long column", "CREATE USER TABLE app.u (" + long + " INT PRIMARY KEY)", nil, kalam.CodeInvalidSQL, "long", ""},
		{"invalid UTF-8", "SELECT '\xff'", nil, kalam.CodeBatchParse, "UTF-8", ""},
		{"NUL in SQL", "SELECT \x00 1", nil, kalam.CodeBatchParse, "NUL", ""},
		{"deep", "SELECT " + strings.Repeat("(", 20000) + "1" + strings.Repeat(")", 20000), nil, kalam.CodeInvalidSQL, "",
			""},
		{"path as user", "EXECUTE AS USER '../root' (SELECT 1)", nil, kalam.CodeInvalidInput, "'..'", ""},
		{"NUL in user", "EXECUTE AS USER 'a\x00b' (SELECT 1)", nil, kalam.CodeInvalidInput, "", ""},
		{"division", "SELECT CAST('x' AS INT)", nil, kalam.CodeConstraint, "x", ""},
		{"overflow", "SELECT 9223372036854775807 + id FROM app.t", nil, kalam.CodeConstraint, "", ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := s.try(alice, c.sql, c.params...)
			var ke *kalam.Error
			if !errors.As(err, &ke) {
				t.Fatalf("error %v has no code", err)
			}
			if ke.Code != c.code || !strings.Contains(ke.Msg, c.says) {
				t.Errorf("code %d %q, want %d with %q", ke.Code, ke.Msg, c.code, c.says)
			}
			if len(ke.Msg) > 2000 {
				t.Errorf("the message has %d bytes", len(ke.Msg))
			}
			if c.at != "" && (ke.Position < 1 || !strings.HasPrefix(c.sql[ke.Position-1:], c.at)) {
				t.Errorf("position %d, want that of %q", ke.Position, c.at)
			}
			if got := s.must(alice, "SELECT id, n FROM app.t").table(); got != "id | n\n1 | 1\n" {
				t.Errorf("the table is now\n%s", got)
			}
		})
	}
	var stmt *session.StatementError
	_, err := s.try(alice,
		"SELECT 1; INSERT INTO app.t VALUES (7, 7, NULL, NULL); SELECT nope; INSERT INTO app.t VALUES (8, 8, NULL, NULL)")
	if !errors.As(err, &stmt) || stmt.Statement != 3 {
		t.Errorf("error of a batch: %v", err)
	}
	if got := s.must(alice, "SELECT id FROM app.t ORDER BY id").table(); got != "id\n1\n7\n" {
		t.Errorf("after the batch\n%s", got)
	}
}

// TestTextsAreKept writes texts that are hard to keep.
func TestTextsAreKept(t *testing.T) {
	s := newServer(t)
	s.must(root, "CREATE NAMESPACE app")
	s.must(root, "CREATE USER TABLE app.t (id BIGINT PRIMARY KEY, x TEXT)")
	alice := userOf("alice")
	texts := []string{"", " ", "a\x00b", "\x00", strings.Repeat("long ", 200000), "👩‍👩‍👧‍👦 🇩🇪", "\u202eright to left",
		"line\r\nbreak\ttab", `\'";--/*`, "\ufeffbom", "null", "{}"}
	for i, x := range texts {
		s.must(alice, "INSERT INTO app.t VALUES ($1, $2)", kalam.BigInt(int64(i)), kalam.Text(x))
	}
	for _, when := range []string{"buffered", "flushed"} {
		for i, x := range texts {
			for _, sql := range []string{"SELECT x FROM app.t WHERE id = $1", "SELECT x FROM app.t WHERE id = $1 AND true"} {
				var got string
				if err := json.Unmarshal([]byte(s.single(alice, sql, kalam.BigInt(int64(i)))), &got); err != nil || got != x {
					t.Errorf("%s: text %d is %.40q, want %.40q (%v)", when, i, got, x, err)
				}
			}
		}
		s.flush()
	}
}

// TestDamagedSegment cuts, flips and removes a Parquet file of alice: her
// queries name the file, everything of bob works, and so do her writes.
func TestDamagedSegment(t *testing.T) {
	for name, damage := range map[string]func(path string, content []byte) error{
		"truncated":  func(p string, b []byte) error { return os.WriteFile(p, b[:len(b)/2], 0o644) },
		"empty":      func(p string, _ []byte) error { return os.WriteFile(p, nil, 0o644) },
		"removed":    func(p string, _ []byte) error { return os.Remove(p) },
		"footer":     func(p string, b []byte) error { return os.WriteFile(p, flipped(b, len(b)-20), 0o644) },
		"data":       func(p string, b []byte) error { return os.WriteFile(p, flipped(b, len(b)/3), 0o644) },
		"early data": func(p string, b []byte) error { return os.WriteFile(p, flipped(b, 40), 0o644) },
		"other file": func(p string,
			_ []byte) error {
			return os.WriteFile(p, []byte("not a Parquet file at all"), 0o644)
		},
		"key index file lost": func(p string,
			_ []byte) error {
			return os.Remove(strings.TrimSuffix(p, ".parquet") + ".parquet.keys")
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			fill(s)
			file := aFileOf(t, s.config.StoragePath(), "alice")
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			s.stop() // What was read before may be in memory.
			if err := damage(file, content); err != nil {
				if name != "key index file lost" {
					t.Fatal(err)
				}
				if err := os.Remove(strings.TrimSuffix(file, ".parquet") + ".keys"); err != nil {
					t.Fatal(err)
				}
			}
			s.start()
			_, err = s.try(userOf("alice"), "SELECT count(*) AS n, max(body) AS m FROM app.secrets")
			if name == "key index file lost" {
				if err != nil {
					t.Errorf("a query that needs no key index file: %v", err)
				}
				if _, err := s.try(userOf("alice"),
					"INSERT INTO app.secrets VALUES (1, 'twice')"); kalam.CodeOf(err) != kalam.CodeAlreadyExists {
					t.Errorf("a key whose key index file was lost: %v", err)
				}
			} else if kalam.CodeOf(err) != kalam.CodeCorrupt || !strings.Contains(messageOf(err), filepath.Base(file)) {
				t.Errorf("alice's query gives %v, want CodeCorrupt naming %s", err, filepath.Base(file))
			}
			if err != nil && strings.Contains(messageOf(err), filepath.Dir(file)) {
				t.Errorf("the message shows a path: %s", messageOf(err))
			}
			s.must(userOf("bob"), "INSERT INTO app.secrets VALUES (3, 'b')")
			if got := s.single(userOf("bob"), "SELECT count(*) AS n FROM app.secrets"); got != `"3"` {
				t.Errorf("bob has %s rows", got)
			}
		})
	}
}

func flipped(b []byte, at int) []byte {
	out := append([]byte(nil), b...)
	out[at] ^= 0x10
	return out
}

// TestDamagedManifestFile breaks manifest.json, which only outsiders read: the
// answers stay, and the file is written anew at the next start.
func TestDamagedManifestFile(t *testing.T) {
	s := newServer(t)
	fill(s)
	manifest := filepath.Join(filepath.Dir(aFileOf(t, s.config.StoragePath(), "alice")), "manifest.json")
	whole, err := os.ReadFile(manifest)
	if err != nil {
		t.Fatal(err)
	}
	for _, broken := range []string{"", "{", "{}", `{"version":99}`} {
		if err := os.WriteFile(manifest, []byte(broken), 0o644); err != nil {
			t.Fatal(err)
		}
		s.restart()
		unharmed(t, s)
		for end := time.Now().Add(10 * time.Second); ; {
			if got, err := os.ReadFile(manifest); err == nil && string(got) == string(whole) {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("manifest.json that was %q is not repaired", broken)
			}
			<-time.After(5 * time.Millisecond)
		}
	}
}

// TestStatementTimeout ends a statement that runs too long, and one whose client
// has gone; the server goes on.
func TestStatementTimeout(t *testing.T) {
	s := newServer(t, func(c *config.Config) { c.Query.TimeoutSeconds = 1 })
	const endless = "SELECT count(*) FROM range(1000000000) a, range(1000000000) b WHERE a.range * b.range % 7 = 3"
	begin := time.Now()
	_, err := s.try(root, endless)
	if kalam.CodeOf(err) != kalam.CodeTimeout || time.Since(begin) > 3*time.Second {
		t.Errorf("after %s: %v", time.Since(begin), err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(50*time.Millisecond, cancel)
	begin = time.Now()
	_, err = s.tryCtx(ctx, root, endless)
	if err == nil || time.Since(begin) > 900*time.Millisecond {
		t.Errorf("a cancelled statement ended after %s with %v", time.Since(begin), err)
	}
	if got := s.single(root, "SELECT 1 AS one"); got != "1" {
		t.Errorf("afterwards SELECT 1 gives %s", got)
	}
}

// TestRequestTimeout ends a request whose statements are quick but many, D6: what is
// outside of a transaction stays, a transaction leaves nothing.
func TestRequestTimeout(t *testing.T) {
	s := newServer(t, func(c *config.Config) { c.Query.RequestTimeoutSeconds = 1 })
	ann := userOf("ann")
	s.must(root, "CREATE NAMESPACE app; CREATE USER TABLE app.t (id INT PRIMARY KEY, v TEXT)")
	const slow = "SELECT count(*) FROM range(20000) a, range(20000) b WHERE a.range * b.range % 7 = 3;"
	for _, tt := range []struct {
		begin, says, rows string
	}{
		{"", "request ran longer than 1s", "1"},
		{"BEGIN;", "transaction rolled back: its request ran longer than 1s", "1"},
	} {
		begin := time.Now()
		_, err := s.try(ann, tt.begin+"INSERT INTO app.t VALUES ("+fmt.Sprint(len(tt.begin))+", 'x');"+strings.Repeat(slow,
			200)+"COMMIT")
		if kalam.CodeOf(err) != kalam.CodeTimeout || !strings.Contains(messageOf(err), tt.says) ||
			time.Since(begin) > 4*time.Second {
			t.Errorf("%q after %s: %v", tt.begin, time.Since(begin), err)
		}
		if got := s.single(ann, "SELECT count(*) FROM app.t"); got != `"`+tt.rows+`"` {
			t.Errorf("%q leaves %s rows", tt.begin, got)
		}
	}
	// Statements that are done at once, too: here the reader of the results takes its time.
	sql := "BEGIN;"
	for i := range 100 {
		sql += fmt.Sprintf("INSERT INTO app.t VALUES (%d, 'y');", 10+i)
	}
	err := s.Execute(t.Context(), ann, session.Request{SQL: sql + "COMMIT"}, &slowCollector{})
	if kalam.CodeOf(err) != kalam.CodeTimeout {
		t.Errorf("100 INSERTs: %v", err)
	}
	if got := s.single(ann, "SELECT count(*) FROM app.t"); got != `"1"` {
		t.Errorf("a transaction that took too long left %s rows", got)
	}
}

// slowCollector takes 50 ms for each result.
type slowCollector struct{ collector }

func (c *slowCollector) Done(d session.Done) error {
	<-time.After(50 * time.Millisecond)
	return c.collector.Done(d)
}

// TestMemoryLimit runs a query that needs more memory than it may have.
func TestMemoryLimit(t *testing.T) {
	s := newServer(t, func(c *config.Config) { c.Query.MemoryLimit = "100MB" })
	_, err := s.try(root,
		"SELECT count(*) FROM (SELECT DISTINCT a.range * 1000000 + b.range AS x, repeat('x', 50) || a.range AS y FROM range(5000) a, range(5000) b)")
	if code := kalam.CodeOf(err); code != kalam.CodeResourceExhausted {
		t.Errorf("code %d: %v", code, err)
	}
	if err != nil && strings.Contains(messageOf(err), s.config.Storage.DataPath) {
		t.Errorf("the message shows a path: %s", messageOf(err))
	}
	if got := s.single(root, "SELECT 1 AS one"); got != "1" {
		t.Errorf("afterwards SELECT 1 gives %s", got)
	}
}
