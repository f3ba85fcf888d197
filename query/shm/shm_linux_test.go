package shm_test

import (
	"os"
	"testing"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"golang.org/x/sys/unix"

	"github.com/kalamlake/kalam/query/shm"
)

// batch returns n rows of every layout that Arrow has: fixed, bits, texts, nested.
func batch(t testing.TB, n int) arrow.RecordBatch {
	t.Helper()
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "id", Type: arrow.PrimitiveTypes.Int64, Metadata: arrow.MetadataFrom(map[string]string{"k": "v"})},
		{Name: "ok", Type: arrow.FixedWidthTypes.Boolean, Nullable: true},
		{Name: "text", Type: arrow.BinaryTypes.String, Nullable: true},
		{Name: "d", Type: &arrow.Decimal128Type{Precision: 38, Scale: 4}, Nullable: true},
		{Name: "list", Type: arrow.ListOf(arrow.PrimitiveTypes.Int32), Nullable: true},
	}, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	for i := range n {
		b.Field(0).(*array.Int64Builder).Append(int64(i))
		list := b.Field(4).(*array.ListBuilder)
		if i%3 == 0 {
			for c := 1; c < 5; c++ {
				b.Field(c).AppendNull()
			}
			continue
		}
		b.Field(1).(*array.BooleanBuilder).Append(i%2 == 0)
		b.Field(2).(*array.StringBuilder).Append(string(rune('a'+i%26)) + "é\x00 with more than twelve bytes")
		if err := b.Field(3).AppendValueFromString("-12.5000"); err != nil {
			t.Fatal(err)
		}
		list.Append(true)
		list.ValueBuilder().(*array.Int32Builder).AppendValues([]int32{int32(i), 7}, nil)
	}
	return b.NewRecordBatch()
}

// TestShare writes, maps and compares; the values are read where they were mapped.
func TestShare(t *testing.T) {
	for _, n := range []int{0, 1, 2048} {
		rec := batch(t, n)
		f, err := shm.Write(rec)
		if err != nil {
			t.Fatal(err)
		}
		m, err := shm.Map(f)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
		if !array.RecordEqual(rec, m.Record()) || !rec.Schema().Equal(m.Record().Schema()) {
			t.Errorf("%d rows are not those that were written: %v", n, m.Record().Schema())
		}
		if v, ok := m.Record().Schema().Field(0).Metadata.GetValue("k"); !ok || v != "v" {
			t.Errorf("the metadata of a column is lost")
		}
		if n > 1 { // The first row holds no text.
			texts := m.Record().Column(2).Data().Buffers()[2].Bytes()
			if at := uintptr(unsafe.Pointer(&texts[0])); at < m.Address() || at >= m.Address()+uintptr(m.Bytes()) {
				t.Error("texts were copied out of the mapping")
			}
		}
		if m.Bytes() != shm.MappedBytes() {
			t.Errorf("%d bytes are mapped, and %d counted", m.Bytes(), shm.MappedBytes())
		}
		for range 2 {
			if err := m.Close(); err != nil {
				t.Error(err)
			}
		}
		if n := shm.MappedBytes(); n != 0 {
			t.Errorf("%d bytes are counted after Close", n)
		}
		rec.Release()
	}
}

// TestSealed tries to change a shared batch.
func TestSealed(t *testing.T) {
	rec := batch(t, 100)
	defer rec.Release()
	f, err := shm.Write(rec)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte("x"), 10); err == nil {
		t.Error("a shared batch can be written")
	}
	if err := f.Truncate(1); err == nil {
		t.Error("a shared batch can be cut")
	}
	if err := f.Truncate(1 << 20); err == nil {
		t.Error("a shared batch can be made longer")
	}
	if b, err := unix.Mmap(int(f.Fd()), 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED); err == nil {
		t.Error("a shared batch can be mapped for writing")
		_ = unix.Munmap(b)
	}
}

// TestForeign refuses files that are no shared batches.
func TestForeign(t *testing.T) {
	plain, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	if _, err := shm.Map(plain); err == nil {
		t.Error("a file on a disk is taken for a batch")
	}
	for _, content := range []string{"", "no batch at all", "ARROW1\x00\x00\xff\xff\xff\xff\x00\x00\x00\x00ARROW1"} {
		fd, err := unix.MemfdCreate("test", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
		if err != nil {
			t.Fatal(err)
		}
		f := os.NewFile(uintptr(fd), "test")
		if _, err := f.WriteString(content); err != nil {
			t.Fatal(err)
		}
		if _, err := shm.Map(f); err == nil {
			t.Errorf("%q is taken for a batch before it is sealed", content)
		}
		if _, err := unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS,
			unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_WRITE|unix.F_SEAL_SEAL); err != nil {
			t.Fatal(err)
		}
		if _, err := shm.Map(f); err == nil {
			t.Errorf("%q is taken for a batch", content)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
	if n := shm.MappedBytes(); n != 0 {
		t.Errorf("%d bytes are mapped", n)
	}
}

func BenchmarkShare(b *testing.B) {
	rec := batch(b, 2048)
	for b.Loop() {
		f, err := shm.Write(rec)
		if err != nil {
			b.Fatal(err)
		}
		m, err := shm.Map(f)
		if err != nil {
			b.Fatal(err)
		}
		if err := m.Close(); err != nil {
			b.Fatal(err)
		}
		if err := f.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
