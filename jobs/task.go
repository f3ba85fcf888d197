package jobs

import (
	"context"

	"github.com/kalamlake/kalam"
)

// Job returns the job as it is now. On a later try its Result is what an earlier
// one set.
func (h *Handle) Job() kalam.Job {
	h.runner.mu.Lock()
	defer h.runner.mu.Unlock()
	return h.entry.job
}

// SetProgress sets the progress text. It is stored at most once a second.
func (h *Handle) SetProgress(text string) {
	h.set(func(j *kalam.Job) { j.Progress = text })
}

// SetDone sets the progress text and how many of so many steps are done in this try; total 0 is not known. It is stored
// as the text is.
func (h *Handle) SetDone(done, total int64, text string) {
	h.set(func(j *kalam.Job) {
		j.Progress, j.Done, j.Total, j.Rate = text, done, total, 0
		if took := j.UpdatedAt.Sub(h.entry.began).Seconds(); took > 0 {
			j.Rate = float64(done) / took
		}
	})
}

// SetResult sets the result, a JSON document, and the message of the job. They
// are stored like the progress, and when the task ends.
func (h *Handle) SetResult(result, message string) {
	h.set(func(j *kalam.Job) { j.Result, j.Message = result, message })
}

// set changes the job and stores it unless that was done less than a second ago.
func (h *Handle) set(f func(*kalam.Job)) {
	r, e := h.runner, h.entry
	now := r.now()
	r.mu.Lock()
	if e.final {
		r.mu.Unlock()
		return
	}
	e.job.UpdatedAt = now
	f(&e.job)
	due := now.Sub(e.saved) >= progressInterval
	if due {
		e.saved = now
	}
	r.mu.Unlock()
	if due {
		r.saveProgress(e)
	}
}

// saveProgress stores the record of a running job, unless somebody else is
// storing it.
//
//nolint:contextcheck // What a job got done is written also when it is stopped.
func (r *Runner) saveProgress(e *entry) {
	select {
	case e.write <- struct{}{}:
	default:
		return
	}
	defer func() { <-e.write }()
	r.mu.Lock()
	job, final := e.job, e.final
	r.mu.Unlock()
	if final {
		return
	}
	if err := r.records.PutJob(context.Background(), job); err != nil {
		r.log.Warn("progress of job not stored", "job", job.ID, "error", err)
	}
}
