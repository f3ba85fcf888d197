package badger

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	badger "github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
	"github.com/dgraph-io/badger/v4/table"
	"github.com/dgraph-io/badger/v4/y"
	"github.com/dgraph-io/ristretto/v2/z"
)

// Badger makes a table, syncs it, adds a record to MANIFEST, syncs that, and only
// then removes what the table replaces: a memtable's log or other tables. So a
// crash leaves a table that MANIFEST does not name in these cases only:
//
//   - it was not recorded yet: what it was made of is still there;
//   - a record removed it, and the crash came before its file was removed;
//   - it was being written and is not whole.
//
// Badger deletes such tables at its start. If MANIFEST lost its last record, or is
// an older copy, the same deletes rows that are nowhere else. checkUnlisted tells
// the two apart by what is in the tables.

// checkUnlisted refuses a directory with a table that the record does not list and
// that holds what is nowhere else.
func checkUnlisted(dir string, r *tableRecord, relaxed bool) error {
	names, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	lost := keySet{}
	for _, e := range names {
		id, ok := table.ParseFileID(e.Name())
		if _, listed := slices.BinarySearch(r.listed, id); !ok || listed || r.explains(id) {
			continue
		}
		name := filepath.Join(dir, e.Name())
		if err := checkTable(name); isSystemError(err) {
			return fmt.Errorf("%s: %w", e.Name(), err)
		} else if err != nil {
			continue // It was being written.
		}
		if err := eachEntry(name, func(e entry) { lost.add(e, id) }); err != nil {
			return fmt.Errorf("%s: %w", e.Name(), err)
		}
	}
	if len(lost) == 0 {
		return nil
	}
	for _, e := range names {
		if strings.HasSuffix(e.Name(), memtableSuffix) {
			if err := eachLogged(filepath.Join(dir, e.Name()), lost.found); err != nil {
				return fmt.Errorf("%s: %w", e.Name(), err)
			}
		}
	}
	for _, id := range r.listed {
		if err := eachEntry(filepath.Join(dir, table.IDToFilename(id)), lost.found); err != nil {
			return fmt.Errorf("%s: %w", table.IDToFilename(id), err)
		}
	}
	if n, id := lost.count(relaxed); n > 0 {
		return fmt.Errorf("%s: it does not name %s, which holds %d entries that are nowhere else: "+
			"its end is missing, or it is an older copy", badger.ManifestFilename, table.IDToFilename(id), n)
	}
	return nil
}

// entry is one version of a key.
type entry struct {
	key     []byte // Without version; valid during the call.
	version uint64
	deleted bool
}

// keySet are the newest versions in unlisted tables, by key.
type keySet map[string]*lostKey

type lostKey struct {
	version uint64
	deleted bool
	table   uint64
	safe    bool // The same or a newer version is elsewhere.
	older   bool // An older one is.
}

func (s keySet) add(e entry, table uint64) {
	k := s[string(e.key)]
	if k == nil {
		k = &lostKey{}
		s[string(e.key)] = k
	}
	if e.version >= k.version {
		*k = lostKey{version: e.version, deleted: e.deleted, table: table}
	}
}

// found notes a version outside of the unlisted tables.
func (s keySet) found(e entry) {
	k := s[string(e.key)]
	switch {
	case k == nil:
	case e.version >= k.version:
		k.safe = true
	default:
		k.older = true
	}
}

// count returns how many keys would read differently without the unlisted tables,
// and the table of one of them. When commits are not synced, a power cut may take
// the end of a log from which a table was made: what is newer than all that is
// safe was not promised.
func (s keySet) count(relaxed bool) (n int, table uint64) {
	var newest uint64
	for _, k := range s {
		if k.safe {
			newest = max(newest, k.version)
		}
	}
	for _, k := range s {
		if k.safe || k.deleted && !k.older || relaxed && newest > 0 && k.version > newest {
			continue
		}
		n, table = n+1, k.table
	}
	return n, table
}

// metaDelete marks a deletion in the meta byte of an entry.
const metaDelete = 1 << 0

// eachEntry calls f for every version in a table that checkTable has verified.
func eachEntry(name string, f func(entry)) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v", p)
		}
	}()
	file, err := z.OpenMmapFile(name, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	t, err := table.OpenTable(file, table.Options{Compression: options.None, ChkMode: options.NoVerification})
	if err != nil {
		return err
	}
	it := t.NewIterator(table.NOCACHE)
	for it.Rewind(); it.Valid(); it.Next() {
		key := it.Key()
		f(entry{key: y.ParseKey(key), version: y.ParseTs(key), deleted: it.Value().Meta&metaDelete != 0})
	}
	// The reference that remains is the opening's; without it the file would go.
	return errors.Join(it.Close(), t.Close(-1))
}

// eachLogged calls f for every version in the log of a memtable, up to where
// Badger would read it.
func eachLogged(name string, f func(entry)) error {
	return readMemtableLog(name, func(data []byte) error {
		if len(data) <= logHeader {
			return nil
		}
		var pending []entry // Of a transaction whose end was not met yet.
		for at := logHeader; ; {
			n, ends := logEntry(data[at:])
			if n == 0 {
				return nil
			}
			if key := logKey(data[at:]); len(key) > 8 && !ends {
				pending = append(pending,
					entry{key: y.ParseKey(key), version: y.ParseTs(key), deleted: data[at]&metaDelete != 0})
			}
			if ends {
				for _, e := range pending {
					f(e)
				}
				pending = pending[:0]
			}
			at += n
		}
	})
}

// logKey returns the key of the entry that b begins with.
func logKey(b []byte) []byte {
	at := 2
	var lengths [3]uint64
	for i := range lengths {
		v, k := binary.Uvarint(b[at:])
		lengths[i] = v
		at += k
	}
	return b[at : at+int(lengths[0])]
}

// storeFile reports whether name is that of a file that a store has once it was
// opened, unlike the files that come before MANIFEST.
func storeFile(name string) bool {
	switch name {
	case badger.ManifestFilename, badger.KeyRegistryFileName, discardName, logNote:
		return true
	}
	switch filepath.Ext(name) {
	case tableSuffix, memtableSuffix, valueLogSuffix, largeSuffix:
		return true
	}
	return false
}

// IsNew reports whether dir holds no store: it is missing, or has none of the
// files of one. Open would begin an empty one there. It changes nothing.
func IsNew(dir string) (bool, error) {
	names, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, unreadable(dir, err)
	}
	return !slices.ContainsFunc(names, func(e os.DirEntry) bool { return storeFile(e.Name()) }), nil
}

// checkNoStore refuses a directory without MANIFEST that has other files of a
// store. Badger makes MANIFEST before all of them, and would begin an empty store.
func checkNoStore(dir string) error {
	names, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var found []string
	for _, e := range names {
		if storeFile(e.Name()) {
			found = append(found, e.Name())
		}
	}
	if len(found) == 0 {
		return nil
	}
	const most = 4
	if len(found) > most {
		found = append(found[:most:most], fmt.Sprintf("%d more", len(found)-most))
	}
	return damaged(dir, fmt.Errorf("%s is missing beside %s", badger.ManifestFilename, strings.Join(found, ", ")))
}
