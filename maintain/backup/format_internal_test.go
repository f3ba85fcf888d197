package backup

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
	"github.com/kalamlake/kalam/buffer/memory"
)

// TestManifestFormat holds the manifest to docs/architecture/backup-format.md.
func TestManifestFormat(t *testing.T) {
	sum := strings.Repeat("ab", 32)
	m := &Manifest{
		ID: "x", CreatedAt: time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC), LakeID: "l", Seq: 7, Floor: 3, Tables: 1,
		Record:   Object{Sum: sum, Bytes: 9},
		Segments: []Segment{{Storage: "local", Path: "users/a/t/1.parquet", Parquet: Object{Sum: sum, Bytes: 1}}},
	}
	raw, err := encodeManifest(m)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(raw, []byte("kalam-backup 1 ")) || bytes.IndexByte(raw, '\n') != len("kalam-backup 1 ")+64 {
		t.Errorf("it begins with %.90q", raw)
	}
	back, err := decodeManifest("m.json", raw)
	if diff := cmp.Diff(m, back); diff != "" || err != nil {
		t.Errorf("read back (-want +got): %v\n%s", err, diff)
	}
	for i := range 8 * len(raw) {
		bad := bytes.Clone(raw)
		bad[i/8] ^= 1 << (i % 8)
		if _, err := decodeManifest("m.json", bad); err == nil || !strings.Contains(err.Error(), "m.json") {
			t.Fatalf("with bit %d flipped: %v", i, err)
		}
	}
	newer := bytes.Replace(raw, []byte("kalam-backup 1 "), []byte("kalam-backup 2 "), 1)
	if _, err := decodeManifest("m.json", newer); kalam.CodeOf(err) != kalam.CodeUnsupported {
		t.Errorf("of a newer format: %v", err)
	}
}

// TestManifestStaysInside: a manifest cannot have files written or read outside of their places.
func TestManifestStaysInside(t *testing.T) {
	good := strings.Repeat("ab", 32)
	for _, s := range []Segment{
		{Path: "../../etc/passwd"}, {Path: "/etc/passwd"}, {Path: "a/../../b"}, {Path: ""},
		{Path: "a", Parquet: Object{Sum: "../../x"}}, {Path: "a", Keys: Object{Sum: good[:40] + "/../../../../../../../etc"}},
	} {
		if err := checkPaths("m.json", &Manifest{Segments: []Segment{s}}); kalam.CodeOf(err) != kalam.CodeCorrupt {
			t.Errorf("%+v: %v", s, err)
		}
	}
	if err := checkPaths("m.json", &Manifest{Segments: []Segment{{Path: "a/b", Keys: Object{Sum: good}}}}); err != nil {
		t.Error(err)
	}
}

// TestRecordRoundTrip writes what a backend holds and reads it back.
func TestRecordRoundTrip(t *testing.T) {
	ctx := t.Context()
	b := memory.New()
	want := map[string]string{}
	for _, keyspace := range []string{"sys_a", "sys_b", "sys_empty"} {
		if err := b.CreateKeyspace(ctx, keyspace); err != nil {
			t.Fatal(err)
		}
		for i := 0; i < 200 && keyspace != "sys_empty"; i++ {
			op := buffer.Op{Keyspace: keyspace, Key: fmt.Appendf(nil, "k%d", i), Value: bytes.Repeat([]byte{byte(i)}, i*i)}
			if err := b.Apply(ctx, []buffer.Op{op}); err != nil {
				t.Fatal(err)
			}
			want[keyspace+"/"+string(op.Key)] = string(op.Value)
		}
	}
	snapshot, err := b.Snapshot(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if n, err := writeRecord(ctx, &out, snapshot, func(int64) {}); err != nil || n != int64(len(want)) {
		t.Fatalf("writeRecord = %d, %v", n, err)
	}
	got, names, err := recordOf(ctx, out.Bytes())
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("read back: %v (-want +got)\n%s", err, diff)
	}
	if diff := cmp.Diff(snapshot.Keyspaces(), names); diff != "" {
		t.Errorf("keyspaces (-want +got):\n%s", diff)
	}
	for n := 0; n < out.Len(); n += 1 + out.Len()/100 {
		if _, _, err := recordOf(ctx, out.Bytes()[:n]); kalam.CodeOf(err) != kalam.CodeCorrupt {
			t.Fatalf("cut to %d bytes: %v", n, err)
		}
	}
}

func recordOf(ctx context.Context, raw []byte) (map[string]string, []string, error) {
	got := map[string]string{}
	var names []string
	_, err := readRecord(ctx, "r.record", bytes.NewReader(raw), func(name string) error {
		names = append(names, name)
		return nil
	}, func(keyspace string, key, value []byte) error {
		got[keyspace+"/"+string(key)] = string(value)
		return nil
	})
	return got, names, err
}

// FuzzReadRecord reads arbitrary bytes as a record: it gives entries or damage, and takes no memory beyond them.
func FuzzReadRecord(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{0x28, 0xb5, 0x2f, 0xfd, 0x04, 0x00, 0x29, 0x00, 0x00, 'K', 1, 'a', 'Z', 0})
	f.Fuzz(func(t *testing.T, raw []byte) {
		if _, _, err := recordOf(t.Context(), raw); err != nil && kalam.CodeOf(err) != kalam.CodeCorrupt {
			t.Errorf("readRecord = %v", err)
		}
	})
}
