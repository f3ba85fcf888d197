package transfer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kalamlake/kalam/link"
	"github.com/kalamlake/kalam/link/wire"
)

// Bounds of statements and of their repetition.
const (
	mostText     = 1000 << 10 // The server takes 1 MiB.
	mostAttempts = 12
	firstWait    = 100 * time.Millisecond
	longestWait  = 5 * time.Second
)

// errTooMany ends a load that rejects too many records.
var errTooMany = errors.New("too many records were rejected")

// uncertainError is that of a batch of which is not known whether it was stored.
type uncertainError struct{ err error }

func (u *uncertainError) Error() string { return u.err.Error() }
func (u *uncertainError) Unwrap() error { return u.err }

// sender stores records in a table. Its methods may be called concurrently but for outcome,
// which each caller has of its own.
type sender struct {
	client *link.Client
	insert *insert
	refuse func() error // Called for each rejected record; its error ends the load.
}

// outcome is what became of records.
type outcome struct {
	loaded, skipped int64 // Skipped are those whose key was there already.
	rejected        []reject
}

// statement is an INSERT of some records.
type statement struct {
	text    []byte
	records []record
	ends    []int // Where each record ends in the text.
}

// store stores records. again says that they may be stored already.
func (s *sender) store(ctx context.Context, records []record, again bool, out *outcome) error {
	for len(records) > 0 {
		st, used := s.statement(records, out)
		records = records[used:]
		if err := s.refused(out); err != nil {
			return err
		}
		if len(st.records) == 0 {
			continue
		}
		if err := s.try(ctx, st, again, out); err != nil {
			return err
		}
	}
	return nil
}

// refused calls refuse for the records that were rejected since the last call.
func (s *sender) refused(out *outcome) error {
	for i := range out.rejected {
		if j := &out.rejected[i]; !j.told {
			j.told = true
			if err := s.refuse(); err != nil {
				return err
			}
		}
	}
	return nil
}

// statement makes an INSERT of as many records as it may have. It returns how many were
// used: those in the statement and those that were rejected.
func (s *sender) statement(records []record, out *outcome) (st statement, used int) {
	st.text = append(make([]byte, 0, 256<<10), s.insert.head...)
	for i := range records {
		r, before := &records[i], len(st.text)
		if len(st.records) > 0 {
			st.text = append(st.text, ',', '\n')
		}
		text, reason := s.insert.row(st.text, r)
		switch {
		case reason == "" && len(text) <= mostText:
			st.text = text
			st.records, st.ends = append(st.records, *r), append(st.ends, len(text))
		case reason == "" && len(st.records) > 0:
			st.text = text[:before]
			return st, i
		default:
			if reason == "" {
				reason = fmt.Sprintf("a statement with the row has %s, the most is %s", Bytes(int64(len(text))), Bytes(mostText))
			}
			st.text = text[:before]
			out.rejected = append(out.rejected, s.insert.reject(r, reason))
		}
	}
	return st, len(records)
}

// try sends a statement. If the server refuses a record, the others are stored without it.
func (s *sender) try(ctx context.Context, st statement, again bool, out *outcome) error {
	n, again, err := s.send(ctx, st.text, again)
	switch {
	case err == nil:
		out.loaded += int64(len(st.records))
		if missing := int64(len(st.records)) - n; !again && missing > 0 {
			out.loaded, out.skipped = out.loaded-missing, out.skipped+missing
		}
		return nil
	case !isRefusal(err):
		return err
	case len(st.records) == 1:
		var e *link.Error
		errors.As(err, &e) // isRefusal has seen it.
		out.rejected = append(out.rejected, s.insert.reject(&st.records[0],
			strings.TrimPrefix(e.Message, "Statement 1 failed: ")))
		return s.refused(out)
	}
	at := s.faulty(st, err)
	for _, part := range [][]record{st.records[:at], st.records[at : at+1], st.records[at+1:]} {
		if err := s.store(ctx, part, again, out); err != nil {
			return err
		}
	}
	return nil
}

// faulty tells which record the server refuses: the one with the error's position. Without
// one it is the middle, so that the half with the fault is found.
func (s *sender) faulty(st statement, err error) int {
	var e *link.Error
	if errors.As(err, &e) && e.Position > len(s.insert.head) {
		if at, _ := slices.BinarySearch(st.ends, e.Position); at < len(st.records) {
			return at
		}
	}
	return len(st.records) / 2
}

// isRefusal reports whether the server has refused a statement for its values.
func isRefusal(err error) bool {
	switch link.CodeOf(err) {
	case wire.CodeSQLExecution, wire.CodeInvalidSQL, wire.CodeInvalidInput, wire.CodeInvalidParameter:
		return link.KindOf(err) == link.KindSQL
	}
	return false
}

// send sends a statement until the server has answered. It returns how many rows were
// written, and whether they may have been stored by an earlier attempt.
func (s *sender) send(ctx context.Context, text []byte, again bool) (rows int64, repeated bool, err error) {
	wait := firstWait
	for attempt := 1; ; attempt++ {
		tail := s.insert.tail
		if again {
			tail = s.insert.nothing
		}
		var res *link.Response
		if res, err = s.client.Query(ctx, string(text)+tail); err == nil {
			for _, r := range res.Results {
				rows += r.RowsAffected()
			}
			return rows, again, nil
		}
		safe, unknown := transient(err)
		switch {
		case ctx.Err() != nil && s.insert.nothing == "":
			return 0, again, &uncertainError{err}
		case unknown && s.insert.nothing == "":
			return 0, again, &uncertainError{err}
		case !safe && !unknown || attempt >= mostAttempts || ctx.Err() != nil:
			return 0, again, err
		}
		again = again || unknown
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return 0, again, err
		}
		wait = min(2*wait, longestWait)
	}
}

// transient tells whether a request may be made again: safe says that it changed nothing,
// unknown that it may have been done.
func transient(err error) (safe, unknown bool) {
	switch link.CodeOf(err) {
	case wire.CodeRateLimit, wire.CodeResourceExhausted, wire.CodeUnavailable, wire.CodeShuttingDown:
		return true, false
	case wire.CodeTimeout, wire.CodeInternal:
		return false, true
	}
	switch link.KindOf(err) {
	case link.KindConnection, link.KindTimeout, link.KindSerialization:
		return false, true
	case link.KindHTTP:
		var e *link.Error
		errors.As(err, &e) // KindOf has found it.
		return false, e.Status >= 500
	}
	return false, false
}
