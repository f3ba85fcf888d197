//go:build unix

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// kalam runs kalam as root and returns its exit code and what it says.
func (s *realServer) kalam(at string, args ...string) (code int, out, errOut string) {
	s.t.Helper()
	var o, e bytes.Buffer
	m := Main{Args: append([]string{"--url", at, "-u", "root", "--password", rootPassword}, args...),
		In: strings.NewReader(""), Out: &o, Err: &e, Getenv: func(string) string { return "" }}
	code = m.Run(context.Background())
	return code, o.String(), e.String()
}

// load runs kalam, which must work, and returns what it says.
func (s *realServer) load(args ...string) string {
	s.t.Helper()
	code, _, errOut := s.kalam(s.url, args...)
	if code != 0 {
		s.t.Fatalf("kalam %v: exit %d\n%s", args, code, errOut)
	}
	return errOut
}

// written writes a file of a test.
func written(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLoad(t *testing.T) {
	s := startServer(t)
	s.sql("CREATE NAMESPACE app;")
	for _, c := range []struct {
		name, file, text string
		args             []string
		says             []string // What the shell says, in order.
		query, rows      string
		rejected         string
	}{
		{
			name: "csv", file: "notes.csv",
			text: "\ufeffid,Body Text,done,at,zip\n1,\"a, \"\"b\"\"\nc\",true,2026-01-31T12:00:00Z,01234\n2,,false,2026-01-31,12345\n\n3,\"\",,,1\n",
			args: []string{"app.csv"},
			says: []string{"notes.csv (csv) into new table app.csv", "id", "BIGINT", "key", "body_text", "TEXT", "done", "BOOLEAN",
				"at", "TIMESTAMP", "zip", "TEXT", "Loaded 3 rows into app.csv in "},
			query: "SELECT *  EXCLUDE (_seq, _deleted) FROM app.csv ORDER BY id",
			rows: "id,body_text,done,at,zip\n1,\"a, \"\"b\"\"\nc\",true,2026-01-31T12:00:00Z,01234\n2,,false,2026-01-31T00:00:00Z,12345\n" +
				"3,\"\",,,1\n",
		},
		{
			name: "rejects", file: "bad.csv",
			text: "id,n\n1,1\n2,x\n3,3\n3,4\n4\n5,99999999999999999999\n6,6\n",
			args: []string{"app.bad", "--types", "n=INT", "--key", "id"},
			says: []string{"Loaded 3 rows into app.bad", ", 4 rejected: "},
			// The key 3 came twice: one of both is taken.
			query: "SELECT id FROM app.bad ORDER BY id", rows: "id\n1\n3\n6\n",
			rejected: "record,line,reason,text\n",
		},
		{
			name: "ndjson", file: "e.jsonl",
			text:  `{"what":"a","n":1,"deep":{"x":[1, 2]}}` + "\n" + `{"n":2.5,"what":null}` + "\nnonsense\n" + `{"what":"c","n":3,"deep":"text"}` + "\n",
			args:  []string{"app.ndjson", "--kind", "shared", "--types", "deep=JSON"},
			says:  []string{"record_number", "BIGINT", "the number of the record", "CREATE SHARED TABLE", "Loaded 3 rows", "1 rejected"},
			query: "SELECT record_number, what, n, deep FROM app.ndjson ORDER BY 1",
			rows:  "record_number,what,n,deep\n1,a,1.0,\"{\"\"x\"\":[1, 2]}\"\n2,,2.5,\n4,c,3.0,\"\"\"text\"\"\"\n",
		},
		{
			name: "json into a table", file: "a.json", text: `[{"ID": "7", "body": "x"}, {"ID": "8"}]`,
			args: []string{"app.notes"}, says: []string{"into existing table app.notes"},
			query: "SELECT id, body FROM app.notes ORDER BY id", rows: "id,body\n7,x\n8,\n",
		},
		{
			name: "tsv", file: "a.tsv", text: "id\tbody\n1\ta\\tb\n2\t\\N\n3\t\n", args: []string{"app.tsv", "--key", "id"},
			query: "SELECT id, body FROM app.tsv ORDER BY id", rows: "id,body\n1,a\tb\n2,\n3,\"\"\n",
		},
		{
			name: "no header", file: "b.csv", text: "1,x,9\n2,NULL,9\n",
			args:  []string{"app.bare", "--no-header", "--columns", "id,body,-", "--null", "NULL"},
			query: "SELECT id, body FROM app.bare ORDER BY id", rows: "id,body\n1,x\n2,\n",
		},
		{
			name: "skip", file: "c.csv", text: "id,body\n7,new\n9,y\n", args: []string{"app.notes", "--on-conflict", "skip"},
			says:  []string{"Loaded 1 rows", "1 skipped whose keys were there"},
			query: "SELECT id, body FROM app.notes ORDER BY id", rows: "id,body\n7,x\n8,\n9,y\n",
		},
		{
			name: "update", file: "d.csv", text: "id,body\n7,new\n", args: []string{"app.notes", "--on-conflict", "update"},
			query: "SELECT id, body FROM app.notes ORDER BY id", rows: "id,body\n7,new\n8,\n9,y\n",
		},
		{
			name: "dry run", file: "f.csv", text: "id\n1\n", args: []string{"app.never", "--dry-run"},
			says:  []string{"CREATE USER TABLE", "Nothing was loaded: this is a dry run."},
			query: "SELECT count(*) AS n FROM information_schema.tables WHERE table_name = 'never'", rows: "n\n0\n",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.name == "json into a table" {
				s.sql("CREATE USER TABLE app.notes (id BIGINT PRIMARY KEY, body TEXT);")
			}
			path := written(t, c.file, c.text)
			said := s.load(append([]string{"load", path}, c.args...)...)
			rest := said
			for _, want := range c.says {
				i := strings.Index(rest, want)
				if i < 0 {
					t.Fatalf("%q is missing in\n%s", want, said)
				}
				rest = rest[i+len(want):]
			}
			if got := s.sql(c.query + ";"); got != c.rows {
				t.Errorf("rows\n%s\nwant\n%s", got, c.rows)
			}
			if _, err := os.Stat(path + "." + c.args[0] + ".load"); !os.IsNotExist(err) {
				t.Errorf("the state is left: %v", err)
			}
			if c.rejected == "" {
				return
			}
			got, err := os.ReadFile(path + "." + c.args[0] + ".rejects")
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range []string{c.rejected, `5,6,1 fields where the file has 2 columns,4`, "2,3,", "'x' for column 'n'",
				"value '3' already exists in column 'id'", "6,7,"} {
				if !strings.Contains(string(got), want) {
					t.Errorf("%q is missing in\n%s", want, got)
				}
			}
		})
	}
}

