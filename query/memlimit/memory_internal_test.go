package memlimit

import (
	"runtime"
	"testing"
)

// TestSystemMemory compares what the kernel says by itself with what it says in
// /proc; both know the same machine.
func TestSystemMemory(t *testing.T) {
	got, want := systemMemory(), machineMemory()
	if runtime.GOOS == "linux" && (got <= 0 || want > got) {
		t.Errorf("the machine has %d bytes, this process may use %d", got, want)
	}
}
