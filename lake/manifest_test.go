package lake_test

import (
	"encoding/json"
	"errors"
	"math"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/lake"
	"github.com/kalamlake/kalam/lake/laketest"
	"github.com/kalamlake/kalam/lake/layout"
)

// TestManifestExample is the example of docs/architecture/lake-format.md.
func TestManifestExample(t *testing.T) {
	b := newBed(t, lake.Options{})
	table := notes()
	seg := func(at time.Time, seq kalam.Seq, low, high int64) kalam.Segment {
		p, err := layout.SegmentPath(table, "user_1", at, seq)
		if err != nil {
			t.Fatal(err)
		}
		return kalam.Segment{
			Storage: kalam.LocalStorage, Path: p, MinSeq: seq - 9, MaxSeq: seq, Rows: 10, Bytes: 2048,
			MinKey: noteKey(low), MaxKey: noteKey(high), SchemaVersion: 1, Table: table.Number, CreatedAt: at,
		}
	}
	m := lake.Manifest{
		Version: 3, CreatedAt: noon, UpdatedAt: noon.Add(time.Minute),
		Segments: []kalam.Segment{seg(noon, 275414777856491520, 1, 10)},
	}
	if err := b.lake.WriteManifest(t.Context(), table, "user_1", m); err != nil {
		t.Fatal(err)
	}
	got := string(read(t, b.file("users/user__1/app/notes/manifest.json")))
	if doc := string(read(t, "../docs/architecture/lake-format.md")); !strings.Contains(doc, "```json\n"+got+"\n```") {
		t.Errorf("the document has another example than\n%s", got)
	}
}

// written is what tests read of a manifest.json.
type written struct {
	TableID  string  `json:"table_id"`
	UserID   *string `json:"user_id"`
	Version  int64   `json:"version"`
	Created  int64   `json:"created_at"`
	Segments []struct {
		ID    string                     `json:"id"`
		Path  string                     `json:"path"`
		Stats map[string]json.RawMessage `json:"column_stats"`
	} `json:"segments"`
}

func ReadManifest(t *testing.T, name string) written {
	t.Helper()
	var w written
	if err := json.Unmarshal(read(t, name), &w); err != nil {
		t.Fatal(err)
	}
	return w
}

func TestManifestOfSharedTable(t *testing.T) {
	b := newBed(t, lake.Options{})
	table := notes()
	table.Kind = kalam.KindSharedTable
	if err := b.lake.WriteManifest(t.Context(), table, "", lake.Manifest{}); err != nil {
		t.Fatal(err)
	}
	w := ReadManifest(t, b.file("shared/app/notes/manifest.json"))
	if w.UserID != nil || w.TableID != "app.notes" || w.Created != 0 || w.Segments == nil || len(w.Segments) != 0 {
		t.Errorf("manifest %+v", w)
	}
	table.Kind = kalam.KindStreamTable
	err := b.lake.WriteManifest(t.Context(), table, "alice", lake.Manifest{})
	wantCode(t, "WriteManifest of a STREAM table", err, kalam.CodeInvalidOperation)
}

// TestManifestPathsLead follows every path from the folder of manifest.json, as
// an outside reader does.
func TestManifestPathsLead(t *testing.T) {
	b := newBed(t, lake.Options{})
	cold := newBed(t, lake.Options{})
	if err := b.lake.Register(lake.Location{ID: "cold", Storage: cold.store}); err != nil {
		t.Fatal(err)
	}
	rows := noteRows(3, 0)
	home, sharded, away, renamed := notes(), notes(), notes(), notes()
	sharded.Options.ShardStrategy = layout.ShardAlphabetic
	away.Options.StorageID = "cold"
	renamed.ID.Name = "memos"
	m := lake.Manifest{Version: 1}
	for _, table := range []*kalam.Table{home, sharded, away, renamed} {
		m.Segments = append(m.Segments, write(t, b.lake, table, "alice", rows, laketest.ParquetOptions{}))
	}
	m.Segments[0].Storage = "" // is local
	for _, table := range []*kalam.Table{home, sharded} {
		if err := b.lake.WriteManifest(t.Context(), table, "alice", m); err != nil {
			t.Fatal(err)
		}
		_, folder, err := b.lake.Folder("", table, "alice")
		if err != nil {
			t.Fatal(err)
		}
		for i, s := range ReadManifest(t, b.file(folder+"/manifest.json")).Segments {
			name := s.Path
			if !path.IsAbs(name) {
				name = b.file(folder + "/" + name)
			}
			info, err := os.Stat(name)
			if err != nil || info.Size() != m.Segments[i].Bytes {
				t.Errorf("segment %d of %s: %q leads to %v, %v", i, folder, s.Path, info, err)
			}
			if s.ID != path.Base(m.Segments[i].Path) {
				t.Errorf("segment %d has the id %q", i, s.ID)
			}
		}
	}
}

