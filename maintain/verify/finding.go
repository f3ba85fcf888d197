package verify

import (
	"fmt"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/lake"
)

// Kind says what a finding is of.
type Kind string

// The kinds of findings.
const (
	KindRecord   Kind = "record"   // A record of the write buffer: catalog, manifest of record, counter, clock.
	KindLog      Kind = "log"      // A block of the row log.
	KindSegment  Kind = "segment"  // A Parquet file.
	KindKeys     Kind = "keys"     // A key index file that can be made anew.
	KindManifest Kind = "manifest" // A manifest.json, for outside readers.
	KindUser     Kind = "user"     // What is left of a user who was removed.
	KindStorage  Kind = "storage"  // A storage that could not be looked at.
	KindAudit    Kind = "audit"    // The chain of the audit log.

	KindOrphan Kind = "orphan" // A file of a lake that belongs to nothing.
	KindStray  Kind = "stray"  // A file that no lake writes.
	KindStale  Kind = "stale"  // A manifest.json of before, or one that is missing.
)

// IsProblem reports whether findings of the kind are problems. The others are what a crash leaves, or not the lake's.
func (k Kind) IsProblem() bool { return k != KindOrphan && k != KindStray && k != KindStale }

// Finding is something that is not as it should be.
type Finding struct {
	Kind    Kind            `json:"kind"`
	Storage kalam.StorageID `json:"storage,omitempty"`
	Path    string          `json:"path,omitempty"`  // In the storage.
	Table   string          `json:"table,omitempty"` // namespace.table
	User    kalam.UserID    `json:"user,omitempty"`
	Text    string          `json:"text"` // For people; it names the file or the record.

	scope    kalam.Scope
	segment  *kalam.Segment
	manifest *lake.ScopeManifest
}

// Segment returns the segment of a finding of KindSegment or KindKeys, nil of others.
func (f *Finding) Segment() *kalam.Segment { return f.segment }

// Manifest returns what the manifest.json of a finding of KindManifest or KindStale should say, nil when that is not
// known.
func (f *Finding) Manifest() *lake.ScopeManifest { return f.manifest }

// Progress says how far a verification is.
type Progress struct {
	Segments, Done int // All, and those that were looked at.
	Bytes          int64
	Problems       int
}

// Result is what was looked at.
type Result struct {
	Tables   int   `json:"tables"`
	Users    int   `json:"users"` // One for each table that they have files of.
	Segments int   `json:"segments"`
	Bytes    int64 `json:"bytes"`
	Blocks   int   `json:"blocks"` // Of the row log.
	Rows     int64 `json:"buffered_rows"`
	Unnamed  int   `json:"orphans"` // Files that no manifest names: no damage, a job removes them.
	Strays   int   `json:"strays"`
	Stale    int   `json:"stale_manifests"`
	Purged   int   `json:"purged_users"` // Users that were removed, of whom nothing may be left.
	Audit    int64 `json:"audit_records"`
	Problems int   `json:"problems"`
	// Findings are the first 10,000.
	Findings []Finding `json:"findings,omitempty"`
}

// mostFindings bounds Result.Findings.
const mostFindings = 10_000

// Summary says in a line what was looked at.
func (r *Result) Summary() string {
	return fmt.Sprintf("checked %d tables, %d segments, %d bytes, %d blocks with %d buffered rows: %d problems", r.Tables,
		r.Segments, r.Bytes, r.Blocks, r.Rows, r.Problems)
}

// First returns the text of the first problem, "" when there is none.
func (r *Result) First() string {
	for _, f := range r.Findings {
		if f.Kind.IsProblem() {
			return f.Text
		}
	}
	return ""
}

// add counts a finding.
func (r *Result) add(f Finding) {
	switch f.Kind {
	case KindOrphan:
		r.Unnamed++
	case KindStray:
		r.Strays++
	case KindStale:
		r.Stale++
	default:
		r.Problems++
	}
	if len(r.Findings) < mostFindings {
		r.Findings = append(r.Findings, f)
	}
}
