package maintain

import (
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/segments"
)

func TestObsoleteFilesOfTwoStorages(t *testing.T) {
	var r obsoleteFiles
	r.add(kalam.Scope{}, []kalam.Segment{{Storage: "cold", Path: "p"}})
	if r.has(segments.NewKey("", "p")) || !r.has(segments.NewKey("cold", "p")) {
		t.Error("a replaced segment of one storage is taken for that of another")
	}
}

func TestStaged(t *testing.T) {
	var s staged
	a, b, c := segments.NewKey("", "a"), segments.NewKey("", "b"), segments.NewKey("", "c")
	s.add(a)
	s.add(c)
	s.release(c)
	stop := s.watch()
	s.release(a)
	s.add(b)
	s.release(b)
	if !s.has(a) || !s.has(b) || s.has(c) {
		t.Error("what was released since watch is not known, or what was released before is")
	}
	stop()
	if s.has(a) || s.has(b) {
		t.Error("what was released is known for ever")
	}
}
