/*
 * Records every change of the files below one directory, in one global order.
 *
 * Built by the test with `cc -shared -fPIC` and loaded into the real hitwire binary with LD_PRELOAD. It stands between
 * the program (SQLite included) and libc's system calls, and writes what happened into a trace from which the test
 * works out what a disk may hold after a power loss at any point.
 *
 *   HITWIRE_TRACE_DIR   canonical path of the directory that is watched
 *   HITWIRE_TRACE_FILE  where the trace is written; outside that directory
 *   HITWIRE_TRACE_EIO   while a file of this name exists, fsync and fdatasync below the directory fail with EIO
 *   HITWIRE_TRACE_READ_EIO   while a file of this name exists, so does one of READS_PER_FAILURE reads
 *
 * The order is right because each change is made and recorded under one lock. A sync is the exception, since it may take
 * long and others go on writing meanwhile: its begin and its end are two records, and only what was written before
 * the begin is safe at the end.
 *
 * SQLite's `-shm` files are left out: they are shared memory, worthless after a crash, and written through mmap. Anything else
 * that would escape the trace (a writable mapping, copy_file_range, ...) is recorded as UNTRACEABLE, and the test fails.
 *
 * The real calls are made by number, so that nothing has to be looked up in libc before the first of them.
 */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum op {
    OP_OPEN = 1,        /* fd; a = OPEN_* bits; text = path */
    OP_WRITE = 2,       /* fd; a = offset; text = the bytes */
    OP_TRUNCATE = 3,    /* fd; a = new length */
    OP_SYNC_BEGIN = 4,  /* fd; a = number of this sync */
    OP_SYNC_END = 5,    /* fd; a = number of this sync */
    OP_SYNC_FAILED = 6, /* fd */
    OP_CLOSE = 7,       /* fd */
    OP_DUP = 8,         /* fd = the new one; a = the old one */
    OP_RENAME = 9,      /* text = from NUL to */
    OP_UNLINK = 10,     /* text = path */
    OP_LINK = 11,       /* text = from NUL to */
    OP_MKDIR = 12,      /* text = path */
    OP_RMDIR = 13,      /* text = path */
    OP_EXTEND = 14,     /* fd; a = the least length from now on */
    OP_UNTRACEABLE = 15 /* text = name of the call */
};

enum { OPEN_CREATED = 1, OPEN_TRUNCATED = 2, OPEN_DIRECTORY = 4, OPEN_SYNCHRONOUS = 8 };

/* The same on disk: 24 bytes, little-endian, then `length` bytes of text. */
struct head {
    uint32_t op;
    int32_t fd;
    int64_t a;
    uint64_t length;
};

#define FD_MAX 65536

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static atomic_char tracked[FD_MAX];
static atomic_long syncs;
static long failures; /* of syncs; under the lock */
static int trace_fd = -1;
static char root[PATH_MAX];
static size_t root_length;
static const char *eio_switch;
static const char *read_eio_switch;
static atomic_ulong reads;

enum { READS_PER_FAILURE = 20 };

