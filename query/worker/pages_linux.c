// The pages of the program that a worker has touched at its start.

#define _GNU_SOURCE
#include <link.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "pages.h"

static int forget(struct dl_phdr_info *info, size_t size, void *unused) {
	(void)size;
	(void)unused;
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		if (p->p_type != PT_LOAD || (p->p_flags & PF_W))
			continue; // Pages that may have been written to are not in the file.
		uintptr_t from = (info->dlpi_addr + p->p_vaddr + page - 1) & ~(page - 1);
		uintptr_t to = (info->dlpi_addr + p->p_vaddr + p->p_memsz) & ~(page - 1);
		if (from < to)
			(void)madvise((void *)from, to - from, MADV_DONTNEED); // Advice: nothing depends on it.
	}
	return 1; // The first is the program, libraries follow.
}

// kalam_forget_program lets go of the program's own pages that are as in its file: those that
// are used again come back from the kernel's cache of the file.
void kalam_forget_program(void) { dl_iterate_phdr(forget, NULL); }
