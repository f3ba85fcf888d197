package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sort"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/kalamlake/kalam/link/wire"
)

var (
	crashRounds  = flag.Int("crash-rounds", 25, "kill -9 rounds of TestAckedIsDurable")
	crashWriters = flag.Int("crash-writers", 16, "writers of TestAckedIsDurable")
)

// ledger is what one writer knows of its own table: rows it was told are durable,
// and what was in flight when the server died.
type ledger struct {
	user  string
	token string
	next  int64
	acked map[int64]string // Row id to its value.
	// One statement at a time is in flight: its effect, whole or not at all.
	pending map[int64]*string // nil deletes.
	updates int
}

// statement invents the next statement and what it does.
func (l *ledger) statement(rng *rand.Rand) (sql string, effect map[int64]*string) {
	value := func() string { return fmt.Sprintf("%s-%d", l.user, rng.Int64N(1e9)) }
	effect = map[int64]*string{}
	add := func() string {
		l.next++
		v := value()
		effect[l.next] = &v
		return fmt.Sprintf("(%d, '%s')", l.next, v)
	}
	switch n := rng.IntN(10); {
	case n < 5:
		return "INSERT INTO crash.t VALUES " + add(), effect
	case n < 7:
		return "INSERT INTO crash.t VALUES " + add() + ", " + add() + ", " + add(), effect
	case n < 8:
		a, b := add(), add()
		sql = "BEGIN; INSERT INTO crash.t VALUES " + a + "; INSERT INTO crash.t VALUES " + b
		if id, ok := l.some(rng); ok {
			v := value()
			effect[id] = &v
			sql += fmt.Sprintf("; UPDATE crash.t SET v = '%s' WHERE id = %d", v, id)
		}
		return sql + "; COMMIT", effect
	case n < 9:
		if id, ok := l.some(rng); ok {
			v := value()
			effect[id] = &v
			return fmt.Sprintf("UPDATE crash.t SET v = '%s' WHERE id = %d", v, id), effect
		}
	default:
		if id, ok := l.some(rng); ok {
			effect[id] = nil
			return fmt.Sprintf("DELETE FROM crash.t WHERE id = %d", id), effect
		}
	}
	return "INSERT INTO crash.t VALUES " + add(), effect
}

// some picks an acknowledged row.
func (l *ledger) some(rng *rand.Rand) (int64, bool) {
	if len(l.acked) == 0 {
		return 0, false
	}
	for range 8 {
		id := 1 + rng.Int64N(l.next)
		if _, ok := l.acked[id]; ok {
			return id, true
		}
	}
	return 0, false
}

func (l *ledger) apply(effect map[int64]*string) {
	for id, v := range effect {
		if v == nil {
			delete(l.acked, id)
		} else {
			l.acked[id] = *v
		}
	}
}

// write sends statements until the server dies. Every answer settles what was
// in flight; a broken connection leaves it open.
func (l *ledger) write(ctx context.Context, client *http.Client, url string, rng *rand.Rand) error {
	for ctx.Err() == nil {
		sql, effect := l.statement(rng)
		l.pending = effect
		resp, err := post(client, url, l.token, sql)
		if err != nil {
			return nil //nolint:nilerr // The server is gone.
		}
		if resp.Status != wire.StatusSuccess {
			if resp.Error != nil && resp.Error.Code == wire.CodeShuttingDown {
				return nil
			}
			return fmt.Errorf("%s: %+v", sql, resp.Error)
		}
		l.apply(effect)
		l.pending = nil
		l.updates++
	}
	return nil
}

// settle reads the table and decides what became of the statement in flight: its
// effect must be there whole, or not at all.
func (l *ledger) settle(client *http.Client, url string) error {
	resp, err := post(client, url, l.token, "SELECT id, v FROM crash.t ORDER BY id")
	if err != nil {
		return err
	}
	if resp.Error != nil {
		return errors.New(resp.Error.Message)
	}
	got := map[int64]string{}
	for _, row := range resp.Results[0].Rows {
		id, err := strconv.ParseInt(strings.Trim(string(row[0]), `"`), 10, 64)
		if err != nil {
			return err
		}
		if _, twice := got[id]; twice {
			return fmt.Errorf("%s has row %d twice", l.user, id)
		}
		got[id] = strings.Trim(string(row[1]), `"`)
	}
	if equal(got, l.acked) {
		l.pending = nil
		return nil
	}
	without := difference(got, l.acked)
	if l.pending != nil {
		l.apply(l.pending)
		l.pending = nil
		if equal(got, l.acked) {
			return nil
		}
	}
	return fmt.Errorf("%s: rows differ from the ledger: %s", l.user, without)
}