static void set_up(void) {
    const char *dir = getenv("HITWIRE_TRACE_DIR");
    const char *file = getenv("HITWIRE_TRACE_FILE");
    eio_switch = getenv("HITWIRE_TRACE_EIO");
    read_eio_switch = getenv("HITWIRE_TRACE_READ_EIO");
    if (!dir || !file || strlen(dir) >= sizeof root) return;
    strcpy(root, dir);
    root_length = strlen(root);
    trace_fd = (int)syscall(SYS_openat, AT_FDCWD, file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static int on(void) {
    pthread_once(&once, set_up);
    return trace_fd >= 0;
}

static int is_tracked(int fd) {
    return fd >= 0 && fd < FD_MAX && atomic_load(&tracked[fd]);
}

static void set_tracked(int fd, char yes) {
    if (fd >= 0 && fd < FD_MAX) atomic_store(&tracked[fd], yes);
}

/* Takes the whole record or ends the process: a trace with a hole in it proves nothing. */
static void record(enum op op, int fd, int64_t a, const struct iovec *text, int texts) {
    struct iovec parts[18];
    struct head head = {.op = op, .fd = fd, .a = a, .length = 0};
    if (texts > 16) abort();
    parts[0] = (struct iovec){&head, sizeof head};
    size_t all = sizeof head;
    for (int i = 0; i < texts; i++) {
        parts[i + 1] = text[i];
        head.length += text[i].iov_len;
        all += text[i].iov_len;
    }
    if (syscall(SYS_writev, trace_fd, parts, texts + 1) != (ssize_t)all) abort();
}

static void record_text(enum op op, int fd, int64_t a, const char *text) {
    struct iovec part = {(void *)text, strlen(text)};
    record(op, fd, a, &part, 1);
}

static void record_pair(enum op op, const char *from, const char *to) {
    struct iovec parts[2] = {{(void *)from, strlen(from) + 1}, {(void *)to, strlen(to)}};
    record(op, -1, 0, parts, 2);
}

static void untraceable(const char *call) {
    int saved = errno;
    pthread_mutex_lock(&lock);
    record_text(OP_UNTRACEABLE, -1, 0, call);
    pthread_mutex_unlock(&lock);
    errno = saved;
}

static int is_watched(const char *path) {
    if (strncmp(path, root, root_length) != 0) return 0;
    if (path[root_length] != '/' && path[root_length] != 0) return 0;
    size_t length = strlen(path);
    return length < 4 || strcmp(path + length - 4, "-shm") != 0;
}

static int path_of_fd(int fd, char *out) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = syscall(SYS_readlinkat, AT_FDCWD, link, out, PATH_MAX - 1);
    if (n < 0) return 0;
    out[n] = 0;
    return 1;
}

/* The absolute path of a name that need not exist. Says 0 for what lies elsewhere. */
static int watched_name(int dir, const char *name, char *out) {
    if (name[0] == '/') {
        if (strlen(name) >= PATH_MAX) return 0;
        strcpy(out, name);
    } else {
        if (dir == AT_FDCWD ? !getcwd(out, PATH_MAX) : !path_of_fd(dir, out)) return 0;
        size_t used = strlen(out);
        if (used + 1 + strlen(name) >= PATH_MAX) return 0;
        out[used] = '/';
        strcpy(out + used + 1, name);
    }
    return is_watched(out);
}

/* ---- opening and closing ---- */

static int traced_open(int dir, const char *name, int flags, mode_t mode) {
    if (!on()) return (int)syscall(SYS_openat, dir, name, flags, mode);
    char path[PATH_MAX];
    pthread_mutex_lock(&lock);
    int was_there = !(flags & O_CREAT) || syscall(SYS_faccessat, dir, name, F_OK) == 0;
    int fd = (int)syscall(SYS_openat, dir, name, flags, mode);
    int saved = errno;
    if (fd >= 0) {
        int watched = path_of_fd(fd, path) && is_watched(path);
        set_tracked(fd, (char)watched);
        if (watched) {
            struct stat found;
            int64_t bits = 0;
            if (!was_there) bits |= OPEN_CREATED;
            if (flags & O_TRUNC) bits |= OPEN_TRUNCATED;
            if (flags & (O_SYNC | O_DSYNC)) bits |= OPEN_SYNCHRONOUS;
            if (fstat(fd, &found) == 0 && S_ISDIR(found.st_mode)) bits |= OPEN_DIRECTORY;
            record_text(OP_OPEN, fd, bits, path);
        }
    }
    pthread_mutex_unlock(&lock);
    errno = saved;
    return fd;
}

static mode_t mode_in(int flags, va_list list) {
    return (flags & (O_CREAT | O_TMPFILE)) ? va_arg(list, mode_t) : 0;
}

#define OPEN(name)                                                  \
    int name(const char *path, int flags, ...) {                    \
        va_list list;                                               \
        va_start(list, flags);                                      \
        mode_t mode = mode_in(flags, list);                         \
        va_end(list);                                               \
        return traced_open(AT_FDCWD, path, flags, mode);            \
    }
#define OPENAT(name)                                                \
    int name(int dir, const char *path, int flags, ...) {           \
        va_list list;                                               \
        va_start(list, flags);                                      \
        mode_t mode = mode_in(flags, list);                         \
        va_end(list);                                               \
        return traced_open(dir, path, flags, mode);                 \
    }
OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)

