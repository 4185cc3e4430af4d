// Notes every change that a process makes under one folder, and every fsync, in a file of its own (LD_PRELOAD). disk.ts
// reads it and says what a power loss would have left.
//
// Holds always: changes are noted one at a time, in their order; a write is noted before it is made, all else after. An
// fsync is noted when it begins and when it has succeeded: what was written in between is not covered by it. What this
// file does not model (O_SYNC, vectored writes, writable maps, symbolic links) ends the process, so that nothing is overlooked.
// The one exception is SQLite's index of its write-ahead log (`-shm`), a shared map that need not survive.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))real_of(#name))

struct header {
  uint32_t kind; // one of the letters below
  uint32_t path_bytes;
  uint64_t inode;
  uint64_t offset; // of a write; the size, of a truncation; a number of its own, of an fsync
  uint64_t data_bytes;
};

static char root[PATH_MAX];
static size_t root_length;
static int journal = -1;
static dev_t device;
static uint64_t syncs;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

// Inodes of the files under the folder that were opened. Few: the log has a handful of files.
static ino_t tracked[1024];
static int tracked_count;

static void *real_of(const char *name) {
  return dlsym(RTLD_NEXT, name);
}

static void give_up(const char *what, const char *path) {
  dprintf(2, "The power-loss shim does not model this: %s of %s\n", what, path);
  abort();
}

__attribute__((constructor)) static void start(void) {
  const char *folder = getenv("POWER_LOSS_FOLDER");
  const char *file = getenv("POWER_LOSS_JOURNAL");
  struct stat status;
  if (!folder || !file || stat(folder, &status) != 0) return;
  int descriptor = syscall(SYS_openat, AT_FDCWD, file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  // Out of the way of whoever closes low descriptors.
  journal = fcntl(descriptor, F_DUPFD_CLOEXEC, 500);
  syscall(SYS_close, descriptor);
  if (journal < 0) give_up("the journal", file);
  device = status.st_dev;
  strncpy(root, folder, sizeof root - 1);
  root_length = strlen(root);
}

// The path as it stands in the journal; false where it is none of the folder's.
static int place(int directory, const char *path, char *full) {
  if (root_length == 0 || path == NULL) return 0;
  char base[PATH_MAX] = "";
  if (path[0] != '/') {
    if (directory == AT_FDCWD) {
      if (!getcwd(base, sizeof base)) return 0;
    } else {
      char link[64];
      snprintf(link, sizeof link, "/proc/self/fd/%d", directory);
      ssize_t length = readlink(link, base, sizeof base - 1);
      if (length < 0) return 0;
      base[length] = 0;
    }
    snprintf(full, PATH_MAX, "%.2000s/%.2000s", base, path);
  } else {
    snprintf(full, PATH_MAX, "%s", path);
  }
  size_t length = strlen(full);
  while (length > 1 && full[length - 1] == '/') full[--length] = 0;
  if (strncmp(full, root, root_length) != 0 || (full[root_length] != '/' && full[root_length] != 0)) return 0;
  return length < 4 || strcmp(full + length - 4, "-shm") != 0;
}

static int find(ino_t inode) {
  for (int index = 0; index < tracked_count; index++)
    if (tracked[index] == inode) return index;
  return -1;
}

static void track(ino_t inode) {
  if (find(inode) >= 0) return;
  if (tracked_count == sizeof tracked / sizeof *tracked) give_up("so many files", root);
  tracked[tracked_count++] = inode;
}

// A removed file's inode may come back as another's, outside the folder.
static void forget(ino_t inode) {
  int index = find(inode);
  if (index >= 0) tracked[index] = tracked[--tracked_count];
}

// The inode of a file or directory of the folder's; 0 for any other descriptor.
static ino_t inode_of(int descriptor) {
  struct stat status;
  if (root_length == 0 || fstat(descriptor, &status) != 0 || status.st_dev != device) return 0;
  if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode)) return 0;
  return find(status.st_ino) >= 0 ? status.st_ino : 0;
}

static void note(char kind, const char *path, ino_t inode, uint64_t offset, const void *data, size_t bytes) {
  struct header header = {kind, path ? strlen(path) : 0, inode, offset, bytes};
  struct iovec parts[] = {
      {&header, sizeof header}, {(void *)path, header.path_bytes}, {(void *)data, bytes}};
  ssize_t total = sizeof header + header.path_bytes + bytes;
  if (syscall(SYS_writev, journal, parts, 3) != total) give_up("a full disk for the journal", root);
}

