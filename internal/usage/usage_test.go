package usage_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/kalamlake/kalam/internal/usage"
)

func TestAdd(t *testing.T) {
	usage.Add(t.Context(), time.Second, 1) // Is for nobody.
	var outer, inner usage.Usage
	ctx := usage.With(t.Context(), &outer)
	var adding sync.WaitGroup
	for i := range 100 {
		adding.Go(func() { usage.Add(ctx, time.Millisecond, int64(i)) })
	}
	adding.Wait()
	below, cancel := context.WithCancel(usage.With(ctx, &inner))
	cancel()
	usage.Add(below, time.Minute, 1<<40)
	if outer.CPU() != 100*time.Millisecond || outer.Memory() != 99 {
		t.Errorf("%v and %d bytes, want 100ms and 99", outer.CPU(), outer.Memory())
	}
	if inner.CPU() != time.Minute || inner.Memory() != 1<<40 {
		t.Errorf("%v and %d bytes, want 1m and %d", inner.CPU(), inner.Memory(), int64(1)<<40)
	}
}
