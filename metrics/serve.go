package metrics

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// Times of the listener for metrics.
const (
	readTimeout  = 5 * time.Second  // To send a request.
	writeTimeout = 30 * time.Second // To take the answer.
)

// Serve answers GET /metrics on a listener of its own, to whoever reaches it, until ctx ends. It returns nil
// then, and the listener is closed.
func (m *Metrics) Serve(ctx context.Context, ln net.Listener) error {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", m.Handler())
	server := &http.Server{
		Handler: mux, ReadHeaderTimeout: readTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout,
		MaxHeaderBytes: 16 << 10,
	}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() }) // Serve tells of it.
	defer stop()
	err := server.Serve(ln)
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve metrics on %s: %w", ln.Addr(), errors.Join(err, server.Close()))
}
