/*
 * The peers in C of bench/ring, for both sides of a window. A side is a Bun process that calls them
 * through bun:ffi, so that each window of a pair runs on the same cores as the one before it.
 *
 * Memory: words and positions in the first page, and then the ring's data. Each side keeps its own
 * `struct side` from window to window.
 */
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#if defined(__x86_64__)
#define PAUSE() __builtin_ia32_pause()
#else
#define PAUSE() __asm__ volatile("yield")
#endif

#define LINE 128
#define DATA 4096

static double now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e9 + t.tv_nsec;
}

/* Two bare words: the least that a round trip between two cores can take. */

static void await_word(atomic_int *word, int value, int pausing) {
  while (atomic_load_explicit(word, memory_order_acquire) != value) {
    if (pausing) PAUSE();
  }
}

/* Leaves the words as it found them; the other side has ended by then. */
double words_ping(char *memory, int count, int pausing) {
  atomic_int *there = (atomic_int *)memory, *back = (atomic_int *)(memory + LINE);
  double start = now_ns();
  for (int i = 1; i <= count; i++) {
    atomic_store_explicit(there, i, memory_order_release);
    await_word(back, i, pausing);
  }
  double taken = now_ns() - start;
  atomic_store(there, 0);
  atomic_store(back, 0);
  return taken / count;
}

void words_pong(char *memory, int count, int pausing) {
  atomic_int *there = (atomic_int *)memory, *back = (atomic_int *)(memory + LINE);
  for (int i = 1; i <= count; i++) {
    await_word(there, i, pausing);
    atomic_store_explicit(back, i, memory_order_release);
  }
}

/*
 * A lean ring: records whose header is the signal, with a terminator behind the last one, as in
 * src/ring/algorithm/spsc. It counts nothing, wakes nobody, and checks nothing.
 *
 * The modern consumer also pauses while there is nothing, stays away for a moment once it has
 * caught up, and fetches the next line ahead.
 */

struct side {
  uint32_t position, limit, batch, held_count;
  int32_t held_length;
  uint32_t held;
};

struct ring {
  char *data;
  atomic_uint *consumer_position;
  uint32_t capacity;
};

static struct ring ring_at(char *memory, uint32_t capacity) {
  return (struct ring){memory + DATA, (atomic_uint *)(memory + 2 * LINE), capacity};
}

static atomic_int *header_at(struct ring r, uint32_t position) {
  return (atomic_int *)(r.data + (position & (r.capacity - 1)));
}

static void flush(struct ring r, struct side *p) {
  if (p->held_length == 0) return;
  atomic_store_explicit(header_at(r, p->position), 0, memory_order_relaxed);
  atomic_store_explicit(header_at(r, p->held), p->held_length, memory_order_release);
  p->held_length = 0;
  p->held_count = 0;
}

static void append(struct ring r, struct side *p, int length, int type) {
  atomic_int *header = header_at(r, p->position);
  ((int *)header)[1] = type;
  if (p->held_length == 0) {
    p->held = p->position;
    p->held_length = length;
  } else {
    atomic_store_explicit(header, length, memory_order_relaxed);
  }
  p->position += (uint32_t)(length + 7) & ~7u;
}

static int has_room(struct ring r, struct side *p, uint32_t wanted) {
  if ((int32_t)(p->limit - p->position) >= (int32_t)(wanted + 8)) return 1;
  p->limit = atomic_load_explicit(r.consumer_position, memory_order_acquire) + r.capacity;
  return (int32_t)(p->limit - p->position) >= (int32_t)(wanted + 8);
}

static void push(struct ring r, struct side *p, const void *payload, uint32_t size) {
  uint32_t needed = (size + 15) & ~7u;
  uint32_t to_end = r.capacity - (p->position & (r.capacity - 1));
  if (needed > to_end) {
    while (!has_room(r, p, to_end)) flush(r, p);
    append(r, p, (int)to_end, -1);
  }
  while (!has_room(r, p, needed)) flush(r, p);
  memcpy((char *)header_at(r, p->position) + 8, payload, size);
  append(r, p, (int)size + 8, 0);
  if (++p->held_count >= p->batch) flush(r, p);
}

