package iceberg

import (
	"context"
	"errors"
	"path"
	"strconv"

	"github.com/kalamlake/kalam/lake"
	"github.com/kalamlake/kalam/lake/layout"
)

// publish writes the files of the version and makes it the newest. Until the file with the number of the newest
// version is replaced, which is the last step, readers see the version of before. progress is told how many data
// files of all are done.
func (v *version) publish(ctx context.Context, progress func(done, total int)) (err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, v.abort())
		}
	}()
	for i := range v.plan.files {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		progress(i, len(v.plan.files))
		if v.plan.files[i].dead == nil {
			continue
		}
		if err := v.stageDeletes(ctx, &v.plan.files[i]); err != nil {
			return err
		}
	}
	if err := v.stageManifests(ctx); err != nil {
		return err
	}
	if err := v.plan.storage.Commit(ctx, v.staged...); err != nil {
		return err
	}
	v.staged = nil
	return v.plan.storage.Replace(ctx, layout.CatalogPath(v.plan.folder, layout.CatalogHint),
		[]byte(strconv.FormatInt(v.number, 10)))
}

// nextVersion returns a number that no file of the catalog has, whatever a crash has left.
func (p *plan) nextVersion(ctx context.Context) (number int64, err error) {
	err = p.list(ctx, func(_ string, version int64) { number = max(number, version) })
	return number + 1, err
}

// clean removes the files of versions below a number.
func (p *plan) clean(ctx context.Context, below int64) error {
	var old []string
	if err := p.list(ctx, func(path string, version int64) {
		if version < below {
			old = append(old, path)
		}
	}); err != nil {
		return err
	}
	for _, path := range old {
		if err := p.storage.Remove(ctx, path); err != nil {
			return err
		}
	}
	return nil
}

// list calls visit for every file of the catalog that has the number of a version in its name.
func (p *plan) list(ctx context.Context, visit func(path string, version int64)) error {
	return p.storage.List(ctx, p.folder, func(e lake.Entry) error {
		if version, ok := layout.CatalogVersion(path.Base(e.Path)); ok {
			visit(e.Path, version)
		}
		return ctx.Err()
	})
}

// stageManifests writes the manifests, the list of them, and the metadata file.
func (v *version) stageManifests(ctx context.Context) error {
	if len(v.plan.files) > 0 {
		list := []listed{}
		for _, m := range []struct {
			name    string
			content int32
			entries []entry
		}{
			{v.name("-data.avro"), contentData, v.dataEntries()},
			{v.name("-deletes.avro"), contentDeletes, v.deleteEntries()},
		} {
			if len(m.entries) == 0 {
				continue
			}
			l, err := v.stageManifest(ctx, m.name, m.content, m.entries)
			if err != nil {
				return err
			}
			list = append(list, l)
		}
		raw, err := encodeAvro(listSchema, map[string]string{
			"snapshot-id": strconv.FormatInt(v.snapshot, 10), "parent-snapshot-id": "null",
			"sequence-number": strconv.FormatInt(v.number, 10), "format-version": strconv.Itoa(formatVersion),
		}, list)
		if err == nil {
			err = v.stageBytes(ctx, v.listName(), raw)
		}
		if err != nil {
			return err
		}
	}
	text, err := v.metadata()
	if err != nil {
		return err
	}
	return v.stageBytes(ctx, v.metadataName(), text)
}
