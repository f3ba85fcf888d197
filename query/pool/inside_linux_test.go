package pool_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/query"
	"github.com/kalamlake/kalam/query/pool"
	"github.com/kalamlake/kalam/query/sandbox"
)

// insideVariable has the folder of the attempts for a process that tries them with the rules
// of a query worker.
const insideVariable = "KALAM_POOL_INSIDE"

// lentFile is the descriptor of the file that this process was lent.
const lentFile = 3

// inside are what a program tries that has broken out of DuckDB. Those that begin with "may" are
// what a worker does.
func inside(dir string) map[string]func() error {
	read := func(path string) func() error {
		return func() error { _, err := os.ReadFile(path); return err }
	}
	return map[string]func() error{
		"may: read what it was lent": func() error {
			text := make([]byte, 4)
			_, err := unix.Pread(lentFile, text, 0)
			if err == nil && string(text) != "lent" {
				err = fmt.Errorf("it holds %q", text)
			}
			return err
		},
		"may: write its folder":      func() error { return os.WriteFile(filepath.Join(dir, "temp/x"), nil, 0o600) },
		"write what it was lent":     func() error { _, err := unix.Pwrite(lentFile, []byte("x"), 0); return err },
		"open anew what it was lent": read(fmt.Sprintf("/proc/self/fd/%d", lentFile)),
		"read passwd":                read("/etc/passwd"),
		"read the write buffer":      read(filepath.Join(dir, "buffer/000001.vlog")),
		"read another's segment":     read(filepath.Join(dir, "lake/users/bob/app/t/1.parquet")),
		"read its own other segment": read(filepath.Join(dir, "lake/users/alice/app/t/2.parquet")),
		"list the lake":              func() error { _, err := os.ReadDir(filepath.Join(dir, "lake")); return err },
		"write the lake":             func() error { return os.WriteFile(filepath.Join(dir, "lake/x"), nil, 0o600) },
		"read another worker's":      read(filepath.Join(dir, "temp-of-another/spill")),
		"connect":                    func() error { _, err := net.Dial("tcp", "127.0.0.1:1"); return err },
		"make a socket":              func() error { _, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0); return err },
		"read the server's memory":   read(fmt.Sprintf("/proc/%d/mem", os.Getppid())),
		"signal the server":          func() error { return syscall.Kill(os.Getppid(), 0) },
		"run a program":              func() error { return exec.Command("/bin/true").Run() },
	}
}

// tryInside tries them and prints the error of each, "" for success.
func tryInside(dir string) error {
	out := map[string]string{"state": sandbox.Current().String()}
	for name, try := range inside(dir) {
		out[name] = ""
		if err := try(); err != nil {
			out[name] = err.Error()
		}
	}
	return json.NewEncoder(os.Stdout).Encode(out)
}

// TestFromInside tries, with the rules of a query worker, to reach what is not its business:
// other files than those of its statement, sockets, the server.
func TestFromInside(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{
		"buffer/000001.vlog", "lake/users/alice/app/t/1.parquet", "lake/users/alice/app/t/2.parquet",
		"lake/users/bob/app/t/1.parquet", "temp/y", "temp-of-another/spill",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("lent"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	e := newEngine(t)
	rules, err := e.pool.Rules(filepath.Join(dir, "temp")).Env()
	if err != nil {
		t.Fatal(err)
	}
	lent, err := os.Open(filepath.Join(dir, "lake/users/alice/app/t/1.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	defer lent.Close()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), insideVariable+"="+dir, rules)
	cmd.ExtraFiles, cmd.Stderr = []*os.File{lent}, os.Stderr
	printed, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, printed)
	}
	var got map[string]string
	if err := json.Unmarshal(printed, &got); err != nil {
		t.Fatal(err)
	}
	t.Log("in force:", got["state"])
	for name := range inside(dir) {
		failed, tried := got[name]
		switch may := strings.HasPrefix(name, "may: "); {
		case !tried:
			t.Errorf("%s: not tried", name)
		case may && failed != "":
			t.Errorf("%s: %s", name, failed)
		case !may && failed == "" && strings.Contains(got["state"], "landlock"):
			t.Errorf("%s: it can", name)
		}
	}
}

// lakeFiles writes n files of one row each, and returns a source of them.
func (e *engine) lakeFiles(t *testing.T, n int) query.Source {
	t.Helper()
	src := numbers(t, 1)
	out := query.Source{Schema: src.Schema}
	for i := range n {
		path := filepath.Join(e.lake, fmt.Sprintf("%d.parquet", i))
		if _, err := e.CopyParquet(t.Context(), query.CopySpec{Path: path, Schema: src.Schema,
			Batches: each(src.Batches)}); err != nil {
			t.Fatal(err)
		}
		out.Files = append(out.Files, query.File{Path: path})
	}
	return out
}

// TestLentFiles reads more files than one message takes, also after a statement that was not
// sent because one is missing; what is damaged or missing is named, and nothing else of a path.
func TestLentFiles(t *testing.T) {
	e := newEngine(t, func(o *pool.Options) { o.Places = 1 })
	src := e.lakeFiles(t, 150)
	count := func(src query.Source) (string, error) {
		_, cell, err := e.ask(t.Context(), "alice", "SELECT count(*) FROM t a, t b WHERE a.id = 0", src)
		return cell, err
	}
	want := fmt.Sprint(150 * 150)
	if got, err := count(src); got != want || err != nil {
		t.Fatalf("%s, %v", got, err)
	}
	missing := src
	missing.Files = append(append([]query.File(nil), src.Files...),
		query.File{Path: filepath.Join(e.lake, "gone.parquet")})
	if _, err := count(missing); kalam.CodeOf(err) != kalam.CodeCorrupt ||
		!strings.Contains(err.Error(), "segment gone.parquet") {
		t.Errorf("a missing file: %v", err)
	}
	if got, err := count(src); got != want || err != nil {
		t.Errorf("after that: %s, %v", got, err)
	}
	bad := src.Files[77].Path
	if err := os.WriteFile(bad, []byte("PAR1 no Parquet file at all PAR1"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := count(src)
	var ke *kalam.Error
	if !errors.As(err, &ke) || ke.Code != kalam.CodeCorrupt || ke.Msg != "cannot read segment 77.parquet" {
		t.Errorf("a damaged file: %v", err)
	}
	plan, err := e.Analyse(t.Context(), "alice", "SELECT id FROM t")
	if err != nil {
		t.Fatal(err)
	}
	src.Files = src.Files[:3]
	text, _, err := e.Explain(t.Context(), plan, []query.Source{src}, query.Args{User: "alice"}, true)
	if err != nil || strings.Contains(text, "/proc") || strings.Contains(text, e.lake) {
		t.Errorf("%v, %s", err, text)
	}
}
