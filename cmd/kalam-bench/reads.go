package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/kalamlake/kalam/query/worker/querytest"
)

// measurePoint times a read by primary key against a round trip over TCP to a
// process that only answers, in turns.
func (m *measurement) measurePoint() error {
	c, err := m.connect()
	if err != nil {
		return err
	}
	defer c.Close()
	e, err := startEcho()
	if err != nil {
		return err
	}
	lo, hi := m.first, m.last()
	var ours, reference samples
	for i := range m.count(4000) {
		if i%200 == 0 {
			for range 200 {
				d, err := timed(e.roundTrip)
				if err != nil {
					return err
				}
				reference = append(reference, d)
			}
		}
		id := lo + int64(uint64(i)*0x9E3779B97F4A7C15%uint64(hi-lo))
		request := c.request(sqlBody("SELECT content FROM "+table+" WHERE id = $1", id))
		d, err := timed(func() error { return c.do(request) })
		if err != nil {
			return err
		}
		ours = append(ours, d)
	}
	p50, trip := ours.at(0.5), reference.at(0.5)
	m.report.line("point read by primary key, p50 (against a TCP echo)", ms(p50), ms(trip), float64(p50)/float64(trip),
		"<= 0.15 ms", p50 <= 150*time.Microsecond)
	return e.Close()
}

// versus times a query of the server against DuckDB's on the same Parquet files
// alone, in turns, and returns both medians.
func (m *measurement) versus(c *conn, sql string, raw *querytest.DB,
	rawSQL string) (ours, reference time.Duration, err error) {
	request := c.request(sqlBody(sql))
	var a, b samples
	for i := range m.rounds(15) {
		mine, err := timed(func() error { return c.do(request) })
		if err != nil {
			return 0, 0, err
		}
		other, err := timed(func() error { return raw.Run(rawSQL) })
		if err != nil {
			return 0, 0, err
		}
		if i > 1 { // Both are warm by then.
			a, b = append(a, mine), append(b, other)
		}
	}
	return a.at(0.5), b.at(0.5), nil
}

// measureMixed compares queries over buffer and lake with raw DuckDB on the lake
// alone: latest 20 of 1M flushed and 10k buffered rows, and GROUP BY over 200k
// rows in 20 files and 1k buffered.
func (m *measurement) measureMixed(ctx context.Context) error {
	raw, err := querytest.Open(2)
	if err != nil {
		return err
	}
	defer raw.Close()
	c, err := m.connect()
	if err != nil {
		return err
	}
	defer c.Close()
	if err := m.fill(ctx, "bench.latest", m.scaled(1_000_000), 1); err != nil {
		return err
	}
	if err := m.load("bench.latest", m.scaled(10_000)); err != nil {
		return err
	}
	files, err := m.filesOf("latest")
	if err != nil {
		return err
	}
	if err := m.measureLatest(c, raw, files); err != nil {
		return err
	}
	if err := m.fill(ctx, "bench.grouped", m.scaled(200_000), 20); err != nil {
		return err
	}
	if err := m.load("bench.grouped", m.scaled(1000)); err != nil {
		return err
	}
	if files, err = m.filesOf("grouped"); err != nil {
		return err
	}
	const grouped = "SELECT id %% 7 AS g, count(*) AS n, max(created_at) AS t, avg(length(content)) AS l FROM %s GROUP BY g ORDER BY g"
	ours, reference, err := m.versus(c, fmt.Sprintf(grouped, "bench.grouped"), raw, fmt.Sprintf(grouped, files))
	if err != nil {
		return err
	}
	ratio := float64(ours) / float64(reference)
	m.report.line("GROUP BY over 200k rows in 20 files + 1k buffered", ms(ours), ms(reference), ratio,
		"<= 1.1x raw DuckDB", ratio <= 1.1)
	return nil
}

// measureLatest times the last rows of all, and of one conversation.
func (m *measurement) measureLatest(c *conn, raw *querytest.DB, files string) error {
	for _, q := range []struct{ what, sql string }{
		{"latest 20 by key of 1M flushed + 10k buffered rows", "SELECT id, role, content FROM %s ORDER BY id DESC LIMIT 20"},
		{"latest 20 by time", "SELECT id, role, content FROM %s ORDER BY created_at DESC LIMIT 20"},
		{"latest 20 of a conversation", "SELECT id, role, content FROM %s" +
			" WHERE conversation_id = 'conversation_000077' ORDER BY created_at DESC LIMIT 20"},
	} {
		ours, reference, err := m.versus(c, fmt.Sprintf(q.sql, "bench.latest"), raw, fmt.Sprintf(q.sql, files))
		if err != nil {
			return err
		}
		ratio := float64(ours) / float64(reference)
		m.report.line(q.what, ms(ours), ms(reference), ratio, "<= 5 ms and 8x faster than raw DuckDB",
			ours <= 5*time.Millisecond && ratio <= 1/8.)
	}
	return nil
}

// measureCached compares a parametrised query whose text was seen before with
// the same query under ever new texts.
func (m *measurement) measureCached() error {
	c, err := m.connect()
	if err != nil {
		return err
	}
	defer c.Close()
	const sql = "SELECT role, count(*) AS n FROM bench.small WHERE id >= $1 AND length(content) > 10 GROUP BY role ORDER BY n DESC"
	var cached, fresh samples
	for i := range m.count(300) {
		request := c.request(sqlBody(sql, int64(i)))
		d, err := timed(func() error { return c.do(request) })
		if err != nil {
			return err
		}
		cached = append(cached, d)
		request = c.request(sqlBody(strings.Replace(sql, "> 10", fmt.Sprintf("> %d", 10+i*7919%100000), 1), int64(i)))
		if d, err = timed(func() error { return c.do(request) }); err != nil {
			return err
		}
		fresh = append(fresh, d)
	}
	gain := 1 - float64(cached.at(0.5))/float64(fresh.at(0.5))
	m.report.line("parametrised query, cached against fresh text", ms(cached.at(0.5)), ms(fresh.at(0.5)),
		float64(cached.at(0.5))/float64(fresh.at(0.5)), fmt.Sprintf(">= 40 %% faster (%.0f %%)", gain*100), gain >= 0.4)
	return nil
}