int creat(const char *path, mode_t mode) {
    return traced_open(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

int close(int fd) {
    if (!on() || !is_tracked(fd)) return (int)syscall(SYS_close, fd);
    pthread_mutex_lock(&lock);
    record(OP_CLOSE, fd, 0, NULL, 0);
    set_tracked(fd, 0);
    int result = (int)syscall(SYS_close, fd);
    int saved = errno;
    pthread_mutex_unlock(&lock);
    errno = saved;
    return result;
}

static int traced_dup(int old, int result) {
    if (result >= 0) {
        set_tracked(result, 1);
        record(OP_DUP, result, old, NULL, 0);
    }
    return result;
}

static int traced_fcntl(int fd, int command, void *argument) {
    int copies = command == F_DUPFD || command == F_DUPFD_CLOEXEC;
    if (!copies || !on() || !is_tracked(fd)) return (int)syscall(SYS_fcntl, fd, command, argument);
    pthread_mutex_lock(&lock);
    int result = traced_dup(fd, (int)syscall(SYS_fcntl, fd, command, argument));
    pthread_mutex_unlock(&lock);
    return result;
}

int fcntl(int fd, int command, ...) {
    va_list list;
    va_start(list, command);
    void *argument = va_arg(list, void *);
    va_end(list);
    return traced_fcntl(fd, command, argument);
}

int fcntl64(int fd, int command, ...) {
    va_list list;
    va_start(list, command);
    void *argument = va_arg(list, void *);
    va_end(list);
    return traced_fcntl(fd, command, argument);
}

int dup(int fd) {
    return traced_fcntl(fd, F_DUPFD, 0);
}

/* ---- writing ---- */

/* What a call of `writev` wrote, cut to the bytes that it says it took. */
static void record_write(int fd, int64_t offset, const struct iovec *parts, int count, size_t taken) {
    for (int i = 0; i < count && taken > 0; i++) {
        struct iovec part = parts[i];
        if (part.iov_len > taken) part.iov_len = taken;
        if (part.iov_len > 0) record(OP_WRITE, fd, offset, &part, 1);
        offset += (int64_t)part.iov_len;
        taken -= part.iov_len;
    }
}

/* An offset below 0: at the file's position. */
static ssize_t traced_write(int fd, const struct iovec *parts, int count, int64_t offset) {
    pthread_mutex_lock(&lock);
    ssize_t taken;
    if (offset < 0) {
        taken = syscall(SYS_writev, fd, parts, count);
        if (taken > 0) offset = syscall(SYS_lseek, fd, (off_t)0, SEEK_CUR) - taken;
    } else {
        taken = syscall(SYS_pwritev, fd, parts, count, offset, 0L);
    }
    int saved = errno;
    if (taken > 0) record_write(fd, offset, parts, count, (size_t)taken);
    pthread_mutex_unlock(&lock);
    errno = saved;
    return taken;
}

ssize_t write(int fd, const void *bytes, size_t length) {
    if (!on() || !is_tracked(fd)) return syscall(SYS_write, fd, bytes, length);
    struct iovec part = {(void *)bytes, length};
    return traced_write(fd, &part, 1, -1);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    if (!on() || !is_tracked(fd)) return syscall(SYS_writev, fd, parts, count);
    return traced_write(fd, parts, count, -1);
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t offset) {
    if (!on() || !is_tracked(fd)) return syscall(SYS_pwrite64, fd, bytes, length, offset);
    struct iovec part = {(void *)bytes, length};
    return traced_write(fd, &part, 1, offset);
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) {
    return pwrite64(fd, bytes, length, offset);
}

ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t offset) {
    if (!on() || !is_tracked(fd)) return syscall(SYS_pwritev, fd, parts, count, offset, 0L);
    return traced_write(fd, parts, count, offset);
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset) {
    return pwritev64(fd, parts, count, offset);
}

int ftruncate64(int fd, off64_t length) {
    if (!on() || !is_tracked(fd)) return (int)syscall(SYS_ftruncate, fd, length);
    pthread_mutex_lock(&lock);
    int result = (int)syscall(SYS_ftruncate, fd, length);
    int saved = errno;
    if (result == 0) record(OP_TRUNCATE, fd, length, NULL, 0);
    pthread_mutex_unlock(&lock);
    errno = saved;
    return result;
}

int ftruncate(int fd, off_t length) {
    return ftruncate64(fd, length);
}

int fallocate64(int fd, int mode, off64_t offset, off64_t length) {
    if (!on() || !is_tracked(fd)) return (int)syscall(SYS_fallocate, fd, mode, offset, length);
    if (mode & ~FALLOC_FL_KEEP_SIZE) untraceable("fallocate");
    pthread_mutex_lock(&lock);
    int result = (int)syscall(SYS_fallocate, fd, mode, offset, length);
    int saved = errno;
    if (result == 0 && mode == 0) record(OP_EXTEND, fd, offset + length, NULL, 0);
    pthread_mutex_unlock(&lock);
    errno = saved;
    return result;
}

int fallocate(int fd, int mode, off_t offset, off_t length) {
    return fallocate64(fd, mode, offset, length);
}

int posix_fallocate64(int fd, off64_t offset, off64_t length) {
    return fallocate64(fd, 0, offset, length) == 0 ? 0 : errno;
}

int posix_fallocate(int fd, off_t offset, off_t length) {
    return posix_fallocate64(fd, offset, length);
}

/* ---- reading ---- */

static int read_fails(int fd) {
    if (!on() || !read_eio_switch || !is_tracked(fd)) return 0;
    if (syscall(SYS_faccessat, AT_FDCWD, read_eio_switch, F_OK) != 0) return 0;
    return atomic_fetch_add(&reads, 1) % READS_PER_FAILURE == 0;
}

ssize_t read(int fd, void *bytes, size_t length) {
    if (!read_fails(fd)) return syscall(SYS_read, fd, bytes, length);
    errno = EIO;
    return -1;
}

ssize_t pread64(int fd, void *bytes, size_t length, off64_t offset) {
    if (!read_fails(fd)) return syscall(SYS_pread64, fd, bytes, length, offset);
    errno = EIO;
    return -1;
}

ssize_t pread(int fd, void *bytes, size_t length, off_t offset) {
    return pread64(fd, bytes, length, offset);
}

/* ---- syncing ---- */

static int traced_sync(long call, int fd) {
    if (!on() || !is_tracked(fd)) return (int)syscall(call, fd);
    if (eio_switch && syscall(SYS_faccessat, AT_FDCWD, eio_switch, F_OK) == 0) {
        pthread_mutex_lock(&lock);
        failures++;
        record(OP_SYNC_FAILED, fd, 0, NULL, 0);
        pthread_mutex_unlock(&lock);
        errno = EIO;
        return -1;
    }
    long number = atomic_fetch_add(&syncs, 1);
    pthread_mutex_lock(&lock);
    long failures_before = failures;
    record(OP_SYNC_BEGIN, fd, number, NULL, 0);
    pthread_mutex_unlock(&lock);
    int result = (int)syscall(call, fd);
    int saved = errno;
    pthread_mutex_lock(&lock);
    /* An error is told to each descriptor: a sync that is under way when another one fails does not end well either. */
    if (result == 0 && failures != failures_before) {
        result = -1;
        saved = EIO;
    }
    record(result == 0 ? OP_SYNC_END : OP_SYNC_FAILED, fd, number, NULL, 0);
    pthread_mutex_unlock(&lock);
    errno = saved;
    return result;
}

int fsync(int fd) {
    return traced_sync(SYS_fsync, fd);
}

int fdatasync(int fd) {
    return traced_sync(SYS_fdatasync, fd);
}

/* ---- names ---- */

static int traced_unlink(int dir, const char *name, int flags) {
    char path[PATH_MAX];
    if (!on() || !watched_name(dir, name, path)) return (int)syscall(SYS_unlinkat, dir, name, flags);
    pthread_mutex_lock(&lock);
    int result = (int)syscall(SYS_unlinkat, dir, name, flags);
    int saved = errno;
    if (result == 0) record_text((flags & AT_REMOVEDIR) ? OP_RMDIR : OP_UNLINK, -1, 0, path);
    pthread_mutex_unlock(&lock);
    errno = saved;
    return result;
}

int unlink(const char *name) {
    return traced_unlink(AT_FDCWD, name, 0);
}

int unlinkat(int dir, const char *name, int flags) {
    return traced_unlink(dir, name, flags);
}

int rmdir(const char *name) {
    return traced_unlink(AT_FDCWD, name, AT_REMOVEDIR);
}

static int traced_rename(int from_dir, const char *from, int to_dir, const char *to, unsigned flags) {
    char from_path[PATH_MAX], to_path[PATH_MAX];
    int leaves = on() && watched_name(from_dir, from, from_path);
    int enters = on() && watched_name(to_dir, to, to_path);
    if (!leaves && !enters) return (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, flags);
    if (!leaves || !enters || flags) untraceable("rename across the border");
    pthread_mutex_lock(&lock);
    int result = (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, flags);
    int saved = errno;
    if (result == 0) record_pair(OP_RENAME, from_path, to_path);
    pthread_mutex_unlock(&lock);
    errno = saved;
    return result;
}

int rename(const char *from, const char *to) {
    return traced_rename(AT_FDCWD, from, AT_FDCWD, to, 0);
}

int renameat(int from_dir, const char *from, int to_dir, const char *to) {
    return traced_rename(from_dir, from, to_dir, to, 0);
}

int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags) {
    return traced_rename(from_dir, from, to_dir, to, flags);
}