static int open_at(int directory, const char *path, int flags, mode_t mode) {
  int (*real)(int, const char *, int, ...) = real_of("openat");
  char full[PATH_MAX];
  if (!place(directory, path, full)) return real(directory, path, flags, mode);
  int writes = (flags & O_ACCMODE) != O_RDONLY;
  if (writes && (flags & (O_SYNC | O_DSYNC))) give_up("O_SYNC", full);
  pthread_mutex_lock(&lock);
  struct stat status;
  int is_new = (flags & O_CREAT) && stat(full, &status) != 0;
  int descriptor = real(directory, path, flags, mode);
  int error = errno;
  if (descriptor >= 0 && fstat(descriptor, &status) == 0) {
    track(status.st_ino);
    if (is_new) note('c', full, status.st_ino, 0, NULL, 0);
    else if (writes && (flags & O_TRUNC)) note('t', full, status.st_ino, 0, NULL, 0);
  }
  pthread_mutex_unlock(&lock);
  errno = error;
  return descriptor;
}

#define OPEN(name)                                    \
  int name(const char *path, int flags, ...) {        \
    va_list rest;                                     \
    va_start(rest, flags);                            \
    mode_t mode = va_arg(rest, int);                  \
    va_end(rest);                                     \
    return open_at(AT_FDCWD, path, flags, mode);      \
  }
#define OPENAT(name)                                          \
  int name(int directory, const char *path, int flags, ...) { \
    va_list rest;                                             \
    va_start(rest, flags);                                    \
    mode_t mode = va_arg(rest, int);                          \
    va_end(rest);                                             \
    return open_at(directory, path, flags, mode);             \
  }
OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)

