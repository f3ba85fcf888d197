package s3

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// errWrongSum means that a content is not what was uploaded.
var errWrongSum = errors.New("the content does not have its checksum")

const (
	cachedSuffix = ".object"
	nameFixed    = "fixed" // The object was made by Commit.
	nameLoose    = "loose" // It may be replaced.
	partialName  = ".part" // Ends the name of a download under way.
	idDigits     = 32      // Hexadecimal.
	sumDigits    = 64      // Hexadecimal.
	tagDigits    = 16      // Hexadecimal.
	randomDigits = 8       // Hexadecimal; no two files ever share a name.
	nameFields   = 6       // Separated by '-'.
	nameSep      = "-"
)

// cachedName is what the name of a cached file says, so that a restart knows it.
type cachedName struct {
	id    string // Of the path.
	etag  string // Of the ETag.
	size  int64
	sum   string // SHA-256 of the content.
	fixed bool
}

// tagOf returns an ETag as a name holds it.
func tagOf(etag string) string {
	sum := sha256.Sum256([]byte(etag))
	return hex.EncodeToString(sum[:tagDigits/2])
}

// text returns a new name.
func (n cachedName) text() string {
	kind := nameLoose
	if n.fixed {
		kind = nameFixed
	}
	var random [randomDigits / 2]byte
	rand.Read(random[:]) // never fails
	return strings.Join([]string{
		n.id, n.etag, strconv.FormatInt(n.size, 10), n.sum, kind, hex.EncodeToString(random[:]),
	}, nameSep) + cachedSuffix
}

// parseCachedName reads what text made.
func parseCachedName(name string) (cachedName, error) {
	stem, ok := strings.CutSuffix(name, cachedSuffix)
	fields := strings.Split(stem, nameSep)
	if !ok || len(fields) != nameFields {
		return cachedName{}, fmt.Errorf("no name of a cached object")
	}
	size, err := strconv.ParseInt(fields[2], 10, 64)
	n := cachedName{id: fields[0], etag: fields[1], size: size, sum: fields[3], fixed: fields[4] == nameFixed}
	if err != nil || size < 0 || len(n.id) != idDigits || len(n.etag) != tagDigits || len(n.sum) != sumDigits {
		return cachedName{}, fmt.Errorf("no name of a cached object")
	}
	return n, nil
}
