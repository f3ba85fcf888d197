#ifndef KALAM_SANDBOX_H
#define KALAM_SANDBOX_H

// What the constructor did: the version of Landlock that is in force, 0 for none, and
// why Landlock and seccomp are not, as errno, 0 when they are.
extern int kalam_landlock_abi, kalam_landlock_errno, kalam_seccomp_errno;

// kalam_sandboxed is 1 in a process that was started with rules.
extern int kalam_sandboxed;

#endif
