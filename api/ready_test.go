package api_test

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kalamlake/kalam/config"
	"github.com/kalamlake/kalam/internal/eventually"
	"github.com/kalamlake/kalam/link/wire"
)

// ready asks the server, as somebody on another machine or on this one.
func (h *harness) ready(headers ...string) (status int, r wire.Ready) {
	h.t.Helper()
	res := h.do("GET", "/ready", "", nil, headers...)
	decode(h.t, res.body, &r)
	if (res.status == http.StatusOK) != (r.Status == wire.StatusReady) || (res.status == http.StatusOK) != (len(r.Reasons) == 0) {
		h.t.Errorf("status %d, %s", res.status, res.body)
	}
	return res.status, r
}

// TestReady fills the write buffer, takes the storage away, and gives both back; others learn no more than a code.
func TestReady(t *testing.T) {
	h := start(t, setup{config: func(c *config.Config) { c.Buffer.MaxBytes = 4000 }})
	if status, r := h.ready(); status != http.StatusOK {
		t.Fatalf("at the start: %d %+v", status, r)
	}
	root := h.root()
	h.mustSQL(root, "CREATE NAMESPACE app; CREATE USER TABLE app.t (id BIGINT PRIMARY KEY, v TEXT) FLUSH_POLICY 'manual'")
	h.mustSQL(root, "INSERT INTO app.t VALUES (1, '"+strings.Repeat("x", 5000)+"')")
	status, r := h.ready()
	if status != http.StatusServiceUnavailable || len(r.Reasons) != 1 || r.Reasons[0].Code != "buffer_full" ||
		!strings.Contains(r.Reasons[0].Message, "buffer.max_bytes is 4000") {
		t.Errorf("a full buffer: %d %+v", status, r)
	}
	if status, r := h.ready("X-Forwarded-For", "192.0.2.7"); status != http.StatusServiceUnavailable ||
		len(r.Reasons) != 1 || r.Reasons[0] != (wire.Reason{Code: "buffer_full"}) {
		t.Errorf("a full buffer, told to others: %d %+v", status, r)
	}
	mark := filepath.Join(h.config.StoragePath(), ".kalam", "lake.json")
	if err := os.Rename(mark, mark+".away"); err != nil {
		t.Fatal(err)
	}
	eventually.True(t, "the storage is missed", func() bool {
		_, r := h.ready()
		return len(r.Reasons) == 2 && r.Reasons[0].Code == "storage_unreachable" && strings.Contains(r.Reasons[0].Message, "not mounted")
	})
	if err := os.Rename(mark+".away", mark); err != nil {
		t.Fatal(err)
	}
	h.mustSQL(root, "STORAGE FLUSH TABLE app.t")
	eventually.True(t, "it is ready again", func() bool { status, _ := h.ready(); return status == http.StatusOK })
}

// TestReadyWhileStopping is 503 from the moment on at which the server takes no more requests.
func TestReadyWhileStopping(t *testing.T) {
	draining, drained := make(chan struct{}), make(chan struct{})
	h := start(t, setup{drain: func(context.Context) error { close(draining); <-drained; return nil }})
	stopped := make(chan error, 1)
	go func() { stopped <- h.stop() }()
	<-draining
	if status, r := h.ready(); status != http.StatusServiceUnavailable || len(r.Reasons) != 1 ||
		r.Reasons[0].Code != wire.ReasonShuttingDown {
		t.Errorf("%d %+v", status, r)
	}
	close(drained)
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}
