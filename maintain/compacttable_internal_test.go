package maintain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/jobs"
	"github.com/kalamlake/kalam/jobs/jobstest"
)

// lakeFake is a compactor over users with a number of segments each.
type lakeFake struct {
	segments map[kalam.UserID]int
	looked   []kalam.UserID
	fail     func(ctx context.Context, user kalam.UserID) error
}

func (l *lakeFake) CompactableScopes(_ context.Context, _ kalam.TableNumber, all bool) (users []kalam.UserID,
	err error) {
	for u, n := range l.segments {
		if all || n >= 8 {
			users = append(users, u)
		}
	}
	slices.Sort(users)
	return users, nil
}

func (l *lakeFake) CompactScope(ctx context.Context, _ kalam.TableNumber, user kalam.UserID, _ bool) (compactedScope,
	error) {
	l.looked = append(l.looked, user)
	if l.fail != nil {
		if err := l.fail(ctx, user); err != nil {
			return compactedScope{}, err
		}
	}
	n := l.segments[user]
	if n < 2 {
		return compactedScope{SegmentsBefore: n, SegmentsAfter: n}, nil
	}
	l.segments[user] = 1
	return compactedScope{
		SegmentsBefore: n, SegmentsAfter: 1, Merged: n, Written: 1, Rows: 10, Overwritten: 2, Tombstones: 1,
		BytesRead: int64(100 * n), BytesWritten: 90,
	}, nil
}

func compactionResult(t *testing.T, j kalam.Job) (r CompactResult) {
	t.Helper()
	if err := json.Unmarshal([]byte(j.Result), &r); err != nil {
		t.Fatalf("result %q: %v", j.Result, err)
	}
	return r
}

func TestCompactTable(t *testing.T) {
	l := &lakeFake{segments: map[kalam.UserID]int{"ann": 3, "bob": 1, "carol": 9}}
	j := one(t, &compactTable{compactor: l, All: true}, aJob())
	if j.Status != kalam.JobCompleted ||
		j.Message != "Compaction completed for table app.t: 12 segments of 2 user(s) became 2, 4 overwritten "+
			"rows and 2 tombstones dropped" {
		t.Errorf("job is %s: %s", j.Status, j.Message)
	}
	want := CompactResult{
		Scopes: 2, SegmentsBefore: 12, SegmentsAfter: 2, SegmentsMerged: 12, Files: 2, Rows: 20, OverwrittenDropped: 4,
		TombstonesDropped: 2, BytesBefore: 1200, BytesAfter: 180,
	}
	if diff := cmp.Diff(want, compactionResult(t, j)); diff != "" {
		t.Errorf("result (-want +got):\n%s", diff)
	}
	if j = one(t, &compactTable{compactor: l, All: true},
		aJob()); j.Message != "Compaction completed for table app.t: nothing to merge" {
		t.Errorf("a second time: %s", j.Message)
	}
	l = &lakeFake{segments: map[kalam.UserID]int{"ann": 3, "bob": 1, "carol": 9}}
	one(t, &compactTable{compactor: l}, aJob())
	if diff := cmp.Diff([]kalam.UserID{"carol"}, l.looked); diff != "" {
		t.Errorf("users with too many segments (-want +got):\n%s", diff)
	}
}

// TestCompactTableFailures has one user fail: the others are compacted, and the
// next try finishes the work.
func TestCompactTableFailures(t *testing.T) {
	tries := 0
	l := &lakeFake{segments: map[kalam.UserID]int{"ann": 3, "bob": 2, "": 4}}
	l.fail = func(_ context.Context, user kalam.UserID) error {
		if user == "" {
			if tries++; tries < 2 {
				return errors.New("no space")
			}
		}
		return nil
	}
	j := one(t, &compactTable{compactor: l, All: true}, aJob())
	if r := compactionResult(t, j); j.Status != kalam.JobCompleted || r.Scopes != 3 || r.SegmentsBefore != 9 ||
		r.FailedUsers != 0 {
		t.Errorf("job is %s: %+v", j.Status, r)
	}
	last := aJob()
	last.MaxRetries = -1
	l = &lakeFake{segments: map[kalam.UserID]int{"ann": 3, "": 4},
		fail: func(_ context.Context, user kalam.UserID) error {
			if user == "" {
				return errors.New("no space")
			}
			return nil
		}}
	j = one(t, &compactTable{compactor: l, All: true}, last)
	if j.Status != kalam.JobFailed || j.Error != "compaction of 1 of 2 users failed: shared: no space" ||
		!strings.HasPrefix(j.Message, "Compaction completed in part for table app.t: 3 segments") {
		t.Errorf("job is %s: %s; %s", j.Status, j.Error, j.Message)
	}
	l.fail = func(context.Context, kalam.UserID) error { return kalam.Errorf(kalam.CodeTableNotFound, "gone") }
	if j = one(t, &compactTable{compactor: l, All: true}, aJob()); j.Status != kalam.JobSkipped ||
		j.Message != "Table app.t was dropped" {
		t.Errorf("of a dropped table: %s, %s", j.Status, j.Message)
	}
}

