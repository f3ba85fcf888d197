package api_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// exchange is one request and its answer, or one frame of a socket.
type exchange struct {
	Name   string `json:"name"`
	Sent   string `json:"sent,omitempty"`
	Status int    `json:"status,omitempty"`
	Got    string `json:"got"`
}

// varying is what differs from run to run, and what stands for it in goldens.
var varying = []struct {
	pattern *regexp.Regexp
	stand   string
}{
	{regexp.MustCompile(`"took":[0-9]+\.[0-9]+`), `"took":0.0`},
	{regexp.MustCompile(`"took_ms":[0-9]+`), `"took_ms":0`},
	{regexp.MustCompile(`"uptime_seconds":[0-9]+`), `"uptime_seconds":0`},
	{regexp.MustCompile(`"isolation":"(none|process: [^"]+)"`), `"isolation":"ISOLATION"`},
	{regexp.MustCompile(`"queries_per_second":[0-9.]+`), `"queries_per_second":0`},
	{regexp.MustCompile(`"active_connections":[0-9]+`), `"active_connections":0`},
	{regexp.MustCompile(`eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+`), `TOKEN`},
	{regexp.MustCompile(`[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+(\+00:00|Z)`), `TIME`},
	{regexp.MustCompile(`\b[1-9][0-9]{17}\b`), `SEQ`},
	{regexp.MustCompile(`\(id [0-9a-f]{8}\)`), `(id ID)`},
	{regexp.MustCompile(`-[0-9a-f]{32}-`), `-CONNECTION-`},
	{regexp.MustCompile(`"connection_id":"[0-9a-f]{32}"`), `"connection_id":"CONNECTION"`},
}

func normal(s string) string {
	for _, v := range varying {
		s = v.pattern.ReplaceAllString(s, v.stand)
	}
	return s
}

// golden compares exchanges with testdata/name.json.
func golden(t *testing.T, name string, got []exchange) {
	t.Helper()
	for i := range got {
		got[i].Got, got[i].Sent = normal(got[i].Got), normal(got[i].Sent)
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(got); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", name+".json")
	if *update {
		if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var want []exchange
	if err := json.Unmarshal(raw, &want); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	if len(got) != len(want) {
		t.Fatalf("%d exchanges, %s has %d", len(got), path, len(want))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%s:\n got %+v\nwant %+v", want[i].Name, got[i], want[i])
		}
	}
}
