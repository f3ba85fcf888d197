package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kalamlake/kalam/config"
)

// auditRounds is how often TestAuditSurvivesKills kills the server.
const auditRounds = 8

// TestAuditSurvivesKills kills the server with SIGKILL while tables are created and dropped: every statement that was
// acknowledged is in the audit log, every table that there is has its record, and the chain is whole.
func TestAuditSurvivesKills(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	p := &process{t: t, dir: t.TempDir()}
	p.start()
	defer p.kill()
	client := &http.Client{Timeout: 30 * time.Second}
	defer client.CloseIdleConnections()
	token := p.login("root", testRootPassword)
	mustPost(t, client, p.url, token, "CREATE NAMESPACE kills")
	var acked []string
	for round := range auditRounds {
		acked = append(acked, createUntilKilled(p, client, token, round, time.Duration(50+rng.IntN(200))*time.Millisecond)...)
		p.start()
		token = p.login("root", testRootPassword)
		records := texts(t, client, p.url, token, "SELECT target FROM system.audit_log WHERE action = 'CREATE TABLE' AND outcome = 'ok'")
		tables := texts(t, client, p.url, token, "SELECT 'kills.' || table_name FROM system.tables WHERE namespace_id = 'kills'")
		for _, name := range acked {
			if records[name] != 1 {
				t.Errorf("seed %d, round %d: %s was acknowledged and has %d records", seed, round, name, records[name])
			}
		}
		for name := range tables {
			if records[name] != 1 {
				t.Errorf("seed %d, round %d: %s is there and has %d records", seed, round, name, records[name])
			}
		}
		for name := range records {
			if tables[name] != 1 {
				t.Errorf("seed %d, round %d: %s has a record and is not there", seed, round, name)
			}
		}
	}
	p.stop()
	cfg := config.Default()
	cfg.Storage.DataPath = filepath.Join(p.dir, "data")
	if err := verifyLake(context.Background(), cfg, verifyOptions{}, io.Discard); err != nil {
		t.Error(err)
	}
	t.Logf("%d kills survived, %d tables acknowledged", auditRounds, len(acked))
}

// createUntilKilled creates tables by several clients, kills the server after a time and returns what was acknowledged.
func createUntilKilled(p *process, client *http.Client, token string, round int, after time.Duration) (acked []string) {
	var group sync.WaitGroup
	var mu sync.Mutex // guards acked
	for w := range 4 {
		group.Go(func() {
			for i := 0; ; i++ {
				name := fmt.Sprintf("kills.r%d_w%d_n%d", round, w, i)
				resp, err := post(client, p.url, token, "CREATE USER TABLE "+name+" (id BIGINT PRIMARY KEY)")
				if err != nil {
					return
				}
				if resp.Error != nil {
					p.t.Errorf("%s: %+v", name, resp.Error)
					return
				}
				mu.Lock()
				acked = append(acked, name)
				mu.Unlock()
			}
		})
	}
	<-time.After(after)
	p.kill()
	group.Wait()
	return acked
}

// texts counts the texts of the first column.
func texts(t *testing.T, client *http.Client, url, token, sql string) map[string]int {
	t.Helper()
	out := map[string]int{}
	for _, row := range mustPost(t, client, url, token, sql).Results[0].Rows {
		out[strings.Trim(string(row[0]), `"`)]++
	}
	return out
}
