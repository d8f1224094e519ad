/*
 * The peers in C of bench/ring: a bare two-word ping-pong, a ring of the same design as SPSC, and
 * memcpy. Two processes on cores 0 and 1; prints JSON.
 *
 *   native pingpong COUNT
 *   native rtt SIZE COUNT
 *   native oneway SIZE COUNT BATCH CAPACITY
 *   native memcpy SIZE COUNT
 */
#define _GNU_SOURCE
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void pin(int core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core, &set);
  sched_setaffinity(0, sizeof set, &set);
}

static double now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e9 + t.tv_nsec;
}

static void *shared(size_t size) {
  void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) exit(2);
  memset(p, 0, size);
  return p;
}

/* The ring: header-signalled records with a terminator, as src/ring/spsc.ts. */
struct ring {
  _Alignas(128) atomic_uint consumer_position;
  _Alignas(128) uint32_t capacity;
  char *data;
};

struct producer {
  struct ring *ring;
  uint32_t tail, limit, batch, held_count;
  atomic_int *held;
  int held_length;
};

static struct ring *ring_new(uint32_t capacity) {
  struct ring *r = shared(sizeof *r);
  r->capacity = capacity;
  r->data = shared(capacity);
  return r;
}

static void flush(struct producer *p) {
  if (p->held_length == 0) return;
  uint32_t mask = p->ring->capacity - 1;
  atomic_store_explicit((atomic_int *)(p->ring->data + (p->tail & mask)), 0, memory_order_relaxed);
  atomic_store_explicit(p->held, p->held_length, memory_order_release);
  p->held_length = 0;
  p->held_count = 0;
}

static void append(struct producer *p, int length, int type) {
  uint32_t mask = p->ring->capacity - 1;
  int *header = (int *)(p->ring->data + (p->tail & mask));
  header[1] = type;
  if (p->held_length == 0) {
    p->held = (atomic_int *)header;
    p->held_length = length;
  } else {
    atomic_store_explicit((atomic_int *)header, length, memory_order_relaxed);
  }
  p->tail += (uint32_t)(length + 7) & ~7u;
}

static int has_room(struct producer *p, uint32_t wanted) {
  if ((int32_t)(p->limit - p->tail) >= (int32_t)(wanted + 8)) return 1;
  p->limit = atomic_load_explicit(&p->ring->consumer_position, memory_order_acquire) + p->ring->capacity;
  return (int32_t)(p->limit - p->tail) >= (int32_t)(wanted + 8);
}

static void push(struct producer *p, const void *payload, uint32_t size) {
  uint32_t needed = (size + 15) & ~7u, mask = p->ring->capacity - 1;
  uint32_t to_end = p->ring->capacity - (p->tail & mask);
  if (needed > to_end) {
    while (!has_room(p, to_end)) flush(p);
    append(p, (int)to_end, -1);
  }
  while (!has_room(p, needed)) flush(p);
  memcpy(p->ring->data + (p->tail & mask) + 8, payload, size);
  append(p, (int)size + 8, 0);
  if (++p->held_count >= p->batch) flush(p);
}

typedef uint64_t (*handler)(const char *payload, uint64_t sum);

static uint64_t first_word(const char *payload, uint64_t sum) {
  uint32_t word;
  memcpy(&word, payload, 4);
  return sum + word;
}

/* Reads what is there; gives room back at the end, and at each eighth of the ring. */
static uint32_t drain(struct ring *r, uint32_t *position, uint32_t limit, uint64_t *sum) {
  uint32_t mask = r->capacity - 1, count = 0, at = *position, released = at;
  while (count < limit) {
    int *header = (int *)(r->data + (at & mask));
    int length = atomic_load_explicit((atomic_int *)header, memory_order_acquire);
    if (length <= 0) break;
    if (header[1] != -1) {
      *sum = first_word((char *)header + 8, *sum);
      count++;
    }
    at += (uint32_t)(length + 7) & ~7u;
    if (at - released >= r->capacity / 8) {
      atomic_store_explicit(&r->consumer_position, at, memory_order_release);
      released = at;
    }
  }
  if (at != released) atomic_store_explicit(&r->consumer_position, at, memory_order_release);
  *position = at;
  return count;
}

static int by_value(const void *a, const void *b) {
  double d = *(const double *)a - *(const double *)b;
  return d < 0 ? -1 : d > 0;
}

static void print_rtt(double total, double *each, long count) {
  qsort(each, (size_t)count, sizeof *each, by_value);
  printf("{\"mean\":%.2f,\"p50\":%.1f,\"p99\":%.1f,\"p999\":%.1f}\n", total / (double)count,
         each[count / 2], each[count * 99 / 100], each[count * 999 / 1000]);
}

