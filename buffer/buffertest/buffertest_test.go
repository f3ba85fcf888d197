package buffertest_test

import (
	"context"
	"errors"
	"testing"

	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/buffer/buffertest"
	"github.com/kalamlake/kalam/buffer/memory"
)

// TestFaultyPasses runs the suite over a Faulty that lets everything pass.
func TestFaultyPasses(t *testing.T) {
	buffertest.TestBackend(t, func(*testing.T) buffer.Backend { return &buffertest.Faulty{Backend: memory.New()} })
}

func TestFaultyFails(t *testing.T) {
	ctx := context.Background()
	f := &buffertest.Faulty{Backend: memory.New()}
	if err := f.CreateKeyspace(ctx, "p"); err != nil {
		t.Fatalf("CreateKeyspace: %v", err)
	}
	broken := errors.New("broken")
	for _, written := range []bool{false, true} {
		f.Fail(buffertest.FailAt(1, written, broken))
		keys := []string{"a", "b", "c"}
		for i, key := range keys {
			err := buffertest.Put(ctx, f, "p", []byte(key), nil)
			if (i >= 1) != errors.Is(err, broken) {
				t.Errorf("Put %d = %v", i, err)
			}
			_, err = f.Get(ctx, "p", []byte(key))
			if there := i == 0 || i == 1 && written; there != (err == nil) {
				t.Errorf("after Put %d, written %v: Get = %v", i, written, err)
			}
		}
		if f.Steps() != len(keys) {
			t.Errorf("Steps = %d, want %d", f.Steps(), len(keys))
		}
		f.Fail(nil)
		for _, key := range keys {
			if err := buffertest.Delete(ctx, f, "p", []byte(key)); err != nil {
				t.Errorf("Delete: %v", err)
			}
		}
	}
}
