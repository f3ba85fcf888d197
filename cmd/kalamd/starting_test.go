package main

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/kalamlake/kalam/internal/eventually"
	"github.com/kalamlake/kalam/link/wire"
)

// TestStarting asks while a server starts, and what follows it on the same listener.
func TestStarting(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	url := "http://" + ln.Addr().String()
	until := answerStarting(ln, "0.0.0-test", 0)
	get := func(path string, into any) (status int, retry string) {
		res, err := http.Get(url + path)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if err := json.NewDecoder(res.Body).Decode(into); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		return res.StatusCode, res.Header.Get("Retry-After")
	}
	var ready wire.Ready
	if status, retry := get("/ready", &ready); status != http.StatusServiceUnavailable || retry != "1" ||
		ready.Status != wire.StatusNotReady || len(ready.Reasons) != 1 || ready.Reasons[0].Code != "starting" {
		t.Errorf("ready: %d %q %+v", status, retry, ready)
	}
	var health wire.Health
	if status, _ := get("/health", &health); status != http.StatusServiceUnavailable || health.Status != "starting" ||
		health.Version != "0.0.0-test" {
		t.Errorf("health: %d %+v", status, health)
	}
	var other wire.PlainError
	if status, _ := get("/v1/api/sql", &other); status != http.StatusServiceUnavailable || other.Error != "STARTING" {
		t.Errorf("sql: %d %+v", status, other)
	}
	quiet, err := net.Dial("tcp", ln.Addr().String()) // Says nothing, and must not hold the start up.
	if err != nil {
		t.Fatal(err)
	}
	defer quiet.Close()
	if err := until.end(); err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `"served"`) })}
	served := make(chan error, 1)
	go func() { served <- server.Serve(ln) }()
	var text string
	if status, _ := get("/", &text); status != http.StatusOK || text != "served" {
		t.Errorf("afterwards: %d %q", status, text)
	}
	server.Close()
	<-served
}

// TestShortStart is silent: clients that come while a server starts quickly wait for it.
func TestShortStart(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	until := answerStarting(ln, "", startingAfter)
	answered := make(chan string, 1)
	go func() {
		res, err := http.Get("http://" + ln.Addr().String())
		if err != nil {
			answered <- err.Error()
			return
		}
		defer res.Body.Close()
		answered <- res.Status
	}()
	if err := until.end(); err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {})}
	served := make(chan error, 1)
	go func() { served <- server.Serve(ln) }()
	got := ""
	eventually.True(t, "the client is answered", func() bool {
		select {
		case got = <-answered:
			return true
		default:
			return false
		}
	})
	if got != "200 OK" {
		t.Error(got)
	}
	server.Close()
	<-served
}
