package main

import (
	"context"
	"fmt"
	"time"

	"github.com/kalamlake/kalam/link"
)

// measureEvents times an INSERT until its event is at a client.
func (m *measurement) measureEvents(ctx context.Context) error {
	client, err := link.New(link.Options{URL: m.server.url, Auth: link.Password(benchUser, benchPassword)})
	if err != nil {
		return err
	}
	defer client.Close()
	sub, err := client.Subscribe(ctx, "SELECT id FROM "+table+" WHERE role = 'assistant'", link.SubscribeOptions{})
	if err != nil {
		return err
	}
	defer sub.Close()
	c, err := m.connect()
	if err != nil {
		return err
	}
	defer c.Close()
	next := func() error {
		for {
			select {
			case ev, ok := <-sub.Events():
				if !ok {
					return fmt.Errorf("subscription ended: %w", sub.Err())
				}
				if ev.Kind == link.EventInsert {
					return nil
				}
			case <-time.After(10 * time.Second):
				return fmt.Errorf("no event within 10 s")
			}
		}
	}
	var all samples
	for i := range m.count(1500) {
		request := c.request(sqlBody(rowSQL(table, m.nextID())))
		begin := time.Now()
		if err := c.do(request); err != nil {
			return err
		}
		if err := next(); err != nil {
			return err
		}
		if i > 50 {
			all = append(all, time.Since(begin))
		}
	}
	m.report.line("INSERT to live event at the client, p50", ms(all.at(0.5)), "", 0, "<= 0.8 ms",
		all.at(0.5) <= 800*time.Microsecond)
	m.report.line("INSERT to live event at the client, p99", ms(all.at(0.99)), "", 0, "<= 3 ms",
		all.at(0.99) <= 3*time.Millisecond)
	return nil
}