func TestLoadRefuses(t *testing.T) {
	s := startServer(t)
	s.sql("CREATE NAMESPACE app;\nCREATE USER TABLE app.t (id BIGINT PRIMARY KEY, n INT);")
	for _, c := range []struct {
		name, file, text string
		args             []string
		says             string
	}{
		{"no file", "", "", []string{"app.t"}, "no such file"},
		{"unknown column", "a.csv", "id,x\n1,2\n", []string{"app.t"}, "column x of the file is not in table app.t (id, n)"},
		{"no key", "a.csv", "n\n1\n", []string{"app.t"}, "the file has no column id, which is of the key of table app.t and has no default"},
		{"no format", "a.dat", "id\n1\n", []string{"app.t"}, "give --format csv, tsv, ndjson, json"},
		{"parquet", "a.parquet", "PAR1", []string{"app.t"}, "kalam does not read or write Parquet"},
		{"empty", "a.csv", "", []string{"app.t"}, "the file is empty"},
		{"too many", "a.csv", "id,n\n1,x\n2,y\n3,3\n", []string{"app.t", "--max-rejects", "1"}, "more than 1; --max-rejects allows more"},
		{"broken json", "a.json", `[{"id": 1}, {"id": `, []string{"app.t"}, "unexpected EOF"},
		{"no table", "a.csv", "id\n1\n", nil, "into which table does"},
		{"kind", "a.csv", "id\n1\n", []string{"app.t", "--kind", "stream"}, `--kind "stream" is not allowed (expected user, shared)`},
		{"read only", "a.csv", "id\n1\n", []string{"app.t", "--read-only"}, "the shell was started with --read-only"},
		{"as another user", "a.csv", "id\n1\n", []string{"app.t", "-u", "eve", "--password", "wrong-password"}, "Invalid"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "none.csv")
			if c.file != "" {
				path = written(t, c.file, c.text)
			}
			code, _, errOut := s.kalam(s.url, append([]string{"load", path}, c.args...)...)
			if code != 1 || !strings.Contains(errOut, c.says) {
				t.Errorf("exit %d, no %q in\n%s", code, c.says, errOut)
			}
		})
	}
}

// halting is a proxy before a server that does something at one INSERT.
type halting struct {
	*httptest.Server
	mu      sync.Mutex
	inserts int
	at      int  // The INSERT before or after which halt is called; 0 for none.
	after   bool // The server has answered, and the answer is thrown away.
	halt    func()
}

