package recovery

import (
	"errors"
	"fmt"
	"time"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/lake"
	"github.com/kalamlake/kalam/lake/integrity"
	"github.com/kalamlake/kalam/lake/keyindex"
)

// AdoptedScope is the record of a scope, rebuilt from its files.
type AdoptedScope struct {
	Segments  []AdoptedSegment // By their seqs.
	Version   uint64           // Above that of every manifest.json that was read.
	Watermark kalam.Seq        // At or above every seq in the files.
	CreatedAt time.Time
	UpdatedAt time.Time
	Living    int64 // Rows that are neither dead nor tombstones.
	// Counts are the highest values in the columns that counters fill, of all rows.
	Counts map[kalam.ColumnID]int64

	// Unneeded are files all of whose rows are in the segments, or are replaced or
	// deleted by what is: left by crashes, or replaced by compactions.
	Unneeded []string
	// Damaged tells why a file cannot be used, by its path, whether or not its rows are
	// needed.
	Damaged map[string]error
	// Lacking says what is needed and cannot be read. The segments are not the whole
	// scope then: without the rest rows are missing and deleted ones may come back.
	Lacking []string
	Notes   []string // What was decided about a manifest.json, key index files and overlaps.
}

// AdoptedSegment is a segment with the rows that readers skip.
type AdoptedSegment struct {
	kalam.Segment
	Dead       *roaring.Bitmap // Replaced by later rows.
	Tombstones *roaring.Bitmap

	keyIndex []byte // That is to be written.
}

// adoption is the work of AdoptScope.
type adoption struct {
	storage lake.Storage
	found   *FoundScope
	out     *AdoptedScope

	sources  []*keySource // Files whose keys are known.
	opaque   []*FoundSegment
	manifest *namedScope // nil: none can be trusted.

	compactions []int // Sources that say what they replace.
}

func (a *adoption) close() {
	for _, s := range a.sources {
		if s.side != nil {
			_ = s.side.Close() // It was only read.
		}
	}
}

func (a *adoption) note(format string, args ...any) {
	a.out.Notes = append(a.out.Notes, fmt.Sprintf(format, args...))
}

func (a *adoption) lack(p string, why error) {
	if why == nil {
		why = errors.New("it is missing")
	}
	a.out.Lacking = append(a.out.Lacking, fmt.Sprintf("%s: %v", p, why))
}

// keySource is a file whose keys are known, perhaps only by its key index file.
type keySource struct {
	file   *FoundSegment
	side   *keyindex.File   // nil: see keys.
	keys   []keyindex.Entry // Read from the Parquet file.
	pieces integrity.Blocks // Likewise.
	sums   kalam.SegmentSums
	named  bool // By the manifest.json that is trusted.

	tombstones *roaring.Bitmap
	damage     error // Of the Parquet file: its rows cannot be used.
	chosen     bool
	dead       *roaring.Bitmap
}

func (s *keySource) closeSide() error {
	if s.side == nil {
		return nil
	}
	return s.side.Close()
}

// namedScope is what a manifest.json that fits its files says of a scope.
type namedScope struct {
	path     string
	version  uint64
	created  time.Time
	updated  time.Time
	last     kalam.Seq // Of its segments.
	segments map[string]*namedSegment
	missing  []*namedSegment
	// incomplete: of a segment not even the keys are known, so that what other files
	// have beside may count.
	incomplete bool
}

// namedSegment is a segment as manifest.json has it.
type namedSegment struct {
	path     string
	created  time.Time // By its name.
	min, max kalam.Seq
	rows     int64
	bytes    int64
	schema   int
}

// complete reports whether the keys of all segments are known. It is false for nil.
func (m *namedScope) complete() bool { return m != nil && !m.incomplete }

// segment returns the segment at p, if m, which may be nil, names it.
func (m *namedScope) segment(p string) (*namedSegment, bool) {
	if m == nil {
		return nil, false
	}
	n, ok := m.segments[p]
	return n, ok
}
