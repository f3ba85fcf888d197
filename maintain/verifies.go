package maintain

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/jobs"
	"github.com/kalamlake/kalam/maintain/verify"
)

// KindVerify is the kind of the comparison of all that is stored with its record.
const KindVerify kalam.JobKind = "VF"

// verifies compares the lake with its record while the server runs.
type verifies struct{ *deps }

// jobType is the verification.
func (v *verifies) jobType() jobs.Type {
	return jobs.Type{
		Kind: KindVerify, Name: "verify", Key: constantKey("verify"),
		Task: func(kalam.Job) jobs.Task { return jobs.TaskFunc(v.run) },
	}
}

// Verify submits a verification; existing says that one was active already.
func (m *Maintainer) Verify(ctx context.Context) (job kalam.Job, existing bool, err error) {
	return m.runner.Submit(ctx, kalam.Job{Kind: KindVerify, Priority: scrubPriority})
}

// run verifies the state of one moment, and fails when something is wrong with it. Until its end no file of a segment
// is removed.
func (v *verifies) run(ctx context.Context, h *jobs.Handle) error {
	release := v.lake.Hold()
	defer v.obsolete.awaken()
	defer release()
	frozen, err := v.store.Freeze(ctx)
	if err != nil {
		return fmt.Errorf("fix the state to verify: %w", err)
	}
	defer frozen.Close()
	result, err := verify.Check(ctx, verify.Source{
		Snapshot: frozen, Backend: v.pair.Backend, Catalog: v.catalog, Lake: v.lake,
	}, verify.Options{
		Logger: v.log,
		Problem: func(line string) {
			v.log.Error("the verification found something wrong", "what", line)
		},
		Progress: func(p verify.Progress) {
			h.SetDone(int64(p.Done), int64(p.Segments), fmt.Sprintf("%d of %d segment(s) checked, %d bytes; %d problem(s)", p.Done,
				p.Segments, p.Bytes, p.Problems))
		},
	})
	if err != nil && ctx.Err() != nil {
		return err
	}
	result.Findings = result.Findings[:min(len(result.Findings), maxListed)]
	text, jsonErr := json.Marshal(result)
	if jsonErr != nil {
		return jobs.Permanent(fmt.Errorf("encode result of the verification: %w", jsonErr))
	}
	h.SetResult(string(text), result.Summary())
	switch {
	case err != nil:
		return jobs.Permanent(err)
	case result.Problems > 0:
		return jobs.Permanent(kalam.Errorf(kalam.CodeCorrupt, "%d problem(s); the first: %s", result.Problems, result.First()))
	}
	return nil
}
