/*
 * Preloaded into holdback: lets a call fail that may fail on any machine, and writes down the calls
 * that change files. Only what the program and its libraries call counts, not what libc calls
 * inside itself.
 *
 *   HOLDBACK_CALLS=FILE          what happened is appended to this file, a line each:
 *                                  create PATH / mkdir PATH / rename FROM TO / truncate PATH LENGTH
 *                                  write PATH FROM TO AT: offsets, and where in FILE.bytes the
 *                                    bytes are, if there is such a file
 *                                  sync PATH LENGTH / tell FD TEXT / connect
 *                                  failed CLASS NUMBER ERROR PATH
 *                                  count CLASS NUMBER / open TARGET: both at the end of main
 *   HOLDBACK_FAIL=CLASS:N:ERRNO  the N-th call of a class fails: write fsync open rename mkdir
 *                                truncate memory; with 0 for ERRNO the program is killed instead
 *   HOLDBACK_FAIL_ON=1           and so do all after it; of a full disk's first write one half goes
 *                                through
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum class {
    WRITE,
    FSYNC,
    OPEN,
    RENAME,
    MKDIR,
    TRUNCATE,
    MEMORY,
    CLASS_COUNT,
};

enum {
    HIGH = 1000, /* the descriptors that are ours, not the program's */
};

static const char *const class_names[] = {"write", "fsync",    "open",  "rename",
                                          "mkdir", "truncate", "memory"};
static atomic_long counts[CLASS_COUNT];
static enum class fail_class;
static long fail_at;
static int fail_errno;
static bool fail_on, is_armed, was_open[HIGH];
static int log_fd = -1, bytes_fd = -1;

/* Without libc's own buffers: it is called where memory may be what fails. */
__attribute__((format(printf, 1, 2))) static void tell(const char *format, ...)
{
    char line[9000];
    va_list arguments;

    if (log_fd < 0)
        return;
    va_start(arguments, format);
    int length = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (length > (int)sizeof line - 1)
        length = (int)sizeof line - 1;
    (void)syscall(SYS_write, log_fd, line, (size_t)length);
}

/* NAME is of a path, or NULL; then FD tells it. */
static const char *name_of(int fd, char name[4096])
{
    char link[64];

    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);

    long length = syscall(SYS_readlinkat, AT_FDCWD, link, name, 4095);

    name[length < 0 ? 0 : length] = '\0';
    return name;
}

static bool fails(enum class class, const char *name, int fd)
{
    char buffer[4096];
    int before = errno;

    if (!is_armed)
        return false;

    long number = atomic_fetch_add(&counts[class], 1) + 1;

    if (fail_at == 0 || class != fail_class || number < fail_at || (number > fail_at && !fail_on))
        return false;
    if (number == fail_at)
        tell("failed %s %ld %s %s\n", class_names[class], number, strerrorname_np(fail_errno),
             name != NULL ? name
             : fd < 0     ? "-"
                          : name_of(fd, buffer));
    if (fail_errno == 0)
        (void)kill(getpid(), SIGKILL);
    errno = before;
    return true;
}

#define FAIL(value) return errno = fail_errno, (value)
#define REAL(result, name, ...)                                                                    \
    static result (*real)(__VA_ARGS__);                                                            \
    if (real == NULL)                                                                              \
    real = (result(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

/* Where a test of descriptors does not find it, and nobody closes it by mistake. */
static int high(int fd)
{
    int moved = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, HIGH);

    if (fd >= 0)
        (void)syscall(SYS_close, fd);
    return moved;
}

__attribute__((constructor)) static void begin(void)
{
    const char *log = getenv("HOLDBACK_CALLS"), *fail = getenv("HOLDBACK_FAIL"); // NOLINT

    if (log != NULL)
        log_fd = (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC,
                              0600);
    if (log != NULL) {
        char name[4096];

        (void)snprintf(name, sizeof name, "%s.bytes", log);
        log_fd = high(log_fd);
        bytes_fd = high((int)syscall(SYS_openat, AT_FDCWD, name, O_WRONLY | O_APPEND | O_CLOEXEC));
    }
    for (int class = 0; fail != NULL && class < CLASS_COUNT; class ++) {
        size_t length = strlen(class_names[class]);
        char *end;

        if (strncmp(fail, class_names[class], length) != 0 || fail[length] != ':')
            continue;
        fail_class = (enum class) class;
        fail_at = strtol(fail + length + 1, &end, 10);
        fail_errno = (int)strtol(end + 1, NULL, 10);
    }
    for (int fd = 3; fd < HIGH; fd++)
        was_open[fd] = fcntl(fd, F_GETFD) >= 0;
    fail_on = getenv("HOLDBACK_FAIL_ON") != NULL; // NOLINT
    // What it starts is not what is tested.
    (void)unsetenv("LD_PRELOAD"); // NOLINT
    is_armed = true;
}

__attribute__((destructor)) static void end(void)
{
    is_armed = false;
    for (int class = 0; class < CLASS_COUNT; class ++)
        tell("count %s %ld\n", class_names[class], atomic_load(&counts[class]));
    for (int fd = 3; fd < HIGH; fd++) {
        char name[4096];

        if (fcntl(fd, F_GETFD) >= 0 && !was_open[fd])
            tell("open %s\n", name_of(fd, name));
    }
    (void)syscall(SYS_close, log_fd);
    log_fd = -1;
}

/* ---- memory: libc's own functions too, which holdback's call ---- */

/* NOLINTBEGIN(bugprone-reserved-identifier) */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);

