package memory

import (
	"bytes"
	"hash/maphash"
)

// node is a node of an immutable treap: ordered by key, a heap by priority. Its
// shape depends on its keys only. A nil node is the empty tree.
type node struct {
	key, value  []byte
	priority    uint64
	left, right *node
}

// priorities makes the shape of trees unpredictable from their keys.
type priorities struct{ seed maphash.Seed }

func (p priorities) of(key []byte) uint64 { return maphash.Bytes(p.seed, key) }

// get returns the node of a key, nil when there is none.
func (n *node) get(key []byte) *node {
	for n != nil {
		switch c := bytes.Compare(key, n.key); {
		case c < 0:
			n = n.left
		case c > 0:
			n = n.right
		default:
			return n
		}
	}
	return nil
}

// set returns the tree with key at value.
func (n *node) set(key, value []byte, priority uint64) *node {
	if n == nil || priority > n.priority {
		left, right := n.split(key)
		return &node{key: key, value: value, priority: priority, left: left, right: right}
	}
	c := *n
	switch cmp := bytes.Compare(key, n.key); {
	case cmp < 0:
		c.left = n.left.set(key, value, priority)
	case cmp > 0:
		c.right = n.right.set(key, value, priority)
	default:
		c.value = value
	}
	return &c
}

// split returns the keys below key and those above it; key itself is left out.
func (n *node) split(key []byte) (below, above *node) {
	if n == nil {
		return nil, nil
	}
	c := *n
	switch cmp := bytes.Compare(key, n.key); {
	case cmp < 0:
		below, c.left = n.left.split(key)
		return below, &c
	case cmp > 0:
		c.right, above = n.right.split(key)
		return &c, above
	}
	return n.left, n.right
}

// remove returns the tree without key.
func (n *node) remove(key []byte) *node {
	if n == nil {
		return nil
	}
	cmp := bytes.Compare(key, n.key)
	if cmp == 0 {
		return join(n.left, n.right)
	}
	c := *n
	if cmp < 0 {
		c.left = n.left.remove(key)
	} else {
		c.right = n.right.remove(key)
	}
	return &c
}

// join returns the union of two trees, all keys of a below those of b.
func join(a, b *node) *node {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	case a.priority > b.priority:
		c := *a
		c.right = join(a.right, b)
		return &c
	}
	c := *b
	c.left = join(a, b.left)
	return &c
}

// scan calls f for the keys in [start, end) in order; a nil end is open.
func (n *node) scan(start, end []byte, f func(key, value []byte) error) error {
	if n == nil {
		return nil
	}
	below, above := bytes.Compare(n.key, start) < 0, end != nil && bytes.Compare(n.key, end) >= 0
	if !below {
		if err := n.left.scan(start, end, f); err != nil {
			return err
		}
	}
	if !below && !above {
		if err := f(n.key, n.value); err != nil {
			return err
		}
	}
	if above {
		return nil
	}
	return n.right.scan(start, end, f)
}
