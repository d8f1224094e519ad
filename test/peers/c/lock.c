/*
 * A C program that uses the mutex at the start of an object: NAME MODE [NUMBER]. Behind the mutex,
 * two words that only its holder writes are equal whenever nobody holds it.
 */
#include "../../../include/bun_shm.h"
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>

static bun_shm_mutex *mutex;
static int object;
static volatile int32_t *words;

static void say(const char *text) {
  puts(text);
  fflush(stdout);
}

static void say_number(long number) {
  printf("%ld\n", number);
  fflush(stdout);
}

static int fail(const char *what, int result) {
  fprintf(stderr, "%s: %d, %s\n", what, result, bun_shm_error(result));
  exit(2);
}

static void wait_for_line(void) {
  int byte;
  while ((byte = getchar()) != '\n') {
    if (byte == EOF) exit(3);
  }
}

static void join_or_fail(bun_shm_participant *self) {
  int result = bun_shm_lock_join(self, object);
  if (result < 0) fail("join", result);
}

static int lock_or_fail(bun_shm_participant *self) {
  int result = bun_shm_mutex_lock(self, mutex, -1);
  if (result <= 0) fail("lock", result);
  return result;
}

static void unlock_or_fail(bun_shm_participant *self) {
  int result = bun_shm_mutex_unlock(self, mutex);
  if (result != 0) fail("unlock", result);
}

/* Says what a lock with this timeout comes to, and how many milliseconds it took. */
static void take(bun_shm_participant *self, int64_t timeout_ms) {
  int64_t start = bun_shm_now_ms();
  int result = bun_shm_mutex_lock(self, mutex, timeout_ms);
  printf("%d %ld\n", result, (long)(bun_shm_now_ms() - start));
  fflush(stdout);
  if (result > 0) unlock_or_fail(self);
}

static void count_up(bun_shm_participant *self, long count) {
  say("ready");
  wait_for_line();
  for (; count > 0; count--) {
    if (lock_or_fail(self) == BUN_SHM_HOLDER_DIED) fail("a holder died", 0);
    words[0]++;
    words[1]++;
    /* Now and then it stays, so that the others fall asleep, and comes before the one it wakes. */
    if (count % 1000 < 2) usleep(200);
    unlock_or_fail(self);
  }
}

/* Locks for ever, and is killed at some time. */
static void load(bun_shm_participant *self) {
  for (int is_first = 1;; is_first = 0) {
    int result = lock_or_fail(self);
    if (result == BUN_SHM_HOLDER_DIED) words[1] = words[0];
    if (words[0] != words[1]) fail("torn", 0);
    words[0]++;
    for (volatile int spin = 0; spin < 50; spin++) {}
    words[1]++;
    unlock_or_fail(self);
    if (is_first) say("ready");
  }
}

static void *lock_and_end(void *unused) {
  bun_shm_participant self;
  join_or_fail(&self);
  lock_or_fail(&self);
  pthread_exit(unused);
}

static pthread_t main_thread;

static void *say_when_main_ended(void *unused) {
  pthread_join(main_thread, NULL);
  say("ended");
  for (;;) pause();
  return unused;
}

static void on_alarm(int number) { (void)number; }

/* A signal comes much more often than a sleep of the lock ends. */
static void be_interrupted(void) {
  struct sigaction action;
  struct itimerval often;
  memset(&action, 0, sizeof action);
  memset(&often, 0, sizeof often);
  action.sa_handler = on_alarm;
  sigaction(SIGALRM, &action, NULL);
  often.it_interval.tv_usec = 500;
  often.it_value.tv_usec = 500;
  setitimer(ITIMER_REAL, &often, NULL);
}

