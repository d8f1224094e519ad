/* The classic consumer: maps whatever size fstat reports, and waits a second at a time.
 * Usage: consumer NAME MUTEX ITEMS SPACES COUNT; a negative COUNT consumes until it is stopped. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define QUEUE_MAGIC 0x4D51534Du
#define QUEUE_VERSION 1u
#define MAX_MESSAGES 10
#define MESSAGE_SIZE 256

typedef struct {
  uint32_t magic;
  uint32_t version;
  uint32_t head;
  uint32_t tail;
  uint32_t count;
  char messages[MAX_MESSAGES][MESSAGE_SIZE];
} MessageQueue;

static volatile sig_atomic_t running = 1;

static void stop(int signal) {
  (void)signal;
  running = 0;
}

static void must(int ok, const char *what) {
  if (ok) return;
  perror(what);
  exit(1);
}

int main(int argc, char **argv) {
  must(argc >= 6, "usage");
  long count = atol(argv[5]);
  struct sigaction action = {.sa_handler = stop};
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);

  int fd = shm_open(argv[1], O_RDWR, 0);
  if (fd < 0) {
    fprintf(stderr, "Producer not running. Start producer first.\n");
    return 1;
  }
  struct stat stat;
  must(fstat(fd, &stat) == 0, "fstat");
  MessageQueue *queue =
      mmap(NULL, (size_t)stat.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  must(queue != MAP_FAILED, "mmap");
  must(queue->magic == QUEUE_MAGIC && queue->version == QUEUE_VERSION, "magic");
  sem_t *mutex = sem_open(argv[2], 0);
  sem_t *items = sem_open(argv[3], 0);
  sem_t *spaces = sem_open(argv[4], 0);
  must(mutex != SEM_FAILED && items != SEM_FAILED && spaces != SEM_FAILED, "sem_open");

  for (long done = 0; running && (count < 0 || done < count);) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 1;
    if (sem_timedwait(items, &until) != 0) {
      if (errno == ETIMEDOUT || errno == EINTR) continue;
      break;
    }
    if (sem_wait(mutex) != 0) break;
    char text[MESSAGE_SIZE];
    strncpy(text, queue->messages[queue->head], MESSAGE_SIZE - 1);
    text[MESSAGE_SIZE - 1] = '\0';
    queue->head = (queue->head + 1) % MAX_MESSAGES;
    queue->count--;
    uint32_t size = queue->count;
    sem_post(mutex);
    sem_post(spaces);
    printf("Consumed: %s (queue size: %u)\n", text, size);
    fflush(stdout);
    done++;
  }

  printf("Exiting\n");
  munmap(queue, (size_t)stat.st_size);
  sem_close(mutex);
  sem_close(items);
  sem_close(spaces);
  return 0;
}
