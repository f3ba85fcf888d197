package main

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/kalamlake/kalam/link"
)

var (
	staticServer = flag.String("static-kalamd", "",
		"release binary that TestEmptyRoot runs; built by scripts/release when empty")
	staticRoot = flag.String("image-root", "",
		"directory that TestEmptyRoot takes for the root instead of an empty one; it has usr/local/bin/kalamd and data")
)

// imageUser is the user and group that the server of TestEmptyRoot runs as; the
// image's has the same id.
const imageUser = 10001

// emptyRoot is a directory that a server takes for the root of all files.
type emptyRoot struct {
	t       *testing.T
	dir     string
	program string // As the server's process sees it, like data.
	data    string
	attr    *syscall.SysProcAttr // nil: this system lets nobody change the root.
	cmd     *exec.Cmd
	log     bytes.Buffer
	url     string
}

// TestEmptyRoot runs the release's server in a root directory that holds nothing
// but the binary and the data: no C library, no /proc, no /tmp, no time zones.
// It writes, flushes, queries and follows a live query, over a stop and a kill.
func TestEmptyRoot(t *testing.T) {
	r := newEmptyRoot(t)
	r.start()
	root := r.client("root", testRootPassword)
	r.query(root, "CREATE NAMESPACE app")
	r.query(root,
		`CREATE USER TABLE app.notes (id BIGINT PRIMARY KEY, body TEXT NOT NULL, made TIMESTAMP NOT NULL, more JSON)`)
	r.query(root, "CREATE USER 'alice' WITH PASSWORD 'alice-secret' ROLE user")
	r.query(root, "CREATE USER 'bob' WITH PASSWORD 'bob-secret' ROLE user")
	alice, bob := r.client("alice", "alice-secret"), r.client("bob", "bob-secret")
	r.follow(alice, func() {
		r.query(alice, `INSERT INTO app.notes VALUES (1, 'straße', '2024-07-01 12:00:00', '{"n": [1, 2]}')`)
	})
	r.query(alice, `INSERT INTO app.notes VALUES (2, 'second', '2024-01-01 12:00:00', NULL)`)
	r.query(bob, `INSERT INTO app.notes VALUES (1, 'of bob', NOW(), NULL)`)
	r.check(alice, bob)
	r.query(root, "STORAGE FLUSH ALL")
	r.flushed(root)
	r.check(alice, bob)
	r.follow(alice, func() { r.query(alice, `INSERT INTO app.notes VALUES (3, 'third', '2023-01-01 12:00:00', NULL)`) })
	r.query(alice, `DELETE FROM app.notes WHERE id = 3`)
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		r.stop(sig)
		r.start()
		r.check(r.client("alice", "alice-secret"), r.client("bob", "bob-secret"))
	}
	r.stop(syscall.SIGTERM)
	r.checkFiles()
}

// newEmptyRoot prepares the directory, and how a process is confined to it: by
// root, else in a user namespace of its own.
func newEmptyRoot(t *testing.T) *emptyRoot {
	r := &emptyRoot{t: t, dir: *staticRoot, program: "/usr/local/bin/kalamd", data: "/data"}
	if r.dir == "" {
		r.dir, r.program = t.TempDir(), "/kalamd"
		copyBinary(t, r.dir+r.program)
		if err := os.Mkdir(r.dir+r.data, 0o750); err != nil {
			t.Fatal(err)
		}
	}
	switch uid := os.Getuid(); {
	case uid == 0:
		r.attr = &syscall.SysProcAttr{Chroot: r.dir, Credential: &syscall.Credential{Uid: imageUser, Gid: imageUser}}
		if err := os.Chown(r.dir+r.data, imageUser, imageUser); err != nil {
			t.Fatal(err)
		}
	default:
		r.attr = &syscall.SysProcAttr{
			Chroot: r.dir, Cloneflags: syscall.CLONE_NEWUSER,
			UidMappings: []syscall.SysProcIDMap{{ContainerID: imageUser, HostID: uid, Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{ContainerID: imageUser, HostID: os.Getgid(), Size: 1}},
		}
	}
	probe := r.command("--version")
	out, err := probe.CombinedOutput()
	if mayNotConfine(err) {
		t.Log("NOT CONFINED: this user may not change the root directory; the static server runs with all files in sight")
		r.attr, r.program, r.data = nil, r.dir+r.program, r.dir+r.data
		out, err = r.command("--version").CombinedOutput()
	}
	if err != nil || !regexp.MustCompile(`^kalamd \S+, commit .*, built .*\n$`).Match(out) {
		t.Fatalf("%s --version: %q, %v", r.program, out, err)
	}
	t.Logf("%s", bytes.TrimSpace(out))
	return r
}

// mayNotConfine reports whether a process did not start because this system does
// not let us change its root directory or give it a user namespace.
func mayNotConfine(err error) bool {
	return slices.ContainsFunc([]error{fs.ErrPermission, syscall.ENOSPC, syscall.EINVAL, syscall.ENOSYS},
		func(refusal error) bool {
			return errors.Is(err, refusal)
		})
}

// copyBinary puts the release's server at a path. A build takes half a minute,
// or three where nothing is in the build cache.
func copyBinary(t *testing.T, to string) {
	t.Helper()
	if *staticServer == "" {
		build := exec.CommandContext(t.Context(), "../../scripts/release", "--server", to)
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("scripts/release: %v\n%s", err, out)
		}
		return
	}
	raw, err := os.ReadFile(*staticServer)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, raw, 0o755); err != nil { //nolint:gosec // A program is executed by other users.
		t.Fatal(err)
	}
}

