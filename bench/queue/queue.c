/* The classic queue of shared memory and three named semaphores, as a benchmark's peer.
 *   queue receive NAME COUNT      makes NAME, takes COUNT messages, prints messages a second
 *   queue send NAME COUNT         puts COUNT messages of 255 bytes in
 *   queue pong NAME COUNT         makes NAME-a and NAME-b, sends back what comes
 *   queue ping NAME COUNT         prints the round trip's p50 and p99 in microseconds */
#define _GNU_SOURCE
#include <fcntl.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define MAX_MESSAGES 10
#define MESSAGE_SIZE 256

typedef struct {
  uint32_t magic, version, head, tail, count;
  char messages[MAX_MESSAGES][MESSAGE_SIZE];
} MessageQueue;

typedef struct {
  char name[256];
  MessageQueue *memory;
  sem_t *mutex, *items, *spaces;
} Queue;

static void must(int ok, const char *what) {
  if (ok) return;
  perror(what);
  exit(1);
}

static sem_t *semaphore(const char *name, const char *suffix, int flags, unsigned value) {
  char full[300];
  snprintf(full, sizeof full, "%s_%s", name, suffix);
  sem_t *made = sem_open(full, flags, 0600, value);
  must(made != SEM_FAILED, full);
  return made;
}

static Queue attach(const char *name, const char *suffix, int make) {
  Queue queue;
  snprintf(queue.name, sizeof queue.name, "%s%s", name, suffix);
  int flags = make ? O_CREAT | O_EXCL : 0;
  int fd = shm_open(queue.name, flags | O_RDWR, 0600);
  must(fd >= 0, "shm_open");
  if (make) must(ftruncate(fd, sizeof(MessageQueue)) == 0, "ftruncate");
  queue.memory = mmap(NULL, sizeof(MessageQueue), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  must(queue.memory != MAP_FAILED, "mmap");
  queue.mutex = semaphore(queue.name, "mutex", flags, 1);
  queue.items = semaphore(queue.name, "items", flags, 0);
  queue.spaces = semaphore(queue.name, "spaces", flags, MAX_MESSAGES);
  if (make) {
    queue.memory->version = 1;
    queue.memory->magic = 0x4D51534Du;
  }
  return queue;
}

static void drop(Queue *queue) {
  char full[300];
  const char *suffixes[] = {"mutex", "items", "spaces"};
  shm_unlink(queue->name);
  for (int which = 0; which < 3; which++) {
    snprintf(full, sizeof full, "%s_%s", queue->name, suffixes[which]);
    sem_unlink(full);
  }
}

static void put(Queue *queue, const char *text) {
  MessageQueue *memory = queue->memory;
  sem_wait(queue->spaces);
  sem_wait(queue->mutex);
  strncpy(memory->messages[memory->tail], text, MESSAGE_SIZE - 1);
  memory->messages[memory->tail][MESSAGE_SIZE - 1] = '\0';
  memory->tail = (memory->tail + 1) % MAX_MESSAGES;
  memory->count++;
  sem_post(queue->mutex);
  sem_post(queue->items);
}

static void take(Queue *queue, char *text) {
  MessageQueue *memory = queue->memory;
  struct timespec until;
  do {
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 1;
  } while (sem_timedwait(queue->items, &until) != 0);
  sem_wait(queue->mutex);
  strncpy(text, memory->messages[memory->head], MESSAGE_SIZE);
  memory->head = (memory->head + 1) % MAX_MESSAGES;
  memory->count--;
  sem_post(queue->mutex);
  sem_post(queue->spaces);
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

int main(int argc, char **argv) {
  must(argc == 4, "usage");
  const char *role = argv[1], *name = argv[2];
  long count = atol(argv[3]);
  char text[MESSAGE_SIZE], got[MESSAGE_SIZE];
  memset(text, 'x', sizeof text - 1);
  text[sizeof text - 1] = '\0';
  if (strcmp(role, "send") == 0) {
    Queue queue = attach(name, "", 0);
    for (long done = 0; done < count; done++) put(&queue, text);
  } else if (strcmp(role, "receive") == 0) {
    Queue queue = attach(name, "", 1);
    puts("ready");
    fflush(stdout);
    take(&queue, got);
    double start = now();
    for (long done = 1; done < count; done++) take(&queue, got);
    printf("{\"perSecond\":%f}\n", (double)(count - 1) / (now() - start) * 1e6);
    drop(&queue);
  } else if (strcmp(role, "pong") == 0) {
    Queue a = attach(name, "-a", 1), b = attach(name, "-b", 1);
    puts("ready");
    fflush(stdout);
    for (long done = 0; done < count; done++) {
      take(&a, got);
      put(&b, got);
    }
    drop(&a);
    drop(&b);
  } else {
    Queue a = attach(name, "-a", 0), b = attach(name, "-b", 0);
    double *trips = malloc(sizeof(double) * (size_t)count);
    for (long done = 0; done < count; done++) {
      double start = now();
      put(&a, text);
      take(&b, got);
      trips[done] = now() - start;
    }
    qsort(trips, (size_t)count, sizeof(double), compare);
    printf("{\"p50Us\":%f,\"p99Us\":%f}\n", trips[count / 2], trips[count * 99 / 100]);
  }
  return 0;
}