static int traced_link(int from_dir, const char *from, int to_dir, const char *to, int flags) {
    char from_path[PATH_MAX], to_path[PATH_MAX];
    int leaves = on() && watched_name(from_dir, from, from_path);
    int enters = on() && watched_name(to_dir, to, to_path);
    if (!leaves && !enters) return (int)syscall(SYS_linkat, from_dir, from, to_dir, to, flags);
    if (!leaves || !enters) untraceable("link across the border");
    pthread_mutex_lock(&lock);
    int result = (int)syscall(SYS_linkat, from_dir, from, to_dir, to, flags);
    int saved = errno;
    if (result == 0) record_pair(OP_LINK, from_path, to_path);
    pthread_mutex_unlock(&lock);
    errno = saved;
    return result;
}

int link(const char *from, const char *to) {
    return traced_link(AT_FDCWD, from, AT_FDCWD, to, 0);
}

int linkat(int from_dir, const char *from, int to_dir, const char *to, int flags) {
    return traced_link(from_dir, from, to_dir, to, flags);
}

static int traced_mkdir(int dir, const char *name, mode_t mode) {
    char path[PATH_MAX];
    if (!on() || !watched_name(dir, name, path)) return (int)syscall(SYS_mkdirat, dir, name, mode);
    pthread_mutex_lock(&lock);
    int result = (int)syscall(SYS_mkdirat, dir, name, mode);
    int saved = errno;
    if (result == 0) record_text(OP_MKDIR, -1, 0, path);
    pthread_mutex_unlock(&lock);
    errno = saved;
    return result;
}

