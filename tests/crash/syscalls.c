/*
 * Kills a program with SIGKILL at a chosen system call of those that change something: a file, a
 * connection, a lock. Its moments are counted from 1: 2n - 1 is before its n-th such call, which
 * then does not happen, 2n is after it. What it prints on its screen is not counted.
 *
 *   syscalls kill MOMENT REPORT COMMAND...      kills the program
 *   syscalls cut MOMENT SSHD REPORT COMMAND...  kills the sessions of that sshd instead
 *       REPORT gets one line: how many moments there were, and at which call it struck
 *   syscalls watch FILE UID MODE STATE...       looks at FILE until it is told to end: its bytes
 *       are always those of one of the files STATE, its owner and mode these; "-": it is not there
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    HANGS_AFTER_S = 60,
    THREADS_MOST = 256,
    FILE_MOST = 65536,
    LOOK_EVERY_US = 300,
};

enum kind { ALWAYS = 1, ON_DESCRIPTOR, OPENS };

static const struct {
    long number;
    enum kind kind;
    const char *name;
} changing[] = {
    {SYS_write, ON_DESCRIPTOR, "write"},
    {SYS_pwrite64, ON_DESCRIPTOR, "pwrite64"},
    {SYS_writev, ON_DESCRIPTOR, "writev"},
    {SYS_sendto, ALWAYS, "sendto"},
    {SYS_sendmsg, ALWAYS, "sendmsg"},
    {SYS_connect, ALWAYS, "connect"},
    {SYS_shutdown, ALWAYS, "shutdown"},
    {SYS_fsync, ALWAYS, "fsync"},
    {SYS_fdatasync, ALWAYS, "fdatasync"},
    {SYS_flock, ALWAYS, "flock"},
    {SYS_openat, OPENS, "openat"},
    {SYS_ftruncate, ALWAYS, "ftruncate"},
    {SYS_fallocate, ALWAYS, "fallocate"},
    {SYS_fchmod, ALWAYS, "fchmod"},
    {SYS_mkdirat, ALWAYS, "mkdirat"},
    {SYS_renameat, ALWAYS, "renameat"},
    {SYS_renameat2, ALWAYS, "renameat2"},
    {SYS_unlinkat, ALWAYS, "unlinkat"},
    {SYS_linkat, ALWAYS, "linkat"},
    {SYS_symlinkat, ALWAYS, "symlinkat"},
#ifdef SYS_rename
    {SYS_mkdir, ALWAYS, "mkdir"},
    {SYS_rmdir, ALWAYS, "rmdir"},
    {SYS_rename, ALWAYS, "rename"},
    {SYS_unlink, ALWAYS, "unlink"},
    {SYS_link, ALWAYS, "link"},
    {SYS_symlink, ALWAYS, "symlink"},
    {SYS_truncate, ALWAYS, "truncate"},
#endif
};

static void fail(const char *what)
{
    perror(what);
    exit(125);
}

static long number_of(const char *text)
{
    char *end;
    long number = strtol(text, &end, 10);

    if (*text == '\0' || *end != '\0' || number < 0) {
        (void)fprintf(stderr, "syscalls: \"%s\" is no number\n", text);
        exit(125);
    }
    return number;
}

/* --- kill, cut --- */

/* A thread of the program, and the changing call that it is in. */
struct thread {
    pid_t id;
    long call; /* 0: none */
    const char *name;
};

struct chase {
    pid_t program;
    long moment, calls;
    pid_t sshd; /* 0: the program itself is killed */
    const char *struck_at;
    struct thread threads[THREADS_MOST];
};

static struct thread *thread_of(struct chase *chase, pid_t id)
{
    for (int at = 0; at < THREADS_MOST; at++) {
        if (chase->threads[at].id == 0)
            chase->threads[at].id = id;
        if (chase->threads[at].id == id)
            return &chase->threads[at];
    }
    (void)fprintf(stderr, "syscalls: too many threads\n");
    exit(125);
}

static const char *changing_name(const struct __ptrace_syscall_info *info)
{
    const uint64_t *argument = info->entry.args;

    for (size_t at = 0; at < sizeof changing / sizeof *changing; at++) {
        if (changing[at].number != (long)info->entry.nr)
            continue;
        if (changing[at].kind == ON_DESCRIPTOR &&
            (argument[0] == STDOUT_FILENO || argument[0] == STDERR_FILENO))
            return NULL;
        if (changing[at].kind == OPENS && (argument[2] & (O_CREAT | O_TRUNC)) == 0)
            return NULL;
        return changing[at].name;
    }
    return NULL;
}

static void cut(pid_t sshd)
{
    char path[64];
    int session;

    (void)snprintf(path, sizeof path, "/proc/%d/task/%d/children", sshd, sshd);

    FILE *children = fopen(path, "r");

    if (children == NULL)
        fail(path);
    while (fscanf(children, "%d", &session) == 1)
        (void)kill(session, SIGKILL);
    (void)fclose(children);
}

static void strike_if(struct chase *chase, long moment, const struct thread *thread)
{
    if (moment != chase->moment)
        return;
    chase->struck_at = thread->name;
    if (chase->sshd == 0)
        (void)kill(chase->program, SIGKILL);
    else
        cut(chase->sshd);
}

