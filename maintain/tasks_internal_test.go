package maintain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/jobs"
	"github.com/kalamlake/kalam/jobs/jobstest"
)

// one runs one job with a task to its end and returns its record.
func one(t *testing.T, task jobs.Task, j kalam.Job) kalam.Job {
	t.Helper()
	runner, stop := run(t, newRecords(t), jobs.Options{Types: jobstest.Only(task)})
	defer stop()
	return jobstest.Wait(t, runner, jobstest.Submit(t, runner, j).ID)
}

// table is a flusher over scopes with a number of rows each.
type table struct {
	mu      sync.Mutex // guards the fields below
	rows    map[kalam.UserID]int64
	flushed []kalam.UserID
	at, max int // Users at a time.
	batch   int // Users of a batch; 0 is 1.
	// before is called before a scope is flushed; its error is the scope's.
	before  func(ctx context.Context, user kalam.UserID) error
	listErr error
}

func (b *table) DirtyScopes(kalam.TableNumber) ([][]kalam.UserID, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	users := slices.Sorted(maps.Keys(b.rows))
	return slices.Collect(slices.Chunk(users, max(b.batch, 1))), b.listErr
}

func (b *table) FlushScopes(ctx context.Context, n kalam.TableNumber, users []kalam.UserID) []flushedScope {
	done := make([]flushedScope, len(users))
	for i, user := range users {
		flushed, err := b.flush(ctx, user)
		done[i] = flushed
		done[i].Err = err
	}
	return done
}

func (b *table) flush(ctx context.Context, user kalam.UserID) (flushedScope, error) {
	b.mu.Lock()
	b.at++
	b.max = max(b.max, b.at)
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.at--
	}()
	if b.before != nil {
		if err := b.before(ctx, user); err != nil {
			return flushedScope{}, err
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	rows := b.rows[user]
	delete(b.rows, user)
	b.flushed = append(b.flushed, user)
	if rows == 0 {
		return flushedScope{}, nil
	}
	file := fmt.Sprintf("users/%s/app/t/1.parquet", user)
	return flushedScope{Rows: rows, Tombstones: 1, File: file, Bytes: 10 * rows, Location: "/lake/" + file}, nil
}

func aJob() kalam.Job { return kalam.Job{Namespace: "app", Table: "t", Number: 7} }

func flushResult(t *testing.T, j kalam.Job) (r FlushResult) {
	t.Helper()
	if err := json.Unmarshal([]byte(j.Result), &r); err != nil {
		t.Fatalf("result %q: %v", j.Result, err)
	}
	return r
}

func TestFlush(t *testing.T) {
	b := &table{rows: map[kalam.UserID]int64{"bob": 5, "ann": 2, "cid": 0}}
	j := one(t, &flushTable{flusher: b}, aJob())
	want := FlushResult{
		RecordsFlushed: 7, Tombstones: 2, Files: 2, Bytes: 70, StorageLocation: "/lake/users/",
		StorageLocations: []string{"/lake/users/ann/app/t/1.parquet", "/lake/users/bob/app/t/1.parquet"},
	}
	if d := cmp.Diff(want, flushResult(t, j)); d != "" {
		t.Errorf("result (-want +got):\n%s", d)
	}
	if j.Status != kalam.JobCompleted || j.Message != "Flushed app.t successfully (7 rows, 2 files) to /lake/users/" ||
		j.Progress != "3 of 3 users flushed" {
		t.Errorf("job %+v", j)
	}
	if d := cmp.Diff([]kalam.UserID{"ann", "bob", "cid"}, b.flushed); d != "" {
		t.Errorf("order (-want +got):\n%s", d)
	}
}

func TestFlushNothing(t *testing.T) {
	j := one(t, &flushTable{flusher: &table{}}, aJob())
	if j.Status != kalam.JobCompleted || j.Message != "Flushed app.t successfully (0 rows, 0 files)" ||
		!strings.Contains(j.Result, `"storage_locations":[]`) {
		t.Errorf("job %+v", j)
	}
	shared := &table{rows: map[kalam.UserID]int64{"": 3}}
	if r := flushResult(t, one(t, &flushTable{flusher: shared},
		aJob())); r.StorageLocation != "/lake/users//app/t/1.parquet" {
		t.Errorf("location of the one file: %s", r.StorageLocation)
	}
}

// TestFlushPartly lets users fail, some of them for ever: the others are flushed,
// and the result is the sum of all tries.
func TestFlushPartly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := map[kalam.UserID]int{}
		b := &table{rows: map[kalam.UserID]int64{"ann": 1, "bad": 2, "cid": 4, "late": 8}}
		b.before = func(_ context.Context, u kalam.UserID) error {
			tries[u]++
			if u == "bad" || u == "late" && tries[u] < 3 {
				return errors.New("disk full")
			}
			return nil
		}
		j := one(t, &flushTable{flusher: b}, aJob())
		if j.Status != kalam.JobFailed || j.Retries != 3 || j.Error != "flush of 1 of 1 users failed: bad: disk full" {
			t.Errorf("job %+v", j)
		}
		r := flushResult(t, j)
		if r.RecordsFlushed != 1+4+8 || r.Files != 3 || r.FailedUsers != 1 || r.Errors["bad"] != "disk full" ||
			len(r.Errors) != 1 {
			t.Errorf("result %+v", r)
		}
		if j.Message != "Flushed app.t in part (13 rows, 3 files) to /lake/users/; flush of 1 of 1 users "+
			"failed: bad: disk full" {
			t.Errorf("message %s", j.Message)
		}
		if tries["ann"] != 1 || tries["cid"] != 1 || tries["bad"] != 4 {
			t.Errorf("tries %v", tries)
		}
		if b.rows["bad"] != 2 || len(b.rows) != 1 {
			t.Errorf("left in the buffer: %v", b.rows)
		}
	})
}

