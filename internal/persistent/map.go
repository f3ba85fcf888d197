package persistent

import (
	"hash/maphash"
	"iter"
)

// mapShards is the number of maps a Map is split into. A write copies one of
// them, so that adding a user to 100,000 copies 400 entries.
const mapShards = 256

// Map is an immutable map: With and Without return a new map that shares all
// but one of its parts with the old one. The zero Map is empty and ready.
type Map[K comparable, V any] struct {
	seed   maphash.Seed
	shards *[mapShards]map[K]V
	n      int
}

func (d Map[K, V]) shard(k K) int {
	return int(maphash.Comparable(d.seed, k) % mapShards)
}

// Get returns the value of k.
func (d Map[K, V]) Get(k K) (V, bool) {
	if d.shards == nil {
		var none V
		return none, false
	}
	v, ok := d.shards[d.shard(k)][k]
	return v, ok
}

// Len returns the number of entries.
func (d Map[K, V]) Len() int { return d.n }

// All yields the entries in no particular order.
func (d Map[K, V]) All() iter.Seq2[K, V] {
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

// With returns a map in which k has the value v.
func (d Map[K, V]) With(k K, v V) Map[K, V] {
	next, i := d.copyShard(k)
	if _, ok := next.shards[i][k]; !ok {
		next.n++
	}
	next.shards[i][k] = v
	return next
}

// Without returns a map that lacks k.
func (d Map[K, V]) Without(k K) Map[K, V] {
	if _, ok := d.Get(k); !ok {
		return d
	}
	next, i := d.copyShard(k)
	delete(next.shards[i], k)
	next.n--
	return next
}

// copyShard returns a map whose shard of k is its own, and the shard's index.
func (d Map[K, V]) copyShard(k K) (Map[K, V], int) {
	next := Map[K, V]{seed: d.seed, shards: new([mapShards]map[K]V), n: d.n}
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

// Load adds an entry in place. It is for a map that nobody else has seen yet.
func (d *Map[K, V]) Load(k K, v V) {
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
