/*
 * Portable shared memory segments: the classic create, open, close and unlink over POSIX, with a
 * header of 64 bytes. The same bytes as PortableSegment of the package bun-shm. C11 and C++17 (GCC or
 * Clang), any POSIX system; link with -lrt where the C library still wants it. With strict options
 * (-std=c11) include it before any other file.
 *
 * Every function returns 0 or -1 with errno set. Names start with '/', have no other '/', and are
 * at most 31 bytes long with it.
 */
#ifndef BUN_SHM_PORTABLE_H
#define BUN_SHM_PORTABLE_H

#if defined(__linux__) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE 1
#endif

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define BUN_SHM_PORTABLE_MAGIC 0x4D485350u /* "PSHM" */
#define BUN_SHM_PORTABLE_VERSION 1u
/* "MAKE": where it lies in reserved[0], a creator is at work, or died before it had finished. */
#define BUN_SHM_PORTABLE_MAKING 0x454b414du
#define BUN_SHM_PORTABLE_NAME_MAX 31

struct bun_shm_portable_header {
  uint32_t magic; /* written last, with release */
  uint32_t version;
  uint32_t creator_pid;
  uint32_t reserved[13];
};

#ifdef __cplusplus
static_assert(sizeof(struct bun_shm_portable_header) == 64, "the header is a cache line");
#else
_Static_assert(sizeof(struct bun_shm_portable_header) == 64, "the header is a cache line");
#endif

struct bun_shm_portable {
  struct bun_shm_portable_header *header;
  void *data;  /* aligned to 64 bytes */
  size_t size; /* of the data */
};

static inline int bun_shm_portable_check_name(const char *name) {
  size_t length = strlen(name);
  if (length < 2 || name[0] != '/' || strchr(name + 1, '/') != NULL) {
    errno = EINVAL;
    return -1;
  }
  if (length > BUN_SHM_PORTABLE_NAME_MAX) {
    errno = ENAMETOOLONG;
    return -1;
  }
  return 0;
}

static inline int bun_shm_portable_map(int fd, size_t whole, struct bun_shm_portable *segment) {
  void *address = mmap(NULL, whole, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (address == MAP_FAILED) return -1;
  segment->header = (struct bun_shm_portable_header *)address;
  segment->data = (char *)address + sizeof *segment->header;
  segment->size = whole - sizeof *segment->header;
  return 0;
}

/* Makes a new segment of `size` bytes of zeros, mode 0600. EEXIST when the name is taken. */
static inline int bun_shm_portable_create(const char *name, size_t size,
                                          struct bun_shm_portable *segment) {
  if (bun_shm_portable_check_name(name) != 0) return -1;
  int fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
  if (fd < 0) return -1;
  size_t whole = sizeof(struct bun_shm_portable_header) + size;
  if (ftruncate(fd, (off_t)whole) != 0 || bun_shm_portable_map(fd, whole, segment) != 0) {
    int error = errno;
    close(fd);
    shm_unlink(name);
    errno = error;
    return -1;
  }
  close(fd);
  __atomic_store_n(&segment->header->reserved[0], BUN_SHM_PORTABLE_MAKING, __ATOMIC_RELEASE);
  segment->header->version = BUN_SHM_PORTABLE_VERSION;
  segment->header->creator_pid = (uint32_t)getpid();
  __atomic_store_n(&segment->header->magic, BUN_SHM_PORTABLE_MAGIC, __ATOMIC_RELEASE);
  __atomic_store_n(&segment->header->reserved[0], 0, __ATOMIC_RELEASE);
  return 0;
}

/* Attaches to a segment; waits up to a second for its creator. EPROTO when it is something else. */
static inline int bun_shm_portable_open(const char *name, struct bun_shm_portable *segment) {
  if (bun_shm_portable_check_name(name) != 0) return -1;
  int fd = shm_open(name, O_RDWR, 0);
  if (fd < 0) return -1;
  const struct timespec millisecond = {0, 1000000};
  struct stat status;
  memset(&status, 0, sizeof status);
  int failed = fstat(fd, &status);
  for (int tries = 0; failed == 0 && status.st_size == 0 && tries < 1000; tries++) {
    nanosleep(&millisecond, NULL);
    failed = fstat(fd, &status);
  }
  if (failed == 0 && (size_t)status.st_size < sizeof(struct bun_shm_portable_header)) {
    errno = EPROTO;
    failed = -1;
  }
  if (failed == 0) failed = bun_shm_portable_map(fd, (size_t)status.st_size, segment);
  int error = errno;
  close(fd);
  errno = error;
  if (failed != 0) return -1;
  uint32_t magic = 0;
  for (int tries = 0; magic == 0 && tries < 1000; tries++) {
    magic = __atomic_load_n(&segment->header->magic, __ATOMIC_ACQUIRE);
    if (magic == 0) nanosleep(&millisecond, NULL);
  }
  if (magic == BUN_SHM_PORTABLE_MAGIC && segment->header->version == BUN_SHM_PORTABLE_VERSION) {
    return 0;
  }
  munmap(segment->header, (size_t)status.st_size);
  errno = EPROTO;
  return -1;
}

/* Ends this process's use; the name stays. */
static inline int bun_shm_portable_close(struct bun_shm_portable *segment) {
  void *address = segment->header;
  segment->header = NULL;
  segment->data = NULL;
  return munmap(address, sizeof(struct bun_shm_portable_header) + segment->size);
}

/* Removes the name; who has it open keeps it. */
static inline int bun_shm_portable_unlink(const char *name) {
  return bun_shm_portable_check_name(name) != 0 ? -1 : shm_unlink(name);
}

#endif
