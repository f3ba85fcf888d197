// Package usage adds up what other processes use for a piece of work.
//
// # Basics
//
// Who orders the work gives its context a Usage with With. Who has a process do a part of it tells
// what that took with Add. Without a Usage in the context Add does nothing.
package usage

import (
	"context"
	"sync/atomic"
	"time"
)

// Usage is what processes have used for a piece of work. The zero value is nothing. Safe for
// concurrent use.
type Usage struct{ cpu, memory atomic.Int64 }

// CPU returns the CPU time of all of them.
func (u *Usage) CPU() time.Duration { return time.Duration(u.cpu.Load()) }

// Memory returns the bytes of the one that held most.
func (u *Usage) Memory() int64 { return u.memory.Load() }

type key struct{}

// With returns a context in which Add adds to u.
func With(ctx context.Context, u *Usage) context.Context { return context.WithValue(ctx, key{}, u) }

// Add adds what a process has used for the work of ctx: CPU time, and the bytes that it held.
func Add(ctx context.Context, cpu time.Duration, memory int64) {
	u, ok := ctx.Value(key{}).(*Usage)
	if !ok {
		return
	}
	u.cpu.Add(int64(cpu))
	for {
		most := u.memory.Load()
		if memory <= most || u.memory.CompareAndSwap(most, memory) {
			return
		}
	}
}
