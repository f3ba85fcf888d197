package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/kalamlake/kalam/buffer/buffertest"
	"github.com/kalamlake/kalam/link/wire"
)

var (
	fullDiskRounds = flag.Int("full-disk-rounds", 1, "rounds of TestFullDisk on each file system")
	fullDiskMiB    = flag.Int64("full-disk-mib", 64, "size of the file systems of TestFullDisk")
)

// TestFullDisk fills small file systems, by the server's own rows and by files of
// others beside them, while the server writes, flushes and compacts; kills it, and
// starts it again (case D3). In each round: the server does not end by itself; a
// refusal has the code of a full disk; everybody can log in; nothing that was
// acknowledged is missing and nothing of what was refused is there; /health says
// that the disk is nearly full; a start without room says what it needs; DROP TABLE
// gives the space back without a restart, and then /health is healthy.
func TestFullDisk(t *testing.T) {
	for _, disk := range buffertest.SmallDisks(t, *fullDiskMiB<<20) {
		t.Run(disk.Name, func(t *testing.T) {
			seed := uint64(time.Now().UnixNano())
			t.Logf("seed %d", seed)
			f := newFullDisk(t, disk.Dir, rand.New(rand.NewPCG(seed, 3)))
			defer f.p.kill()
			for round := range *fullDiskRounds {
				f.round(round)
				if t.Failed() {
					t.Fatalf("seed %d, round %d\n%s", seed, round, f.tail())
				}
			}
			t.Logf("%d rounds: %d statements acknowledged, %d refused, %d starts refused for lack of room",
				*fullDiskRounds, f.keep.updates, f.refused, f.refusedStarts)
		})
	}
}

// tail returns the last lines of what the server said and of its log, which is on the
// disk.
func (f *fullDisk) tail() string {
	raw, err := os.ReadFile(filepath.Join(f.disk, logName))
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(raw)), "\n")
	return f.p.log.String() + strings.Join(lines[max(0, len(lines)-30):], "\n")
}

// logName is the log of the server.
const logName = "kalamd.log"

// fullDisk is a server on a small disk.
type fullDisk struct {
	t      *testing.T
	p      *process
	disk   string
	rng    *rand.Rand
	client *http.Client
	root   string // Token.
	keep   *ledger

	bulk          int64 // Rows of the table that fills the disk,
	inFlight      int64 // and those of the statement that was not answered.
	refused       int
	refusedStarts int
}

func newFullDisk(t *testing.T, disk string, rng *rand.Rand) *fullDisk {
	f := &fullDisk{t: t, disk: disk, rng: rng, client: &http.Client{Timeout: 60 * time.Second}}
	f.p = &process{t: t, dir: disk, env: []string{"KALAM_LOG_FILE=" + filepath.Join(disk, logName)}}
	f.p.start()
	f.login()
	mustPost(t, f.client, f.p.url, f.root, "CREATE NAMESPACE crash; CREATE NAMESPACE fill; "+
		"CREATE USER TABLE crash.t (id BIGINT PRIMARY KEY, v TEXT NOT NULL) FLUSH ROWS 100; "+
		"CREATE USER 'alice' WITH PASSWORD 'writer-password' ROLE user")
	f.keep = &ledger{user: "alice", token: f.p.login("alice", "writer-password"), acked: map[int64]string{}}
	return f
}

func (f *fullDisk) login() { f.root = f.p.login("root", testRootPassword) }

// round fills the disk, and empties it.
func (f *fullDisk) round(round int) {
	mustPost(f.t, f.client, f.p.url, f.root, "CREATE USER TABLE fill.t (id BIGINT PRIMARY KEY, v TEXT)")
	f.bulk, f.inFlight = 0, 0
	f.write(100)
	stop := f.maintain()
	f.fill()
	if f.rng.IntN(2) == 0 { // Others take the rest, or nearly.
		fillDisk(f.t, f.other(), f.rng.Int64N(*fullDiskMiB<<16)*f.rng.Int64N(2))
		f.fill()
	}
	f.write(50)
	f.degraded()
	f.p.login("alice", "writer-password")
	f.login()
	if f.rng.IntN(3) > 0 {
		<-time.After(time.Duration(f.rng.IntN(300)) * time.Millisecond)
		f.alive()
		f.p.kill()
		stop()
		f.startAgain()
	} else {
		stop()
	}
	f.check()
	f.dropAndRecover()
	f.t.Logf("round %d: %d rows, %d KiB are free after the drop", round, f.bulk, f.free()>>10)
	f.write(20)
	f.check()
}