func newHalting(t *testing.T, to string) *halting {
	target, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	h := &halting{}
	proxy := httputil.NewSingleHostReverseProxy(target)
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler) // The client is gone. net/http recovers it: so a handler drops its connection.
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		if !bytes.Contains(body, []byte(`"INSERT INTO`)) && !bytes.Contains(body, []byte("INSERT INTO \\\"app")) {
			proxy.ServeHTTP(w, r)
			return
		}
		h.mu.Lock()
		h.inserts++
		hit := h.inserts == h.at
		h.mu.Unlock()
		switch {
		case hit && !h.after:
			h.halt()
			panic(http.ErrAbortHandler) // As above.
		case hit:
			proxy.ServeHTTP(httptest.NewRecorder(), r.WithContext(context.WithoutCancel(r.Context())))
			h.halt()
			panic(http.ErrAbortHandler) // As above.
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(h.Close)
	return h
}

// arm makes the nth INSERT from now the one.
func (h *halting) arm(n int, after bool, halt func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.inserts, h.at, h.after, h.halt = 0, n, after, halt
}

// numbered is a file of n records, a few of which are bad.
func numbered(n int) string {
	var b strings.Builder
	b.WriteString("id,body\n")
	for i := range n {
		if i%100 == 50 {
			fmt.Fprintf(&b, "%d,bad,field\n", i)
			continue
		}
		fmt.Fprintf(&b, "%d,body of %d\n", i, i)
	}
	return b.String()
}

// TestKilledLoadGoesOn kills a load before and after requests of it were done, and gives the
// same command again: no row is lost or double, and each bad record is rejected once.
func TestKilledLoadGoesOn(t *testing.T) {
	s := startServer(t)
	s.sql("CREATE NAMESPACE app;")
	h := newHalting(t, s.url)
	const records, bad = 1000, 10
	for i, at := range []int{1, 2, 5, 9} {
		for _, after := range []bool{false, true} {
			name := fmt.Sprintf("app.k%d_%t", i, after)
			t.Run(name, func(t *testing.T) {
				path := written(t, "k.csv", numbered(records))
				args := []string{"--url", h.URL, "-u", "root", "--password", rootPassword, "load", path, name, "--batch-rows", "100"}
				cmd := exec.Command(os.Args[0], args...)
				cmd.Env = []string{shellInstead + "=1", "HOME=" + t.TempDir()}
				killed := make(chan error, 1)
				h.arm(at, after, func() { killed <- cmd.Process.Kill() })
				if out, err := cmd.CombinedOutput(); err == nil {
					t.Fatalf("the load has ended:\n%s", out)
				}
				if err := <-killed; err != nil {
					t.Fatal(err)
				}
				code, _, said := s.kalam(h.URL, "load", path, name, "--batch-rows", "100")
				if code != 0 || !strings.Contains(said, "Going on with a load that was ended") ||
					!strings.Contains(said, "Loaded 990 rows") || !strings.Contains(said, "10 rejected") {
					t.Errorf("exit %d\n%s", code, said)
				}
				got := s.sql("SELECT count(*) AS n, count(DISTINCT body) AS b, sum(id) AS s FROM " + name + ";")
				if want := "n,b,s\n990,990,494500\n"; got != want {
					t.Errorf("rows %s, want %s", got, want)
				}
				rejects, err := os.ReadFile(path + "." + name + ".rejects")
				if n := bytes.Count(rejects, []byte("\n")); err != nil || n != bad+1 {
					t.Errorf("%d lines of rejects, %v\n%s", n, err, rejects)
				}
			})
		}
	}
}

// TestLoadSurvivesALostAnswer loses one answer: the rows of that request are stored once.
func TestLoadSurvivesALostAnswer(t *testing.T) {
	s := startServer(t)
	s.sql("CREATE NAMESPACE app;\nCREATE USER TABLE app.gen (no BIGINT PRIMARY KEY DEFAULT SNOWFLAKE_ID(), id BIGINT, body TEXT);")
	h := newHalting(t, s.url)
	path := written(t, "k.csv", numbered(300))
	h.arm(2, true, func() {})
	code, _, said := s.kalam(h.URL, "load", path, "app.lost", "--batch-rows", "100")
	if code != 0 || !strings.Contains(said, "Loaded 297 rows") {
		t.Fatalf("exit %d\n%s", code, said)
	}
	if got := s.sql("SELECT count(*) AS n FROM app.lost;"); got != "n\n297\n" {
		t.Errorf("rows: %s", got)
	}

	// Without a key in the file nobody can tell: the load says so, and the user decides.
	h.arm(2, true, func() {})
	args := []string{"load", path, "app.gen", "--batch-rows", "100", "--parallel", "1"}
	if code, _, said = s.kalam(h.URL, args...); code != 1 || !strings.Contains(said, "--uncertain send or --uncertain skip") {
		t.Fatalf("exit %d\n%s", code, said)
	}
	if code, _, said = s.kalam(h.URL, args...); code != 1 || !strings.Contains(said, "records 101 to 200 were sent") {
		t.Fatalf("exit %d\n%s", code, said)
	}
	if code, _, said = s.kalam(h.URL, append(args, "--uncertain", "skip")...); code != 0 {
		t.Fatalf("exit %d\n%s", code, said)
	}
	if got := s.sql("SELECT count(*) AS n, count(DISTINCT id) AS i FROM app.gen;"); got != "n,i\n297,297\n" {
		t.Errorf("rows: %s", got)
	}
}