func TestSyncManifest(t *testing.T) {
	b := newBed(t, lake.Options{})
	ctx := t.Context()
	seg := write(t, b.lake, notes(), "alice", noteRows(3, 0), laketest.ParquetOptions{})
	m := lake.Manifest{Version: 2, CreatedAt: noon, UpdatedAt: noon, Segments: []kalam.Segment{seg}}
	name := b.file(path.Dir(seg.Path) + "/manifest.json")
	sync := func(want bool, why string) {
		t.Helper()
		did, err := b.lake.SyncManifest(ctx, ofAlice(m))
		if err != nil || did != want {
			t.Errorf("SyncManifest of one that is %s = %v, %v", why, did, err)
		}
	}
	sync(true, "missing")
	whole := read(t, name)
	sync(false, "right")
	for why, content := range map[string]string{
		"empty": "", "no JSON": "{", "of another kind": "[1]", "null": "null", "cut": string(whole[:len(whole)/2]),
		"of another version":     strings.Replace(string(whole), `"version":2`, `"version":1`, 1),
		"of another table":       strings.Replace(string(whole), "app.notes", "app.memos", 1),
		"of another user":        strings.Replace(string(whole), `"alice"`, `"bob"`, 1),
		"wrong about a path":     strings.Replace(string(whole), `"path":"2026`, `"path":"2025`, 1),
		"wrong about a row":      strings.Replace(string(whole), `"row_count":3`, `"row_count":4`, 1),
		"longer than it may be":  string(whole) + " ",
		"a manifest of nobody's": `{"segments":[]}`,
	} {
		overwrite(t, name, []byte(content))
		sync(true, why)
		if diff := cmp.Diff(string(whole), string(read(t, name))); diff != "" {
			t.Errorf("after %q (-want +got):\n%s", why, diff)
		}
	}
	m.Version++
	m.UpdatedAt = noon.Add(time.Hour)
	sync(true, "stale")
	sync(false, "fresh")
	m.Segments = nil
	sync(true, "about removed segments")
}

func TestSyncManifestReplacesAHugeOne(t *testing.T) {
	b := newBed(t, lake.Options{})
	m := lake.Manifest{Version: 1}
	if err := b.lake.WriteManifest(t.Context(), notes(), "alice", m); err != nil {
		t.Fatal(err)
	}
	name := b.file("users/alice/app/notes/manifest.json")
	if err := os.Truncate(name, 1<<30); err != nil {
		t.Fatal(err)
	}
	if did, err := b.lake.SyncManifest(t.Context(), ofAlice(m)); err != nil || !did {
		t.Errorf("SyncManifest = %v, %v", did, err)
	}
	if n := len(read(t, name)); n > 1000 {
		t.Errorf("manifest.json has %d bytes", n)
	}
}

// TestManifestStats has one case per type of key.
func TestManifestStats(t *testing.T) {
	long := strings.Repeat("x", 257)
	dec := kalam.DataType{Kind: kalam.KindDecimal, Precision: 10, Scale: 2}
	ty := kalam.TypeOf
	for _, c := range []struct {
		t         kalam.DataType
		low, high kalam.Value
		min, max  string
	}{
		{ty(kalam.KindBoolean), kalam.Bool(false), kalam.Bool(true), `{"Boolean":false}`, `{"Boolean":true}`},
		{ty(kalam.KindSmallInt), kalam.Integer(kalam.KindSmallInt, -3), kalam.Integer(kalam.KindSmallInt, 4),
			`{"Int16":-3}`, `{"Int16":4}`},
		{ty(kalam.KindInt), kalam.Integer(kalam.KindInt, -3), kalam.Integer(kalam.KindInt, 4), `{"Int32":-3}`,
			`{"Int32":4}`},
		{ty(kalam.KindBigInt), kalam.BigInt(math.MinInt64), kalam.BigInt(math.MaxInt64),
			`{"Int64":"-9223372036854775808"}`, `{"Int64":"9223372036854775807"}`},
		{ty(kalam.KindFloat), kalam.Float(-0.1), kalam.Float(float32(math.NaN())), `{"Float32":-0.1}`, `null`},
		{ty(kalam.KindDouble), kalam.Double(math.Inf(-1)), kalam.Double(0.1), `null`, `{"Float64":0.1}`},
		{dec, kalam.Decimal(-1, ^uint64(149), 2), kalam.Decimal(0, 5, 2), `{"Decimal128":"-1.50"}`,
			`{"Decimal128":"0.05"}`},
		{ty(kalam.KindText), kalam.Text(`a"b`), kalam.Text(long), `{"Utf8":"a\"b"}`, `null`},
		{ty(kalam.KindJSON), kalam.JSON(`[1]`), kalam.JSON(`{}`), `{"Utf8":"[1]"}`, `{"Utf8":"{}"}`},
		{ty(kalam.KindBytes), kalam.Bytes("\x00\xff"), kalam.Bytes("\x01" + long), `{"Binary":"AP8="}`, `null`},
		{ty(kalam.KindTimestamp), kalam.Integer(kalam.KindTimestamp, -1), kalam.Integer(kalam.KindTimestamp, 1),
			`{"TimestampMicrosecond":"-1"}`, `{"TimestampMicrosecond":"1"}`},
		{ty(kalam.KindDateTime), kalam.Integer(kalam.KindDateTime, -1), kalam.Integer(kalam.KindDateTime, 1),
			`{"TimestampMicrosecond":"-1"}`, `{"TimestampMicrosecond":"1"}`},
		{ty(kalam.KindDate), kalam.Integer(kalam.KindDate, -1), kalam.Integer(kalam.KindDate, 1), `{"Date32":-1}`,
			`{"Date32":1}`},
		{ty(kalam.KindTime), kalam.Integer(kalam.KindTime, 0), kalam.Integer(kalam.KindTime, 1),
			`{"Time64Microsecond":"0"}`, `{"Time64Microsecond":"1"}`},
		{ty(kalam.KindUUID), kalam.UUID([16]byte{1}), kalam.UUID([16]byte{0xff}),
			`{"Utf8":"01000000-0000-0000-0000-000000000000"}`, `{"Utf8":"ff000000-0000-0000-0000-000000000000"}`},
	} {
		t.Run(c.t.String(), func(t *testing.T) {
			b := newBed(t, lake.Options{})
			// The second key column has a range that is not known.
			table := notes()
			table.Columns = []kalam.Column{{ID: 41, Name: "k", Type: c.t, NotNull: true},
				{ID: 42, Name: "n", Type: ty(kalam.KindBigInt), NotNull: true}}
			table.PrimaryKey = []int{0, 1}
			seg := kalam.Segment{
				Path: "users/alice/app/notes/x.parquet", Rows: 1,
				MinKey: datatype.EncodeKey(nil, table, []kalam.Value{c.low, kalam.BigInt(9)}),
				MaxKey: datatype.EncodeKey(nil, table, []kalam.Value{c.high, kalam.BigInt(1)}),
			}
			broken := seg
			broken.MaxKey = broken.MaxKey[:len(broken.MaxKey)-1]
			if err := b.lake.WriteManifest(t.Context(), table, "alice",
				lake.Manifest{Segments: []kalam.Segment{seg, broken}}); err != nil {
				t.Fatal(err)
			}
			w := ReadManifest(t, b.file("users/alice/app/notes/manifest.json"))
			want := map[string]json.RawMessage{"41": json.RawMessage(`{"min":` + c.min + `,"max":` + c.max +
				`,"null_count":0}`)}
			if diff := cmp.Diff(want, w.Segments[0].Stats); diff != "" {
				t.Errorf("column_stats (-want +got):\n%s", diff)
			}
			if len(w.Segments[1].Stats) != 0 {
				t.Errorf("column_stats of a damaged range: %v", w.Segments[1].Stats)
			}
		})
	}
}