int creat(const char *path, mode_t mode) {
  return open_at(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

// Notes and makes the write; `real` makes it.
#define NOTED_WRITE(descriptor, data, bytes, where, real)                      \
  pthread_mutex_lock(&lock);                                                   \
  ino_t inode = inode_of(descriptor);                                          \
  if (inode == 0) {                                                            \
    pthread_mutex_unlock(&lock);                                               \
    return real;                                                               \
  }                                                                            \
  note('w', NULL, inode, where, data, bytes);                                  \
  ssize_t written = real;                                                      \
  if (written != (ssize_t)bytes) give_up("a write that was cut short", root);  \
  pthread_mutex_unlock(&lock);                                                 \
  return written;

static off_t end_or_cursor(int descriptor) {
  int is_appending = fcntl(descriptor, F_GETFL) & O_APPEND;
  struct stat status;
  if (is_appending && fstat(descriptor, &status) == 0) return status.st_size;
  return lseek(descriptor, 0, SEEK_CUR);
}

ssize_t write(int descriptor, const void *data, size_t bytes) {
  // Sockets and pipes, which a write may block on, never wait for the lock.
  if (inode_of(descriptor) == 0) return syscall(SYS_write, descriptor, data, bytes);
  NOTED_WRITE(descriptor, data, bytes, end_or_cursor(descriptor), syscall(SYS_write, descriptor, data, bytes))
}

ssize_t pwrite(int descriptor, const void *data, size_t bytes, off_t offset) {
  NOTED_WRITE(descriptor, data, bytes, offset, syscall(SYS_pwrite64, descriptor, data, bytes, offset))
}

ssize_t pwrite64(int descriptor, const void *data, size_t bytes, off_t offset) {
  NOTED_WRITE(descriptor, data, bytes, offset, syscall(SYS_pwrite64, descriptor, data, bytes, offset))
}

ssize_t writev(int descriptor, const struct iovec *parts, int count) {
  if (inode_of(descriptor) != 0) give_up("writev", root);
  return syscall(SYS_writev, descriptor, parts, count);
}

#define PWRITEV(name)                                                                     \
  ssize_t name(int descriptor, const struct iovec *parts, int count, off_t offset) {      \
    if (inode_of(descriptor) != 0) give_up(#name, root);                                  \
    ssize_t (*real)(int, const struct iovec *, int, off_t) = real_of(#name);              \
    return real(descriptor, parts, count, offset);                                        \
  }
PWRITEV(pwritev)
PWRITEV(pwritev64)

static int truncate_noted(int descriptor, off_t size) {
  pthread_mutex_lock(&lock);
  ino_t inode = inode_of(descriptor);
  int result = syscall(SYS_ftruncate, descriptor, size);
  if (inode != 0 && result == 0) note('t', NULL, inode, size, NULL, 0);
  pthread_mutex_unlock(&lock);
  return result;
}
int ftruncate(int descriptor, off_t size) { return truncate_noted(descriptor, size); }
int ftruncate64(int descriptor, off_t size) { return truncate_noted(descriptor, size); }

#define FALLOCATE(name)                                                                   \
  int name(int descriptor, off_t offset, off_t length) {                                  \
    if (inode_of(descriptor) != 0) give_up(#name, root);                                  \
    int (*real)(int, off_t, off_t) = real_of(#name);                                      \
    return real(descriptor, offset, length);                                              \
  }
FALLOCATE(posix_fallocate)
FALLOCATE(posix_fallocate64)

#define MMAP(name)                                                                          \
  void *name(void *address, size_t length, int protection, int flags, int descriptor, off_t offset) { \
    if (descriptor >= 0 && (flags & MAP_SHARED) && (protection & PROT_WRITE) && inode_of(descriptor) != 0) \
      give_up("a writable map", root);                                                      \
    return (void *)syscall(SYS_mmap, address, length, protection, flags, descriptor, offset); \
  }
MMAP(mmap)
MMAP(mmap64)

static int sync_noted(int descriptor, long call) {
  pthread_mutex_lock(&lock);
  ino_t inode = inode_of(descriptor);
  uint64_t number = ++syncs;
  if (inode != 0) note('b', NULL, inode, number, NULL, 0);
  pthread_mutex_unlock(&lock);
  int result = syscall(call, descriptor);
  int error = errno;
  if (inode != 0 && result == 0) {
    pthread_mutex_lock(&lock);
    note('e', NULL, inode, number, NULL, 0);
    pthread_mutex_unlock(&lock);
  }
  errno = error;
  return result;
}
int fsync(int descriptor) { return sync_noted(descriptor, SYS_fsync); }
int fdatasync(int descriptor) { return sync_noted(descriptor, SYS_fdatasync); }

static int remove_at(int directory, const char *path, int flags) {
  char full[PATH_MAX];
  if (!place(directory, path, full)) return syscall(SYS_unlinkat, directory, path, flags);
  pthread_mutex_lock(&lock);
  struct stat status;
  int is_there = lstat(full, &status) == 0;
  int result = syscall(SYS_unlinkat, directory, path, flags);
  int error = errno;
  if (result == 0 && is_there) {
    note('u', full, status.st_ino, 0, NULL, 0);
    if (status.st_nlink == 1 || S_ISDIR(status.st_mode)) forget(status.st_ino);
  }
  pthread_mutex_unlock(&lock);
  errno = error;
  return result;
}
int unlink(const char *path) { return remove_at(AT_FDCWD, path, 0); }
int unlinkat(int directory, const char *path, int flags) { return remove_at(directory, path, flags); }
int rmdir(const char *path) { return remove_at(AT_FDCWD, path, AT_REMOVEDIR); }
int remove(const char *path) {
  struct stat status;
  int is_directory = lstat(path, &status) == 0 && S_ISDIR(status.st_mode);
  return remove_at(AT_FDCWD, path, is_directory ? AT_REMOVEDIR : 0);
}

int rename(const char *from, const char *to) {
  char full_from[PATH_MAX], full_to[PATH_MAX];
  int is_from_here = place(AT_FDCWD, from, full_from);
  int is_to_here = place(AT_FDCWD, to, full_to);
  if (!is_from_here && !is_to_here) return syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
  if (!is_from_here || !is_to_here) give_up("a rename into or out of the folder", full_to);
  pthread_mutex_lock(&lock);
  struct stat moved, replaced;
  int is_replacing = lstat(full_to, &replaced) == 0;
  int result = syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
  int error = errno;
  if (result == 0 && lstat(full_to, &moved) == 0) {
    note('r', full_from, moved.st_ino, 0, full_to, strlen(full_to));
    if (is_replacing) forget(replaced.st_ino);
  }
  pthread_mutex_unlock(&lock);
  errno = error;
  return result;
}

int mkdir(const char *path, mode_t mode) {
  char full[PATH_MAX];
  if (!place(AT_FDCWD, path, full)) return syscall(SYS_mkdirat, AT_FDCWD, path, mode);
  pthread_mutex_lock(&lock);
  int result = syscall(SYS_mkdirat, AT_FDCWD, path, mode);
  int error = errno;
  struct stat status;
  if (result == 0 && stat(full, &status) == 0) note('m', full, status.st_ino, 0, NULL, 0);
  pthread_mutex_unlock(&lock);
  errno = error;
  return result;
}

int link(const char *from, const char *to) {
  char full_from[PATH_MAX], full_to[PATH_MAX];
  int is_from_here = place(AT_FDCWD, from, full_from);
  int is_to_here = place(AT_FDCWD, to, full_to);
  if (!is_from_here && !is_to_here) return syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0);
  if (!is_from_here || !is_to_here) give_up("a link into or out of the folder", full_to);
  pthread_mutex_lock(&lock);
  int result = syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0);
  int error = errno;
  struct stat status;
  if (result == 0 && lstat(full_to, &status) == 0) note('l', full_to, status.st_ino, 0, NULL, 0);
  pthread_mutex_unlock(&lock);
  errno = error;
  return result;
}

int symlink(const char *target, const char *path) {
  char full[PATH_MAX];
  if (place(AT_FDCWD, path, full)) give_up("a symbolic link", full);
  return syscall(SYS_symlinkat, target, AT_FDCWD, path);
}

int truncate(const char *path, off_t size) {
  char full[PATH_MAX];
  if (place(AT_FDCWD, path, full)) give_up("truncate by name", full);
  return syscall(SYS_truncate, path, size);
}
