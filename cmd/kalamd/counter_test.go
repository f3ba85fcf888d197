package main

import (
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"
)

// counterKills is how often TestCounterSurvivesKills kills the server.
const counterKills = 6

// TestCounterSurvivesKills kills the server under clients whose ids a counter gives:
// no id comes twice, whatever was flushed or deleted before (case B6).
func TestCounterSurvivesKills(t *testing.T) {
	const clients = 8
	p := &process{t: t, dir: t.TempDir()}
	p.start()
	defer p.kill()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients + 2}, Timeout: 30 * time.Second}
	defer client.CloseIdleConnections()
	token := p.login("root", testRootPassword)
	mustPost(t, client, p.url, token,
		"CREATE NAMESPACE app; CREATE SHARED TABLE app.t (id INT PRIMARY KEY AUTO_INCREMENT, n SERIAL, v TEXT)")
	var mu sync.Mutex // guards acked and highest
	acked := map[int]bool{}
	highest := 0
	for round := range counterKills {
		var work sync.WaitGroup
		url := p.url
		for range clients {
			work.Go(func() {
				for {
					resp, err := post(client, url, token, "INSERT INTO app.t (v) VALUES ('x') RETURNING id")
					if err != nil || resp.Error != nil {
						return
					}
					id, err := strconv.Atoi(string(resp.Results[0].Rows[0][0]))
					mu.Lock()
					if err != nil || acked[id] {
						t.Errorf("round %d: id %d comes twice, %v", round, id, err)
					}
					acked[id], highest = true, max(highest, id)
					mu.Unlock()
				}
			})
		}
		<-time.After(150 * time.Millisecond)
		mustPost(t, client, url, token, "STORAGE FLUSH ALL")
		mustPost(t, client, url, token, "DELETE FROM app.t WHERE id % 2 = 0")
		p.kill()
		work.Wait()
		p.start()
		// Everybody's next id is above all that were acknowledged.
		resp := mustPost(t, client, p.url, token, "INSERT INTO app.t (v) VALUES ('y') RETURNING id, n")
		id, err := strconv.Atoi(string(resp.Results[0].Rows[0][0]))
		n, errN := strconv.Atoi(string(resp.Results[0].Rows[0][1]))
		if err != nil || errN != nil || id <= highest || id > highest+clients+1 || n > id {
			t.Fatalf("round %d: id %d, n %d after %d, %v, %v", round, id, n, highest, err, errN)
		}
		acked[id], highest = true, id
	}
	if len(acked) < counterKills*clients {
		t.Errorf("%d ids were acknowledged", len(acked))
	}
}
