/*
 * The locks of the benchmarks in this folder, in C: this package's mutex through bun_shm.h, a
 * robust pthread mutex, a pthread rwlock for reading, and flock.
 *
 *   cost KIND COUNT                    how many ns a lock and an unlock take
 *   make NAME                          makes libc's mutex in an object
 *   contend KIND NAME COUNT            the same as cost, after a line of input; and it counts
 *   hold KIND NAME                     takes it, says so, and keeps it
 *   wait KIND NAME PLACE               for each line of input: waits for it, and stores when it had it
 *   share KIND NAME PLACE TIME_MS      after a line of input: locks all the time
 */
#include "../../include/bun_shm.h"
#include <pthread.h>
#include <sys/file.h>

/* In the object, in bytes. The mutex is at its start. */
enum { ROBUST_OFFSET = 1024, COUNTER_OFFSET = 2048, PLACES_OFFSET = 3072, SIZE = 4096 };

static char *shared;
static int object = -1;
static bun_shm_participant self;
static bun_shm_mutex *mutex;
static pthread_mutex_t *robust;
static pthread_rwlock_t rwlock;

static void must(int is_right, const char *what) {
  if (is_right) return;
  perror(what);
  exit(1);
}

static double now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void lock_bun_shm(void) { must(bun_shm_mutex_lock(&self, mutex, -1) > 0, "lock"); }
static void unlock_bun_shm(void) { bun_shm_mutex_unlock(&self, mutex); }

static void lock_robust(void) {
  int result = pthread_mutex_lock(robust);
  if (result == EOWNERDEAD) result = pthread_mutex_consistent(robust);
  must(result == 0, "pthread_mutex_lock");
}
static void unlock_robust(void) { pthread_mutex_unlock(robust); }

static void lock_read(void) { pthread_rwlock_rdlock(&rwlock); }
static void unlock_read(void) { pthread_rwlock_unlock(&rwlock); }

static void lock_flock(void) { must(flock(object, LOCK_EX) == 0, "flock"); }
static void unlock_flock(void) { flock(object, LOCK_UN); }

typedef struct kind {
  const char *name;
  void (*lock)(void);
  void (*unlock)(void);
} kind;

static const kind KINDS[] = {
    {"bun_shm", lock_bun_shm, unlock_bun_shm},
    {"robust", lock_robust, unlock_robust},
    {"read", lock_read, unlock_read},
    {"flock", lock_flock, unlock_flock},
};

static const kind *kind_named(const char *name) {
  for (size_t at = 0; at < sizeof KINDS / sizeof *KINDS; at++) {
    if (strcmp(KINDS[at].name, name) == 0) return &KINDS[at];
  }
  exit(64);
}

static void make_robust(void) {
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK);
  pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  pthread_mutex_init(robust, &attributes);
}

/* An object of its own when `name` is NULL. */
static void open_object(const char *name) {
  object = name == NULL ? memfd_create("locks", MFD_CLOEXEC) : shm_open(name, O_RDWR, 0);
  must(object >= 0, "open");
  if (name == NULL) must(ftruncate(object, SIZE) == 0, "ftruncate");
  shared = (char *)mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, object, 0);
  must(shared != MAP_FAILED, "mmap");
  robust = (pthread_mutex_t *)(void *)(shared + ROBUST_OFFSET);
  mutex = (bun_shm_mutex *)(void *)shared;
  if (name == NULL) {
    mutex->magic = BUN_SHM_MUTEX_MAGIC;
    make_robust();
    pthread_rwlockattr_t attributes;
    pthread_rwlockattr_init(&attributes);
    pthread_rwlockattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_rwlock_init(&rwlock, &attributes);
  }
  must(bun_shm_mutex_find(shared, SIZE, 0, &mutex) == 0, "find");
  must(bun_shm_lock_join(&self, object) == 0, "join");
}

static void say(const char *text) {
  puts(text);
  fflush(stdout);
}

/* Returns 0 at the end of the input. */
static int next_line(void) {
  int byte;
  while ((byte = getchar()) != EOF) {
    if (byte == '\n') return 1;
  }
  return 0;
}

static void wait_often(const kind *lock, int place) {
  volatile double *had_ms = (volatile double *)(void *)(shared + PLACES_OFFSET) + place;
  while (next_line()) {
    say("waiting");
    lock->lock();
    *had_ms = now_ns() / 1e6;
    lock->unlock();
    say("got");
  }
}

/* 5 µs of work with the lock, and none without. */
static void share(const kind *lock, double time_ms) {
  double end = now_ns() + time_ms * 1e6;
  double longest = 0;
  long count = 0;
  for (double before = now_ns(); before < end;) {
    lock->lock();
    double start = now_ns();
    while (now_ns() < start + 5000) {}
    lock->unlock();
    count++;
    if (start - before > longest) longest = start - before;
    before = now_ns();
  }
  printf("%ld %.3f\n", count, longest / 1e6);
}

int main(int argc, char **argv) {
  if (argc < 3) return 64;
  const char *mode = argv[1];
  if (strcmp(mode, "make") == 0) {
    open_object(argv[2]);
    make_robust();
    return 0;
  }
  const kind *lock = kind_named(argv[2]);
  if (argc < 4) return 64;
  int is_cost = strcmp(mode, "cost") == 0;
  open_object(is_cost ? NULL : argv[3]);
  if (is_cost || strcmp(mode, "contend") == 0) {
    long count = atol(argv[is_cost ? 3 : 4]);
    volatile int *counter = (volatile int *)(void *)(shared + COUNTER_OFFSET);
    if (!is_cost) {
      say("ready");
      if (!next_line()) return 1;
    }
    double start = now_ns();
    for (long at = 0; at < count; at++) {
      lock->lock();
      if (!is_cost) (*counter)++;
      lock->unlock();
    }
    printf("%.3f\n", (now_ns() - start) / (double)count);
  } else if (strcmp(mode, "hold") == 0) {
    lock->lock();
    say("held");
    for (;;) pause();
  } else if (strcmp(mode, "wait") == 0) {
    say("ready");
    wait_often(lock, atoi(argv[4]));
  } else if (strcmp(mode, "share") == 0) {
    say("ready");
    if (!next_line()) return 1;
    share(lock, atof(argv[5]));
  }
  return 0;
}
