package lake

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"path"

	"github.com/kalamlake/kalam/lake/integrity"
	"github.com/kalamlake/kalam/lake/layout"
)

// ManifestState is what CheckManifest finds.
type ManifestState uint8

// The states of a manifest.json.
const (
	ManifestSame    ManifestState = iota // It says what the record does, byte for byte.
	ManifestMissing                      // A server writes it at its next start.
	ManifestStale                        // It is one of before, as a crash leaves it; likewise.
	ManifestNewer                        // The record is older than the files, or was read before the last commit.
	ManifestWrong                        // Neither.
)

// CheckManifest compares manifest.json with what WriteManifest would write. It returns its path; with ManifestWrong
// the error, CodeCorrupt, names the file and says why.
func (l *Lake) CheckManifest(ctx context.Context, of ScopeManifest) (p string, _ ManifestState, err error) {
	t, m := of.Table, of.Manifest
	at, folder, err := l.folder(of.Storage, t, of.User)
	if err != nil {
		return "", ManifestWrong, err
	}
	want, err := l.manifestContent(at, folder, t, of.User, m)
	if err != nil {
		return "", ManifestWrong, err
	}
	p = path.Join(folder, layout.ManifestName)
	have, err := readObject(ctx, at.Storage, p)
	switch {
	case errors.Is(err, ErrNotExist):
		return p, ManifestMissing, nil
	case err != nil:
		return p, ManifestWrong, err
	case bytes.Equal(have, want):
		return p, ManifestSame, nil
	}
	var f ManifestJSON
	d := json.NewDecoder(bytes.NewReader(have))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return p, ManifestWrong, integrity.Corrupt(p, "%w", err)
	}
	user := ""
	if f.UserID != nil {
		user = *f.UserID
	}
	switch {
	case f.TableID != t.FolderID().String() || user != string(of.User):
		return p, ManifestWrong, integrity.Corrupt(p, "it is that of table %s, user '%s'", f.TableID, user)
	case f.Version > m.Version:
		return p, ManifestNewer, nil
	case f.Version < m.Version && f.UpdatedAt <= millis(m.UpdatedAt) && isWritten(have, &f):
		return p, ManifestStale, nil
	}
	return p, ManifestWrong, integrity.Corrupt(p, "it does not say what the record does")
}

// isWritten reports whether content is what writing f gives.
func isWritten(content []byte, f *ManifestJSON) bool {
	again, err := json.Marshal(f)
	return err == nil && bytes.Equal(content, again)
}