static int pingpong(long count) {
  atomic_int *a = shared(4096), *b = a + 64;
  if (fork() == 0) {
    pin(1);
    for (int i = 1; i <= 2 * count; i++) {
      while (atomic_load_explicit(a, memory_order_acquire) != i) {}
      atomic_store_explicit(b, i, memory_order_release);
    }
    _exit(0);
  }
  pin(0);
  double *each = malloc(sizeof *each * (size_t)count), total = 0;
  int i = 1;
  for (int phase = 0; phase < 2; phase++) {
    double start = now_ns();
    for (long n = 0; n < count; n++, i++) {
      double sent = phase == 1 ? now_ns() : 0;
      atomic_store_explicit(a, i, memory_order_release);
      while (atomic_load_explicit(b, memory_order_acquire) != i) {}
      if (phase == 1) each[n] = now_ns() - sent;
    }
    if (phase == 0) total = now_ns() - start;
  }
  wait(NULL);
  print_rtt(total, each, count);
  return 0;
}

static int rtt(uint32_t size, long count) {
  struct ring *there = ring_new(1 << 18), *back = ring_new(1 << 18);
  char *payload = calloc(1, size);
  uint64_t sum = 0;
  uint32_t position = 0;
  if (fork() == 0) {
    pin(1);
    struct producer p = {.ring = back, .limit = back->capacity, .batch = 1};
    for (long n = 0; n < 2 * count;) {
      uint32_t got = drain(there, &position, 1, &sum);
      if (got) push(&p, payload, size);
      n += got;
    }
    _exit(0);
  }
  pin(0);
  struct producer p = {.ring = there, .limit = there->capacity, .batch = 1};
  double *each = malloc(sizeof *each * (size_t)count), total = 0;
  for (int phase = 0; phase < 2; phase++) {
    double start = now_ns();
    for (long n = 0; n < count; n++) {
      double sent = phase == 1 ? now_ns() : 0;
      push(&p, payload, size);
      while (!drain(back, &position, 1, &sum)) {}
      if (phase == 1) each[n] = now_ns() - sent;
    }
    if (phase == 0) total = now_ns() - start;
  }
  wait(NULL);
  print_rtt(total, each, count);
  return 0;
}

static int oneway(uint32_t size, long count, uint32_t batch, uint32_t capacity) {
  struct ring *r = ring_new(capacity);
  long warm = count / 5;
  if (fork() == 0) {
    pin(1);
    char *payload = calloc(1, size);
    struct producer p = {.ring = r, .limit = r->capacity, .batch = batch};
    for (long n = 0; n < warm + count; n++) {
      memcpy(payload, &n, 4);
      push(&p, payload, size);
    }
    flush(&p);
    _exit(0);
  }
  pin(0);
  uint32_t position = 0;
  uint64_t sum = 0;
  long n = 0;
  while (n < warm) n += drain(r, &position, (uint32_t)(warm - n), &sum);
  double start = now_ns();
  while (n < warm + count) n += drain(r, &position, UINT32_MAX, &sum);
  double taken = now_ns() - start;
  wait(NULL);
  printf("{\"perSecond\":%.0f,\"sum\":%llu}\n", (double)count / taken * 1e9, (unsigned long long)sum);
  return 0;
}

static int copy(uint32_t size, long count) {
  /* As much memory as a ring of that many records has: not the same cache line again and again. */
  pin(0);
  char *from = calloc(8, size), *to = calloc(8, size);
  double start = now_ns();
  for (long n = 0; n < count; n++) {
    memcpy(to + (size_t)(n & 7) * size, from, size);
    __asm__ volatile("" ::: "memory");
  }
  printf("{\"perSecond\":%.0f}\n", (double)count / (now_ns() - start) * 1e9);
  return 0;
}

int main(int argc, char **argv) {
  if (argc > 2 && strcmp(argv[1], "pingpong") == 0) return pingpong(atol(argv[2]));
  if (argc > 3 && strcmp(argv[1], "rtt") == 0) return rtt((uint32_t)atol(argv[2]), atol(argv[3]));
  if (argc > 3 && strcmp(argv[1], "memcpy") == 0) return copy((uint32_t)atol(argv[2]), atol(argv[3]));
  if (argc > 5 && strcmp(argv[1], "oneway") == 0)
    return oneway((uint32_t)atol(argv[2]), atol(argv[3]), (uint32_t)atol(argv[4]),
                  (uint32_t)atol(argv[5]));
  return 2;
}