// TestStateIsBound refuses the state of another file, table, user or server.
func TestStateIsBound(t *testing.T) {
	s := startServer(t)
	s.sql("CREATE NAMESPACE app;\nCREATE USER ann WITH PASSWORD 'a-password-of-ann' ROLE dba;")
	h := newHalting(t, s.url)
	path := written(t, "k.csv", numbered(300))
	state := filepath.Join(t.TempDir(), "state")
	args := []string{"load", path, "app.a", "--batch-rows", "100", "--state", state}
	ctx, cancel := context.WithCancel(t.Context())
	h.arm(2, false, cancel)
	var out bytes.Buffer
	m := Main{Args: append([]string{"--url", h.URL, "-u", "root", "--password", rootPassword}, args...), In: strings.NewReader(""),
		Out: &out, Err: &out, Getenv: func(string) string { return "" }}
	if code := m.Run(ctx); code != 1 || !strings.Contains(out.String(), "the same command again goes on") {
		t.Fatalf("exit %d\n%s", code, out.String())
	}
	if info, err := os.Stat(state); err != nil || info.Mode() != 0o600 {
		t.Fatalf("state: %v, %v", info, err)
	}
	other := written(t, "k.csv", numbered(300))
	for _, c := range []struct {
		name, url string
		args      []string
		says      string
	}{
		{"server", s.url, args, "is of a load into " + h.URL},
		{"table", h.URL, []string{"load", path, "app.b", "--state", state}, "into table app.a"},
		{"file", h.URL, []string{"load", other, "app.a", "--state", state}, "of another file"},
		{"options", h.URL, append(args[:len(args):len(args)], "--null", "x"), "with other columns or options"},
		{"user", h.URL, append(args[:len(args):len(args)], "-u", "ann", "--password", "a-password-of-ann"), "as user root"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if code, _, said := s.kalam(c.url, c.args...); code != 1 || !strings.Contains(said, c.says) {
				t.Errorf("exit %d, no %q in\n%s", code, c.says, said)
			}
		})
	}
	if code, _, said := s.kalam(h.URL, args...); code != 0 || !strings.Contains(said, "Loaded 297 rows") {
		t.Errorf("exit %d\n%s", code, said)
	}
}

// TestLoadFollowsNoLink loads a file of a directory into which somebody else may write, and has
// put links to a file of the user where a load keeps its own.
func TestLoadFollowsNoLink(t *testing.T) {
	s := startServer(t)
	s.sql("CREATE NAMESPACE app;")
	precious := written(t, "precious", "precious")
	path := written(t, "k.csv", numbered(100))
	for _, kind := range []string{"load.new", "rejects"} {
		if err := os.Symlink(precious, path+".app.t."+kind); err != nil {
			t.Fatal(err)
		}
	}
	if said := s.load("load", path, "app.t"); !strings.Contains(said, "1 rejected") {
		t.Errorf("it says\n%s", said)
	}
	if got, err := os.ReadFile(precious); err != nil || string(got) != "precious" {
		t.Errorf("%v, %q", err, got)
	}
}

// TestLoadAtATerminal asks before it loads, and shows how far it is.
func TestLoadAtATerminal(t *testing.T) {
	s := startServer(t)
	s.sql("CREATE NAMESPACE app;")
	h := newHalting(t, s.url)
	goOn := make(chan struct{})
	h.arm(3, true, func() { <-goOn })
	path := written(t, "k.csv", numbered(1000))
	x := startTerminal(t, 100, 40, t.TempDir(), "--url", h.URL, "-u", "root", "--password", rootPassword, "load", path, "app.t",
		"--batch-rows", "100", "--parallel", "1")
	x.line("Load it? [Y/n] ")
	x.typed("y" + keyEnter)
	x.shows("[########################]  198 rows")
	x.shows("rows/s")
	close(goOn)
	x.shows("Loaded 990 rows into app.t in ")
	x.ends()
	if got := s.sql("SELECT count(*) AS n FROM app.t;"); got != "n\n990\n" {
		t.Errorf("rows: %s", got)
	}
	x = startTerminal(t, 100, 40, t.TempDir(), "--url", s.url, "-u", "root", "--password", rootPassword, "load", path, "app.u")
	x.line("Load it? [Y/n] ")
	x.typed("n" + keyEnter)
	x.shows("Nothing was loaded.")
	x.ends()
}