void *__libc_malloc(size_t size)
{
    REAL(void *, "__libc_malloc", size_t);
    if (fails(MEMORY, NULL, -1))
        FAIL(NULL);
    return real(size);
}

void *__libc_calloc(size_t count, size_t size)
{
    REAL(void *, "__libc_calloc", size_t, size_t);
    if (fails(MEMORY, NULL, -1))
        FAIL(NULL);
    return real(count, size);
}

void *__libc_realloc(void *old, size_t size)
{
    REAL(void *, "__libc_realloc", void *, size_t);
    if (fails(MEMORY, NULL, -1))
        FAIL(NULL);
    return real(old, size);
}
/* NOLINTEND(bugprone-reserved-identifier) */

void *malloc(size_t size)
{
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
    return __libc_realloc(old, size);
}

/* ---- what opens ---- */

static int opened(int fd, bool is_new)
{
    char name[4096];

    if (fd >= 0 && is_new && is_armed)
        tell("create %s\n", name_of(fd, name));
    return fd;
}

static int open_at(int folder, const char *path, int flags, mode_t mode)
{
    struct stat status;
    bool is_new = (flags & O_CREAT) != 0 && fstatat(folder, path, &status, 0) != 0;

    if (fails(OPEN, path, -1))
        FAIL(-1);
    return opened((int)syscall(SYS_openat, folder, path, flags, mode), is_new);
}

#define MODE_OF(flags, mode)                                                                       \
    mode_t mode = 0;                                                                               \
    if (((flags) & (O_CREAT | O_TMPFILE)) != 0) {                                                  \
        va_list arguments;                                                                         \
        va_start(arguments, flags);                                                                \
        mode = va_arg(arguments, mode_t);                                                          \
        va_end(arguments);                                                                         \
    }

