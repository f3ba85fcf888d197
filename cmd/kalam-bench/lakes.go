package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"syscall"
	"time"

	"github.com/kalamlake/kalam/query/worker/querytest"
)

// measureFlush flushes 1M rows and copies the same rows by raw DuckDB.
func (m *measurement) measureFlush(ctx context.Context) error {
	rows := m.scaled(1_000_000)
	if err := m.load("bench.flushed", rows); err != nil {
		return err
	}
	took, err := m.flush(ctx, "bench.flushed")
	if err != nil {
		return err
	}
	raw, err := querytest.Open(1)
	if err != nil {
		return err
	}
	defer raw.Close()
	files, err := m.filesOf("flushed")
	if err != nil {
		return err
	}
	if err := raw.Run("CREATE TABLE t AS SELECT * FROM " + files); err != nil {
		return err
	}
	var copies []float64
	for i := range m.rounds(3) {
		target := filepath.Join(m.server.dir, fmt.Sprintf("raw-%d.parquet", i))
		d, err := timed(func() error { return raw.Run("COPY t TO '" + target + "' (FORMAT parquet, COMPRESSION zstd)") })
		if err != nil {
			return err
		}
		copies = append(copies, float64(rows)/d.Seconds())
	}
	rate, reference := float64(rows)/took.Seconds(), median(copies)
	m.report.line("flush of 1M rows", perSecond(rate), perSecond(reference), rate/reference,
		">= 0.79x raw COPY (500k of 635k)", rate/reference >= 0.79)
	return nil
}

// measureBeside times the inserts of a few writers into another table while 1M
// rows are flushed against the same without a flush.
func (m *measurement) measureBeside(ctx context.Context) error {
	const writers, pause = 4, 2 * time.Millisecond
	if err := m.load("bench.beside", m.scaled(1_000_000)); err != nil {
		return err
	}
	idle, cancel := context.WithTimeout(ctx, m.span(5*time.Second))
	defer cancel()
	before, err := m.insertUntil(idle, writers, pause)
	if err != nil {
		return err
	}
	during, stop := context.WithCancel(ctx)
	defer stop()
	flushed := make(chan error, 1)
	go func() {
		defer stop()
		_, err := m.flush(ctx, "bench.beside")
		flushed <- err
	}()
	beside, err := m.insertUntil(during, writers, pause)
	if err := errors.Join(err, <-flushed); err != nil {
		return err
	}
	ratio := float64(beside.at(0.99)) / float64(before.at(0.99))
	m.report.line("INSERT by 4 writers beside a flush, p99", ms(beside.at(0.99)), ms(before.at(0.99)), ratio,
		"<= 2x without a flush", ratio <= 2)
	return nil
}

// measureRestart kills the server with 1M rows in the buffer and starts it.
func (m *measurement) measureRestart() error {
	if err := m.load("bench.restart", m.scaled(1_000_000)); err != nil {
		return err
	}
	took, c, err := m.again(syscall.SIGKILL)
	if err != nil {
		return err
	}
	defer c.Close()
	r, err := c.exec("SELECT count(*) AS n FROM bench.restart")
	if err != nil {
		return err
	}
	if want := fmt.Sprint(m.scaled(1_000_000)); cell(r, 0) != want {
		return fmt.Errorf("%s rows after the restart, want %s", cell(r, 0), want)
	}
	m.report.line("restart after kill -9 with 1M buffered rows", ms(took), "", 0, "<= 3 s", took <= 3*time.Second)
	return nil
}

// measureIdle reports the memory of a server that has done nothing yet.
func (m *measurement) measureIdle() error {
	rss, err := m.server.rss()
	if err != nil {
		return err
	}
	m.report.line("idle RSS", fmt.Sprintf("%.0f MB", rss), "", 0, "<= 64 MB", rss <= 64)
	all, err := m.server.all()
	if err != nil {
		return err
	}
	m.report.line("idle memory of the server and its workers (PSS)", fmt.Sprintf("%.0f MB", all), "", 0, "<= 64 MB",
		all <= 64)
	return nil
}