// TestFlushManyFailures checks that result and error stay small.
func TestFlushManyFailures(t *testing.T) {
	b := &table{rows: map[kalam.UserID]int64{"": 1},
		before: func(context.Context, kalam.UserID) error { return errors.New("disk full") }}
	for i := range 3000 {
		b.rows[kalam.UserID(fmt.Sprintf("u%04d", i))] = 1
	}
	job := aJob()
	job.MaxRetries = -1
	j := one(t, &flushTable{flusher: b}, job)
	r := flushResult(t, j)
	if r.FailedUsers != 3001 || len(r.Errors) != 1000 || r.Errors["shared"] == "" {
		t.Errorf("%d failed, %d listed", r.FailedUsers, len(r.Errors))
	}
	if len(j.Error) > 500 || !strings.Contains(j.Error, "...") ||
		!strings.HasPrefix(j.Error, "flush of 3001 of 3001 users failed: ") {
		t.Errorf("error %s", j.Error)
	}
	good := &table{rows: map[kalam.UserID]int64{}}
	for i := range 3000 {
		good.rows[kalam.UserID(fmt.Sprintf("u%04d", i))] = 1
	}
	r = flushResult(t, one(t, &flushTable{flusher: good, Parallel: 4}, aJob()))
	if r.Files != 3000 || len(r.StorageLocations) != 1000 {
		t.Errorf("%d files, %d listed", r.Files, len(r.StorageLocations))
	}
}

// TestFlushInBatches has users of one batch fail: the others count as flushed.
func TestFlushInBatches(t *testing.T) {
	b := &table{rows: map[kalam.UserID]int64{"ann": 1, "bob": 2, "cid": 4, "dan": 8, "eve": 16}, batch: 3,
		before: func(_ context.Context, u kalam.UserID) error {
			if u == "bob" || u == "eve" {
				return errors.New("disk full")
			}
			return nil
		}}
	job := aJob()
	job.MaxRetries = -1
	j := one(t, &flushTable{flusher: b, Parallel: 2}, job)
	if r := flushResult(t, j); r.RecordsFlushed != 1+4+8 || r.Files != 3 || r.FailedUsers != 2 {
		t.Errorf("result %+v", r)
	}
	if want := "Flushed app.t in part (13 rows, 3 files) to /lake/users/; flush of 2 of 5 users failed: bob: " +
		"disk full; eve: disk full"; j.Message != want || j.Progress != "3 of 5 users flushed, 2 failed" {
		t.Errorf("message %q, progress %q", j.Message, j.Progress)
	}
	b.rows = map[kalam.UserID]int64{"bob": 2}
	if j = one(t, &flushTable{flusher: b},
		job); j.Message != "Flush of app.t failed; its rows stay in the write buffer; flush of 1 of 1 users "+
		"failed: bob: disk full" {
		t.Errorf("message %q", j.Message)
	}
}

func TestFlushParallel(t *testing.T) {
	for _, parallel := range []int{0, 1, 3} {
		b := &table{rows: map[kalam.UserID]int64{}}
		b.before = func(context.Context, kalam.UserID) error { return nil }
		for i := range 50 {
			b.rows[kalam.UserID(fmt.Sprint("u", i))] = 1
		}
		if r := flushResult(t, one(t, &flushTable{flusher: b, Parallel: parallel}, aJob())); r.RecordsFlushed != 50 {
			t.Errorf("%d rows flushed", r.RecordsFlushed)
		}
		if b.max > max(parallel, 1) {
			t.Errorf("%d users at a time, allowed %d", b.max, parallel)
		}
	}
}

