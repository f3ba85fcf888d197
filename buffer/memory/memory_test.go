package memory_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/buffer/buffertest"
	"github.com/kalamlake/kalam/buffer/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestBackend(t *testing.T) {
	buffertest.TestBackend(t, func(*testing.T) buffer.Backend { return memory.New() })
}

func BenchmarkBackend(b *testing.B) {
	buffertest.BenchmarkBackend(b, func(*testing.B) buffer.Backend { return memory.New() })
}
