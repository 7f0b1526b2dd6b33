/* Seccomp by hand: seccomp(2), linux/seccomp.h, linux/filter.h. Two machines, thirty calls. */
#include "cli/offline.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__) && !defined(__ILP32__)
#define THIS_MACHINE AUDIT_ARCH_X86_64
#elif defined(__aarch64__) && defined(__AARCH64EL__)
#define THIS_MACHINE AUDIT_ARCH_AARCH64
#else
#error "offline.c does not know the system calls of this machine"
#endif

#define FIELD(member) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, member))
#define KILL BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)
#define KILL_IF(number) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1), KILL

/* Both machines are little-endian: the flags are the argument's first four bytes. */
#define KILL_IF_WRITING(number, argument)                                                          \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 4), FIELD(args[argument]),                      \
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, O_ACCMODE | O_CREAT | O_TRUNC, 0, 1), KILL,           \
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

/* The numbers that the headers of an old kernel may lack are the same on all machines. */
#ifndef __NR_clone3
#define __NR_clone3 435
#endif
#ifndef __NR_openat2
#define __NR_openat2 437
#endif
#ifndef __NR_io_uring_setup
#define __NR_io_uring_setup 425
#endif

/* x86_64 has a second set of numbers (x32) for the same calls. */
enum {
    X32_BIT = 0x40000000,
};

static struct sock_filter filter[] = {
    FIELD(arch),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, THIS_MACHINE, 1, 0),
    KILL,
    FIELD(nr),
#ifdef __x86_64__
    BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 0, 1),
    KILL,
    KILL_IF_WRITING(__NR_open, 1),
    KILL_IF(__NR_creat),
    KILL_IF(__NR_fork),
    KILL_IF(__NR_vfork),
#endif
    KILL_IF_WRITING(__NR_openat, 2),
    // What their flags are lies in memory, where a filter cannot look.
    KILL_IF(__NR_openat2),
    KILL_IF(__NR_clone3),
    // Threads too: nothing here needs one.
    KILL_IF(__NR_clone),
    KILL_IF(__NR_execve),
    KILL_IF(__NR_execveat),
    KILL_IF(__NR_socket),
    KILL_IF(__NR_connect),
    KILL_IF(__NR_bind),
    KILL_IF(__NR_sendto),
    KILL_IF(__NR_sendmsg),
    KILL_IF(__NR_sendmmsg),
    // Other ways to the same ends.
    KILL_IF(__NR_io_uring_setup),
    KILL_IF(__NR_open_by_handle_at),
    KILL_IF(__NR_truncate),
    KILL_IF(__NR_ptrace),
    KILL_IF(__NR_process_vm_writev),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
};

struct error *offline_enter(struct arena *arena)
{
    const struct sock_fprog program = {.len = ARRAY_COUNT(filter), .filter = filter};

    // Without it only root may set a filter. TSYNC: a library may have started a thread.
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
        syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) == 0)
        return NULL;
    return error_hint(arena,
                      error_new(arena, ERROR_FAILED,
                                "could not make sure that the preview stays offline: %s",
                                errno_text(arena, errno)),
                      "It needs seccomp filters of Linux 4.14 or later.");
}
