package badger

import (
	"encoding/binary"
	"fmt"
	"sync"

	"github.com/kalamlake/kalam/buffer"
)

// Keys of the directory: a keyspace's record is keyRecord and its name, with
// its number as the value; its keys are keyData, the number, 4 bytes big endian,
// and the key. A number is given once, so that what a dropped keyspace left can
// never show in a new one of its name. The highest is under keyRecord alone. A key
// whose value is large is a second time under keyReference.
const (
	keyRecord    = 0x01
	keyData      = 0x02
	keyReference = 0x03

	prefixBytes = 5
	deleteOps   = 1000
)

// keyspaces are the keyspaces in memory.
type keyspaces struct {
	mu     sync.RWMutex // guards what follows
	number map[string]uint32
	last   uint32

	change sync.Mutex // serialises creation and removal; held while they are written
}

// key returns the stored form of a key.
func (p *keyspaces) key(keyspace string, key []byte) ([]byte, error) {
	p.mu.RLock()
	n, ok := p.number[keyspace]
	p.mu.RUnlock()
	if !ok {
		if err := buffer.CheckKeyspace(keyspace); err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("%w: %s", buffer.ErrKeyspaceNotFound, keyspace)
	}
	return append(dataPrefix(n, len(key)), key...), nil
}

func dataPrefix(n uint32, room int) []byte {
	out := make([]byte, prefixBytes, prefixBytes+room)
	out[0] = keyData
	binary.BigEndian.PutUint32(out[1:], n)
	return out
}

func referenceKey(key []byte) []byte { return append([]byte{keyReference}, key...) }

func recordKey(name string) []byte { return append([]byte{keyRecord}, name...) }

func recordValue(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }

// keyFirst is before every key that is used.
const keyFirst = 0x00

// keyPadding begins the keys by which a memtable is filled. They are deleted at once.
const keyPadding = 0x04

// metaLarge is the user meta of an entry whose value is a pointer.
const metaLarge = 1
