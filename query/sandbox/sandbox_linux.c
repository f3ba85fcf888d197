// What a process gives up before main: see doc.go. Everything here runs in a
// constructor, before the Go runtime starts its first thread, so that it holds for all
// threads; Landlock binds the calling thread alone.

#define _GNU_SOURCE
#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

int kalam_landlock_abi, kalam_landlock_errno, kalam_seccomp_errno, kalam_sandboxed;

// The numbers are equal on every architecture; older headers lack them.
enum { landlock_create_ruleset = 444, landlock_add_rule = 445, landlock_restrict_self = 446, close_range_nr = 436 };

// The rights of Landlock on files, by the version of its interface that brought them.
enum {
	right_execute = 1 << 0, right_write_file = 1 << 1, right_read_file = 1 << 2, right_read_dir = 1 << 3,
	right_remove_dir = 1 << 4, right_remove_file = 1 << 5, right_make_dir = 1 << 7, right_make_reg = 1 << 8,
	rights_1 = (1 << 13) - 1, right_refer = 1 << 13, right_truncate = 1 << 14, right_ioctl_dev = 1 << 15,
	reading = right_read_file | right_read_dir,
	writing = reading | right_write_file | right_remove_dir | right_remove_file | right_make_dir | right_make_reg,
	of_files = right_execute | right_write_file | right_read_file | right_truncate | right_ioctl_dev,
};

struct ruleset { uint64_t fs, net, scoped; };
struct __attribute__((packed)) below { uint64_t allowed; int32_t fd; };

// allow adds the rule of one line, "r/path" or "w/path". A path that does not exist
// needs no rule: it cannot be opened.
static int allow(int set, uint64_t known, const char *line) {
	struct below rule = {(line[0] == 'w' ? writing | right_refer | right_truncate : reading) & known, open(line + 1, O_PATH | O_CLOEXEC)};
	if (rule.fd < 0) return errno == ENOENT ? 0 : errno;
	struct stat st;
	int failed = 0;
	if (fstat(rule.fd, &st) < 0) failed = errno;
	else if (!S_ISDIR(st.st_mode)) rule.allowed &= of_files;
	if (!failed && syscall(landlock_add_rule, set, 1, &rule, 0) < 0) failed = errno;
	close(rule.fd);
	return failed;
}

// restrict_files leaves the files of the rules, and no TCP, no signals and no abstract
// sockets to the outside where the kernel knows these.
static int restrict_files(char *rules) {
	int abi = (int)syscall(landlock_create_ruleset, NULL, 0, 1);
	if (abi < 1) return abi < 0 ? errno : ENOSYS;
	struct ruleset r = {rights_1, 3, 3};
	if (abi >= 2) r.fs |= right_refer;
	if (abi >= 3) r.fs |= right_truncate;
	if (abi >= 5) r.fs |= right_ioctl_dev;
	size_t size = abi >= 6 ? 24 : abi >= 4 ? 16 : 8;
	int set = (int)syscall(landlock_create_ruleset, &r, size, 0);
	if (set < 0) return errno;
	int failed = 0;
	char *rest = NULL;
	for (char *line = strtok_r(rules, "\n", &rest); line != NULL && !failed; line = strtok_r(NULL, "\n", &rest)) failed = allow(set, r.fs, line);
	if (!failed && syscall(landlock_restrict_self, set, 0) < 0) failed = errno;
	close(set);
	if (!failed) kalam_landlock_abi = abi;
	return failed;
}

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

