package shell

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/kalamlake/kalam/shell/format"
)

// metaGo runs the last statement again.
func (s *session) metaGo(ctx context.Context, _ string) error {
	switch {
	case s.last == "":
		return errors.New("nothing was run yet")
	case s.open != nil:
		return errors.New("a transaction is open; COMMIT or ROLLBACK ends it")
	}
	if s.confirm(ctx, s.last) != nil {
		return errShown
	}
	if err := s.execute(ctx, s.last, unnamed); err != nil {
		s.fail(err, s.last)
		return errShown
	}
	return nil
}

// metaGoExpanded runs the last statement again and shows a line per cell.
func (s *session) metaGoExpanded(ctx context.Context, _ string) error {
	defer s.expanded()()
	return s.metaGo(ctx, "")
}

// expanded shows a line per cell until restore is called.
func (s *session) expanded() (restore func()) {
	before := s.printer.Format
	s.printer.Format = format.Vertical
	return func() { s.printer.Format = before }
}

// Bounds of \watch in seconds.
const (
	watchDefault = 2
	watchLeast   = 0.1
	watchMost    = 24 * 60 * 60
)

// metaWatch runs the last statement again and again until Ctrl+C; a query in its
// place is a live one.
func (s *session) metaWatch(ctx context.Context, args string) error {
	every, count, err := watchArguments(args)
	if err != nil {
		return s.metaSubscribe(ctx, args)
	}
	if every < watchLeast || every > watchMost {
		return fmt.Errorf(`\watch takes from %g to %d seconds`, watchLeast, watchMost)
	}
	for n := 1; ; n++ {
		s.remark("%s (every %gs)", s.config.Now().Format("2006-01-02 15:04:05"), every)
		if err := s.metaGo(ctx, ""); err != nil || n == count {
			return err
		}
		t := time.NewTimer(time.Duration(every * float64(time.Second)))
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return nil
		}
	}
}

// watchArguments reads "2", "i=2" and "c=10". The error says that args are a query.
func watchArguments(args string) (every float64, count int, err error) {
	every = watchDefault
	for _, word := range strings.Fields(strings.TrimRight(args, "; ")) {
		if n, ok := strings.CutPrefix(word, "c="); ok {
			if count, err = strconv.Atoi(n); err != nil || count < 1 {
				return 0, 0, errors.Join(err, errors.New("no count"))
			}
			continue
		}
		if every, err = strconv.ParseFloat(strings.TrimPrefix(word, "i="), 64); err != nil {
			return 0, 0, err
		}
	}
	return every, count, nil
}