// TestSyncManifestOfAnOlderRecord keeps what a newer manifest.json names.
func TestSyncManifestOfAnOlderRecord(t *testing.T) {
	b := newBed(t, lake.Options{})
	newer, older := lake.Manifest{Version: 3}, lake.Manifest{Version: 2}
	if err := b.lake.WriteManifest(t.Context(), notes(), "alice", newer); err != nil {
		t.Fatal(err)
	}
	wrote, err := b.lake.SyncManifest(t.Context(), ofAlice(older))
	if wrote || !errors.Is(err, lake.ErrNewerManifest) {
		t.Errorf("SyncManifest of version 2 over 3 = %v, %v", wrote, err)
	}
	if wrote, err = b.lake.SyncManifest(t.Context(), ofAlice(newer)); wrote || err != nil {
		t.Errorf("SyncManifest of version 3 over 3 = %v, %v", wrote, err)
	}
}

// TestFolder is by the templates of the storage and the strategies of the lake.
func TestFolder(t *testing.T) {
	b := newBed(t, lake.Options{DefaultStrategy: layout.ShardHash, HashShards: 8})
	table := notes()
	table.Options.ShardStrategy = layout.ShardDefault
	if err := b.lake.Register(lake.Location{ID: "x", Storage: b.store,
		UserTemplate: "u/{userId}/{namespace}/{tableName}/{shard}"}); err != nil {
		t.Fatal(err)
	}
	for storage, want := range map[kalam.StorageID]string{
		"":  "users/alice/app/notes/shard-0007",
		"x": "u/alice/app/notes/shard-0007",
	} {
		if where, got, err := b.lake.Folder(storage, table, "alice"); err != nil || got != want || where != b.dir {
			t.Errorf("folder in %q = %q in %q, %v; want %q", storage, got, where, err, want)
		}
	}
	if _, _, err := b.lake.Folder("y", table, "alice"); kalam.CodeOf(err) != kalam.CodeNotFound {
		t.Errorf("folder in a storage that does not exist: %v", err)
	}
	if got := b.lake.Strategies(); !slices.Equal(got, []string{"alphabetic", "hash", "numeric"}) {
		t.Errorf("Strategies() = %v", got)
	}
	wantCode(t, "CheckStrategy", b.lake.CheckStrategy("zodiac"), kalam.CodeInvalidInput,
		"Unknown shard strategy 'zodiac'")
	if _, err := lake.New(lake.Options{DefaultStrategy: "zodiac"}); kalam.CodeOf(err) != kalam.CodeInvalidInput {
		t.Errorf("a lake with an unknown strategy: %v", err)
	}
}
