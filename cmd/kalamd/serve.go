package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"path/filepath"
	"runtime"
	"runtime/debug"

	"github.com/kalamlake/kalam/api"
	"github.com/kalamlake/kalam/engine"
	"github.com/kalamlake/kalam/internal/servicenotify"
)

// Main is the server process. Run may be called once.
type Main struct {
	Settings Settings
	Build    api.Version
	Stdout   io.Writer // Gets the ready line, and what to do if nobody can log in yet.
	Stderr   io.Writer // Gets the log, unless it goes to a file.

	Hangups <-chan struct{}          // Yields a value when the configuration is to be read again; nil is never.
	Load    func() (Settings, error) // Reads it. Needed with Hangups.

	Manager *servicenotify.Manager // Is told how the server is; nil is none.
}

// Run serves until ctx ends and then stops in order: requests are finished, jobs
// are awaited and tables flushed, everything is closed. It returns nil after such
// a stop. The port is bound before the data directory is touched.
func (m *Main) Run(ctx context.Context) (err error) {
	cfg := m.Settings.Config
	ln, err := listen(cfg.Server.Host, cfg.Server.Port)
	if err != nil {
		return err
	}
	defer func() {
		// Serve has closed it, unless it was never called.
		if closeErr := ln.Close(); closeErr != nil && !errors.Is(closeErr, net.ErrClosed) {
			err = errors.Join(err, closeErr)
		}
	}()
	scrapes, err := listenMetrics(cfg.Metrics.Listen)
	if err != nil {
		return err
	}
	if scrapes != nil {
		defer func() { _ = scrapes.Close() }() // Who serves it has closed it, unless nobody did.
	}
	log := newLogging(cfg.Log, m.Stderr)
	defer func() { err = errors.Join(err, log.close()) }()
	m.logStart(log.Logger)
	until := answerStarting(ln, m.Build.Version, startingAfter)
	e, err := engine.Open(ctx, cfg, engine.Options{
		Logger: log.Logger, RootPassword: m.Settings.RootPassword, Build: engine.Build(m.Build),
	})
	ended := until.end() //nolint:contextcheck // It ends in order when ctx has ended, too.
	if err != nil {
		return errors.Join(err, ended)
	}
	defer func() {
		if closeErr := e.Close(); closeErr != nil {
			err = errors.Join(err, fmt.Errorf("close: %w", closeErr))
		}
	}()
	if ended != nil {
		return fmt.Errorf("listen: %w", ended)
	}
	//nolint:contextcheck // A user at first sight is created whole, whoever waits for that.
	server, err := api.New(api.Options{Engine: e, Logger: log.Logger, Version: m.Build, Drain: e.Shutdown})
	if err != nil {
		return err
	}
	m.logOpened(log.Logger, e)
	return m.serve(ctx, log, e, server, ln, scrapes)
}

// serve runs the engine's background work and the server; the former goes on
// until the latter has stopped. scrapes is the listener for metrics, nil for none.
func (m *Main) serve(ctx context.Context, log *logging, e *engine.Engine,
	server *api.Server, ln, scrapes net.Listener) error {
	runCtx, stopRun := context.WithCancel(context.WithoutCancel(ctx))
	defer stopRun()
	ctx, stopServe := context.WithCancel(ctx)
	defer stopServe()
	ran := make(chan error, 1)
	go func() {
		defer stopServe() // A failure of the background work stops the server.
		ran <- e.Run(runCtx)
	}()
	reloaded := make(chan struct{})
	go func() {
		defer close(reloaded)
		m.reloads(runCtx, log, e, server)
	}()
	scraped := make(chan error, 1)
	if scrapes == nil {
		scraped <- nil
	} else {
		log.Info("metrics are answered", slog.String("address", scrapes.Addr().String()))
		go func() { scraped <- e.Metrics().Serve(runCtx, scrapes) }()
	}
	releaseStartPages(log.Logger)
	if _, err := fmt.Fprintf(m.Stdout, "kalamd ready on http://%s\n", ln.Addr()); err != nil {
		log.Warn("ready line not printed", slog.Any("error", err))
	}
	if e.Catalog().NeedsSetup() {
		if _, err := io.WriteString(m.Stdout, setupHint(ln.Addr(), &m.Settings.Config.Server)); err != nil {
			log.Warn("the way to set the server up was not printed", slog.Any("error", err))
		}
	}
	m.tell(log.Logger, servicenotify.Ready)
	lived := make(chan struct{})
	go func() {
		defer close(lived)
		m.guardLife(ctx, log.Logger, ln.Addr())
		<-ctx.Done()
		m.tell(log.Logger, servicenotify.Stopping)
	}()
	err := server.Serve(ctx, ln)
	stopRun()
	stopServe()
	err = errors.Join(err, <-ran, <-scraped)
	<-lived
	<-reloaded
	log.Info("kalamd stopped")
	return err
}

// logStart tells what starts, before anything can go wrong.
func (m *Main) logStart(log *slog.Logger) {
	file := m.Settings.File
	if file == "" {
		file = "none"
	}
	log.Info("kalamd starts",
		slog.String("version", m.Build.Version), slog.String("branch", m.Build.Branch), slog.String("commit", m.Build.Commit),
		slog.String("built", m.Build.BuildDate), slog.String("go", runtime.Version()), slog.String("duckdb", duckDBVersion()),
		slog.String("config", file), slog.Any("changed", m.Settings.Changed),
		slog.String("data", m.Settings.Config.Storage.DataPath))
}

// logOpened tells what was found in the data directory.
func (m *Main) logOpened(log *slog.Logger, e *engine.Engine) {
	cfg := e.Config()
	log.Info("data directory opened", slog.Int64("buffer_bytes", sizeOf(cfg.BufferPath())),
		slog.Int("tables", len(e.Catalog().Tables(""))), slog.Int("resumed_jobs", len(e.Catalog().ActiveJobs())),
		slog.String("query_isolation", e.Isolation()))
	if cfg.Buffer.Relaxed() {
		log.Warn("buffer.durability is relaxed: a crash loses what was written in the last 100 ms")
	}
	if keys := cfg.WithoutEffect(); len(keys) > 0 {
		log.Warn("these configuration keys have no effect in this version", slog.Any("keys", keys))
	}
	if e.Catalog().NeedsSetup() {
		log.Warn("no password is set, so nobody can log in: run the setup, or start with " + envRootPassword)
	}
}

// duckDBVersion returns the version of the DuckDB driver, which is named after
// the DuckDB in it: v2.10506.0 holds 1.5.6.
func duckDBVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, d := range info.Deps {
		if d.Path != "github.com/duckdb/duckdb-go/v2" {
			continue
		}
		var minor int
		if _, err := fmt.Sscanf(d.Version, "v2.%d.", &minor); err != nil {
			return d.Version
		}
		return fmt.Sprintf("%d.%d.%d", minor/10000, minor/100%100, minor%100)
	}
	return "unknown"
}

// sizeOf returns the bytes of the files under a directory; what cannot be looked
// at does not count.
func sizeOf(dir string) (n int64) {
	// The walk skips what it cannot read, and has no other error.
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil //nolint:nilerr // See above.
		}
		if info, err := d.Info(); err == nil {
			n += info.Size()
		}
		return nil
	})
	return n
}
