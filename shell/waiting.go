package shell

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/kalamlake/kalam/link"
	"github.com/kalamlake/kalam/shell/edit"
)

// waitStep is the time between two changes of the indicator.
const waitStep = 100 * time.Millisecond

// query makes a request. On a terminal it shows that it takes long.
func (s *session) query(ctx context.Context, sql string, params ...any) (*link.Response, error) {
	defer s.waiting()()
	return s.client.Query(ctx, sql, params...)
}

// waiting shows, after a while, for how long the shell waits. stop erases it.
func (s *session) waiting() (stop func()) {
	if ok := edit.IsTerminal(s.err); !ok || s.config.NoSpinner || s.config.Getenv("TERM") == "dumb" {
		return func() {}
	}
	done, ended := make(chan struct{}), make(chan struct{})
	start := time.Now()
	go func() {
		defer close(ended)
		t := time.NewTimer(s.config.LoadingThreshold)
		defer t.Stop()
		for shown := false; ; shown = true {
			select {
			case <-t.C:
				fmt.Fprintf(s.err, "\rRunning... %.1f s", time.Since(start).Seconds())
				t.Reset(waitStep)
			case <-done:
				if shown {
					fmt.Fprint(s.err, "\r\x1b[J")
				}
				return
			}
		}
	}()
	return func() {
		close(done)
		<-ended
	}
}

// more asks whether another page of rows is to be shown.
func (s *session) more(ctx context.Context) bool {
	if s.line == nil || s.out.Flush() != nil {
		return true
	}
	answer, err := s.line.Ask(ctx, "Press Enter for more, q to stop: ")
	return err == nil && !strings.HasPrefix(strings.ToLower(strings.TrimSpace(answer)), "q")
}
