package pair

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kalamlake/kalam"
)

// roomTeller is a backend that keeps some of its disk free of rows.
type roomTeller interface {
	Room() (free, reserve int64, known bool)
}

// lakeShare is the divisor by which the lake leaves less of a disk free than rows of
// the write buffer do: a flush gives back the space of what it flushes, and a
// compaction that of what it replaces.
const lakeShare = 4

// What the lake leaves free of a disk of its own: a share of it, but not more than most.
const (
	ownDiskShare = 32
	ownDiskMost  = 16 << 20
)

// reserve returns how many bytes of its disk the lake leaves free: what the write buffer
// needs, where both are on one.
func (p *Pair) reserve() int64 {
	if teller, ok := p.Backend.(roomTeller); ok && p.disk.SharesDisk(p.bufferDir) {
		if _, reserve, known := teller.Room(); known {
			return reserve / lakeShare
		}
	}
	total, _ := p.disk.Space()
	return min(total/ownDiskShare, ownDiskMost)
}

// ShortOfRoom says of each disk that is nearly full what is free, and what is needed.
func (p *Pair) ShortOfRoom() (reasons []string) {
	const form = "disk nearly full (%s): %.1f MiB free, %.1f MiB needed"
	mebibytes := func(n int64) float64 { return float64(n) / (1 << 20) }
	if teller, ok := p.Backend.(roomTeller); ok {
		if free, need, known := teller.Room(); known && free < need {
			reasons = append(reasons, fmt.Sprintf(form, "write buffer", mebibytes(free), mebibytes(need)))
		}
	}
	total, free := p.disk.Space()
	if need := p.reserve(); total > 0 && free < need {
		reasons = append(reasons, fmt.Sprintf(form, "storage", mebibytes(free), mebibytes(need)))
	}
	return reasons
}

// How often a writer's disk is looked at: seldom while there is much more than is left
// free.
const (
	watchOften  = 5 * time.Millisecond
	watchSeldom = 50 * time.Millisecond
	watchMuch   = 8
)

// errNoRoom marks the end of a writing that took what the lake leaves free.
var errNoRoom = errors.New("the writing was ended")

// WatchRoom returns a context that ends when a file which is being written takes what
// the lake leaves free: how large it gets is not known before. stop ends the watching.
func (p *Pair) WatchRoom(ctx context.Context) (watched context.Context, stop func()) {
	watched, cancel := context.WithCancelCause(ctx)
	if total, _ := p.disk.Space(); total == 0 {
		return watched, func() { cancel(nil) }
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		wait := time.NewTimer(watchOften)
		defer wait.Stop()
		for {
			select {
			case <-watched.Done():
				return
			case <-wait.C:
			}
			_, free := p.disk.Space()
			need := p.reserve()
			switch {
			case free < need:
				cancel(kalam.Wrap(kalam.CodeResourceExhausted, errNoRoom,
					"the disk of the storage is nearly full: %.1f MiB are free, %.1f MiB are needed beside the file",
					float64(free)/(1<<20), float64(need)/(1<<20)))
				return
			case free < need*watchMuch:
				wait.Reset(watchOften)
			default:
				wait.Reset(watchSeldom)
			}
		}
	}()
	return watched, func() {
		cancel(nil)
		<-done
	}
}

// NoRoomOr returns err, or why WatchRoom ended what failed with it.
func NoRoomOr(watched context.Context, err error) error {
	if cause := context.Cause(watched); err != nil && errors.Is(cause, errNoRoom) {
		return cause
	}
	return err
}