/* It stands before or after a system call. */
static void call_seen(struct chase *chase, struct thread *thread)
{
    struct __ptrace_syscall_info info;

    if (ptrace(PTRACE_GET_SYSCALL_INFO, thread->id, sizeof info, &info) <= 0)
        return; // It was killed meanwhile.
    if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
        thread->name = changing_name(&info);
        thread->call = thread->name == NULL ? 0 : ++chase->calls;
        if (thread->call != 0)
            strike_if(chase, 2 * thread->call - 1, thread);
    } else if (info.op == PTRACE_SYSCALL_INFO_EXIT && thread->call != 0) {
        strike_if(chase, 2 * thread->call, thread);
        thread->call = 0;
    }
}

static int follow(struct chase *chase)
{
    int status;

    for (;;) {
        pid_t id = waitpid(-1, &status, __WALL);
        int signal = 0;

        if (id < 0)
            fail("waitpid");
        if (WIFEXITED(status) || WIFSIGNALED(status)) {
            if (id == chase->program)
                return status;
            thread_of(chase, id)->id = -1;
            continue;
        }
        // Of the other stops those of ptrace's own have the event above the signal.
        if (WSTOPSIG(status) == (SIGTRAP | 0x80))
            call_seen(chase, thread_of(chase, id));
        else if (status >> 16 == 0)
            signal = WSTOPSIG(status);
        (void)ptrace(PTRACE_SYSCALL, id, NULL, signal);
    }
}

static pid_t start(char *const *command)
{
    int go[2];

    if (pipe2(go, O_CLOEXEC) != 0)
        fail("pipe");

    pid_t program = fork();

    if (program < 0)
        fail("fork");
    if (program == 0) {
        char byte;

        if (read(go[0], &byte, 1) == 1)
            (void)execvp(command[0], command);
        _exit(127);
    }
    if (ptrace(PTRACE_SEIZE, program, NULL,
               PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC |
                   PTRACE_O_EXITKILL) != 0)
        fail("ptrace");
    if (write(go[1], "", 1) != 1)
        fail("write");
    (void)close(go[0]);
    (void)close(go[1]);
    return program;
}

static int chase(long moment, pid_t sshd, const char *report, char *const *command)
{
    struct chase chase = {.moment = moment, .sshd = sshd, .struck_at = "nothing"};

    // Nothing may outlive whoever started us: what we trace dies with us.
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)alarm(HANGS_AFTER_S);
    chase.program = start(command);

    int status = follow(&chase);
    FILE *file = fopen(report, "w");

    if (file == NULL ||
        fprintf(file, "%ld %s %s\n", 2 * chase.calls, moment % 2 == 0 ? "after" : "before",
                chase.struck_at) < 0 ||
        fclose(file) != 0)
        fail(report);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* --- watch --- */

static volatile sig_atomic_t is_over;

static void end(int signal)
{
    (void)signal;
    is_over = 1;
}

/* -1: it is not there. */
static ssize_t read_file(const char *path, char *bytes, struct stat *about)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);

    if (file < 0 && errno == ENOENT)
        return -1;

    ssize_t length = file < 0 || fstat(file, about) != 0 ? -1 : read(file, bytes, FILE_MOST);

    if (length < 0)
        fail(path);
    (void)close(file);
    return length;
}

static bool is_one_of(const char *bytes, ssize_t length, char *const *states)
{
    static char state[FILE_MOST];
    struct stat about;

    for (; *states != NULL; states++) {
        if (strcmp(*states, "-") == 0) {
            if (length < 0)
                return true;
        } else if (length >= 0 && read_file(*states, state, &about) == length &&
                   memcmp(state, bytes, (size_t)length) == 0) {
            return true;
        }
    }
    return false;
}

static int watch(const char *path, long owner, const char *mode_text, char *const *states)
{
    static char bytes[FILE_MOST];
    struct sigaction action = {.sa_handler = end};
    mode_t mode = (mode_t)strtol(mode_text, NULL, 8);
    long looks = 0;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)sigaction(SIGTERM, &action, NULL);
    for (; is_over == 0; looks++) {
        struct stat about = {0};
        ssize_t length = read_file(path, bytes, &about);

        if (!is_one_of(bytes, length, states)) {
            printf("%s: neither the old bytes nor the new ones: %.*s\n", path,
                   length < 0 ? 0 : (int)length, bytes);
            return 1;
        }
        if (length >= 0 && ((long)about.st_uid != owner || (about.st_mode & 07777) != mode)) {
            printf("%s: owner %u, mode %04o\n", path, about.st_uid, about.st_mode & 07777);
            return 1;
        }
        (void)usleep(LOOK_EVERY_US);
    }
    printf("%ld\n", looks);
    return 0;
}

int main(int count, char **words)
{
    if (count > 4 && strcmp(words[1], "kill") == 0)
        return chase(number_of(words[2]), 0, words[3], words + 4);
    if (count > 5 && strcmp(words[1], "cut") == 0)
        return chase(number_of(words[2]), (pid_t)number_of(words[3]), words[4], words + 5);
    if (count > 5 && strcmp(words[1], "watch") == 0)
        return watch(words[2], number_of(words[3]), words[4], words + 5);
    (void)fprintf(stderr, "usage: see syscalls.c\n");
    return 125;
}
