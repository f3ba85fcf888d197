package layout

import (
	"path"
	"strconv"
	"strings"

	"github.com/kalamlake/kalam"
)

const (
	catalogPrefix = "iceberg-"
	// catalogFiles is the folder, in that of a catalog, in which its files lie.
	catalogFiles = "metadata"
	// CatalogHint is the file that says which version of a catalog is the newest.
	CatalogHint = "version-hint.text"
)

// CatalogFolder returns where, in the folder of a scope, the catalog lies that other engines read the
// scope by: an Apache Iceberg table. It has the number of the table, so that a table that is created
// again under an old name has another one.
func CatalogFolder(folder string, n kalam.TableNumber) string {
	return path.Join(folder, catalogPrefix+strconv.FormatUint(uint64(n), 10))
}

// CatalogPath returns the path of a file of the catalog in a folder of CatalogFolder. Its name is
// CatalogHint, or begins with "v", the version, and "." or "-".
func CatalogPath(catalog, name string) string { return path.Join(catalog, catalogFiles, name) }

// CatalogOf returns the folder of the scope, and the number of the table, of whose catalog the object
// at p is a file, or a staged one; false when it is of none.
func CatalogOf(p string) (folder string, n kalam.TableNumber, ok bool) {
	if final, staged := stagedOf(p); staged {
		p = final
	}
	base, dir := path.Base(p), path.Dir(p)
	if _, ok := CatalogVersion(base); !ok && base != CatalogHint || path.Base(dir) != catalogFiles {
		return "", 0, false
	}
	dir = path.Dir(dir)
	digits, ok := strings.CutPrefix(path.Base(dir), catalogPrefix)
	if !ok {
		return "", 0, false
	}
	number, err := strconv.ParseUint(digits, 10, 64)
	folder = path.Dir(dir)
	if err != nil || folder == "." || CatalogFolder(folder, kalam.TableNumber(number)) != dir {
		return "", 0, false
	}
	return folder, kalam.TableNumber(number), true
}

// CatalogVersion returns the version that the name of a file of a catalog tells, of a staged one too;
// false for the name of another file.
func CatalogVersion(name string) (version int64, ok bool) {
	digits, ok := strings.CutPrefix(name, "v")
	end := strings.IndexAny(digits, ".-")
	if !ok || end < 1 {
		return 0, false
	}
	version, err := strconv.ParseInt(digits[:end], 10, 64)
	return version, err == nil && version > 0 && strconv.FormatInt(version, 10) == digits[:end]
}
