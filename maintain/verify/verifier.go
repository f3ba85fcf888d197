package verify

import (
	"fmt"
	"log/slog"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/catalog"
	"github.com/kalamlake/kalam/lake"
)

// Options are what Run and Check need beside it.
type Options struct {
	Logger *slog.Logger // nil discards.
	// Problem is called for everything that is wrong, with a line that names it.
	Problem  func(line string)
	Progress func(Progress) // nil tells nobody.
}

// Source is a lake in one state, whose files stay while it is looked at.
type Source struct {
	Snapshot buffer.Snapshot
	Backend  buffer.Backend // Of which it is: what is left of deleted values is in no state.
	Catalog  *catalog.Catalog
	Lake     *lake.Lake
}

// segmentKey names a segment.
type segmentKey struct {
	storage kalam.StorageID
	path    string
}

// verifier is the work of Check.
type verifier struct {
	Source
	opts   Options
	stored *catalog.Stored
	named  map[segmentKey]kalam.Scope // Who names a segment.
	list   []namedSegment
	newest kalam.Seq                // Of all rows.
	silent map[kalam.StorageID]bool // Storages that do not answer.
	result Result
}

// namedSegment is a segment of a live scope.
type namedSegment struct {
	scope   kalam.Scope
	segment kalam.Segment
}

// found tells and counts a finding.
func (v *verifier) found(f Finding) {
	if t := v.stored.Tables[f.scope.Table]; t != nil && f.Table == "" {
		f.Table, f.User = t.ID.String(), f.scope.User
	}
	v.result.add(f)
	if f.Kind.IsProblem() {
		v.opts.Problem(f.Text)
	}
}

// problem is found of a text that names what is wrong.
func (v *verifier) problem(kind Kind, format string, args ...any) {
	v.found(Finding{Kind: kind, Text: fmt.Sprintf(format, args...)})
}

// damage returns what tells damage of a kind.
func (v *verifier) damage(kind Kind) func(error) {
	return func(err error) { v.problem(kind, "%v", err) }
}

// progress tells how far it is.
func (v *verifier) progress(done int) {
	v.opts.Progress(Progress{Segments: len(v.list), Done: done, Bytes: v.result.Bytes, Problems: v.result.Problems})
}
