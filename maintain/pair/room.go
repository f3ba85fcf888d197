package pair

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/lake"
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

// Disk is what is left of the disk of one half of the lake.
type Disk struct {
	Part    string // "buffer" or "storage".
	Free    int64  // Bytes.
	Reserve int64  // Bytes that have to stay free for rows to be taken, or files to be written.
}

// Disks returns what is left of the disk of the write buffer and of that of the storage, which may be one. One of which
// the system tells nothing is left out.
func (p *Pair) Disks() (list []Disk) {
	if teller, ok := p.Backend.(roomTeller); ok {
		if free, need, known := teller.Room(); known {
			list = append(list, Disk{"buffer", free, need})
		}
	}
	if total, free := p.disk.Space(); total > 0 {
		list = append(list, Disk{"storage", free, p.reserve()})
	}
	return list
}

// Answers reports an error when the storage does not answer, or is not the one that was opened any more.
func (p *Pair) Answers(ctx context.Context) error {
	m, found, err := lake.ReadMark(ctx, p.Storage)
	p.recordMu.Lock()
	own := p.record.ID
	p.recordMu.Unlock()
	switch {
	case err != nil:
		return err
	case !found:
		return errors.New("its directory is empty, or not mounted: .kalam/lake.json is missing")
	case m.LakeID != own:
		return fmt.Errorf("it is the storage of another lake, %s", m.LakeID)
	}
	return nil
}

// ShortOfRoom says of each disk that is nearly full what is free, and what is needed.
func (p *Pair) ShortOfRoom() (reasons []string) {
	mebibytes := func(n int64) float64 { return float64(n) / (1 << 20) }
	names := map[string]string{"buffer": "write buffer", "storage": "storage"}
	for _, d := range p.Disks() {
		if d.Free < d.Reserve {
			reasons = append(reasons, fmt.Sprintf("disk nearly full (%s): %.1f MiB free, %.1f MiB needed",
				names[d.Part], mebibytes(d.Free), mebibytes(d.Reserve)))
		}
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
