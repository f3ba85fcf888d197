package api

import (
	"errors"
	"io"
	"testing"

	"github.com/kalamlake/kalam/api/results"
)

// TestProducers makes documents by the same coroutine: read to the end, without a
// piece, failed, and closed early; the last of these ends it.
func TestProducers(t *testing.T) {
	s := &Server{producers: &producers{}}
	failure := errors.New("failed")
	cases := []struct {
		name    string
		pieces  []string
		err     error
		readAll bool
		want    string
		idle    int // Producers after it.
	}{
		{"pieces", []string{"ab", "c"}, nil, true, "abc", 1},
		{"nothing", nil, nil, true, "", 1},
		{"failure", []string{"ab"}, failure, true, "ab", 1},
		{"failure at once", nil, failure, true, "", 1},
		{"again", []string{"xyz"}, nil, true, "xyz", 1},
		{"closed early", []string{"ab", "c"}, nil, false, "", 0},
		{"a new one", []string{"ab", "c"}, nil, true, "abc", 1},
	}
	for _, c := range cases {
		returned, closed := false, 0
		doc := s.newDocument(func(send func([]byte) bool) error {
			defer func() { returned = true }()
			for _, p := range c.pieces {
				if !send([]byte(p)) {
					return results.ErrAborted
				}
			}
			return c.err
		}, func() { closed++ })
		streaming, err := doc.start()
		if streaming != (len(c.pieces) > 0) {
			t.Errorf("%s: streaming %v", c.name, streaming)
		}
		if c.readAll {
			got, readErr := io.ReadAll(doc)
			if streaming {
				err = readErr
			}
			if string(got) != c.want || !errors.Is(err, c.err) {
				t.Errorf("%s: read %q, %v; want %q, %v", c.name, got, err, c.want, c.err)
			}
		}
		for range 2 {
			if err := doc.Close(); err != nil {
				t.Errorf("%s: close: %v", c.name, err)
			}
		}
		if !returned || closed != 1 || len(s.producers.idle) != c.idle {
			t.Errorf("%s: returned %v, closed %d times, %d idle; want true, once, %d", c.name, returned, closed,
				len(s.producers.idle), c.idle)
		}
	}
	late := s.newDocument(func(func([]byte) bool) error { return nil }, func() {})
	s.producers.close()
	if _, err := late.start(); err != nil || len(s.producers.idle) != 0 {
		t.Errorf("after close: %v, %d idle", err, len(s.producers.idle))
	}
}
