package catalog

import (
	"fmt"

	"github.com/kalamlake/kalam"
)

// Keyspace is the keyspace of the backend that holds every record of the catalog.
const Keyspace = "sys_catalog"

// The keys of the keyspace. A key is a prefix and an identifier, which is the
// rest of the key; no prefix is the beginning of another. Stores of older versions
// may hold a record "login/unknown", which nothing reads any more.
const (
	keyMeta = "meta"
	keyLake = "lake"
	// keyAdopting is there while the backend is filled from the files of a lake.
	keyAdopting = "adopting"

	prefixNamespace = "namespace/"
	prefixTable     = "table/"
	prefixDropped   = "dropped/"
	prefixView      = "view/"
	prefixUser      = "user/"
	prefixStorage   = "storage/"
	prefixSecret    = "secret/"
	prefixAPIKey    = "apikey/"
	prefixActiveJob = "job/active/"
	prefixDoneJob   = "job/done/"
)

func namespaceKey(id kalam.NamespaceID) string { return prefixNamespace + string(id) }
func userKey(id kalam.UserID) string           { return prefixUser + string(id) }
func storageKey(id kalam.StorageID) string     { return prefixStorage + string(id) }
func secretKey(name string) string             { return prefixSecret + name }
func apiKeyKey(id string) string               { return prefixAPIKey + id }
func activeJobKey(id kalam.JobID) string       { return prefixActiveJob + string(id) }
func doneJobKey(id kalam.JobID) string         { return prefixDoneJob + string(id) }

// tableKey writes the number with 16 hex digits, so that keys sort by number.
func tableKey(n kalam.TableNumber) string   { return fmt.Sprintf("%s%016x", prefixTable, uint64(n)) }
func droppedKey(n kalam.TableNumber) string { return fmt.Sprintf("%s%016x", prefixDropped, uint64(n)) }

// prefixEnd returns the first key behind all keys that begin with prefix, whose last byte is
// an ASCII character.
func prefixEnd(prefix string) string {
	last := len(prefix) - 1
	return prefix[:last] + string(prefix[last]+1)
}
