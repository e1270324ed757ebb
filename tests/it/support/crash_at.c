/* Stands between a program and the C library, counts the calls that change or flush the file system, and lets the
 * program meet a crash or a failing disk at one of them. Loaded by LD_PRELOAD; tests/it/crash/shim.rs builds and starts
 * it. It knows nothing of the program.
 *
 *   CRASH_LOG   a file that gets a line for each counted call: name, "ok" or the error's number, path, second path
 *   CRASH_AT    the call, counted from 1
 *   CRASH_HOW   what happens there:
 *     before    killed, the call not made
 *     after     killed, the call made and not answered
 *     torn      killed; of a write half is made, of a rename the target is left with half of the new content (no real
 *               file system tears a rename: it shows that such a thing would be noticed)
 *     eio       the call fails with EIO, later ones work
 *     full      from there on nothing finds room any more: ENOSPC, and of the first write half is made
 *     lazy      no flush is made or logged at all (CRASH_AT is not looked at)
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum how { NOTHING, BEFORE, AFTER, TORN, EIO_ONCE, FULL, LAZY };
enum room { NEEDS_ROOM, NEEDS_NONE };
enum { FILES = 1024 };

static enum how how = NOTHING;
static long at = 0, count = 0;
static int log_fd = -1;
static int half_is_out = 0;
static char *paths[FILES];

#define REAL(name) ((__typeof__(name) *)dlsym(RTLD_NEXT, #name))

__attribute__((constructor)) static void begin(void) {
    const char *words[] = {"", "before", "after", "torn", "eio", "full", "lazy"};
    const char *log = getenv("CRASH_LOG"), *mode = getenv("CRASH_HOW"), *number = getenv("CRASH_AT");
    if (log)
        log_fd = (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    at = number ? atol(number) : 0;
    for (int word = 1; mode && word <= LAZY; word++)
        if (!strcmp(mode, words[word])) how = (enum how)word;
}

static void die(void) {
    syscall(SYS_kill, getpid(), SIGKILL);
    for (;;) pause();
}

/* An absolute path without "." in it, as the log and the tests compare them. */
static void absolute(const char *path, char out[PATH_MAX]) {
    char here[PATH_MAX], *slot;
    if (path[0] == '/') snprintf(out, PATH_MAX, "%s", path);
    else if (getcwd(here, sizeof here)) snprintf(out, PATH_MAX, "%s/%s", here, path);
    while ((slot = strstr(out, "/./"))) memmove(slot, slot + 2, strlen(slot + 2) + 1);
    size_t length = strlen(out);
    if (length > 2 && !strcmp(out + length - 2, "/.")) out[length - 2] = 0;
}

static const char *path_of(int fd) { return fd >= 0 && fd < FILES && paths[fd] ? paths[fd] : "?"; }

static void remember(int fd, const char *path) {
    char full[PATH_MAX] = "";
    if (fd < 0 || fd >= FILES) return;
    absolute(path, full);
    free(paths[fd]);
    paths[fd] = strdup(full);
}

static int counted_path(const char *path) {
    return strncmp(path, "/dev/", 5) || !strncmp(path, "/dev/shm/", 9) ? strncmp(path, "/proc/", 6) != 0 : 0;
}

static int counted_file(int fd) {
    struct stat seen;
    return !fstat(fd, &seen) && (S_ISREG(seen.st_mode) || S_ISDIR(seen.st_mode)) && fd != log_fd;
}

/* Counts a call. Answers with 0 where it is to be made, else with the error that it is to fail with. */
static int meet(enum room room) {
    count++;
    if (how == BEFORE && count == at) die();
    if (how == EIO_ONCE && count == at) return EIO;
    if (how == FULL && count >= at && room == NEEDS_ROOM) return ENOSPC;
    return 0;
}

