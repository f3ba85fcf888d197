package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/kalamlake/kalam/link"
	"github.com/kalamlake/kalam/sqltext"
)

// loadOptions are the flags of `kalam-bench load`.
type loadOptions struct {
	url, data, table, password string
	batch, workers             int
	progress, out              io.Writer
	http                       *http.Client
}

func runLoad(ctx context.Context, args []string) error {
	o := loadOptions{progress: os.Stderr, out: os.Stdout}
	flags := flag.NewFlagSet("load", flag.ContinueOnError)
	flags.StringVar(&o.url, "url", "http://127.0.0.1:8080", "server")
	flags.StringVar(&o.data, "data", "", "chat.ndjson.gz or a plain ndjson file")
	flags.StringVar(&o.table, "table", "chat.messages", "target table")
	flags.StringVar(&o.password, "users-password", "", "password of every user in the data")
	flags.IntVar(&o.batch, "batch", 500, "rows of one INSERT")
	flags.IntVar(&o.workers, "workers", 4, "users loaded side by side")
	if err := flags.Parse(args); err != nil {
		return errUsage
	}
	if o.data == "" || o.batch < 1 || o.workers < 1 {
		return errUsage
	}
	users, err := readMessages(o.data)
	if err != nil {
		return err
	}
	return load(ctx, o, users)
}

// load inserts every user's messages in their order, users side by side.
func load(ctx context.Context, o loadOptions, users []userMessages) error {
	total := 0
	for _, u := range users {
		total += len(u.messages)
	}
	// One pool for all users: connections outlive the client that made them.
	pool := &http.Transport{MaxIdleConnsPerHost: o.workers, DisableCompression: true}
	defer pool.CloseIdleConnections()
	o.http = &http.Client{Transport: pool}
	var done atomic.Int64
	start := time.Now()
	stop := reportProgress(o.progress, &done, total, start)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(o.workers)
	for _, u := range users {
		g.Go(func() error { return loadUser(ctx, o, u, &done) })
	}
	err := g.Wait()
	stop()
	if err != nil {
		return err
	}
	took := time.Since(start)
	fmt.Fprintf(o.out, "loaded %d messages of %d users in %.1f s: %.0f rows/s\n", total, len(users), took.Seconds(),
		float64(total)/took.Seconds())
	return nil
}

// loadUser logs in as the user and inserts the user's messages. Nothing is sent
// twice: a message that may have arrived is not repeated.
func loadUser(ctx context.Context, o loadOptions, u userMessages, done *atomic.Int64) error {
	client, err := link.New(link.Options{URL: o.url, Auth: link.Password(u.user, o.password),
		HTTPClient: o.http, MaxRetries: -1})
	if err != nil {
		return err
	}
	defer client.Close()
	for rows := u.messages; len(rows) > 0; {
		n := batchLen(rows, o.batch)
		if _, err := client.Query(ctx, insertSQL(o.table, rows[:n])); err != nil {
			return fmt.Errorf("insert as %s: %w", u.user, err)
		}
		done.Add(int64(n))
		rows = rows[n:]
	}
	return nil
}

// maxStatement bounds the bytes of content in one INSERT, well below the
// server's limit of 1 MiB of SQL.
const maxStatement = 512 << 10

// batchLen returns how many rows the next INSERT takes: at most the given
// number, and at least one.
func batchLen(rows []message, most int) int {
	size := 0
	for i := range rows {
		size += len(rows[i].Content)
		if i == most || i > 0 && size > maxStatement {
			return i
		}
	}
	return len(rows)
}

// insertSQL is one INSERT of the rows.
func insertSQL(table string, rows []message) string {
	var b strings.Builder
	b.WriteString("INSERT INTO " + table + " (id, conversation_id, role, content, created_at) VALUES ")
	for i, m := range rows {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "(%d,%s,%s,%s,%s)", m.ID, sqltext.QuoteString(m.Conversation), sqltext.QuoteString(m.Role),
			sqltext.QuoteString(m.Content), sqltext.QuoteString(m.CreatedAt))
	}
	return b.String()
}

// reportProgress prints the rows done every second until stopped.
func reportProgress(w io.Writer, done *atomic.Int64, total int, start time.Time) (stop func()) {
	quit, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-quit:
				return
			case <-tick.C:
				n := done.Load()
				fmt.Fprintf(w, "  %d of %d rows, %.0f rows/s\n", n, total, float64(n)/time.Since(start).Seconds())
			}
		}
	}()
	return func() { close(quit); <-ended }
}
