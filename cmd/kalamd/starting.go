package main

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/kalamlake/kalam/link/wire"
)

// Times of answering while the server starts.
const (
	// startingAfter is how long a start is silent: clients wait so long, and most starts are over by then.
	startingAfter = 300 * time.Millisecond
	// startingEnd is how long the end of it waits for requests under way.
	startingEnd = 200 * time.Millisecond
	// startingRead bounds the reading of a request.
	startingRead = 5 * time.Second
)

// starting answers the requests that come while the data directory is opened, which takes seconds when much has to be
// read: that the server starts. The listener is the caller's again after end.
type starting struct {
	ln     *net.TCPListener
	server *http.Server
	quit   chan struct{}
	done   chan struct{}
}

// answerStarting begins to answer on ln after a while. On a listener that is not TCP it does nothing.
func answerStarting(ln net.Listener, version string, after time.Duration) *starting {
	tcp, ok := ln.(*net.TCPListener)
	if !ok {
		return nil
	}
	s := &starting{
		ln: tcp, quit: make(chan struct{}), done: make(chan struct{}),
		server: &http.Server{Handler: startingHandler(version), ReadTimeout: startingRead, ReadHeaderTimeout: startingRead},
	}
	s.server.SetKeepAlivesEnabled(false) // The next request is for the server itself.
	go s.run(after)
	return s
}

func (s *starting) run(after time.Duration) {
	defer close(s.done)
	wait := time.NewTimer(after)
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-s.quit:
		return
	}
	// It ends by the deadline that end sets; nothing of it matters to the server that follows.
	_ = s.server.Serve(keptOpen{s.ln})
}

// end stops answering. The listener is open, and has lost no connection that was not accepted.
func (s *starting) end() error {
	if s == nil {
		return nil
	}
	close(s.quit)
	if err := s.ln.SetDeadline(time.Unix(1, 0)); err != nil { // Ends Accept.
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), startingEnd)
	defer cancel()
	if err := s.server.Shutdown(ctx); err != nil {
		// Connections on which nothing came: their clients connect again.
		_ = s.server.Close() // It fails only for a connection that is closed already, which is what is wanted.
	}
	<-s.done
	return s.ln.SetDeadline(time.Time{})
}

// keptOpen is a listener that Close does not close.
type keptOpen struct{ *net.TCPListener }

// Close implements net.Listener.
func (keptOpen) Close() error { return nil }

// Accept implements net.Listener. It returns net.ErrClosed once the deadline has passed.
func (k keptOpen) Accept() (net.Conn, error) {
	c, err := k.TCPListener.Accept()
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return nil, net.ErrClosed
	}
	return c, err
}

// startingHandler answers every request with 503, in the form of the endpoint.
func startingHandler(version string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body any = wire.PlainError{Error: "STARTING", Message: "Server is starting", RetryAfterSeconds: 1}
		switch r.URL.Path {
		case wire.PathHealth:
			body = wire.Health{Status: wire.HealthStarting, Version: version}
		case wire.PathReady:
			body = wire.Ready{Status: wire.StatusNotReady, Reasons: []wire.Reason{{Code: wire.ReasonStarting}}}
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusServiceUnavailable)
		_ = json.NewEncoder(w).Encode(body) // A client that is gone needs no answer.
	})
}
