package badger_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/buffer/badger"
	"github.com/kalamlake/kalam/datatype"
)

// killDir names the directory to the process that is going to be killed.
const killDir = "KALAM_TEST_KILL_DIR"

var events = &kalam.Table{
	ID: kalam.TableID{Namespace: "app", Name: "events"}, Number: 1, Kind: kalam.KindUserTable,
	Columns: []kalam.Column{
		{ID: 1, Name: "id", Type: kalam.TypeOf(kalam.KindBigInt), NotNull: true},
		{ID: 2, Name: "body", Type: kalam.TypeOf(kalam.KindText)},
	},
	PrimaryKey: []int{0}, SchemaVersion: 1,
}

// eventRows are the mutations of a request: a row of its writer, and the same in
// the scope of all. Some are large.
func eventRows(writer string, id int64) []buffer.Mutation {
	body := strings.Repeat("x", int(id%7)*100)
	if id%10 == 0 {
		body = strings.Repeat("y", 100_000)
	}
	row := []kalam.Value{kalam.BigInt(id), kalam.Text(body)}
	out := make([]buffer.Mutation, 2)
	for i, user := range []kalam.UserID{kalam.UserID(writer), "all"} {
		out[i] = buffer.Mutation{
			Table: events, Scope: events.ScopeOf(user), Kind: kalam.ChangeInsert,
			Key: datatype.EncodeKey(nil, events, row), Payload: datatype.EncodeRow(nil, events, row),
		}
	}
	return out
}

// TestKilledProcess is the process that TestKill kills. It inserts, and prints
// what was acknowledged.
func TestKilledProcess(t *testing.T) {
	dir := os.Getenv(killDir)
	if dir == "" {
		return // Not started by TestKill.
	}
	var from int64
	_, err := fmt.Sscan(os.Getenv(killDir+"_FROM"), &from)
	must(t, "first id", err)
	b, err := badger.Open(dir, badger.Options{MemtableBytes: 2 << 20})
	must(t, "Open", err)
	s, err := buffer.Open(t.Context(), b, buffer.Options{})
	must(t, "open store", err)
	var out sync.Mutex
	var wg sync.WaitGroup
	const writers = 8
	for w := range writers {
		wg.Go(func() {
			for id := from + int64(w); ; id += writers {
				if _, err := s.Apply(context.Background(), eventRows(fmt.Sprint("w", w), id)); err != nil {
					t.Errorf("Apply: %v", err)
					return
				}
				out.Lock()
				fmt.Printf("ack %d %d\n", w, id)
				out.Unlock()
			}
		})
	}
	wg.Wait()
}

// TestKill kills a process in the middle of its writes, again and again: after
// each kill every acknowledged row is there, once, and no request in part.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	acked := map[int64]int{} // Writer of each id.
	next := int64(0)
	kills := 6
	if testing.Short() {
		kills = 2
	}
	for range kills {
		runAndKill(t, dir, next, 50+rand.IntN(400), acked)
		next = checkKilled(t, dir, acked) + 1
	}
	t.Logf("%d kills, %d acknowledged requests", kills, len(acked))
}

// runAndKill starts the process and kills it after so many acknowledgements.
func runAndKill(t *testing.T, dir string, from int64, acks int, acked map[int64]int) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestKilledProcess$")
	cmd.Env = append(os.Environ(), killDir+"="+dir, fmt.Sprintf("%s_FROM=%d", killDir, from))
	cmd.Stderr = os.Stderr
	pipe, err := cmd.StdoutPipe()
	must(t, "StdoutPipe", err)
	must(t, "Start", cmd.Start())
	lines := bufio.NewScanner(pipe)
	for n := 0; lines.Scan(); {
		var w int
		var id int64
		if _, err := fmt.Sscanf(lines.Text(), "ack %d %d", &w, &id); err != nil {
			t.Logf("the process says: %s", lines.Text())
			continue
		}
		acked[id] = w
		if n++; n == acks {
			must(t, "Kill", cmd.Process.Kill())
		}
	}
	if err := cmd.Wait(); err == nil {
		t.Error("the process ended by itself")
	}
}

// checkKilled opens the directory and returns the highest id in it.
func checkKilled(t *testing.T, dir string, acked map[int64]int) (last int64) {
	t.Helper()
	b, err := badger.Open(dir, badger.Options{MemtableBytes: 2 << 20})
	must(t, "Open", err)
	s, err := buffer.Open(t.Context(), b, buffer.Options{})
	must(t, "open store", err)
	var scopes []buffer.TableScope
	for sc, err := range s.Scopes(t.Context(), 1) {
		must(t, "Scopes", err)
		scopes = append(scopes, buffer.TableScope{Table: events, Scope: sc})
	}
	point, views, err := s.Views(t.Context(), scopes)
	must(t, "Views", err)
	found := map[kalam.UserID]map[int64]bool{}
	for i, ts := range scopes {
		ids := map[int64]bool{}
		for v, err := range views[i].Versions() {
			must(t, "Versions", err)
			vals, err := datatype.DecodeRow(events, v.Row.Payload, nil)
			must(t, "DecodeRow", err)
			ids[vals[0].Int()] = true
		}
		if len(ids) != views[i].BufferedRows() {
			t.Errorf("%s: %d versions of %d rows", ts.Scope.User, views[i].BufferedRows(), len(ids))
		}
		found[ts.Scope.User] = ids
	}
	total := 0
	for user, ids := range found {
		for id := range ids {
			last = max(last, id)
			if user != "all" {
				total++
				if !found["all"][id] {
					t.Errorf("request %d is there in part", id)
				}
			}
		}
	}
	if total != len(found["all"]) {
		t.Errorf("%d rows of writers, %d of all", total, len(found["all"]))
	}
	for id, w := range acked {
		if !found[kalam.UserID(fmt.Sprint("w", w))][id] {
			t.Errorf("row %d was acknowledged and is lost", id)
		}
	}
	point.Release()
	must(t, "close store", s.Close())
	must(t, "Close", b.Close())
	return last
}