static void told(const char *name, int failed, const char *one, const char *two) {
    char line[2 * PATH_MAX + 64], first[PATH_MAX] = "", second[PATH_MAX] = "";
    int kept = errno;
    if (*one) absolute(one, first);
    if (*two) absolute(two, second);
    int length = failed ? snprintf(line, sizeof line, "%s\t%d\t%s\t%s\n", name, kept, first, second)
                        : snprintf(line, sizeof line, "%s\tok\t%s\t%s\n", name, first, second);
    if (log_fd >= 0) syscall(SYS_write, log_fd, line, (size_t)length);
    if ((how == AFTER || how == TORN) && count == at) die();
    errno = kept;
}

#define COUNTED(room, name, one, two, call)                 \
    do {                                                    \
        int refused = meet(room), result;                   \
        if (refused) errno = refused, result = -1;          \
        else result = (call);                               \
        told(name, result == -1, one, two);                 \
        return result;                                      \
    } while (0)

static int opened(const char *path, int flags, mode_t mode, int (*real)(const char *, int, ...)) {
    int fd;
    if (!(flags & (O_CREAT | O_TRUNC)) || !counted_path(path)) {
        fd = real(path, flags, mode);
    } else {
        enum room room = access(path, F_OK) ? NEEDS_ROOM : NEEDS_NONE;
        int refused = meet(room);
        if (refused) errno = refused, fd = -1;
        else fd = real(path, flags, mode);
        told(room == NEEDS_ROOM ? "create" : "reopen", fd == -1, path, "");
    }
    remember(fd, path);
    return fd;
}

#define OPEN(name)                                                                              \
    int name(const char *path, int flags, ...) {                                                \
        va_list more;                                                                           \
        va_start(more, flags);                                                                  \
        mode_t mode = va_arg(more, mode_t);                                                     \
        va_end(more);                                                                           \
        return opened(path, flags, mode, (int (*)(const char *, int, ...))REAL(name));         \
    }
OPEN(open)
OPEN(open64)

static int opened_at(int folder, const char *path, int flags, mode_t mode) {
    char full[PATH_MAX];
    if (path[0] != '/' && folder != AT_FDCWD) snprintf(full, sizeof full, "%s/%s", path_of(folder), path);
    else snprintf(full, sizeof full, "%s", path);
    return opened(full, flags, mode, (int (*)(const char *, int, ...))REAL(open));
}

#define OPENAT(name)                                                                            \
    int name(int folder, const char *path, int flags, ...) {                                    \
        va_list more;                                                                           \
        va_start(more, flags);                                                                  \
        mode_t mode = va_arg(more, mode_t);                                                     \
        va_end(more);                                                                           \
        return opened_at(folder, path, flags, mode);                                            \
    }
OPENAT(openat)
OPENAT(openat64)

ssize_t write(int fd, const void *bytes, size_t size) {
    ssize_t (*real)(int, const void *, size_t) = REAL(write);
    if (!counted_file(fd)) return real(fd, bytes, size);
    int refused = meet(NEEDS_ROOM);
    ssize_t result;
    if (how == TORN && count == at) size /= 2;
    if (refused == ENOSPC && !half_is_out && size > 1) {
        half_is_out = 1;
        result = real(fd, bytes, size / 2);
    } else if (refused) {
        errno = refused;
        result = -1;
    } else {
        result = real(fd, bytes, size);
    }
    told("write", result == -1, path_of(fd), "");
    return result;
}

ssize_t writev(int fd, const struct iovec *parts, int many) {
    if (!counted_file(fd)) return REAL(writev)(fd, parts, many);
    for (int part = 0; part < many; part++)
        if (parts[part].iov_len) return write(fd, parts[part].iov_base, parts[part].iov_len);
    return 0;
}

ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t where) {
    COUNTED(NEEDS_ROOM, "write", path_of(fd), "", (int)REAL(pwrite64)(fd, bytes, size, where));
}