// refused are the system calls that a worker never needs: sockets, other programs and
// processes, and what the kernel's past holes had in common.
static const int refused[] = {
	SYS_socket, SYS_socketpair, SYS_connect, SYS_bind, SYS_listen, SYS_accept, SYS_accept4, SYS_execve, SYS_execveat, SYS_ptrace, SYS_process_vm_readv,
	SYS_process_vm_writev, SYS_kill, SYS_tkill, SYS_kcmp, SYS_mount, SYS_umount2, SYS_pivot_root, SYS_chroot, SYS_unshare, SYS_setns, SYS_swapon,
	SYS_swapoff, SYS_reboot, SYS_init_module, SYS_finit_module, SYS_delete_module, SYS_kexec_load, SYS_bpf, SYS_perf_event_open, SYS_userfaultfd,
	SYS_add_key, SYS_request_key, SYS_keyctl, SYS_open_by_handle_at, SYS_name_to_handle_at, SYS_fchmod, SYS_fchmodat, SYS_fchown, SYS_fchownat,
	SYS_setxattr, SYS_lsetxattr, SYS_fsetxattr, SYS_mknodat, SYS_symlinkat, SYS_linkat, SYS_acct, SYS_quotactl, SYS_sethostname,
	SYS_settimeofday, SYS_clock_settime, SYS_adjtimex, SYS_setuid, SYS_setgid, SYS_setresuid, SYS_setresgid, SYS_shmget, SYS_shmat, SYS_msgget, SYS_semget,
	425, 426, 427, // io_uring_setup, io_uring_enter, io_uring_register
	424, 434, 438, // pidfd_send_signal, pidfd_open, pidfd_getfd
	428, 429, 430, 431, 432, 442, // open_tree, move_mount, fsopen, fsconfig, fsmount, mount_setattr
	440, // process_madvise
#ifdef SYS_fork
	SYS_fork, SYS_vfork, SYS_chmod, SYS_chown, SYS_lchown, SYS_mknod, SYS_symlink, SYS_link,
#endif
};

enum { n_refused = sizeof refused / sizeof *refused, max_filter = 2 * n_refused + 32, clone_thread = 0x10000, clone3_nr = 435, x32_bit = 0x40000000 };

// refuse_calls installs the filter of system calls. Threads may be made, processes not;
// signals go to this process alone.
static int refuse_calls(void) {
#ifndef ARCHITECTURE
	return ENOSYS;
#else
	struct sock_filter f[max_filter];
	unsigned short n = 0;
#define ADD(...) f[n++] = (struct sock_filter)__VA_ARGS__
#define LOAD(off) ADD(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (off)))
#define UNLESS(op, k, skip) ADD(BPF_JUMP(BPF_JMP | (op) | BPF_K, (k), 0, (skip)))
#define ANSWER(e) ADD(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (e)))
	LOAD(offsetof(struct seccomp_data, arch));
	ADD(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0));
	ADD(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS));
	LOAD(offsetof(struct seccomp_data, nr));
	UNLESS(BPF_JGE, x32_bit, 1);
	ANSWER(EPERM);
	for (int i = 0; i < n_refused; i++) {
		UNLESS(BPF_JEQ, (unsigned)refused[i], 1);
		ANSWER(EPERM);
	}
	UNLESS(BPF_JEQ, clone3_nr, 1); // Its flags are out of a filter's reach; libc goes on with clone.
	ANSWER(ENOSYS);
	UNLESS(BPF_JEQ, SYS_tgkill, 4);
	LOAD(offsetof(struct seccomp_data, args[0]));
	ADD(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)getpid(), 1, 0));
	ANSWER(EPERM);
	ADD(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
	UNLESS(BPF_JEQ, SYS_clone, 3);
	LOAD(offsetof(struct seccomp_data, args[0]));
	ADD(BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, clone_thread, 1, 0));
	ANSWER(EPERM);
	ADD(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
	struct sock_fprog p = {n, f};
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &p) < 0 ? errno : 0;
#endif
}

__attribute__((constructor)) static void enter(void) {
	const char *given = getenv("KALAM_SANDBOX");
	if (given == NULL) return;
	// Files that the parent's libraries opened without close-on-exec. 3 is the socket.
	syscall(close_range_nr, 4U, ~0U, 0U);
	struct rlimit none = {0, 0};
	setrlimit(RLIMIT_CORE, &none); // A dump would hold rows.
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	char *rules = strdup(given);
	unsetenv("KALAM_SANDBOX");
	kalam_landlock_errno = rules == NULL ? ENOMEM : restrict_files(rules);
	free(rules);
	kalam_seccomp_errno = refuse_calls();
	kalam_sandboxed = 1;
}
