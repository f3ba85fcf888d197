package buffer_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/buffer/buffertest"
	"github.com/kalamlake/kalam/buffer/memory"
)

// record is a key and its value in the backend.
type record struct {
	keyspace   string
	key, value []byte
}

// records returns what two users' scopes, a flushed and a buffered part each,
// leave in the backend.
func records(t *testing.T, disk *memory.Backend) []record {
	t.Helper()
	var out []record
	for _, p := range []string{"sys_rows", "sys_manifest"} {
		err := disk.Scan(t.Context(), p, nil, nil, func(k, v []byte) error {
			out = append(out, record{p, bytes.Clone(k), bytes.Clone(v)})
			return nil
		})
		if err != nil {
			t.Fatalf("Scan: %v", err)
		}
	}
	return out
}

// twoUsers is a disk with rows of two users.
func twoUsers(t *testing.T, table *kalam.Table) (*memory.Backend, *lakeFake, map[int64]string) {
	t.Helper()
	disk := memory.New()
	f := newFixture(t, disk, buffer.Options{})
	for _, u := range []kalam.UserID{"ann", "bob"} {
		f.apply(insert(table, u, 1, "a"), insert(table, u, 2, "b"))
		f.flush(table, u)
		f.trim(table, u)
		f.apply(insert(table, u, 3, "c"))
		r, _ := f.get(table, u, 1)
		f.apply(update(table, u, 1, "aa", r.Seq))
		f.apply(insert(table, u, 4, "d"))
	}
	want := f.bodies(table, "ann")
	if err := f.store.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	f.store = nil
	return disk, f.lake, want
}

// checkDamaged opens a damaged disk: bob is not concerned, and ann's rows are
// right or CodeCorrupt names her and the table.
func checkDamaged(t *testing.T, disk *memory.Backend, lake *lakeFake, table *kalam.Table,
	want map[int64]string) (noticed bool) {
	t.Helper()
	var log bytes.Buffer
	f := &fixture{t: t, backend: disk, lake: lake}
	f.store = openStore(t, disk, lake, buffer.Options{Logger: logged(&log)})
	defer func() {
		if err := f.store.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}()
	f.want(table, "bob", want)
	f.apply(insert(table, "bob", 9, "new"))
	snap, err := viewsOf(f.store, context.Background(),
		[]buffer.TableScope{{Table: table, Scope: table.ScopeOf("ann")}})
	if err == nil {
		defer snap.Release()
		if diff := cmp.Diff(want, bodiesOf(lake.read(t, snap.View(0)))); diff != "" {
			t.Errorf("silently wrong rows (-want +got):\n%s", diff)
		}
		return false
	}
	if kalam.CodeOf(err) != kalam.CodeCorrupt || !strings.Contains(err.Error(), "'ann'") ||
		!strings.Contains(err.Error(), table.ID.String()) {
		t.Errorf("Snapshot = %v, want CodeCorrupt that names the user and the table", err)
	}
	if _, err := f.store.Apply(context.Background(),
		[]buffer.Mutation{insert(table, "ann", 9, "x")}); kalam.CodeOf(err) != kalam.CodeCorrupt {
		t.Errorf("Apply to a damaged scope = %v, want CodeCorrupt", err)
	}
	if _, _, err := f.store.Get(context.Background(), table, table.ScopeOf("ann"),
		keyOf(table, 1)); kalam.CodeOf(err) != kalam.CodeCorrupt {
		t.Errorf("Get from a damaged scope = %v, want CodeCorrupt", err)
	}
	if log.Len() == 0 {
		t.Error("the damage is not logged at the start")
	}
	return true
}

// ofAnn reports whether a record belongs to ann.
func ofAnn(r record) bool { return bytes.Contains(r.key, []byte("ann")) }

// TestDamagedBytes flips every byte of every record of one user, cuts it, and
// removes it.
func TestDamagedBytes(t *testing.T) {
	table := notes(1)
	disk, lake, want := twoUsers(t, table)
	tried := 0
	for _, r := range records(t, disk) {
		if !ofAnn(r) {
			continue
		}
		for i := range r.value {
			if r.keyspace == "sys_manifest" && i > 40 && i%7 > 0 {
				continue
			}
			bad := disk.Clone()
			v := bytes.Clone(r.value)
			v[i] ^= 1 << (i % 8)
			put(t, bad, r, v)
			if !checkDamaged(t, bad, lake, table, want) {
				t.Errorf("byte %d of a record in %s: not noticed", i, r.keyspace)
			}
			tried++
		}
		for _, n := range []int{0, 1, 5, 16, len(r.value) - 1} {
			bad := disk.Clone()
			put(t, bad, r, r.value[:n])
			if !checkDamaged(t, bad, lake, table, want) {
				t.Errorf("a record in %s of %d bytes cut to %d: not noticed", r.keyspace, len(r.value), n)
			}
		}
	}
	t.Logf("%d flips tried", tried)
}

func put(t *testing.T, disk *memory.Backend, r record, v []byte) {
	t.Helper()
	if err := buffertest.Put(t.Context(), disk, r.keyspace, r.key, v); err != nil {
		t.Fatalf("Put: %v", err)
	}
}