// TestFlushOfADroppedTable checks that the job is skipped, and that others keep
// what they did.
func TestFlushOfADroppedTable(t *testing.T) {
	gone := kalam.Errorf(kalam.CodeTableNotFound, "gone")
	b := &table{rows: map[kalam.UserID]int64{"ann": 1, "bob": 1},
		before: func(_ context.Context, u kalam.UserID) error {
			if u == "bob" {
				return fmt.Errorf("flush: %w", gone)
			}
			return nil
		}}
	j := one(t, &flushTable{flusher: b}, aJob())
	if j.Status != kalam.JobSkipped || j.Message != "Table app.t was dropped" || flushResult(t, j).RecordsFlushed != 1 {
		t.Errorf("job %+v", j)
	}
	if j := one(t, &flushTable{flusher: &table{listErr: gone}}, aJob()); j.Status != kalam.JobSkipped {
		t.Errorf("job %+v", j)
	}
}

func TestFlushCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &table{rows: map[kalam.UserID]int64{"ann": 1, "bob": 2, "cid": 4}}
		b.before = func(ctx context.Context, u kalam.UserID) error {
			if u != "bob" {
				return nil
			}
			<-ctx.Done()
			return fmt.Errorf("copy: %w", ctx.Err())
		}
		runner, stop := run(t, newRecords(t), jobs.Options{Types: jobstest.Only(&flushTable{flusher: b})})
		defer stop()
		j := jobstest.Submit(t, runner, aJob())
		synctest.Wait()
		if err := runner.Cancel(t.Context(), j.ID); err != nil {
			t.Fatal(err)
		}
		got := jobstest.Wait(t, runner, j.ID)
		if r := flushResult(t, got); got.Status != kalam.JobCancelled || r.RecordsFlushed != 1 || r.Files != 1 ||
			!strings.Contains(got.Message, "in part") {
			t.Errorf("job %+v", got)
		}
		if b.rows["bob"] != 2 || b.rows["cid"] != 4 {
			t.Errorf("left in the buffer: %v", b.rows)
		}
	})
}

func TestFlushWithABrokenResult(t *testing.T) {
	rec := newRecords(t, kalam.Job{ID: "FL-1", Kind: KindFlush, Status: kalam.JobRunning, Result: "no JSON",
		MaxRetries: 3})
	runner, stop := run(t, rec, jobs.Options{Types: jobstest.Only(&flushTable{flusher: &table{}})})
	defer stop()
	if j := jobstest.Wait(t, runner, "FL-1"); j.Status != kalam.JobFailed || !strings.Contains(j.Error, "FL-1") {
		t.Errorf("job %+v", j)
	}
}

// remover is a tableRemover that notes its calls.
type remover struct {
	calls []string
	fail  map[string]error // By call.
}

func (r *remover) call(name string) error {
	r.calls = append(r.calls, name)
	return r.fail[name]
}

func (r *remover) Segments(_ context.Context, n kalam.TableNumber) ([]kalam.Segment, error) {
	return []kalam.Segment{{Path: "a", Bytes: 10}, {Path: "b", Bytes: 20}}, r.call(fmt.Sprint("segments ", n))
}

func (r *remover) RemoveSegment(_ context.Context, s kalam.Segment) error {
	return r.call("remove " + s.Path)
}

func (r *remover) RemoveRows(_ context.Context, n kalam.TableNumber) error {
	return r.call(fmt.Sprint("rows ", n))
}

func (r *remover) ForgetDropped(_ context.Context, n kalam.TableNumber) error {
	return r.call(fmt.Sprint("forget ", n))
}

