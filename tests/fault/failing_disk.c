/* A disk that fails for files of one kind, for as long as a file exists. For tests only.

   Preloaded into the server, it stands before the C library's calls, so DuckDB's writes
   fail as our own do. FAULT_DISK is "operation:errno:pattern": "write" or "sync", the
   number of the error, and a pattern (fnmatch) for the path; or "kill:nth:pattern", which
   kills the process in the middle of the nth write. It fails while the file FAULT_ARMED
   exists. Every other failing write is first cut in half, as on a disk that
   is running full. FAULT_HITS gets a line for each failure, and one with "again" when a
   sync works of what was written to an inode after a sync of it failed. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define FAILED_FILES 64

static atomic_uint writes;
static atomic_uint failed;
static atomic_int kills;
static ino_t failed_files[FAILED_FILES];
static atomic_int written_since[FAILED_FILES];

static void note(const char *what, const char *path) {
    const char *hits = getenv("FAULT_HITS");
    char line[4200];
    int size = snprintf(line, sizeof line, "%s %s\n", what, path);
    int fd = open(hits, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd >= 0) {
        if (REAL(write)(fd, line, size) < 0) abort();
        close(fd);
    }
}

static int is_armed(void) {
    const char *armed = getenv("FAULT_ARMED");
    return armed != NULL && access(armed, F_OK) == 0;
}

/* Whether the rule is about this operation on this file, whose path is told. */
static int matches(int fd, const char *operation, char *path, size_t most) {
    const char *rule = getenv("FAULT_DISK");
    char name[64];
    size_t length = strlen(operation);
    if (rule == NULL || strncmp(rule, operation, length) != 0 || rule[length] != ':')
        return 0;
    const char *pattern = strchr(rule + length + 1, ':');
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(name, path, most - 1);
    if (pattern == NULL || size <= 0) return 0;
    path[size] = 0;
    return fnmatch(pattern + 1, path, 0) == 0;
}

/* A function of its own, since a signal handler that writes may have a small stack. */
static __attribute__((noinline)) int fault(int fd, const char *operation) {
    char path[4096];
    if (!matches(fd, operation, path, sizeof path)) return 0;
    note(operation, path);
    return atoi(strchr(getenv("FAULT_DISK"), ':') + 1);
}

static __attribute__((noinline)) void note_again(int fd, ino_t file) {
    char path[4096];
    for (unsigned n = 0; n < atomic_load(&failed); n++)
        if (failed_files[n] == file && atomic_load(&written_since[n]) &&
            matches(fd, "sync", path, sizeof path))
            note("again", path);
}

static void note_written(int fd) {
    struct stat found;
    unsigned count = atomic_load(&failed);
    if (count == 0 || fstat(fd, &found) != 0) return;
    for (unsigned n = 0; n < count; n++)
        if (failed_files[n] == found.st_ino) atomic_store(&written_since[n], 1);
}

/* Whether the process dies in this write; half of it is done before. */
static int is_last(int fd) {
    if (!is_armed()) return 0;
    int nth = fault(fd, "kill");
    return nth > 0 && atomic_fetch_add(&kills, 1) + 1 == nth;
}

/* How much of a write gets through before it fails; -1: all. */
static ssize_t cut(int fd, size_t size) {
    int saved = errno;
    int error = is_armed() ? fault(fd, "write") : 0;
    note_written(fd);
    errno = saved;
    if (error == 0) return -1;
    if (size > 1 && atomic_fetch_add(&writes, 1) % 2 == 0) return (ssize_t)(size / 2);
    errno = error;
    return 0;
}

#define CUT(call)                       \
    ssize_t most = cut(fd, size);       \
    if (most == 0 && size > 0) return -1; \
    if (most > 0) size = (size_t)most;  \
    if (is_last(fd)) {                  \
        size /= 2;                      \
        if (call >= 0) raise(SIGKILL);  \
    }                                   \
    return call

ssize_t write(int fd, const void *from, size_t size) { CUT(REAL(write)(fd, from, size)); }

ssize_t pwrite(int fd, const void *from, size_t size, off_t at) {
    CUT(REAL(pwrite)(fd, from, size, at));
}

ssize_t pwrite64(int fd, const void *from, size_t size, off64_t at) {
    CUT(REAL(pwrite64)(fd, from, size, at));
}

ssize_t sendfile(int fd, int from, off_t *at, size_t size) {
    CUT(REAL(sendfile)(fd, from, at, size));
}

ssize_t sendfile64(int fd, int from, off64_t *at, size_t size) {
    CUT(REAL(sendfile64)(fd, from, at, size));
}

/* The error of this call; 0: it goes on. */
static int sync_fault(int fd) {
    struct stat found;
    if (fstat(fd, &found) != 0) return 0;
    int error = is_armed() ? fault(fd, "sync") : 0;
    unsigned count = atomic_load(&failed);
    if (error == 0) {
        note_again(fd, found.st_ino);
    } else if (count < FAILED_FILES) {
        failed_files[count] = found.st_ino;
        atomic_store(&failed, count + 1);
    }
    return error;
}

int fsync(int fd) {
    int error = sync_fault(fd);
    if (error == 0) return REAL(fsync)(fd);
    errno = error;
    return -1;
}

int fdatasync(int fd) {
    int error = sync_fault(fd);
    if (error == 0) return REAL(fdatasync)(fd);
    errno = error;
    return -1;
}