// command prepares a process whose root is the directory and whose environment
// has nothing but settings.
func (r *emptyRoot) command(args ...string) *exec.Cmd {
	cmd := exec.Command(r.program, args...)
	cmd.Dir = "/"
	cmd.Env = []string{"KALAM_ROOT_PASSWORD=" + testRootPassword, "KALAM_AUTH_BCRYPT_COST=4"}
	cmd.SysProcAttr = r.attr
	return cmd
}

func (r *emptyRoot) start() {
	r.t.Helper()
	r.cmd = r.command("serve", "--data", r.data, "--listen", "127.0.0.1:0")
	r.cmd.Stderr = &r.log
	out, err := r.cmd.StdoutPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	if err := r.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() {
		if r.cmd.ProcessState == nil {
			r.stop(syscall.SIGKILL)
		}
		if r.t.Failed() {
			r.t.Logf("log:\n%s", r.log.String())
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	m := readyLine.FindStringSubmatch(line)
	if err != nil || m == nil {
		r.t.Fatalf("ready line %q, %v", line, err)
	}
	r.url = m[1]
}

func (r *emptyRoot) stop(sig syscall.Signal) {
	r.t.Helper()
	if err := r.cmd.Process.Signal(sig); err != nil {
		r.t.Fatal(err)
	}
	err := r.cmd.Wait()
	if sig == syscall.SIGTERM && err != nil {
		r.t.Errorf("SIGTERM: %v", err)
	}
}

func (r *emptyRoot) client(user, password string) *link.Client {
	r.t.Helper()
	c, err := link.New(link.Options{URL: r.url, Auth: link.Password(user, password)})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() {
		if err := c.Close(); err != nil {
			r.t.Error(err)
		}
	})
	return c
}

// query runs one statement and returns its rows as CSV.
func (r *emptyRoot) query(c *link.Client, sql string) string {
	r.t.Helper()
	res, err := c.Query(r.t.Context(), sql)
	if err != nil {
		r.t.Fatalf("%s: %v", sql, err)
	}
	return string(res.Results[0].CSV())
}

// check asks for what needs most of what an operating system usually brings:
// time zones, collation, case, regular expressions, JSON; and that users see
// their own rows only.
func (r *emptyRoot) check(alice, bob *link.Client) {
	r.t.Helper()
	tests := []struct {
		of        *link.Client
		sql, want string
	}{
		{alice, "SELECT count(*) AS n, min(body) AS first, max(id) AS last FROM app.notes", "n,first,last\n2,second,2\n"},
		{bob, "SELECT id, body FROM app.notes", "id,body\n1,of bob\n"},
		{alice, "SELECT upper(body) AS b FROM app.notes WHERE body LIKE 'stra_e' AND regexp_matches(body, 'ß')",
			"b\nSTRAẞE\n"},
		{alice, "SELECT more->'n'->>1 AS second FROM app.notes WHERE id = 1", "second\n2\n"},
		{
			alice, "SELECT strftime(timezone('Europe/Berlin', timezone('UTC', made)), '%H:%M %b') AS t FROM app.notes ORDER BY id",
			"t\n14:00 Jul\n13:00 Jan\n",
		},
		{alice, "SELECT id FROM app.notes WHERE id = 2", "id\n2\n"},
	}
	for _, tt := range tests {
		if got := r.query(tt.of, tt.sql); got != tt.want {
			r.t.Errorf("%s: got %q, want %q", tt.sql, got, tt.want)
		}
	}
}

// flushed waits until no job runs and checks that all succeeded.
func (r *emptyRoot) flushed(root *link.Client) {
	r.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; {
		rows := r.query(root, "SELECT DISTINCT status FROM system.jobs ORDER BY status")
		if rows == "status\ncompleted\n" {
			break
		}
		if time.Now().After(deadline) || strings.Contains(rows, "failed") {
			r.t.Fatalf("jobs: %s", rows)
		}
	}
	if files, err := filepath.Glob(r.host(r.data) + "/storage/users/*/app/notes/*.parquet"); err != nil ||
		len(files) != 2 {
		r.t.Errorf("Parquet files %q, %v, want one of each user", files, err)
	}
}

// host returns the path of a file of the server for this process.
func (r *emptyRoot) host(path string) string {
	if r.attr == nil {
		return path
	}
	return r.dir + path
}

// follow opens a live query, calls change and waits for its event.
func (r *emptyRoot) follow(c *link.Client, change func()) {
	r.t.Helper()
	sub, err := c.Subscribe(r.t.Context(), "SELECT id, body FROM app.notes WHERE id > 0", link.SubscribeOptions{})
	if err != nil {
		r.t.Fatal(err)
	}
	change()
	for e := range sub.Events() {
		if e.Kind == link.EventInsert {
			break
		}
	}
	if err := sub.Err(); err != nil {
		r.t.Errorf("live query: %v", err)
	}
	if err := sub.Close(); err != nil {
		r.t.Error(err)
	}
}

// checkFiles checks that the server left nothing beside its data, in a root that
// was empty.
func (r *emptyRoot) checkFiles() {
	r.t.Helper()
	if *staticRoot != "" {
		return
	}
	entries, err := os.ReadDir(r.dir)
	if err != nil {
		r.t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if want := []string{"data", "kalamd"}; !slices.Equal(names, want) {
		r.t.Errorf("files in the root: %q, want %q", names, want)
	}
	if _, err := os.Stat(r.host(r.data) + "/buffer"); err != nil {
		r.t.Error(err)
	}
}
