package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/kalamlake/kalam/link"
)

// The load of measureSoak: that of a small application which never rests.
const (
	soakTable     = "bench.soak"
	soakWriters   = 10
	soakListeners = 20
	soakReaders   = 5
	soakPause     = 5 * time.Millisecond // Of a writer, and of a reader ten of it, between two statements.
	soakTime      = 5 * time.Minute
)

// measureSoak writes, reads and listens for five minutes, while the table is flushed and
// compacted by itself, and compares the private memory of the server with that after one minute.
func (m *measurement) measureSoak(ctx context.Context) error {
	root, err := dial(m.server.url, m.rootToken)
	if err != nil {
		return err
	}
	defer root.Close()
	if _, err := root.exec("CREATE USER TABLE " + soakTable +
		" (id BIGINT PRIMARY KEY, conversation_id TEXT NOT NULL, role TEXT NOT NULL, content TEXT NOT NULL, created_at TIMESTAMP NOT NULL)"); err != nil {
		return err
	}
	whole := soakTime
	if m.quick {
		whole /= 10
	}
	ctx, cancel := context.WithTimeout(ctx, whole)
	defer cancel()
	work, ctx := errgroup.WithContext(ctx)
	for range soakListeners {
		work.Go(func() error { return m.listen(ctx) })
	}
	for range soakWriters {
		work.Go(func() error {
			return m.repeat(ctx, soakPause, func() string { return rowSQL(soakTable, m.nextID()) })
		})
	}
	for range soakReaders {
		work.Go(func() error {
			return m.repeat(ctx, 10*soakPause, func() string {
				return fmt.Sprintf("SELECT role, count(*) FROM %s WHERE id > %d GROUP BY role", soakTable, m.ids.Load()-5000)
			})
		})
	}
	var early, late []float64 // In the second fifth of the time, and in the last.
	work.Go(func() error {
		const steps = 50
		for i := range steps {
			<-time.After(whole / steps * 99 / 100)
			mb, err := m.server.private()
			if err != nil {
				return err
			}
			switch i * 5 / steps {
			case 1:
				early = append(early, mb)
			case 4:
				late = append(late, mb)
			}
		}
		return nil
	})
	if err := work.Wait(); err != nil {
		return err
	}
	slices.Sort(early)
	slices.Sort(late)
	then, now := early[len(early)/2], late[len(late)/2] // Between two collections of garbage it goes up and down.
	m.report.line(fmt.Sprintf("private memory after %s of %d writers, %d listeners, against %s", whole,
		soakWriters, soakListeners, whole/5),
		fmt.Sprintf("%.0f MB", now), fmt.Sprintf("%.0f MB", then), now/then, "<= 1.1x", now <= 1.1*then)
	return nil
}

// repeat runs statements on one connection until ctx ends.
func (m *measurement) repeat(ctx context.Context, pause time.Duration, sql func() string) error {
	c, err := m.connect()
	if err != nil {
		return err
	}
	defer c.Close()
	for ctx.Err() == nil {
		if err := c.do(c.request(sqlBody(sql()))); err != nil {
			return err
		}
		<-time.After(pause)
	}
	return nil
}

// listen takes the events of one live query until ctx ends.
func (m *measurement) listen(ctx context.Context) error {
	client, err := link.New(link.Options{URL: m.server.url, Auth: link.Password(benchUser, benchPassword)})
	if err != nil {
		return err
	}
	defer client.Close()
	sub, err := client.Subscribe(ctx, "SELECT id, content FROM "+soakTable+" WHERE role = 'assistant'",
		link.SubscribeOptions{})
	if err != nil {
		return err
	}
	defer sub.Close()
	for {
		select {
		case _, ok := <-sub.Events():
			if !ok && ctx.Err() == nil {
				return fmt.Errorf("subscription ended: %w", sub.Err())
			}
			if !ok {
				return nil
			}
		case <-ctx.Done():
			return nil
		}
	}
}