func (f *fullDisk) other() string { return filepath.Join(f.disk, "other") }

// alive fails if the server ended by itself.
func (f *fullDisk) alive() {
	f.t.Helper()
	if err := f.p.cmd.Process.Signal(syscall.Signal(0)); err != nil {
		f.t.Fatalf("the server is gone: %v\n%s", err, f.tail())
	}
}

// maintain flushes and compacts until the returned function is called.
func (f *fullDisk) maintain() (stop func()) {
	quit := make(chan struct{})
	var work sync.WaitGroup
	url, token := f.p.url, f.root
	work.Go(func() {
		for n := 0; ; n++ {
			sql := "STORAGE FLUSH ALL"
			if n%3 == 2 {
				sql = "STORAGE COMPACT ALL"
			}
			if _, err := post(f.client, url, token, sql); err != nil {
				return // It was killed.
			}
			select {
			case <-quit:
				return
			case <-time.After(200 * time.Millisecond):
			}
		}
	})
	return func() {
		close(quit)
		work.Wait()
	}
}

// write sends statements of the ledger, of which any may be refused.
func (f *fullDisk) write(n int) {
	f.t.Helper()
	for range n {
		sql, effect := f.keep.statement(f.rng)
		resp, err := post(f.client, f.p.url, f.keep.token, sql)
		switch {
		case err != nil:
			f.t.Fatalf("%s: %v\n%s", sql, err, f.tail())
		case resp.Error == nil:
			f.keep.apply(effect)
			f.keep.updates++
		case resp.Error.Code == wire.CodeResourceExhausted:
			f.refused++
		default:
			f.t.Fatalf("%s: %+v", sql, resp.Error)
		}
	}
}

// fill inserts rows until one is refused.
func (f *fullDisk) fill() {
	f.t.Helper()
	for range 5000 {
		rows := 1 + f.rng.Int64N(20)
		sql := strings.Builder{}
		sql.WriteString("INSERT INTO fill.t VALUES ")
		for i := range rows {
			if i > 0 {
				sql.WriteString(", ")
			}
			fmt.Fprintf(&sql, "(%d, '%s')", f.bulk+f.inFlight+i+1, randomText(f.rng, 200+f.rng.IntN(12000)))
		}
		resp, err := post(f.client, f.p.url, f.keep.token, sql.String())
		switch {
		case err != nil:
			f.t.Fatalf("insert: %v\n%s", err, f.tail())
		case resp.Error == nil:
			f.bulk += rows
		case resp.Error.Code == wire.CodeResourceExhausted:
			f.refused++
			return
		default:
			f.t.Fatalf("insert: %+v", resp.Error)
		}
	}
	f.t.Fatal("the disk does not get full")
}

func randomText(rng *rand.Rand, n int) string {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
	b := make([]byte, n)
	for i := range b {
		b[i] = letters[rng.IntN(len(letters))]
	}
	return string(b)
}

// health returns what the server says of itself.
func (f *fullDisk) health() (h wire.Health) {
	f.t.Helper()
	resp, err := f.client.Get(f.p.url + "/health")
	if err != nil {
		f.t.Fatalf("health: %v\n%s", err, f.tail())
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&h); err != nil {
		f.t.Fatal(err)
	}
	return h
}

// degraded waits until the server says that the disk is nearly full. A flush may have
// made room in between; it is filled again then.
func (f *fullDisk) degraded() {
	f.t.Helper()
	for begun := time.Now(); ; {
		h := f.health()
		named := strings.Contains(h.Reason, "disk nearly full") && strings.Contains(h.Reason, "needed")
		if h.Status == wire.HealthDegraded && named && f.unready() {
			return
		}
		if time.Since(begun) > 30*time.Second {
			f.t.Fatalf("a full disk, and health is %+v", h)
		}
		f.fill()
	}
}

