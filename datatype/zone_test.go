package datatype_test

import (
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
)

// TestInZone reads texts of moments without a zone in one, and leaves everything else alone.
func TestInZone(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	moment, stamp := kalam.TypeOf(kalam.KindDateTime), kalam.TypeOf(kalam.KindTimestamp)
	for _, tt := range []struct {
		typ  kalam.DataType
		in   kalam.Value
		want string // RFC 3339; "" for what means what it means everywhere.
	}{
		{moment, kalam.Text("2026-01-15 10:00"), "2026-01-15T09:00:00Z"},
		{moment, kalam.Text(" 2026-07-15T10:00:00.5 "), "2026-07-15T08:00:00.5Z"},
		{moment, kalam.Text("2026-07-15"), "2026-07-14T22:00:00Z"},
		{moment, kalam.Text("2026-07-15 10:00:00Z"), ""},
		{moment, kalam.Text("2026-07-15 10:00+02"), ""},
		{moment, kalam.Text("yesterday"), ""},
		{moment, kalam.BigInt(5), ""},
		{moment, kalam.Null(), ""},
		{stamp, kalam.Text("2026-07-15 10:00"), ""},
	} {
		got, ok := datatype.InZone(berlin, tt.typ, tt.in)
		if !ok && tt.want == "" && got == tt.in {
			continue
		}
		if at := time.UnixMicro(got.Int()).UTC().Format(time.RFC3339Nano); !ok || at != tt.want {
			t.Errorf("%v as %s: %s, %v; want %s", tt.in, tt.typ, at, ok, tt.want)
		}
	}
	if _, ok := datatype.InZone(nil, moment, kalam.Text("2026-01-15 10:00")); ok {
		t.Error("a text was read in no zone")
	}
}
