/* The locks of bench/locks.bench.ts in C: the same libc, the same kinds of lock. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static double now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e9 + t.tv_nsec;
}

static void report(double start, long count) { printf("%.3f\n", (now_ns() - start) / count); }

/* usage: mutex COUNT | read COUNT | contend NAME COUNT */
int main(int argc, char **argv) {
  if (argc < 3) return 2;
  void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (strcmp(argv[1], "mutex") == 0) {
    long count = atol(argv[2]);
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_t *mutex = page;
    pthread_mutex_init(mutex, &attributes);
    double start = now_ns();
    for (long i = 0; i < count; i++) {
      pthread_mutex_lock(mutex);
      pthread_mutex_unlock(mutex);
    }
    report(start, count);
  } else if (strcmp(argv[1], "read") == 0) {
    long count = atol(argv[2]);
    pthread_rwlockattr_t attributes;
    pthread_rwlockattr_init(&attributes);
    pthread_rwlockattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_rwlock_t *lock = page;
    pthread_rwlock_init(lock, &attributes);
    double start = now_ns();
    for (long i = 0; i < count; i++) {
      pthread_rwlock_rdlock(lock);
      pthread_rwlock_unlock(lock);
    }
    report(start, count);
  } else {
    /* The mutex that the bench made at the start of the segment; a counter follows it. */
    long count = atol(argv[3]);
    int descriptor = shm_open(argv[2], O_RDWR, 0);
    if (descriptor < 0) return 1;
    char *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    pthread_mutex_t *mutex = (pthread_mutex_t *)shared;
    volatile int *counter = (volatile int *)(shared + 1024);
    puts("ready");
    fflush(stdout);
    if (getchar() == EOF) return 1;
    double start = now_ns();
    for (long i = 0; i < count; i++) {
      pthread_mutex_lock(mutex);
      (*counter)++;
      pthread_mutex_unlock(mutex);
    }
    report(start, count);
  }
  return 0;
}