/* Would go past `write`; whoever asks falls back to it. */
ssize_t copy_file_range(int from, off64_t *a, int to, off64_t *b, size_t size, unsigned flags) {
    (void)from, (void)a, (void)to, (void)b, (void)size, (void)flags;
    errno = ENOSYS;
    return -1;
}
ssize_t sendfile64(int to, int from, off64_t *offset, size_t size) {
    (void)to, (void)from, (void)offset, (void)size;
    errno = ENOSYS;
    return -1;
}

int fsync(int fd) {
    if (how == LAZY) return 0;
    COUNTED(NEEDS_NONE, "flush", path_of(fd), "", REAL(fsync)(fd));
}
int fdatasync(int fd) {
    if (how == LAZY) return 0;
    COUNTED(NEEDS_NONE, "flush", path_of(fd), "", REAL(fdatasync)(fd));
}
int ftruncate(int fd, off_t length) {
    COUNTED(NEEDS_NONE, "truncate", path_of(fd), "", REAL(ftruncate)(fd, length));
}
int ftruncate64(int fd, off64_t length) {
    COUNTED(NEEDS_NONE, "truncate", path_of(fd), "", REAL(ftruncate64)(fd, length));
}
int fchmod(int fd, mode_t mode) { COUNTED(NEEDS_NONE, "chmod", path_of(fd), "", REAL(fchmod)(fd, mode)); }
int chmod(const char *path, mode_t mode) { COUNTED(NEEDS_NONE, "chmod", path, "", REAL(chmod)(path, mode)); }
int fchown(int fd, uid_t user, gid_t group) {
    COUNTED(NEEDS_NONE, "chown", path_of(fd), "", REAL(fchown)(fd, user, group));
}
int mkdir(const char *path, mode_t mode) { COUNTED(NEEDS_ROOM, "mkdir", path, "", REAL(mkdir)(path, mode)); }
int unlink(const char *path) { COUNTED(NEEDS_NONE, "unlink", path, "", REAL(unlink)(path)); }
int rmdir(const char *path) { COUNTED(NEEDS_NONE, "unlink", path, "", REAL(rmdir)(path)); }
int unlinkat(int folder, const char *path, int flags) {
    COUNTED(NEEDS_NONE, "unlink", path, "", REAL(unlinkat)(folder, path, flags));
}
int link(const char *old, const char *new) { COUNTED(NEEDS_ROOM, "link", old, new, REAL(link)(old, new)); }
int linkat(int from, const char *old, int to, const char *new, int flags) {
    COUNTED(NEEDS_ROOM, "link", old, new, REAL(linkat)(from, old, to, new, flags));
}

static void tear(const char *old, const char *new) {
    static char bytes[1 << 20];
    int from = (int)syscall(SYS_openat, AT_FDCWD, old, O_RDONLY, 0);
    int to = (int)syscall(SYS_openat, AT_FDCWD, new, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    long size = syscall(SYS_read, from, bytes, sizeof bytes);
    syscall(SYS_write, to, bytes, (size_t)(size > 0 ? size / 2 : 0));
    die();
}

int rename(const char *old, const char *new) {
    if (how == TORN && count + 1 == at) tear(old, new);
    COUNTED(NEEDS_ROOM, "rename", old, new, REAL(rename)(old, new));
}
int renameat(int from, const char *old, int to, const char *new) {
    if (how == TORN && count + 1 == at) tear(old, new);
    COUNTED(NEEDS_ROOM, "rename", old, new, REAL(renameat)(from, old, to, new));
}
int renameat2(int from, const char *old, int to, const char *new, unsigned flags) {
    if (how == TORN && count + 1 == at) tear(old, new);
    COUNTED(NEEDS_ROOM, "rename", old, new,
            (int)syscall(SYS_renameat2, from, old, to, new, flags));
}
int symlink(const char *old, const char *new) { COUNTED(NEEDS_ROOM, "link", old, new, REAL(symlink)(old, new)); }
