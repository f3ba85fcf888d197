// Package profile answers with profiles of the running server, for go tool pprof: where it spends time and memory, and
// what its goroutines do. Who may see them is decided by package api: admins, from the server's own machine. It is
// not net/http/pprof, which answers everybody who reaches the default mux, and shows the command line.
package profile

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"path"
	"runtime/pprof"
	"strconv"
	"time"
)

// Path is where profiles stand, each under its name.
const Path = "/debug/pprof"

// CPU is the name of the profile of time, which takes ?seconds.
const CPU = "profile"

// Bounds of ?seconds.
const (
	usualSeconds = 10
	mostSeconds  = 60
)

// Handler answers the profiles under Path. A profile of time ends early with ctx. Any number of goroutines may use the
// handler; of two profiles of time at once the second is refused.
func Handler(ctx context.Context) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := path.Base(r.URL.Path)
		if name == CPU {
			cpu(ctx, w, r)
			return
		}
		p := pprof.Lookup(name)
		if p == nil {
			http.Error(
				w,
				"There is no such profile: heap, allocs, goroutine, block, mutex, threadcreate, profile",
				http.StatusNotFound,
			)
			return
		}
		var out bytes.Buffer
		if err := p.WriteTo(&out, 0); err != nil {
			http.Error(w, fmt.Sprintf("The profile cannot be made: %v", err), http.StatusInternalServerError)
			return
		}
		send(w, name, out.Bytes())
	})
}

// cpu answers with where time was spent while it waited.
func cpu(ctx context.Context, w http.ResponseWriter, r *http.Request) {
	seconds := usualSeconds
	if text := r.URL.Query().Get("seconds"); text != "" {
		var err error
		if seconds, err = strconv.Atoi(text); err != nil || seconds < 1 || seconds > mostSeconds {
			http.Error(w, fmt.Sprintf("seconds must be 1 to %d", mostSeconds), http.StatusBadRequest)
			return
		}
	}
	var out bytes.Buffer
	if err := pprof.StartCPUProfile(&out); err != nil {
		http.Error(w, "A profile of time is being made: try again when it is done", http.StatusConflict)
		return
	}
	timer := time.NewTimer(time.Duration(seconds) * time.Second)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	pprof.StopCPUProfile()
	send(w, CPU, out.Bytes())
}

// send answers with a profile.
func send(w http.ResponseWriter, name string, body []byte) {
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Disposition", `attachment; filename="`+name+`.pprof"`)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	_, _ = w.Write(body) // It fails only when whoever asked has gone: nobody is left to be told.
}