/* What is refused: says the results, which errno.h and bun_shm.h name. */
static void misuse(bun_shm_participant *self) {
  bun_shm_participant other;
  join_or_fail(&other);
  say_number(bun_shm_mutex_unlock(self, mutex));
  lock_or_fail(self);
  say_number(bun_shm_mutex_lock(self, mutex, 0));
  say_number(bun_shm_mutex_lock(self, mutex, -1));
  say_number(bun_shm_mutex_lock(&other, mutex, 0));
  say_number(bun_shm_mutex_lock(&other, mutex, 1000));
  say_number(bun_shm_mutex_unlock(&other, mutex));
  say_number(bun_shm_mutex_abandon(&other, mutex));
  say_number(bun_shm_lock_is_alive(&other, self->number));
  say_number(bun_shm_lock_is_alive(self, self->number));
  unlock_or_fail(self);
  uint32_t number = self->number;
  bun_shm_lock_leave(self);
  bun_shm_lock_leave(self);
  say_number(bun_shm_lock_is_alive(&other, number));
  say_number(bun_shm_mutex_lock(&other, mutex, 0));
  bun_shm_lock_leave(&other);
  /* It left while it held the mutex. */
  join_or_fail(self);
  say_number(bun_shm_mutex_lock(self, mutex, 0));
  unlock_or_fail(self);
}

int main(int argc, char **argv) {
  if (argc < 3) return 64;
  const char *mode = argv[2];
  long number = argc > 3 ? strtol(argv[3], NULL, 10) : 0;
  struct stat status;
  object = shm_open(argv[1], O_RDWR | O_CLOEXEC, 0);
  if (object < 0 || fstat(object, &status) != 0) fail("open", -errno);
  size_t size = (size_t)status.st_size;
  void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, object, 0);
  if (map == MAP_FAILED) fail("map", -errno);
  int is_find = strcmp(mode, "find") == 0;
  int result = bun_shm_mutex_find(map, size, is_find ? (size_t)number : 0, &mutex);
  if (is_find) {
    say_number(result);
    return 0;
  }
  if (result < 0) fail("find", result);
  words = (volatile int32_t *)(void *)(mutex + 1);

  bun_shm_participant self;
  if (strcmp(mode, "thread") == 0) {
    pthread_t thread;
    pthread_create(&thread, NULL, lock_and_end, NULL);
    pthread_join(thread, NULL);
    say("ended");
    for (;;) pause();
  }
  if (strcmp(mode, "main") == 0) {
    pthread_t thread;
    main_thread = pthread_self();
    pthread_create(&thread, NULL, say_when_main_ended, NULL);
    lock_and_end(NULL);
  }
  join_or_fail(&self);
  if (strcmp(mode, "hold") == 0) {
    say_number(lock_or_fail(&self));
    wait_for_line();
    unlock_or_fail(&self);
    say("unlocked");
  } else if (strcmp(mode, "turns") == 0) {
    for (;;) {
      say_number(lock_or_fail(&self));
      wait_for_line();
      unlock_or_fail(&self);
      say("unlocked");
      wait_for_line();
    }
  } else if (strcmp(mode, "take") == 0) {
    say("ready");
    for (;;) {
      take(&self, number);
      wait_for_line();
    }
  } else if (strcmp(mode, "interrupted") == 0) {
    be_interrupted();
    say("ready");
    take(&self, number);
  } else if (strcmp(mode, "count") == 0) {
    count_up(&self, number);
  } else if (strcmp(mode, "load") == 0) {
    load(&self);
  } else if (strcmp(mode, "often") == 0) {
    /* Whatever the words say, each call answers. */
    for (; number > 0; number--) {
      int outcome = bun_shm_mutex_lock(&self, mutex, number % 3);
      if (outcome > 0) bun_shm_mutex_unlock(&self, mutex);
    }
  } else if (strcmp(mode, "abandon") == 0) {
    say_number(lock_or_fail(&self));
    result = bun_shm_mutex_abandon(&self, mutex);
    if (result < 0) fail("abandon", result);
    say_number(bun_shm_mutex_lock(&self, mutex, 0));
    say_number(bun_shm_mutex_lock(&self, mutex, -1));
  } else if (strcmp(mode, "misuse") == 0) {
    misuse(&self);
  }
  bun_shm_lock_leave(&self);
  return 0;
}
