package jobs

import (
	"runtime/metrics"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/internal/usage"
)

// Names of runtime metrics, in bytes.
const (
	metricHeap   = "/memory/classes/heap/objects:bytes"
	metricAllocs = "/gc/heap/allocs:bytes"
)

// meter measures the process while a job runs. It is guarded by Runner.mu.
type meter struct {
	others       usage.Usage // Of the processes that work for the job.
	samples      [2]metrics.Sample
	heap, allocs uint64 // At the start.
	peak         uint64 // Most heap seen above the start.
	cpu          time.Duration
}

func newMeter() *meter {
	m := &meter{cpu: processCPU()}
	m.samples[0].Name, m.samples[1].Name = metricHeap, metricAllocs
	m.heap, m.allocs = m.read()
	return m
}

func (m *meter) read() (heap, allocs uint64) {
	metrics.Read(m.samples[:])
	return m.samples[0].Value.Uint64(), m.samples[1].Value.Uint64()
}

// sample looks at the heap now.
func (m *meter) sample() {
	if heap, _ := m.read(); heap > m.heap {
		m.peak = max(m.peak, heap-m.heap)
	}
}

// fill adds what was measured to the job: the peak of its tries, the sum of
// their CPU time, each with that of other processes. When the heap never rose above its start, because it was
// collected meanwhile, the bytes allocated stand for the peak: they bound it.
func (m *meter) fill(j *kalam.Job) {
	m.sample()
	peak := m.peak
	if _, allocs := m.read(); peak == 0 {
		peak = allocs - m.allocs
	}
	j.MemoryUsed = max(j.MemoryUsed, int64(peak)+m.others.Memory())
	// What runs at all takes at least the microsecond that is the unit.
	j.CPUUsed += max(int64((processCPU()-m.cpu+m.others.CPU())/time.Microsecond), 1)
}
