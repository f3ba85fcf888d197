package s3test

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"time"
)

// Answer is a fault that the server answers with. The answer names a secret.
func Answer(status int, code string) Fault {
	return func(w http.ResponseWriter, r *http.Request, _ http.HandlerFunc) {
		_, _ = io.Copy(io.Discard, r.Body) // As a server does.
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(status)
		//nolint:gosec // No browser reads it.
		fmt.Fprintf(w, "<Error><Code>%s</Code><Message>about %s and %s.</Message></Error>", code, r.URL.Path, SecretKey)
	}
}

// Abort ends the connection of the request whose handler calls it: this panic is how package http
// is told.
func Abort() { panic(http.ErrAbortHandler) }

// Record has the server answer, writes the head of the answer to w, and returns its body.
func Record(w http.ResponseWriter, r *http.Request, pass http.HandlerFunc) (body []byte) {
	whole := httptest.NewRecorder()
	pass(whole, r)
	maps.Copy(w.Header(), whole.Header())
	w.WriteHeader(whole.Code)
	return whole.Body.Bytes()
}

// Reset ends the connection without an answer.
func Reset(http.ResponseWriter, *http.Request, http.HandlerFunc) { Abort() }

// Lost has the server do what is asked, and ends the connection instead of answering.
func Lost(_ http.ResponseWriter, r *http.Request, pass http.HandlerFunc) {
	pass(httptest.NewRecorder(), r)
	Abort()
}

// Cut ends the connection in the middle of the body of the answer.
func Cut(w http.ResponseWriter, r *http.Request, pass http.HandlerFunc) {
	body := Record(w, r, pass)
	_, _ = w.Write(body[:len(body)/2])        // The client sees it end.
	_ = http.NewResponseController(w).Flush() // Likewise.
	Abort()
}

// Flipped changes a byte of the answer's body.
func Flipped(w http.ResponseWriter, r *http.Request, pass http.HandlerFunc) {
	body := Record(w, r, pass)
	if len(body) > 0 {
		body[len(body)/2] ^= 1
	}
	_, _ = w.Write(body) // A client that went away is its own business.
}

// Hang does not answer before the client goes away.
func Hang(_ http.ResponseWriter, r *http.Request, _ http.HandlerFunc) {
	_, _ = io.Copy(io.Discard, r.Body) // Only then the server notices that the client went.
	<-r.Context().Done()
	Abort()
}

// Late has the server answer after a while.
func Late(d time.Duration) Fault {
	return func(w http.ResponseWriter, r *http.Request, pass http.HandlerFunc) {
		select {
		case <-time.After(d):
		case <-r.Context().Done():
			Abort()
		}
		pass(w, r)
	}
}

// Times makes the first n requests that match go through f, and counts those that match.
func Times(n int64, match func(*http.Request) bool, f Fault) (Fault, *atomic.Int64) {
	matched := new(atomic.Int64)
	return func(w http.ResponseWriter, r *http.Request, pass http.HandlerFunc) {
		if match(r) && matched.Add(1) <= n {
			f(w, r, pass)
			return
		}
		pass(w, r)
	}, matched
}

// Nth makes one request that matches go through f, the nth, from 1.
func Nth(n int64, match func(*http.Request) bool, f Fault) (Fault, *atomic.Int64) {
	matched := new(atomic.Int64)
	return func(w http.ResponseWriter, r *http.Request, pass http.HandlerFunc) {
		if match(r) && matched.Add(1) == n {
			f(w, r, pass)
			return
		}
		pass(w, r)
	}, matched
}

// From makes the requests that match go through f, from the nth on.
func From(n int64, match func(*http.Request) bool, f Fault) (Fault, *atomic.Int64) {
	matched := new(atomic.Int64)
	return func(w http.ResponseWriter, r *http.Request, pass http.HandlerFunc) {
		if match(r) && matched.Add(1) >= n {
			f(w, r, pass)
			return
		}
		pass(w, r)
	}, matched
}

// Method matches requests by their methods; none matches all.
func Method(names ...string) func(*http.Request) bool {
	return func(r *http.Request) bool {
		for _, n := range names {
			if r.Method == n {
				return true
			}
		}
		return len(names) == 0
	}
}
