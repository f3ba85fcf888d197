package purge

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/catalog"
	"github.com/kalamlake/kalam/jobs"
	"github.com/kalamlake/kalam/lake"
	"github.com/kalamlake/kalam/maintain/pair"
)

// Kind is the kind of the removal of a user.
const Kind kalam.JobKind = "UC"

// retries lets a purge outwait readers, and storages that do not answer: the pauses between tries
// grow to 30 s.
const retries = 1000

// schedule is how often users are looked for whose grace period is over.
const schedule = "@hourly"

// priority lets flushes and what somebody waits for start before.
const priority = -5

// Options are what New needs. All but Forget, Exports and Logger must be set.
type Options struct {
	Catalog *catalog.Catalog
	Lake    *lake.Lake
	Store   *buffer.Store
	Pair    *pair.Pair
	Grace   time.Duration   // After DROP USER, in which the user can be restored.
	Writers []kalam.JobKind // Jobs that write files of users.
	// Forget has the server drop what it keeps in memory of a user, and ends live queries; nil is nothing.
	Forget func(kalam.UserID)
	// Exports removes the exports of a user's data and returns how many there were; nil: there are none.
	Exports func(context.Context, kalam.UserID) (int, error)
	Logger  *slog.Logger // nil discards.
	Now     func() time.Time
}

// Purger removes users. It is safe for concurrent use.
type Purger struct {
	Options

	mu sync.Mutex // guards what follows
	// awaited are, by user, the jobs that ran when the user was barred: they may be writing files.
	awaited map[kalam.UserID]map[kalam.JobID]struct{}
}

// New returns a Purger that does nothing before Bar.
func New(o Options) *Purger {
	o.Logger, o.Now = pair.Defaults(o.Logger, o.Now)
	return &Purger{Options: o, awaited: map[kalam.UserID]map[kalam.JobID]struct{}{}}
}

// Report is the result of a purge job, summed over its tries.
type Report struct {
	User     kalam.UserID `json:"user_id"`
	LastSeq  kalam.Seq    `json:"last_seq"`      // Nothing up to it is left of the user.
	Tables   int          `json:"tables"`        // In which the user had rows, or counters, in the write buffer or in files.
	Keys     int          `json:"keys_removed"`  // Of the write buffer: blocks of rows, manifests, counters.
	Files    int          `json:"files_removed"` // Segments, key index files, manifest.json, trash.
	Bytes    int64        `json:"bytes_removed"` // Of files.
	Exports  int          `json:"exports_removed"`
	Storages []string     `json:"storages"` // That were searched, and hold nothing of the user now.
	Damaged  int          `json:"damaged_manifests,omitempty"`
	Removed  bool         `json:"removed"` // All is, the record of the user included.
}

// parameters are those of a purge job, as JSON in its record.
type parameters struct {
	User kalam.UserID `json:"user_id"`
}

// Job returns the job that removes a user.
func Job(user kalam.UserID) (kalam.Job, error) {
	text, err := json.Marshal(parameters{User: user})
	if err != nil {
		return kalam.Job{}, fmt.Errorf("encode the parameters of a purge: %w", err)
	}
	return kalam.Job{Kind: Kind, Key: "purge-" + string(user), Parameters: string(text), Priority: priority}, nil
}

// UserOf returns whom a purge job removes.
func UserOf(j *kalam.Job) (kalam.UserID, error) {
	var p parameters
	if err := json.Unmarshal([]byte(j.Parameters), &p); err != nil || p.User == "" {
		return "", fmt.Errorf("the parameters of job %s cannot be read: %q", j.ID, j.Parameters)
	}
	return p.User, nil
}

// JobType is the removal of a user. submit is how jobs are submitted.
func (p *Purger) JobType(submit func(context.Context, kalam.Job) error) jobs.Type {
	due := func(ctx context.Context) error { return p.submitDue(ctx, submit) }
	return jobs.Type{
		Kind: Kind, Name: "user_cleanup", MaxRetries: retries, Recover: due,
		Task: func(kalam.Job) jobs.Task { return jobs.TaskFunc(p.run) },
		Key: func(j kalam.Job) string {
			user, err := UserOf(&j)
			if err != nil {
				return ""
			}
			return "purge-" + string(user)
		},
		Schedule: schedule,
		Due: func(ctx context.Context) {
			if err := due(ctx); err != nil && kalam.CodeOf(err) != kalam.CodeShuttingDown {
				p.Logger.Error("the removal of dropped users was not submitted", "error", err)
			}
		},
	}
}

// submitDue submits the removal of the users whose grace period is over, and of those whose removal
// has begun.
func (p *Purger) submitDue(ctx context.Context, submit func(context.Context, kalam.Job) error) error {
	due := append(p.Catalog.PurgingUsers(), p.Catalog.ExpiredUsers(p.Now().Add(-p.Grace))...)
	for i := range due {
		j, err := Job(due[i].ID)
		if err == nil {
			err = submit(ctx, j)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Bar ends the use of the scopes of all users whose purge has begun. It is called before anything
// reads files of theirs: some may be gone.
func (p *Purger) Bar(ctx context.Context) error {
	for _, u := range p.Catalog.PurgingUsers() {
		if err := p.bar(ctx, u.ID); err != nil {
			return err
		}
	}
	return nil
}

// bar ends the use of the scopes of a user, and notes who may be writing files of them.
func (p *Purger) bar(ctx context.Context, user kalam.UserID) error {
	if err := p.Store.BarUser(ctx, user); err != nil {
		return fmt.Errorf("end the use of the rows of user '%s': %w", user, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, known := p.awaited[user]; known {
		return nil // Jobs that began since then know that the user is barred.
	}
	p.awaited[user] = p.writing()
	return nil
}

// writing returns the jobs that write files at the moment.
func (p *Purger) writing() map[kalam.JobID]struct{} {
	ids := map[kalam.JobID]struct{}{}
	for _, j := range p.Catalog.ActiveJobs() {
		for _, kind := range p.Writers {
			if j.Kind == kind && j.Status == kalam.JobRunning {
				ids[j.ID] = struct{}{}
			}
		}
	}
	return ids
}

// busy says who still uses the scopes of a barred user, "" for nobody.
func (p *Purger) busy(user kalam.UserID) string {
	if n := p.Store.InUse(user); n > 0 {
		return fmt.Sprintf("%d table(s) of the user are still read or written", n)
	}
	now := p.writing()
	p.mu.Lock()
	defer p.mu.Unlock()
	for id := range p.awaited[user] {
		if _, runs := now[id]; runs {
			return fmt.Sprintf("job %s, which may write files of the user, still runs", id)
		}
		delete(p.awaited[user], id)
	}
	return ""
}

// admit ends bar.
func (p *Purger) admit(user kalam.UserID) {
	p.mu.Lock()
	delete(p.awaited, user)
	p.mu.Unlock()
	p.Store.AdmitUser(user)
}