func equal(a, b map[int64]string) bool {
	if len(a) != len(b) {
		return false
	}
	for id, v := range a {
		if w, ok := b[id]; !ok || v != w {
			return false
		}
	}
	return true
}

// difference names the rows that are only in one of both.
func difference(got, want map[int64]string) string {
	var out []string
	for id, v := range want {
		if got[id] != v {
			out = append(out, fmt.Sprintf("%d is %q, acknowledged %q", id, got[id], v))
		}
	}
	for id, v := range got {
		if _, ok := want[id]; !ok {
			out = append(out, fmt.Sprintf("%d = %q was never acknowledged", id, v))
		}
	}
	sort.Strings(out)
	if len(out) > 10 {
		out = append(out[:10], "...")
	}
	return strings.Join(out, "; ")
}

func post(client *http.Client, url, token, sql string) (*wire.Response, error) {
	body, err := json.Marshal(wire.SQLRequest{SQL: sql})
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequest(http.MethodPost, url+"/v1"+wire.PathSQL, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var out wire.Response
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
		return nil, err
	}
	return &out, nil
}

// TestAckedIsDurable kills the server with SIGKILL under many writers while it
// flushes and compacts, and compares every user's rows with what was acknowledged: none
// lost, none doubled, nothing of a statement or transaction in part.
func TestAckedIsDurable(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	p := &process{t: t, dir: t.TempDir()}
	p.start()
	defer p.kill()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: *crashWriters + 2}, Timeout: 30 * time.Second}
	defer client.CloseIdleConnections()
	rootToken := p.login("root", testRootPassword)
	mustPost(t, client, p.url, rootToken,
		"CREATE NAMESPACE crash; CREATE USER TABLE crash.t (id BIGINT PRIMARY KEY, v TEXT NOT NULL) FLUSH ROWS 100")
	ledgers := make([]*ledger, *crashWriters)
	for i := range ledgers {
		user := fmt.Sprintf("writer%02d", i)
		mustPost(t, client, p.url, rootToken, fmt.Sprintf("CREATE USER '%s' WITH PASSWORD 'writer-password' ROLE user", user))
		ledgers[i] = &ledger{user: user, token: p.login(user, "writer-password"), acked: map[int64]string{}}
	}
	rng := rand.New(rand.NewPCG(seed, 1))
	for round := range *crashRounds {
		runRound(t, p, client, ledgers, rootToken, rng)
		p.start()
		for _, l := range ledgers {
			if err := l.settle(client, p.url); err != nil {
				t.Fatalf("seed %d, round %d: %v", seed, round, err)
			}
		}
	}
	statements, rows := 0, 0
	for _, l := range ledgers {
		statements += l.updates
		rows += len(l.acked)
	}
	t.Logf("%d kills survived, %d statements acknowledged, %d rows checked: 0 lost, 0 doubled",
		*crashRounds, statements, rows)
}

// runRound lets everybody write for a moment, with a flush or a compaction now and
// then, and kills the server in the middle.
func runRound(t *testing.T, p *process, client *http.Client, ledgers []*ledger, rootToken string, rng *rand.Rand) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var g errgroup.Group
	for _, l := range ledgers {
		own := rand.New(rand.NewPCG(rng.Uint64(), 2))
		g.Go(func() error { return l.write(ctx, client, p.url, own) })
	}
	var flusher sync.WaitGroup
	flusher.Add(1)
	go func() {
		defer flusher.Done()
		for n := 0; ctx.Err() == nil; n++ {
			sql := "STORAGE FLUSH ALL"
			if n%3 == 2 {
				sql = "STORAGE COMPACT ALL"
			}
			if _, err := post(client, p.url, rootToken, sql); err != nil {
				return
			}
			select {
			case <-ctx.Done():
			case <-time.After(40 * time.Millisecond):
			}
		}
	}()
	<-time.After(time.Duration(100+rng.IntN(300)) * time.Millisecond)
	p.kill()
	cancel()
	flusher.Wait()
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
}

func mustPost(t testing.TB, client *http.Client, url, token, sql string) *wire.Response {
	t.Helper()
	resp, err := post(client, url, token, sql)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	if resp.Error != nil {
		t.Fatalf("%s: %+v", sql, resp.Error)
	}
	return resp
}
