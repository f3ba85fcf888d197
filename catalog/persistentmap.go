package catalog

import (
	"hash/maphash"
	"iter"
)

// mapShards is the number of maps a persistentMap is split into. A write copies one of
// them, so that adding a user to 100,000 copies 400 entries.
const mapShards = 256

// persistentMap is an immutable map: with and without return a new map that shares all
// but one of its parts with the old one. The zero persistentMap is empty and ready.
type persistentMap[K comparable, V any] struct {
	seed   maphash.Seed
	shards *[mapShards]map[K]V
	n      int
}

func (d persistentMap[K, V]) shard(k K) int {
	return int(maphash.Comparable(d.seed, k) % mapShards)
}

// get returns the value of k.
func (d persistentMap[K, V]) get(k K) (V, bool) {
	if d.shards == nil {
		var none V
		return none, false
	}
	v, ok := d.shards[d.shard(k)][k]
	return v, ok
}

// len returns the number of entries.
func (d persistentMap[K, V]) len() int { return d.n }

// all yields the entries in no particular order.
func (d persistentMap[K, V]) all() iter.Seq2[K, V] {
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

// with returns a map in which k has the value v.
func (d persistentMap[K, V]) with(k K, v V) persistentMap[K, V] {
	next, i := d.copyShard(k)
	if _, ok := next.shards[i][k]; !ok {
		next.n++
	}
	next.shards[i][k] = v
	return next
}

// without returns a map that lacks k.
func (d persistentMap[K, V]) without(k K) persistentMap[K, V] {
	if _, ok := d.get(k); !ok {
		return d
	}
	next, i := d.copyShard(k)
	delete(next.shards[i], k)
	next.n--
	return next
}

// copyShard returns a map whose shard of k is its own, and the shard's index.
func (d persistentMap[K, V]) copyShard(k K) (persistentMap[K, V], int) {
	next := persistentMap[K, V]{seed: d.seed, shards: new([mapShards]map[K]V), n: d.n}
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

// load adds an entry in place. It is for a map that nobody else has seen yet.
func (d *persistentMap[K, V]) load(k K, v V) {
	if d.shards == nil {
		d.seed, d.shards = maphash.MakeSeed(), new([mapShards]map[K]V)
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
