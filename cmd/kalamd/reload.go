package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/kalamlake/kalam/api"
	"github.com/kalamlake/kalam/engine"
	"github.com/kalamlake/kalam/internal/servicenotify"
)

// hangups returns a channel that yields a value at each SIGHUP. One that tells that the terminal of the server was
// closed calls stop instead, unless the signal was ignored before, as by nohup.
func hangups(ctx context.Context, stop func()) <-chan struct{} {
	ignored, terminal := signal.Ignored(syscall.SIGHUP), hasTerminal()
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGHUP)
	out := make(chan struct{}, 1)
	go func() {
		defer signal.Stop(signals)
		for {
			select {
			case <-ctx.Done():
				return
			case <-signals:
			}
			if terminal && !ignored && !hasTerminal() {
				stop()
				return
			}
			select {
			case out <- struct{}{}:
			default: // One that waits is enough.
			}
		}
	}()
	return out
}

// reloads takes over the configuration anew whenever it is told to, until ctx ends.
func (m *Main) reloads(ctx context.Context, log *logging, e *engine.Engine, server *api.Server) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-m.Hangups:
			m.reload(log, e, server) //nolint:contextcheck // What has begun is finished, and is in the audit log.
		}
	}
}

// reload opens the log file anew and puts those keys in force that a running server can change. A configuration with a
// mistake changes nothing.
func (m *Main) reload(log *logging, e *engine.Engine, server *api.Server) {
	if err := m.Manager.Reloading(); err != nil {
		log.Warn("the service manager was not told", slog.Any("error", err))
	}
	defer m.tell(log.Logger, servicenotify.Ready)
	if err := log.reopen(); err != nil {
		log.Warn("the log file was not closed", slog.Any("error", err))
	}
	next, err := m.Load()
	if err != nil {
		log.Error("the configuration has a mistake: nothing of it was taken over", slog.Any("error", err))
		return
	}
	taken, restart := m.Settings.Config.Take(&next.Config)
	cfg := m.Settings.Config
	log.setLevel(cfg.Log.Level)
	e.Reload(cfg, taken)
	server.Reload(cfg)
	log.Info("configuration read again", slog.Any("changed", taken))
	if len(restart) > 0 {
		log.Warn("these configuration keys have changed and wait for a restart", slog.Any("keys", restart))
	}
}
