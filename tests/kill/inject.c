// Preloaded into a program: counts its system calls that change files below INJECT_BELOW, and at the one of number
// INJECT_AT kills the process (INJECT=kill), or lets it and all later ones fail (INJECT=the name of an errno). With
// INJECT_COUNT the file of that name gets the number of calls at the end.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static const char* below;
static long wanted;
static int code; // 0: kill
static const char* count_file;
static pid_t owner;
static atomic_long calls;

__attribute__((constructor)) static void begin(void) {
    below = getenv("INJECT_BELOW");
    wanted = getenv("INJECT_AT") ? atol(getenv("INJECT_AT")) : -1;
    count_file = getenv("INJECT_COUNT");
    owner = getpid();
    const char* what = getenv("INJECT");
    const struct {
        const char* name;
        int code;
    } known[] = {{"ENOSPC", ENOSPC}, {"EIO", EIO}, {"EROFS", EROFS}, {"EACCES", EACCES}};
    for (unsigned i = 0; what && i < sizeof known / sizeof *known; ++i) {
        code = strcmp(what, known[i].name) == 0 ? known[i].code : code;
    }
}

__attribute__((destructor)) static void end(void) {
    if (count_file && getpid() == owner) {
        FILE* out = fopen(count_file, "w");
        if (out) {
            fprintf(out, "%ld\n", atomic_load(&calls));
            fclose(out);
        }
    }
}

/// The errno to fail with; 0: go on.
static int counted(void) {
    const long number = atomic_fetch_add(&calls, 1) + 1;
    if (wanted < 0 || number < wanted) {
        return 0;
    }
    if (code == 0) {
        kill(getpid(), SIGKILL);
    }
    return code;
}

static int at_path(int folder, const char* path) {
    char full[PATH_MAX];
    if (!below || !path) {
        return 0;
    }
    if (path[0] != '/') {
        char link[64], base[PATH_MAX];
        snprintf(link, sizeof link, folder == AT_FDCWD ? "/proc/self/cwd" : "/proc/self/fd/%d", folder);
        const ssize_t size = readlink(link, base, sizeof base - 1);
        if (size < 0) {
            return 0;
        }
        base[size] = 0;
        snprintf(full, sizeof full, "%.2000s/%.2000s", base, path);
        path = full;
    }
    return strncmp(path, below, strlen(below)) == 0 ? counted() : 0;
}

static int at_file(int file) {
    char link[64], target[PATH_MAX];
    if (!below) {
        return 0;
    }
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    const ssize_t size = readlink(link, target, sizeof target - 1);
    if (size <= 0) {
        return 0;
    }
    target[size] = 0;
    return strncmp(target, below, strlen(below)) == 0 ? counted() : 0;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define FAIL_IF(condition, value)                                                                                      \
    do {                                                                                                               \
        const int failed = (condition);                                                                                \
        if (failed) {                                                                                                  \
            errno = failed;                                                                                            \
            return value;                                                                                              \
        }                                                                                                              \
    } while (0)

/// The mode is there only where a file may be made.
#define OPENS(name, parameters, folder, ...)                                                                           \
    int name parameters {                                                                                              \
        mode_t mode = 0;                                                                                               \
        if (flags & (O_CREAT | O_TMPFILE)) {                                                                           \
            va_list more;                                                                                              \
            va_start(more, flags);                                                                                     \
            mode = va_arg(more, mode_t);                                                                               \
            va_end(more);                                                                                              \
        }                                                                                                              \
        if (flags & (O_CREAT | O_TRUNC | O_WRONLY | O_RDWR)) {                                                         \
            FAIL_IF(at_path(folder, path), -1);                                                                        \
        }                                                                                                              \
        return REAL(name)(__VA_ARGS__, flags, mode);                                                                   \
    }
OPENS(open, (const char* path, int flags, ...), AT_FDCWD, path)
OPENS(open64, (const char* path, int flags, ...), AT_FDCWD, path)
OPENS(openat, (int folder, const char* path, int flags, ...), folder, folder, path)
OPENS(openat64, (int folder, const char* path, int flags, ...), folder, folder, path)

#define ON_FILE(type, name, parameters, ...)                                                                           \
    type name parameters {                                                                                             \
        FAIL_IF(at_file(file), (type)-1);                                                                              \
        return REAL(name)(__VA_ARGS__);                                                                                \
    }
ON_FILE(ssize_t, write, (int file, const void* from, size_t size), file, from, size)
ON_FILE(ssize_t, pwrite, (int file, const void* from, size_t size, off_t at), file, from, size, at)
ON_FILE(ssize_t, pwrite64, (int file, const void* from, size_t size, off64_t at), file, from, size, at)
ON_FILE(ssize_t, writev, (int file, const struct iovec* from, int count), file, from, count)
ON_FILE(int, ftruncate, (int file, off_t size), file, size)
ON_FILE(int, ftruncate64, (int file, off64_t size), file, size)
ON_FILE(int, fallocate, (int file, int mode, off_t at, off_t size), file, mode, at, size)
ON_FILE(int, fallocate64, (int file, int mode, off64_t at, off64_t size), file, mode, at, size)
ON_FILE(int, fsync, (int file), file)
ON_FILE(int, fdatasync, (int file), file)
ON_FILE(int, flock, (int file, int operation), file, operation)

#define ON_PATH(name, parameters, folder, path, ...)                                                                   \
    int name parameters {                                                                                              \
        FAIL_IF(at_path(folder, path), -1);                                                                            \
        return REAL(name)(__VA_ARGS__);                                                                                \
    }
ON_PATH(rename, (const char* from, const char* to), AT_FDCWD, to, from, to)
ON_PATH(mkdir, (const char* path, mode_t mode), AT_FDCWD, path, path, mode)
ON_PATH(mkdirat, (int folder, const char* path, mode_t mode), folder, path, folder, path, mode)
ON_PATH(unlink, (const char* path), AT_FDCWD, path, path)
ON_PATH(unlinkat, (int folder, const char* path, int flags), folder, path, folder, path, flags)
ON_PATH(rmdir, (const char* path), AT_FDCWD, path, path)
ON_PATH(remove, (const char* path), AT_FDCWD, path, path)
ON_PATH(truncate, (const char* path, off_t size), AT_FDCWD, path, path, size)
