package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
)

// arrowStream is the media type of a result as Arrow.
const arrowStream = "application/vnd.apache.arrow.stream"

// measureResults times results of a million rows, ten of 5,000 wide rows at once, and a
// thousand small ones of four shapes at once.
func (m *measurement) measureResults(ctx context.Context) error {
	c, err := m.connect()
	if err != nil {
		return err
	}
	defer c.Close()
	million := m.scaled(1_000_000)
	sql := fmt.Sprintf("SELECT i AS id, 'conversation_' || (i %% 500) AS conversation_id, i %% 7 AS n FROM range(%d) r(i)",
		million)
	for _, format := range []struct {
		name, accept string
		budget       float64
	}{{"JSON", "", 400_000}, {"Arrow", arrowStream, 2_000_000}} {
		request := c.requestFor(format.accept, sqlBody(sql))
		var rates []float64
		for range m.rounds(5) {
			took, err := timed(func() error { return c.do(request) })
			if err != nil {
				return err
			}
			if len(c.buf) < 16*million {
				return fmt.Errorf("the answer has %d bytes for %d rows", len(c.buf), million)
			}
			rates = append(rates, float64(million)/took.Seconds())
		}
		rate := median(rates)
		m.report.line("result of 1M rows as "+format.name, perSecond(rate), "", 0,
			fmt.Sprintf(">= %.0f rows/s", format.budget), rate >= format.budget)
	}
	if err := m.measureWide(ctx); err != nil {
		return err
	}
	return m.measureShapes(ctx)
}

// measureWide times ten SELECTs of 5,000 rows of a message's shape that run at once.
func (m *measurement) measureWide(ctx context.Context) error {
	const at = 10
	const sql = "SELECT i AS id, 'user_' || (i % 100) AS author, i * 0.5 AS score, 'message number ' || i AS body," +
		" TIMESTAMP '2026-01-01' + to_seconds(i) AS created_at FROM range(5000) r(i)"
	one, whole, err := m.together(ctx, at, func(int) string { return sql }, m.rounds(15))
	if err != nil {
		return err
	}
	m.report.line("10 SELECTs of 5,000 wide rows at once", ms(whole.at(0.5)), ms(one.at(0.5)),
		float64(whole.at(0.5))/float64(one.at(0.5)), "<= 12 ms", whole.at(0.5) <= 12*time.Millisecond)
	return nil
}

// measureShapes times a thousand small SELECTs of four shapes, sixteen connections at a time.
func (m *measurement) measureShapes(ctx context.Context) error {
	shapes := []string{
		"SELECT id, role FROM bench.small WHERE id > %d ORDER BY id LIMIT 5",
		"SELECT count(*) AS n FROM bench.small WHERE id %% 1000 = %d",
		"SELECT role, count(*) AS n FROM bench.small WHERE id > %d GROUP BY role",
		"SELECT max(length(content)) AS n FROM bench.small WHERE conversation_id <> '%d'",
	}
	const clients, each = 16, 1000 / 16
	_, whole, err := m.togetherEach(ctx, clients, each, func(client, i int) string {
		return fmt.Sprintf(shapes[(client+i)%len(shapes)], client%4)
	}, m.rounds(7))
	if err != nil {
		return err
	}
	m.report.line("1,000 SELECTs of four shapes, 16 at once", ms(whole.at(0.5)), "", 0, "<= 200 ms",
		whole.at(0.5) <= 200*time.Millisecond)
	return nil
}

// together runs one statement on each of n connections at once, so many times. It returns
// the times of one alone and of all.
func (m *measurement) together(
	ctx context.Context, n int, sql func(client int) string, times int,
) (one, whole samples, err error) {
	return m.togetherEach(ctx, n, 1, func(client, _ int) string { return sql(client) }, times)
}

// togetherEach is together with several statements on each connection, one after the
// other.
func (m *measurement) togetherEach(
	ctx context.Context, n, each int, sql func(client, i int) string, times int,
) (one, whole samples, err error) {
	conns := make([]*conn, n)
	requests := make([][][]byte, n)
	for i := range conns {
		if conns[i], err = m.connect(); err != nil {
			return nil, nil, err
		}
		defer func() { err = errors.Join(err, conns[i].Close()) }()
		for k := range each {
			requests[i] = append(requests[i], conns[i].request(sqlBody(sql(i, k))))
		}
	}
	for round := range times + 1 {
		alone, err := timed(func() error { return conns[0].do(requests[0][0]) })
		if err != nil {
			return nil, nil, err
		}
		all, err := timed(func() error {
			work, _ := errgroup.WithContext(ctx)
			for i := range conns {
				work.Go(func() error {
					for _, r := range requests[i] {
						if err := conns[i].do(r); err != nil {
							return err
						}
					}
					return nil
				})
			}
			return work.Wait()
		})
		if err != nil {
			return nil, nil, err
		}
		if round > 0 { // Workers are started, texts are known.
			one, whole = append(one, alone), append(whole, all)
		}
	}
	return one, whole, nil
}