// TestRetriedCompactionCountsUsersOnce has a user whose segments are merged in part by
// each try of a job, and one who gets new segments between two tries. Case D8.
func TestRetriedCompactionCountsUsersOnce(t *testing.T) {
	steps := map[kalam.UserID][]compactedScope{
		"ann": {{SegmentsBefore: 20, SegmentsAfter: 12, Merged: 9, Written: 1},
			{SegmentsBefore: 12, SegmentsAfter: 5, Merged: 8, Written: 1},
			{SegmentsBefore: 5, SegmentsAfter: 1, Merged: 5, Written: 1}},
		"bob": {{SegmentsBefore: 3, SegmentsAfter: 1, Merged: 3, Written: 1},
			{SegmentsBefore: 2, SegmentsAfter: 1, Merged: 2, Written: 1}, {SegmentsBefore: 1, SegmentsAfter: 1}},
	}
	c := &steppedCompactor{steps: steps, fails: map[kalam.UserID]int{"ann": 2}}
	j := one(t, &compactTable{compactor: c, All: true}, aJob())
	want := CompactResult{Scopes: 2, SegmentsBefore: 23, SegmentsAfter: 2, SegmentsMerged: 27, Files: 5}
	if diff := cmp.Diff(want, compactionResult(t, j)); diff != "" || j.Status != kalam.JobCompleted || j.Retries != 2 {
		t.Errorf("job is %s after %d retries: %s (-want +got):\n%s", j.Status, j.Retries, j.Message, diff)
	}
}

// steppedCompactor is a compactor that does one step per user and try, and fails after
// the first few of some users.
type steppedCompactor struct {
	steps map[kalam.UserID][]compactedScope
	fails map[kalam.UserID]int
}

func (c *steppedCompactor) CompactableScopes(context.Context, kalam.TableNumber, bool) ([]kalam.UserID, error) {
	return slices.Sorted(maps.Keys(c.steps)), nil
}

func (c *steppedCompactor) CompactScope(_ context.Context, _ kalam.TableNumber, user kalam.UserID,
	_ bool) (compactedScope, error) {
	done := c.steps[user][0]
	c.steps[user] = c.steps[user][1:]
	if c.fails[user]--; c.fails[user] >= 0 {
		return done, errors.New("no space")
	}
	return done, nil
}

// TestCompactTableIsCancelled ends a job between two users.
func TestCompactTableIsCancelled(t *testing.T) {
	l := &lakeFake{segments: map[kalam.UserID]int{}}
	for i := range 50 {
		l.segments[kalam.UserID(fmt.Sprintf("u%02d", i))] = 2
	}
	begun := make(chan struct{})
	l.fail = func(ctx context.Context, user kalam.UserID) error {
		if user == "u03" {
			close(begun)
			<-ctx.Done()
		}
		return nil
	}
	runner, stop := run(t, newRecords(t), jobs.Options{Types: jobstest.Only(&compactTable{compactor: l, All: true})})
	defer stop()
	id := jobstest.Submit(t, runner, aJob()).ID
	<-begun
	if err := runner.Cancel(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	got := jobstest.Wait(t, runner, id)
	if r := compactionResult(t, got); got.Status != kalam.JobCancelled || r.Scopes != 4 || len(l.looked) != 4 {
		t.Errorf("job is %s after %d users: %+v", got.Status, len(l.looked), r)
	}
}
