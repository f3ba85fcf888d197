package repair

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/lake"
	"github.com/kalamlake/kalam/lake/layout"
	"github.com/kalamlake/kalam/maintain/backup"
	"github.com/kalamlake/kalam/maintain/inspect"
	"github.com/kalamlake/kalam/maintain/verify"
)

// Options are what Run needs beside the configuration.
type Options struct {
	Consent bool                // Without it nothing is changed.
	From    *backup.Destination // Has the files of segments that are damaged; nil: they stay as they are.
	Logger  *slog.Logger        // nil discards.
	Done    func(line string)   // Is told, in words, what was done, or would be; nil tells nobody.
}

// Report is what Run did.
type Report struct {
	Before verify.Result // What was wrong.
	After  verify.Result // What is, where there was consent.
	Done   int           // What was done, or would be.
	Failed []error       // What could not be done.
}

// Run looks at a lake, and mends it if there is consent:
//
//   - a key index file that is missing or damaged is made anew, if its Parquet file is whole;
//   - a damaged or missing file of a segment is taken from a backup, if one has it;
//   - a manifest.json that does not say what the record does is written anew;
//   - a file that no manifest names goes to the trash.
//
// An error means that not all could be looked at.
func Run(ctx context.Context, cfg inspect.Config, o Options) (r Report, err error) {
	if o.Done == nil {
		o.Done = func(string) {}
	}
	l, err := inspect.Open(ctx, cfg, o.Logger)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	if r.Before, err = verify.CheckOpened(ctx, l, verify.Options{Logger: o.Logger}); err != nil {
		return r, err
	}
	p := &repairer{Lake: l, o: o, report: &r, at: time.Now()}
	if err := p.repair(ctx); err != nil || !o.Consent {
		return r, err
	}
	r.After, err = verify.CheckOpened(ctx, l, verify.Options{Logger: o.Logger})
	return r, err
}

// repairer is the work of Run.
type repairer struct {
	*inspect.Lake
	o      Options
	report *Report
	at     time.Time
}

// repair mends one finding after the other, files of segments before what is made of them.
func (p *repairer) repair(ctx context.Context) error {
	whole := true // The record.
	for i := range p.report.Before.Findings {
		whole = whole && p.report.Before.Findings[i].Kind != verify.KindRecord
	}
	for i := range p.report.Before.Findings {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		f := &p.report.Before.Findings[i]
		switch f.Kind {
		case verify.KindSegment, verify.KindKeys:
			p.segment(ctx, f)
		case verify.KindManifest, verify.KindStale:
			p.manifest(ctx, f)
		case verify.KindOrphan:
			if whole && !p.Pair.Restored() {
				p.orphan(ctx, f)
			}
		case verify.KindRecord, verify.KindLog, verify.KindUser, verify.KindStorage, verify.KindStray,
			verify.KindAudit:
			// Only a backup has what is lost of a record or the log; the others are not this program's to decide.
		}
	}
	return nil
}

// do says what is done and, with consent, does it.
func (p *repairer) do(what string, work func() error) {
	if p.o.Consent {
		if err := work(); err != nil {
			p.report.Failed = append(p.report.Failed, fmt.Errorf("%s: %w", what, err))
			return
		}
	}
	p.report.Done++
	p.o.Done(what)
}

// trash moves a file to the trash of its storage; one that is missing is no error.
func (p *repairer) trash(ctx context.Context, s lake.Storage, path string) error {
	err := s.Move(ctx, path, lake.TrashPath(p.at, path))
	if errors.Is(err, lake.ErrNotExist) {
		return nil
	}
	return err
}

// segment mends the files of a segment.
func (p *repairer) segment(ctx context.Context, f *verify.Finding) {
	seg := f.Segment()
	at, _, err := p.Lake.Lake.Storage(seg.Storage)
	if err != nil {
		return
	}
	if f.Kind == verify.KindKeys {
		keys := layout.KeyIndexPath(seg.Path)
		p.do(fmt.Sprintf("made %s anew from its Parquet file; what was there is in %s", keys, layout.TrashFolder),
			func() error {
				if err := p.trash(ctx, at, keys); err != nil {
					return err
				}
				t, ok := p.Catalog.TableByNumber(seg.Table)
				if !ok {
					return kalam.Errorf(kalam.CodeTableNotFound, "its table was dropped")
				}
				return p.Lake.Lake.Rebuild(ctx, t, seg)
			})
		return
	}
	if p.o.From == nil {
		return
	}
	found, err := p.o.From.Find(ctx, seg)
	if err != nil || found == nil {
		return
	}
	p.do(fmt.Sprintf("put %s and its key index file back from the backup %s; what was there is in %s", seg.Path,
		found.Backup,
		layout.TrashFolder), func() error {
		return p.putBack(ctx, at, seg, found)
	})
}

// putBack takes both files of a segment from a backup.
func (p *repairer) putBack(ctx context.Context, at lake.Storage, seg *kalam.Segment, found *backup.Found) error {
	var staged []lake.Staged
	abort := func(err error) error {
		for _, s := range staged {
			err = errors.Join(err, s.Abort())
		}
		return err
	}
	paths := []string{seg.Path, layout.KeyIndexPath(seg.Path)}
	for i, o := range []backup.Object{found.Parquet, found.Keys} {
		s, err := at.Create(ctx, paths[i])
		if err != nil {
			return abort(err)
		}
		staged = append(staged, s)
		if err := p.o.From.Extract(ctx, o, s.LocalPath()); err != nil { // It is whole before anything is moved.
			return abort(err)
		}
	}
	for _, path := range paths {
		if err := p.trash(ctx, at, path); err != nil {
			return abort(err)
		}
	}
	if err := at.Commit(ctx, staged...); err != nil {
		return err
	}
	p.Lake.Lake.Forget(seg)
	_, err := p.Lake.Lake.Scrub(ctx, seg, nil)
	return err
}

// manifest writes a manifest.json anew.
func (p *repairer) manifest(ctx context.Context, f *verify.Finding) {
	of := f.Manifest()
	if of == nil {
		return
	}
	at, _, err := p.Lake.Lake.Storage(of.Storage)
	if err != nil {
		return
	}
	p.do(fmt.Sprintf("wrote %s anew from the record; what was there is in %s", f.Path, layout.TrashFolder), func() error {
		if err := p.trash(ctx, at, f.Path); err != nil {
			return err
		}
		return p.Lake.Lake.WriteManifests(ctx, []lake.ScopeManifest{*of})
	})
}

// orphan moves a file that belongs to nothing to the trash.
func (p *repairer) orphan(ctx context.Context, f *verify.Finding) {
	at, _, err := p.Lake.Lake.Storage(cmp.Or(f.Storage, kalam.LocalStorage))
	if err != nil {
		return
	}
	p.do(fmt.Sprintf("moved %s to %s: no manifest names it", f.Path, layout.TrashFolder), func() error {
		return p.trash(ctx, at, f.Path)
	})
}