int mkdir(const char *name, mode_t mode) {
    return traced_mkdir(AT_FDCWD, name, mode);
}

int mkdirat(int dir, const char *name, mode_t mode) {
    return traced_mkdir(dir, name, mode);
}

/* ---- what would escape the trace ---- */

void *mmap64(void *at, size_t length, int protection, int flags, int fd, off64_t offset) {
    if ((protection & PROT_WRITE) && (flags & MAP_TYPE) != MAP_PRIVATE && on() && is_tracked(fd)) untraceable("mmap");
    return (void *)syscall(SYS_mmap, at, length, protection, flags, fd, offset);
}

void *mmap(void *at, size_t length, int protection, int flags, int fd, off_t offset) {
    return mmap64(at, length, protection, flags, fd, offset);
}

ssize_t copy_file_range(int from, off64_t *from_at, int to, off64_t *to_at, size_t length, unsigned flags) {
    if (on() && is_tracked(to)) untraceable("copy_file_range");
    return syscall(SYS_copy_file_range, from, from_at, to, to_at, length, flags);
}

ssize_t sendfile64(int to, int from, off64_t *at, size_t length) {
    if (on() && is_tracked(to)) untraceable("sendfile");
    return syscall(SYS_sendfile, to, from, at, length);
}

ssize_t sendfile(int to, int from, off_t *at, size_t length) {
    return sendfile64(to, from, at, length);
}

int truncate64(const char *name, off64_t length) {
    char path[PATH_MAX];
    if (on() && watched_name(AT_FDCWD, name, path)) untraceable("truncate");
    return (int)syscall(SYS_truncate, name, length);
}

int truncate(const char *name, off_t length) {
    return truncate64(name, length);
}
