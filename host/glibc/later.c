/* Functions that glibc has as symbols of their own only since after 2.28, for the host alone: by system calls, whose structures are glibc's
   own on these processors. The standard library takes them for granted (stat64, fstat64, fstatat64) or takes them where it finds them (gettid). */
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#if !defined(__x86_64__) && !defined(__aarch64__)
#error "for x86-64 and arm64"
#endif

#define HIDDEN __attribute__((visibility("hidden")))

long syscall(long number, ...);

HIDDEN int stat64(const char *path, void *stat) { return (int)syscall(SYS_newfstatat, AT_FDCWD, path, stat, 0); }

HIDDEN int fstat64(int file, void *stat) { return (int)syscall(SYS_fstat, file, stat); }

HIDDEN int fstatat64(int folder, const char *path, void *stat, int flags) { return (int)syscall(SYS_newfstatat, folder, path, stat, flags); }

HIDDEN int gettid(void) { return (int)syscall(SYS_gettid); }
