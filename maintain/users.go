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