int open(const char *path, int flags, ...)
{
    MODE_OF(flags, mode)
    return open_at(AT_FDCWD, path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    MODE_OF(flags, mode)
    return open_at(AT_FDCWD, path, flags, mode);
}

int openat(int folder, const char *path, int flags, ...)
{
    MODE_OF(flags, mode)
    return open_at(folder, path, flags, mode);
}

int openat64(int folder, const char *path, int flags, ...)
{
    MODE_OF(flags, mode)
    return open_at(folder, path, flags, mode);
}

int mkostemp(char *path, int flags)
{
    REAL(int, "mkostemp", char *, int);
    if (fails(OPEN, path, -1))
        FAIL(-1);
    return opened(real(path, flags), true);
}

FILE *fopen(const char *path, const char *mode)
{
    REAL(FILE *, "fopen", const char *, const char *);
    if (fails(OPEN, path, -1))
        FAIL(NULL);
    return real(path, mode);
}

FILE *fopen64(const char *path, const char *mode)
{
    return fopen(path, mode);
}

DIR *opendir(const char *path)
{
    REAL(DIR *, "opendir", const char *);
    if (fails(OPEN, path, -1))
        FAIL(NULL);
    return real(path);
}

int scandir(const char *path, struct dirent ***list, int (*filter)(const struct dirent *),
            int (*order)(const struct dirent **, const struct dirent **))
{
    REAL(int, "scandir", const char *, struct dirent ***, int (*)(const struct dirent *),
         int (*)(const struct dirent **, const struct dirent **));
    if (fails(OPEN, path, -1))
        FAIL(-1);
    return real(path, list, filter, order);
}

int socket(int domain, int type, int protocol)
{
    if (fails(OPEN, "socket", -1))
        FAIL(-1);
    if (is_armed && domain != AF_UNIX)
        tell("connect\n");
    return (int)syscall(SYS_socket, domain, type, protocol);
}

int socketpair(int domain, int type, int protocol, int ends[2])
{
    if (fails(OPEN, "socketpair", -1))
        FAIL(-1);
    return (int)syscall(SYS_socketpair, domain, type, protocol, ends);
}

int eventfd(unsigned count, int flags)
{
    if (fails(OPEN, "eventfd", -1))
        FAIL(-1);
    return (int)syscall(SYS_eventfd2, count, flags);
}

/* ---- what changes files ---- */

static ssize_t put(int fd, const void *bytes, size_t length, off_t at, bool is_at)
{
    char name[4096];
    struct stat status;
    long done = atomic_load(&counts[WRITE]) + 1;

    // Or nobody would be told of a disk that stays full.
    bool is_told = fail_on && done > fail_at && (fd == STDOUT_FILENO || fd == STDERR_FILENO);

    if (fails(WRITE, NULL, fd) && !is_told) {
        if (!fail_on || fail_errno != ENOSPC || done != fail_at || length < 2)
            FAIL(-1);
        length /= 2;
    }

    ssize_t put = is_at ? (ssize_t)syscall(SYS_pwrite64, fd, bytes, length, at)
                        : (ssize_t)syscall(SYS_write, fd, bytes, length);
    int after = errno;

    if (put > 0 && is_armed && (fd == STDOUT_FILENO || fd == STDERR_FILENO))
        tell("tell %d %.*s%s", fd, (int)put, (const char *)bytes,
             ((const char *)bytes)[put - 1] == '\n' ? "" : "\n");
    else if (put > 0 && is_armed && fstat(fd, &status) == 0 && S_ISREG(status.st_mode)) {
        off_t to = is_at ? at + put : lseek(fd, 0, SEEK_CUR);

        long kept = bytes_fd < 0 ? 0 : lseek(bytes_fd, 0, SEEK_END);

        (void)syscall(SYS_write, bytes_fd, bytes, (size_t)put);
        tell("write %s %ld %ld %ld\n", name_of(fd, name), (long)(to - put), (long)to, kept);
    }
    errno = after;
    return put;
}

ssize_t write(int fd, const void *bytes, size_t length)
{
    return put(fd, bytes, length, 0, false);
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t at)
{
    return put(fd, bytes, length, at, true);
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off_t at)
{
    return put(fd, bytes, length, at, true);
}

static int sync_fd(int fd, long number)
{
    char name[4096];
    struct stat status = {0};

    if (fails(FSYNC, NULL, fd))
        FAIL(-1);

    int result = (int)syscall(number, fd);

    if (result == 0 && is_armed && fstat(fd, &status) == 0)
        tell("sync %s %ld\n", name_of(fd, name), (long)status.st_size);
    return result;
}

int fsync(int fd)
{
    return sync_fd(fd, SYS_fsync);
}

int fdatasync(int fd)
{
    return sync_fd(fd, SYS_fdatasync);
}

int ftruncate(int fd, off_t length)
{
    char name[4096];

    if (fails(TRUNCATE, NULL, fd))
        FAIL(-1);
    if (is_armed)
        tell("truncate %s %ld\n", name_of(fd, name), (long)length);
    return (int)syscall(SYS_ftruncate, fd, length);
}

int ftruncate64(int fd, off_t length)
{
    return ftruncate(fd, length);
}

int rename(const char *from, const char *to)
{
    if (fails(RENAME, to, -1))
        FAIL(-1);

    int result = (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);

    if (result == 0 && is_armed)
        tell("rename %s %s\n", from, to);
    return result;
}

int renameat2(int from_folder, const char *from, int to_folder, const char *to, unsigned flags)
{
    if (fails(RENAME, to, -1))
        FAIL(-1);

    int result = (int)syscall(SYS_renameat2, from_folder, from, to_folder, to, flags);

    if (result == 0 && is_armed)
        tell("rename %s %s\n", from, to);
    return result;
}

int mkdir(const char *path, mode_t mode)
{
    if (fails(MKDIR, path, -1))
        FAIL(-1);

    int result = (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);

    if (result == 0 && is_armed)
        tell("mkdir %s\n", path);
    return result;
}