// TestMissingBlocks removes blocks of a scope: one in the middle is noticed.
func TestMissingBlocks(t *testing.T) {
	table := notes(1)
	disk, lake, want := twoUsers(t, table)
	var blocks []record
	for _, r := range records(t, disk) {
		if ofAnn(r) && r.keyspace == "sys_rows" {
			blocks = append(blocks, r)
		}
	}
	if len(blocks) != 3 {
		t.Fatalf("%d blocks, want 3", len(blocks))
	}
	for i, r := range blocks[:2] {
		bad := disk.Clone()
		if err := buffertest.Delete(t.Context(), bad, r.keyspace, r.key); err != nil {
			t.Fatalf("Delete: %v", err)
		}
		f := &fixture{t: t, backend: bad, lake: lake}
		f.store = openStore(t, bad, lake, buffer.Options{})
		f.want(table, "bob", want)
		_, _, err := f.store.Views(t.Context(), []buffer.TableScope{{Table: table, Scope: table.ScopeOf("ann")}})
		if kalam.CodeOf(err) != kalam.CodeCorrupt {
			t.Errorf("block %d is missing: Snapshot = %v, want CodeCorrupt", i, err)
		}
		if err := f.store.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
}

// unreadable is a Backend whose scans meet a value that cannot be read.
type unreadable struct {
	buffer.Backend
	key []byte
}

func (u *unreadable) Scan(ctx context.Context, keyspace string, start, end []byte,
	f func(key, value []byte) error) error {
	return u.Backend.Scan(ctx, keyspace, start, end, func(k, v []byte) error {
		if bytes.Equal(k, u.key) {
			return buffer.NewDamageError(keyspace, bytes.Clone(k), fmt.Errorf("bad sector"))
		}
		return f(k, v)
	})
}

// TestUnreadableBlocks opens a store over values that the backend cannot read.
func TestUnreadableBlocks(t *testing.T) {
	table := notes(1)
	disk, lake, want := twoUsers(t, table)
	for _, r := range records(t, disk) {
		if !ofAnn(r) || r.keyspace != "sys_rows" {
			continue
		}
		f := &fixture{t: t, lake: lake}
		f.store = openStore(t, &unreadable{disk.Clone(), r.key}, lake, buffer.Options{})
		f.want(table, "bob", want)
		f.refused(kalam.CodeCorrupt, insert(table, "ann", 9, "x"))
		if err := f.store.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
}

// TestForeignKeysInTheLog puts keys into the log that are none of a scope.
func TestForeignKeysInTheLog(t *testing.T) {
	table := notes(1)
	disk, lake, want := twoUsers(t, table)
	for _, k := range [][]byte{{1}, []byte("0123456789"), append(binary.BigEndian.AppendUint64(nil, 1), 'x', 0, 7),
		bytes.Repeat([]byte{255}, 40)} {
		put(t, disk, record{keyspace: "sys_rows", key: k}, []byte("rubbish"))
	}
	f := &fixture{t: t, backend: disk, lake: lake}
	f.store = openStore(t, disk, lake, buffer.Options{})
	f.want(table, "ann", want)
	f.want(table, "bob", want)
	if err := f.store.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

// TestDamagedClock does not give out seqs that may have been given out before.
func TestDamagedClock(t *testing.T) {
	table := notes(1)
	disk, lake, _ := twoUsers(t, table)
	if err := buffertest.Put(t.Context(), disk, "sys_meta", []byte("clock"), []byte("what time is it")); err != nil {
		t.Fatalf("Put: %v", err)
	}
	if _, err := buffer.Open(t.Context(), disk,
		buffer.Options{Segments: lake}); kalam.CodeOf(err) != kalam.CodeCorrupt {
		t.Errorf("Open = %v, want CodeCorrupt", err)
	}
}

// TestBackendWithTooSmallBatches is refused, instead of failing later.
func TestBackendWithTooSmallBatches(t *testing.T) {
	for _, l := range []buffer.Limits{{Ops: 3, Bytes: 4 << 20, Value: 1 << 20}, {Ops: 100, Bytes: 1000, Value: 1 << 20},
		{Ops: 100, Bytes: 4 << 20, Value: 1000}} {
		if _, err := buffer.Open(t.Context(), &limited{memory.New(), l},
			buffer.Options{}); kalam.CodeOf(err) != kalam.CodeInvalidInput {
			t.Errorf("Open with %+v = %v, want CodeInvalidInput", l, err)
		}
	}
}

type limited struct {
	buffer.Backend
	limits buffer.Limits
}

func (l *limited) MaxBatch() buffer.Limits { return l.limits }

// TestRowsThatAreTooLong are refused before they are queued.
func TestRowsThatAreTooLong(t *testing.T) {
	table := notes(1)
	f := newFixture(t, &limited{memory.New(), buffer.Limits{Ops: 100, Bytes: 4 << 20, Value: 1 << 20}},
		buffer.Options{})
	f.refused(kalam.CodeTooLarge, insert(table, "ann", 1, strings.Repeat("x", 1<<20)))
	f.apply(insert(table, "ann", 1, strings.Repeat("x", 700<<10)))
}