/* Reads what is there; gives room back at the end, and at each eighth of the ring. */
static int drain(struct ring r, struct side *c, int limit, int prefetch, uint64_t *sum) {
  int count = 0;
  uint32_t at = c->position, released = at;
  while (count < limit) {
    int *header = (int *)header_at(r, at);
    int length = atomic_load_explicit((atomic_int *)header, memory_order_acquire);
    if (length <= 0) break;
    if (prefetch) __builtin_prefetch((char *)header_at(r, at + (uint32_t)length) + 64);
    if (header[1] != -1) {
      uint32_t word;
      memcpy(&word, header + 2, 4);
      *sum += word;
      count++;
    }
    at += (uint32_t)(length + 7) & ~7u;
    if (at - released >= r.capacity / 8) {
      atomic_store_explicit(r.consumer_position, at, memory_order_release);
      released = at;
    }
  }
  if (at != released) atomic_store_explicit(r.consumer_position, at, memory_order_release);
  c->position = at;
  return count;
}

void ring_init(struct side *side, uint32_t capacity) {
  memset(side, 0, sizeof *side);
  side->limit = capacity;
}

void ring_produce(char *memory, struct side *p, uint32_t capacity, int count, int size, int batch) {
  static char payload[1 << 20];
  struct ring r = ring_at(memory, capacity);
  p->batch = (uint32_t)batch;
  for (int n = 0; n < count; n++) {
    memcpy(payload, &n, 4);
    push(r, p, payload, (uint32_t)size);
  }
  flush(r, p);
}

/* How many turns a modern consumer stays away that has caught up. */
#define AWAY 64

static uint64_t sink;

/* @returns ns a record, from the one after the warm ones to the last one. */
double ring_consume(char *memory, struct side *c, uint32_t capacity, int warm, int count, int modern) {
  struct ring r = ring_at(memory, capacity);
  uint64_t sum = 0;
  int n = 0;
  double start = now_ns();
  while (n < warm + count) {
    int got = drain(r, c, n < warm ? warm - n : 1 << 30, modern, &sum);
    n += got;
    if (got > 0 && n == warm) start = now_ns();
    if (modern && got == 0) PAUSE();
    if (modern && got > 0) for (int turn = 0; turn < AWAY; turn++) PAUSE();
  }
  double taken = now_ns() - start;
  sink += sum;
  return taken / count;
}

double ring_ping(char *there, char *back, struct side *p, struct side *c, uint32_t capacity, int count, int size) {
  static char payload[1 << 20];
  struct ring out = ring_at(there, capacity), in = ring_at(back, capacity);
  uint64_t sum = 0;
  p->batch = 1;
  double start = now_ns();
  for (int n = 0; n < count; n++) {
    push(out, p, payload, (uint32_t)size);
    while (!drain(in, c, 1, 0, &sum)) {}
  }
  sink += sum;
  return (now_ns() - start) / count;
}

void ring_pong(char *there, char *back, struct side *p, struct side *c, uint32_t capacity, int count, int size) {
  static char payload[1 << 20];
  struct ring in = ring_at(there, capacity), out = ring_at(back, capacity);
  uint64_t sum = 0;
  p->batch = 1;
  for (int n = 0; n < count; n++) {
    while (!drain(in, c, 1, 0, &sum)) {}
    push(out, p, payload, (uint32_t)size);
  }
  sink += sum;
}

/* ns a copy of one core, over as much memory as a ring of such records has. */
double copy(char *to, uint32_t capacity, int count, int size) {
  static char from[1 << 20];
  double start = now_ns();
  uint32_t at = 0;
  for (int n = 0; n < count; n++) {
    memcpy(to + DATA + at, from, (size_t)size);
    __asm__ volatile("" ::: "memory");
    at = at + 2 * (uint32_t)size > capacity ? 0 : at + (uint32_t)size;
  }
  return (now_ns() - start) / count;
}
