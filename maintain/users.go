package maintain

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/jobs"
)

// What the jobs over the users of a table share.

// maxListed bounds the lists in a job's result, so that the record of a flush of
// 100,000 users stays small.
const maxListed = 1000

// earlierResult reads into result what an earlier try of the job has set, if one
// has.
func earlierResult(job *kalam.Job, result any) error {
	if job.Result == "" {
		return nil
	}
	if err := json.Unmarshal([]byte(job.Result), result); err != nil {
		return jobs.Permanent(fmt.Errorf("result of job %s: %w", job.ID, err))
	}
	return nil
}

// tableRun is one run of a task that goes through the users of the job's table.
type tableRun struct {
	handle *jobs.Handle
	job    kalam.Job
	table  kalam.TableID
}

// begin reads into result what earlier tries of the job did.
func (r *tableRun) begin(h *jobs.Handle, result any) error {
	r.handle, r.job = h, h.Job()
	r.table = kalam.TableID{Namespace: r.job.Namespace, Name: r.job.Table}
	return earlierResult(&r.job, result)
}

// setResult sets the result and the message of the job.
func (r *tableRun) setResult(result any, message string) error {
	text, err := json.Marshal(result)
	if err != nil {
		return fmt.Errorf("encode the result of job %s: %w", r.job.ID, err)
	}
	r.handle.SetResult(string(text), message)
	return nil
}

// unlessDropped returns err, or the end of the job if err says that its table was
// dropped.
func unlessDropped(table kalam.TableID, err error) error {
	if kalam.CodeOf(err) == kalam.CodeTableNotFound {
		return jobs.Skip(fmt.Sprintf("Table %s was dropped", table))
	}
	return err
}

// noteFailure adds the error of a user to errs, as long as they are few.
func noteFailure(errs map[string]string, user kalam.UserID, err error) map[string]string {
	if errs == nil {
		errs = make(map[string]string)
	}
	if len(errs) < maxListed {
		errs[resultName(user)] = err.Error()
	}
	return errs
}

// resultName returns what a user is called in the result of a job.
func resultName(user kalam.UserID) string {
	if user == "" {
		return "shared"
	}
	return string(user)
}

// failureOf returns the error of a job over users of which some failed, nil when
// none did.
func failureOf(what string, errs map[string]string, failed, total int) error {
	const most = 5
	if failed == 0 {
		return nil
	}
	var texts []string
	for _, name := range slices.Sorted(maps.Keys(errs)) {
		if len(texts) == most {
			texts = append(texts, "...")
			break
		}
		texts = append(texts, name+": "+errs[name])
	}
	return fmt.Errorf("%s of %d of %d users failed: %s", what, failed, total, strings.Join(texts, "; "))
}
