package worker

// #include <stdint.h>
// #include <stdlib.h>
import "C"

import (
	"runtime/cgo"
	"unsafe"

	"github.com/oklog/ulid/v2"
)

// NextIDs fills out with new values of SNOWFLAKE_ID(). It is called from any thread.
type NextIDs func(out []int64) error

// kalamNextIDs fills out with n new ids. It returns the text of an error, which
// the caller frees, or nil.
//
//export kalamNextIDs
func kalamNextIDs(ids C.uintptr_t, out *C.int64_t, n C.size_t) *C.char {
	next, _ := cgo.Handle(ids).Value().(NextIDs)
	if next == nil {
		return C.CString("SNOWFLAKE_ID() is not available here")
	}
	if err := next(unsafe.Slice((*int64)(out), int(n))); err != nil {
		return C.CString(err.Error())
	}
	return nil
}

// kalamNextULIDs writes n new ULIDs of 26 bytes to out.
//
//export kalamNextULIDs
func kalamNextULIDs(out *C.char, n C.size_t) {
	b := unsafe.Slice((*byte)(unsafe.Pointer(out)), int(n)*ulid.EncodedSize)
	for len(b) > 0 {
		// A full buffer is the only error of MarshalTextTo.
		_ = ulid.Make().MarshalTextTo(b[:ulid.EncodedSize])
		b = b[ulid.EncodedSize:]
	}
}
