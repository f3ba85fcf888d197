package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// rowSQL is an INSERT of one row of chat shape, one of 500 conversations' that go on side by side.
func rowSQL(table string, id int64) string {
	return fmt.Sprintf("INSERT INTO %s VALUES (%d, 'conversation_%06d', 'assistant', '%s', '%s')", table, id,
		conversation(id), content(id), time.Unix(1_767_225_600+id, 0).UTC().Format(time.RFC3339))
}

// conversation returns the number of a row's conversation.
func conversation(id int64) int64 { return int64(uint64(id) * 0x9E3779B97F4A7C15 >> 40 % 500) }

// content is a text of about 200 bytes that compresses like prose, not to nothing.
func content(id int64) string {
	words := []string{"memory", "answer", "question", "river", "compile", "window", "garden", "signal", "agent", "reply",
		"orange", "bridge", "lantern", "market", "paper", "winter"}
	var b strings.Builder
	x := uint64(id)*0x9E3779B97F4A7C15 + 1
	for b.Len() < 190 {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		b.WriteString(words[x%uint64(len(words))])
		b.WriteByte(' ')
	}
	return b.String()
}

// rawSync appends to a file and syncs it: what no durable insert can undercut.
type rawSync struct{ f *os.File }

func openRawSync(dir string) (*rawSync, error) {
	f, err := os.OpenFile(filepath.Join(dir, "raw-sync"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	return &rawSync{f}, nil
}

func (r *rawSync) write(row []byte) error {
	if _, err := r.f.Write(row); err != nil {
		return err
	}
	return r.f.Sync()
}

// measureSingle times one client's inserts against raw write+fsync, in turns.
func (m *measurement) measureSingle() (err error) {
	raw, err := openRawSync(m.server.dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, raw.f.Close()) }()
	c, err := m.connect()
	if err != nil {
		return err
	}
	defer c.Close()
	var ours, reference samples
	row := []byte(rowSQL("x", 1))
	for round := range m.rounds(7) {
		for range m.count(150) {
			d, err := timed(func() error { return raw.write(row) })
			if err != nil {
				return err
			}
			reference = append(reference, d)
		}
		for range m.count(150) {
			request := c.request(sqlBody(rowSQL(table, m.nextID())))
			d, err := timed(func() error { return c.do(request) })
			if err != nil {
				return err
			}
			if round > 0 {
				ours = append(ours, d)
			}
		}
	}
	ratio := float64(ours.at(0.5)) / float64(reference.at(0.5))
	m.report.line("single INSERT, 1 client, p50", ms(ours.at(0.5)), ms(reference.at(0.5)), ratio,
		"<= 1.6x write+fsync", ratio <= 1.6)
	m.report.line("single INSERT, 1 client, p99", ms(ours.at(0.99)), ms(reference.at(0.99)),
		float64(ours.at(0.99))/float64(reference.at(0.99)),
		"<= 2 ms", ours.at(0.99) <= 2*time.Millisecond)
	return nil
}

// measureMany drives inserts from many connections at once.
func (m *measurement) measureMany(ctx context.Context, clients int) error {
	ctx, cancel := context.WithTimeout(ctx, m.span(5*time.Second))
	defer cancel()
	begin := time.Now()
	all, err := m.insertUntil(ctx, clients, 0)
	if err != nil {
		return err
	}
	rate := float64(len(all)) / time.Since(begin).Seconds()
	m.report.line(fmt.Sprintf("single INSERT, %d clients", clients), perSecond(rate), "", 0, ">= 12,000/s", rate >= 12000)
	m.report.line(fmt.Sprintf("single INSERT, %d clients, p99", clients), ms(all.at(0.99)), "", 0, "<= 15 ms",
		all.at(0.99) <= 15*time.Millisecond)
	return nil
}

// insertUntil inserts rows over a number of connections, each with a pause after
// every row, until ctx ends, and returns how long each took.
func (m *measurement) insertUntil(ctx context.Context, clients int, pause time.Duration) (all samples, err error) {
	var mu sync.Mutex
	var g errgroup.Group
	for range clients {
		c, err := m.connect()
		if err != nil {
			return nil, err
		}
		g.Go(func() error {
			defer c.Close()
			var mine samples
			for ctx.Err() == nil {
				request := c.request(sqlBody(rowSQL(table, m.nextID())))
				d, err := timed(func() error { return c.do(request) })
				if err != nil {
					return err
				}
				mine = append(mine, d)
				if pause > 0 {
					<-time.After(pause)
				}
			}
			mu.Lock()
			defer mu.Unlock()
			all = append(all, mine...)
			return nil
		})
	}
	err = g.Wait()
	return all, err
}

// bulkRequest is one INSERT of n rows.
func (m *measurement) bulkRequest(c *conn, name string, n int) []byte {
	var b strings.Builder
	for i := range n {
		one := rowSQL(name, m.nextID())
		if i > 0 {
			one = "," + one[strings.Index(one, "VALUES ")+len("VALUES "):]
		}
		b.WriteString(one)
	}
	return c.request(sqlBody(b.String()))
}

// measureBulk sends prepared statements of 1,000 rows on four connections.
func (m *measurement) measureBulk(ctx context.Context) error {
	const rows, clients = 1000, 4
	var rates []float64
	for range m.rounds(5) {
		requests := make([][][]byte, clients)
		conns := make([]*conn, clients)
		for i := range requests {
			var err error
			if conns[i], err = m.connect(); err != nil {
				return err
			}
			for range m.count(50) {
				requests[i] = append(requests[i], m.bulkRequest(conns[i], "bench.bulk", rows))
			}
		}
		begin := time.Now()
		var g errgroup.Group
		for i, c := range conns {
			g.Go(func() error {
				defer c.Close()
				for _, r := range requests[i] {
					if err := c.do(r); err != nil {
						return err
					}
				}
				return ctx.Err()
			})
		}
		if err := g.Wait(); err != nil {
			return err
		}
		rates = append(rates, float64(rows*clients*m.count(50))/time.Since(begin).Seconds())
	}
	rate := median(rates)
	m.report.line("bulk INSERT, 1,000 rows a statement, 4 clients", perSecond(rate), "", 0,
		">= 300,000 rows/s", rate >= 300000)
	return nil
}
