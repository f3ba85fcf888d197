package catalog_test

import (
	"strings"
	"testing"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer/buffertest"
	"github.com/kalamlake/kalam/buffer/memory"
	"github.com/kalamlake/kalam/catalog"
)

func TestLakeRecord(t *testing.T) {
	b := memory.New()
	ctx := t.Context()
	if _, found, err := catalog.ReadLake(ctx, b); found || err != nil {
		t.Errorf("ReadLake of an empty backend = %v, %v", found, err)
	}
	if n, err := catalog.CountTables(ctx, b); n != 0 || err != nil {
		t.Errorf("CountTables of an empty backend = %d, %v", n, err)
	}
	want := catalog.LakeRecord{ID: "0197f3c2-6a10-7c11-9f00-1234567890ab",
		CreatedAt: time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC), Generation: 7, Unconfirmed: true}
	check(t, catalog.WriteLake(ctx, b, want))
	want.Unconfirmed = false
	check(t, catalog.WriteLake(ctx, b, want))
	c := open(t, b, catalog.Options{}) // The record alone is no catalog, and stays.
	if got, found, err := catalog.ReadLake(ctx, b); !found || err != nil || got != want {
		t.Errorf("ReadLake = %+v, %v, %v", got, found, err)
	}
	const stored = "\n" +
		`{"id":"0197f3c2-6a10-7c11-9f00-1234567890ab","created_at":"2026-01-31T12:00:00Z","generation":7}`
	if got := string(records(t, b)["lake"]); !strings.HasSuffix(got, stored) {
		t.Errorf("stored %q", got)
	}
	check(t, c.Close())
}

func TestDamagedLakeRecord(t *testing.T) {
	b := memory.New()
	ctx := t.Context()
	check(t, catalog.WriteLake(ctx, b, catalog.LakeRecord{ID: "x"}))
	raw := records(t, b)["lake"]
	for i := range raw {
		bad := append([]byte(nil), raw...)
		bad[i] ^= 1
		check(t, buffertest.Put(ctx, b, catalog.Keyspace, []byte("lake"), bad))
		if _, _, err := catalog.ReadLake(ctx, b); kalam.CodeOf(err) != kalam.CodeCorrupt {
			t.Errorf("byte %d flipped: %v", i, err)
		}
	}
	check(t, buffertest.Put(ctx, b, catalog.Keyspace, []byte("lake"), sealed("lake", "99", `{}`)))
	if _, _, err := catalog.ReadLake(ctx, b); kalam.CodeOf(err) != kalam.CodeUnsupported {
		t.Errorf("a newer record: %v", err)
	}
	check(t, buffertest.Put(ctx, b, catalog.Keyspace, []byte("lake"), sealed("lake", "1", `{}`)))
	if _, _, err := catalog.ReadLake(ctx, b); kalam.CodeOf(err) != kalam.CodeCorrupt {
		t.Errorf("a record without id: %v", err)
	}
}
