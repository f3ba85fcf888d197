package catalog

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"strconv"

	"github.com/kalamlake/kalam"
)

// recordVersion is the version of the record formats that this program writes,
// and the newest it reads. It rises with every change of a record's fields.
const recordVersion = 9

// recordMagic begins every record: "kalam {version} {crc32c}\n{json}".
const recordMagic = "kalam "

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksum covers the key too, so that a record found under another key is
// damage.
func checksum(key, version string, body []byte) uint32 {
	sum := crc32.Update(0, castagnoli, []byte(key+"\x00"+version+"\x00"))
	return crc32.Update(sum, castagnoli, body)
}

// encodeRecord returns the stored form of v under key.
func encodeRecord(key string, v any) ([]byte, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode catalog record %q: %w", key, err)
	}
	version := strconv.Itoa(recordVersion)
	head := fmt.Sprintf("%s%s %08x\n", recordMagic, version, checksum(key, version, body))
	return append([]byte(head), body...), nil
}

// decodeRecord reads what encodeRecord wrote under key into v. Damage is
// CodeCorrupt, a newer version CodeUnsupported; both name the key.
func decodeRecord(key string, raw []byte, v any) error {
	head, body, ok := bytes.Cut(raw, []byte("\n"))
	rest, magic := bytes.CutPrefix(head, []byte(recordMagic))
	version, sum, spaced := bytes.Cut(rest, []byte(" "))
	if !ok || !magic || !spaced {
		return damaged(key, "it does not begin like a record")
	}
	if want := fmt.Sprintf("%08x", checksum(key, string(version), body)); want != string(sum) {
		return damaged(key, fmt.Sprintf("its checksum is %.16q, its bytes give %s", sum, want))
	}
	n, err := strconv.Atoi(string(version))
	if err != nil || n < 1 {
		return damaged(key, fmt.Sprintf("its version is %.16q", version))
	}
	if n > recordVersion {
		return kalam.Errorf(kalam.CodeUnsupported,
			"catalog record %q has format %d, written by a newer kalam; this program reads up to format %d", key, n,
			recordVersion)
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return kalam.Wrap(kalam.CodeCorrupt, err, "catalog record %q cannot be read", key)
	}
	return nil
}

func damaged(key, why string) error {
	return kalam.Errorf(kalam.CodeCorrupt, "catalog record %q is damaged: %s; restore the data directory from a backup",
		key, why)
}