// unready reports whether the server says that it is not ready, for its disk.
func (f *fullDisk) unready() bool {
	f.t.Helper()
	resp, err := f.client.Get(f.p.url + "/ready")
	if err != nil {
		f.t.Fatalf("ready: %v\n%s", err, f.tail())
	}
	defer resp.Body.Close()
	var r wire.Ready
	if err := json.NewDecoder(resp.Body).Decode(&r); err != nil {
		f.t.Fatal(err)
	}
	return resp.StatusCode == http.StatusServiceUnavailable &&
		slices.ContainsFunc(r.Reasons, func(r wire.Reason) bool { return r.Code == "disk_nearly_full" })
}

// startAgain starts the server after a kill. A start that others leave no room for is
// refused, says so, and goes well once they do.
func (f *fullDisk) startAgain() {
	f.t.Helper()
	err := f.p.tryStart()
	if err != nil {
		log := f.p.log.String()
		if !strings.Contains(log, "are free") || !strings.Contains(log, "are needed") {
			f.t.Fatalf("start: %v\n%s", err, f.tail())
		}
		f.refusedStarts++
		if err := os.Remove(f.other()); err != nil {
			f.t.Fatalf("start without a foreign file: %v\n%s", err, f.tail())
		}
		f.p.start()
	}
	f.login()
	f.keep.token = f.p.login("alice", "writer-password")
}

// check compares all rows with what was acknowledged.
func (f *fullDisk) check() {
	f.t.Helper()
	if err := f.keep.settle(f.client, f.p.url); err != nil {
		f.t.Fatalf("%v\n%s", err, f.tail())
	}
}

// dropAndRecover counts the rows that fill the disk, drops them, and waits for the space.
func (f *fullDisk) dropAndRecover() {
	f.t.Helper()
	resp := mustPost(f.t, f.client, f.p.url, f.keep.token, "SELECT count(*) FROM fill.t")
	got, err := strconv.ParseInt(strings.Trim(string(resp.Results[0].Rows[0][0]), `"`), 10, 64)
	if err != nil || got != f.bulk {
		f.t.Fatalf("%d rows of the table that fills the disk, %d were acknowledged (%v)", got, f.bulk, err)
	}
	mustPost(f.t, f.client, f.p.url, f.root, "DROP TABLE fill.t")
	if err := os.Remove(f.other()); err != nil && !errors.Is(err, os.ErrNotExist) {
		f.t.Fatal(err)
	}
	for begun := time.Now(); ; <-time.After(100 * time.Millisecond) {
		h := f.health()
		if h.Status == wire.HealthHealthy {
			break
		}
		if time.Since(begun) > 60*time.Second {
			f.t.Fatalf("the table was dropped, and health is %+v\n%s", h, f.usage())
		}
	}
}

func (f *fullDisk) free() int64 {
	var st syscall.Statfs_t
	if err := syscall.Statfs(f.disk, &st); err != nil {
		f.t.Fatal(err)
	}
	return int64(st.Bavail) * st.Bsize
}

// usage lists what takes space.
func (f *fullDisk) usage() string {
	var out strings.Builder
	// Only for a message; files come and go while it looks.
	_ = filepath.Walk(f.disk, func(name string, info os.FileInfo, err error) error {
		if err == nil && info.Mode().IsRegular() {
			st := info.Sys().(*syscall.Stat_t)
			fmt.Fprintf(&out, "%8d KiB %s\n", st.Blocks/2, strings.TrimPrefix(name, f.disk))
		}
		return nil
	})
	return out.String()
}

// fillDisk writes a file until so many bytes are free.
func fillDisk(t *testing.T, name string, leave int64) {
	t.Helper()
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for chunk := int64(1 << 20); chunk >= 4096; {
		var st syscall.Statfs_t
		if err := syscall.Statfs(name, &st); err != nil {
			t.Fatal(err)
		}
		if int64(st.Bavail)*st.Bsize-chunk < leave {
			chunk /= 2
		} else if _, err := f.Write(make([]byte, chunk)); err != nil {
			chunk /= 2
		}
	}
	_ = f.Sync() // What it has not room for is what the test wants.
}
