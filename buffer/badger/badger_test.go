package badger_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/buffer/badger"
	"github.com/kalamlake/kalam/buffer/buffertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open opens a directory until the end of the test.
func open(t testing.TB, dir string, o badger.Options) *badger.Backend {
	t.Helper()
	b, err := badger.Open(dir, o)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return b
}

func TestBackend(t *testing.T) {
	buffertest.TestBackend(t, func(t *testing.T) buffer.Backend { return open(t, t.TempDir(), badger.Options{}) })
}

func TestRelaxedBackend(t *testing.T) {
	buffertest.TestBackend(t, func(t *testing.T) buffer.Backend {
		return open(t, t.TempDir(), badger.Options{Relaxed: true})
	})
}

func BenchmarkBackend(b *testing.B) {
	buffertest.BenchmarkBackend(b, func(b *testing.B) buffer.Backend { return open(b, b.TempDir(), badger.Options{}) })
}
