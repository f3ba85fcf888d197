package badger

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	badger "github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/table"
)

// checkFiles verifies the files of a directory that nobody has open, before
// Badger opens them. Badger would pass over damage in them: it begins an empty
// store without a MANIFEST, deletes tables that MANIFEST does not name, cuts a log
// at the first bad entry, leaves out what a table's iterator cannot read, and
// panics, in goroutines of its own, over lengths that do not fit.
func checkFiles(dir string, relaxed bool) error {
	manifest, err := os.Open(filepath.Join(dir, badger.ManifestFilename))
	if errors.Is(err, os.ErrNotExist) {
		return checkNoStore(dir)
	}
	if err != nil {
		return unreadable(dir, err)
	}
	defer manifest.Close() //nolint:errcheck // It was only read.
	record, err := readManifest(manifest)
	if err != nil {
		return badFile(dir, badger.ManifestFilename, err)
	}
	for _, id := range record.listed {
		name := table.IDToFilename(id)
		if err := checkTable(filepath.Join(dir, name)); err != nil {
			return badFile(dir, name, err)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return unreadable(dir, err)
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), memtableSuffix) {
			continue
		}
		if err := checkMemtableLog(filepath.Join(dir, e.Name()), relaxed); err != nil {
			return badFile(dir, e.Name(), err)
		}
	}
	if err := errors.Join(checkNewestLog(dir), checkRegistry(dir)); isSystemError(err) {
		return unreadable(dir, err)
	} else if err != nil {
		return damaged(dir, err)
	}
	if err := checkUnlisted(dir, record, relaxed); isSystemError(err) {
		return unreadable(dir, err)
	} else if err != nil {
		return damaged(dir, err)
	}
	return nil
}

// checkRegistry checks the file of Badger's keys: we use none, so it is always the
// same, an initialisation vector and a text.
func checkRegistry(dir string) error {
	const vector, text = 16, "Hello Badger"
	raw, err := os.ReadFile(filepath.Join(dir, badger.KeyRegistryFileName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // Badger makes it anew.
	}
	if err == nil && (len(raw) < vector+len(text) || string(raw[vector:vector+len(text)]) != text) {
		err = fmt.Errorf("%s is damaged; without it a new one is made, which loses nothing", badger.KeyRegistryFileName)
	}
	return err
}