func TestCleanup(t *testing.T) {
	busy, boom := kalam.Errorf(kalam.CodeConflict, "a query reads it"), errors.New("boom")
	tests := []struct {
		name   string
		fail   map[string]error
		status kalam.JobStatus
		calls  string
		result string
		err    string
	}{
		{"all", nil, kalam.JobCompleted, "segments 7, remove a, remove b, rows 7, forget 7",
			`{"files_removed":2,"bytes_removed":30}`, ""},
		{"file in use", map[string]error{"remove a": busy}, kalam.JobFailed, "segments 7, remove a, remove b",
			`{"files_removed":1,"files_in_use":1,"bytes_removed":20}`, "1 file(s) are still read by queries"},
		{"list fails", map[string]error{"segments 7": boom}, kalam.JobFailed, "segments 7", "",
			"list files of dropped table: boom"},
		{"file fails", map[string]error{"remove a": boom}, kalam.JobFailed, "segments 7, remove a", "",
			"remove file a: boom"},
		{"rows fail", map[string]error{"rows 7": boom}, kalam.JobFailed, "segments 7, remove a, remove b, rows 7",
			`{"files_removed":2,"bytes_removed":30}`, "remove rows of dropped table: boom"},
		{"note stays", map[string]error{"forget 7": boom}, kalam.JobFailed,
			"segments 7, remove a, remove b, rows 7, forget 7",
			`{"files_removed":2,"bytes_removed":30}`, "forget dropped table: boom"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := &remover{fail: tt.fail}
			job := aJob()
			job.MaxRetries = -1
			j := one(t, &cleanupTable{remover: r}, job)
			if j.Status != tt.status || j.Result != tt.result || j.Error != tt.err {
				t.Errorf("job %+v", j)
			}
			if got := strings.Join(r.calls, ", "); got != tt.calls {
				t.Errorf("calls %s, want %s", got, tt.calls)
			}
		})
	}
}

// evictor is a streamEvictor of three tables.
type evictor struct {
	before map[kalam.TableNumber]time.Time
	fail   kalam.TableNumber
}

func (e *evictor) StreamTables() (list []*kalam.Table) {
	for n := kalam.TableNumber(1); n <= 3; n++ {
		list = append(list, &kalam.Table{
			ID: kalam.TableID{Namespace: "app", Name: kalam.TableName(fmt.Sprint("s", n))}, Number: n,
			Options: kalam.TableOptions{TTL: time.Duration(n-1) * time.Hour},
		})
	}
	return list
}

func (e *evictor) EvictBefore(_ context.Context, t *kalam.Table, before time.Time) (int64, error) {
	if t.Number == e.fail {
		return 0, errors.New("boom")
	}
	e.before[t.Number] = before
	return 10 * int64(t.Number), nil
}

func TestEvictStreams(t *testing.T) {
	now := time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC)
	tests := []struct {
		name   string
		number kalam.TableNumber
		fail   kalam.TableNumber
		want   map[kalam.TableNumber]time.Time
		status kalam.JobStatus
		result string
		err    string
	}{
		{"all", 0, 0, map[kalam.TableNumber]time.Time{2: now.Add(-time.Hour), 3: now.Add(-2 * time.Hour)},
			kalam.JobCompleted, `{"rows_evicted":50,"tables":2}`, ""},
		{"one", 3, 0, map[kalam.TableNumber]time.Time{3: now.Add(-2 * time.Hour)}, kalam.JobCompleted,
			`{"rows_evicted":30,"tables":1}`, ""},
		{"one fails", 0, 2, map[kalam.TableNumber]time.Time{3: now.Add(-2 * time.Hour)}, kalam.JobFailed,
			`{"rows_evicted":30,"tables":1}`, "evict rows of app.s2: boom"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := &evictor{before: map[kalam.TableNumber]time.Time{}, fail: tt.fail}
			j := one(t, &evictStreams{evictor: e, Now: func() time.Time { return now }},
				kalam.Job{Number: tt.number, MaxRetries: -1})
			if d := cmp.Diff(tt.want, e.before); d != "" {
				t.Errorf("evicted (-want +got):\n%s", d)
			}
			if j.Status != tt.status || j.Result != tt.result || j.Error != tt.err {
				t.Errorf("job %+v", j)
			}
		})
	}
}

// history is a jobHistory.
type history struct {
	before time.Time
	err    error
}

func (h *history) DeleteJobsBefore(_ context.Context, before time.Time) (int, error) {
	h.before = before
	return 4, h.err
}

func TestDeleteHistory(t *testing.T) {
	now := time.Date(2025, 6, 1, 0, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	h := &history{}
	j := one(t, &deleteHistory{history: h, Retention: 30 * 24 * time.Hour, Now: clock}, kalam.Job{})
	if !h.before.Equal(now.AddDate(0, 0, -30)) || j.Status != kalam.JobCompleted ||
		j.Result != `{"records_deleted":4}` {
		t.Errorf("before %s, job %+v", h.before, j)
	}
	h.err = errors.New("boom")
	j = one(t, &deleteHistory{history: h, Retention: time.Hour, Now: clock}, kalam.Job{MaxRetries: -1})
	if j.Status != kalam.JobFailed || j.Result != `{"records_deleted":4}` || j.Error != "delete job records: boom" {
		t.Errorf("job %+v", j)
	}
	h = &history{}
	if j = one(t, &deleteHistory{history: h}, kalam.Job{}); j.Status != kalam.JobFailed || !h.before.IsZero() {
		t.Errorf("no retention: %+v", j)
	}
}
