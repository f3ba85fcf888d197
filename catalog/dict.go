package catalog

import (
	"hash/maphash"
	"iter"
)

// dictShards is the number of maps a dict is split into. A write copies one of
// them, so that adding a user to 100,000 copies 400 entries.
const dictShards = 256

// dict is an immutable map: with and without return a new dict that shares all
// but one of its parts with the old one. The zero dict is empty and ready.
type dict[K comparable, V any] struct {
	seed   maphash.Seed
	shards *[dictShards]map[K]V
	n      int
}

func (d dict[K, V]) shard(k K) int {
	return int(maphash.Comparable(d.seed, k) % dictShards)
}

// get returns the value of k.
func (d dict[K, V]) get(k K) (V, bool) {
	if d.shards == nil {
		var none V
		return none, false
	}
	v, ok := d.shards[d.shard(k)][k]
	return v, ok
}

// len returns the number of entries.
func (d dict[K, V]) len() int { return d.n }

// all yields the entries in no particular order.
func (d dict[K, V]) all() iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		if d.shards == nil {
			return
		}
		for _, m := range d.shards {
			for k, v := range m {
				if !yield(k, v) {
					return
				}
			}
		}
	}
}

// with returns a dict in which k has the value v.
func (d dict[K, V]) with(k K, v V) dict[K, V] {
	next, i := d.copyShard(k)
	if _, ok := next.shards[i][k]; !ok {
		next.n++
	}
	next.shards[i][k] = v
	return next
}

// without returns a dict that lacks k.
func (d dict[K, V]) without(k K) dict[K, V] {
	if _, ok := d.get(k); !ok {
		return d
	}
	next, i := d.copyShard(k)
	delete(next.shards[i], k)
	next.n--
	return next
}

// copyShard returns a dict whose shard of k is its own, and the shard's index.
func (d dict[K, V]) copyShard(k K) (dict[K, V], int) {
	next := dict[K, V]{seed: d.seed, shards: new([dictShards]map[K]V), n: d.n}
	if d.shards == nil {
		next.seed = maphash.MakeSeed()
	} else {
		*next.shards = *d.shards
	}
	i := next.shard(k)
	m := make(map[K]V, len(next.shards[i])+1)
	for key, v := range next.shards[i] {
		m[key] = v
	}
	next.shards[i] = m
	return next, i
}

// load adds an entry in place. It is for a dict that nobody else has seen yet.
func (d *dict[K, V]) load(k K, v V) {
	if d.shards == nil {
		d.seed, d.shards = maphash.MakeSeed(), new([dictShards]map[K]V)
	}
	i := d.shard(k)
	if d.shards[i] == nil {
		d.shards[i] = make(map[K]V)
	}
	if _, ok := d.shards[i][k]; !ok {
		d.n++
	}
	d.shards[i][k] = v
}
