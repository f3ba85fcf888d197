package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/kalamlake/kalam/internal/servicenotify"
)

// tell tells the service manager, if there is one, how the server is.
func (m *Main) tell(log *slog.Logger, message string) {
	if err := m.Manager.Tell(message); err != nil {
		log.Warn("the service manager was not told", slog.String("message", message), slog.Any("error", err))
	}
}

// guardLife tells the service manager that the server lives, twice in the time after which it would be restarted, until
// ctx ends. It tells so only if the server answers a request, whatever the answer is.
func (m *Main) guardLife(ctx context.Context, log *slog.Logger, at net.Addr) {
	silence := m.Manager.Watchdog()
	if silence == 0 {
		return
	}
	turns := time.NewTicker(silence / 2)
	defer turns.Stop()
	for {
		if err := answers(ctx, at, silence/3); err == nil {
			m.tell(log, servicenotify.Watchdog)
		} else if ctx.Err() == nil {
			log.Error("the server does not answer itself: the service manager will restart it", slog.Any("error", err))
		}
		select {
		case <-ctx.Done():
			return
		case <-turns.C:
		}
	}
}

// answers asks the server at an address how it is; the error says why there was no answer.
func answers(ctx context.Context, at net.Addr, within time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	tcp, ok := at.(*net.TCPAddr)
	if !ok {
		return fmt.Errorf("%s is no TCP address", at)
	}
	url := "http://" + reachable(tcp.IP.String(), tcp.Port) + "/health"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	req.Close = true
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }() // It is read to its end.
	_, err = io.Copy(io.Discard, res.Body)
	return err
}
