package shm

import "unsafe"

// Address returns where the mapping begins.
func (m *Mapped) Address() uintptr { return uintptr(unsafe.Pointer(&m.memory[0])) }
