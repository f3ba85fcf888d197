package main

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// another starts a second server, with a configuration of its own and the table bench.small,
// and measures with it. The measurement that it gets has no other table.
func (m *measurement) another(name string, env []string, measure func(*measurement) error) (err error) {
	o := &measurement{report: m.report, quick: m.quick,
		server: &server{binary: m.server.binary, dir: filepath.Join(m.server.dir, name), env: env}}
	if err := os.MkdirAll(o.server.dir, 0o750); err != nil {
		return err
	}
	if _, err := o.server.start(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, o.server.stop(syscall.SIGTERM)) }()
	if err := o.setUp(); err != nil {
		return err
	}
	return measure(o)
}

// alternate times a request at two servers in turns.
func alternate(a, b *measurement, times int, body func(i int) []byte) (ofA, ofB samples, err error) {
	conns := [2]*conn{}
	for i, m := range []*measurement{a, b} {
		if conns[i], err = m.connect(); err != nil {
			return nil, nil, err
		}
		defer func() { err = errors.Join(err, conns[i].Close()) }()
	}
	took := [2]samples{}
	for i := range times {
		for k := range conns {
			who := (i + k) % 2 // Neither is always the first.
			request := conns[who].request(body(i))
			d, err := timed(func() error { return conns[who].do(request) })
			if err != nil {
				return nil, nil, err
			}
			if i > times/10 {
				took[who] = append(took[who], d)
			}
		}
	}
	return took[0], took[1], nil
}

// measureIsolation compares a cached small query with that of a server whose queries run in
// its own process.
func (m *measurement) measureIsolation() error {
	return m.another("none", []string{"KALAM_QUERY_ISOLATION=none"}, func(o *measurement) error {
		const sql = "SELECT role, count(*) AS n FROM bench.small WHERE id >= $1 GROUP BY role"
		ours, inside, err := alternate(m, o, m.count(2000), func(i int) []byte { return sqlBody(sql, int64(i%100)) })
		if err != nil {
			return err
		}
		added := ours.at(0.5) - inside.at(0.5)
		m.report.line("cached small query in a worker, p50 above in-process", ms(added), ms(inside.at(0.5)), 0,
			"<= 0.25 ms", added <= 250*time.Microsecond)
		return nil
	})
}

// again ends the server by a signal and starts it. took is the time until it serves; c is a
// connection to it.
func (m *measurement) again(sig syscall.Signal) (took time.Duration, c *conn, err error) {
	if err := m.server.stop(sig); err != nil {
		return 0, nil, err
	}
	if took, err = m.server.start(); err != nil {
		return 0, nil, err
	}
	if err := m.signIn(); err != nil {
		return 0, nil, err
	}
	c, err = m.connect()
	return took, c, err
}

// measureFirst times the first query after a start.
func (m *measurement) measureFirst() error {
	var all samples
	for range m.rounds(5) {
		_, c, err := m.again(syscall.SIGTERM)
		if err != nil {
			return err
		}
		took, err := timed(func() error {
			return c.do(c.request(sqlBody("SELECT role, count(*) AS n FROM bench.small GROUP BY role")))
		})
		if err := errors.Join(err, c.Close()); err != nil {
			return err
		}
		all = append(all, took)
	}
	m.report.line("first query after a start", ms(all.at(0.5)), "", 0, "<= 300 ms", all.at(0.5) <= 300*time.Millisecond)
	return nil
}
