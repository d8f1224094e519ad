/* The classic producer: shared memory and three named semaphores.
 * Usage: producer NAME MUTEX ITEMS SPACES COUNT INTERVAL_MS [LABEL]
 * With a LABEL it joins a queue that is there, and its messages are LABEL:0, LABEL:1 ... */
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
  must(argc >= 7, "usage");
  const char *name = argv[1], *mutex_name = argv[2], *items_name = argv[3], *spaces_name = argv[4];
  long count = atol(argv[5]), interval = atol(argv[6]);
  struct sigaction action = {.sa_handler = stop};
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);

  const char *label = argc > 7 ? argv[7] : NULL;
  int create = label ? 0 : O_CREAT | O_EXCL;
  int fd = shm_open(name, create | O_RDWR, 0600);
  must(fd >= 0, "shm_open");
  if (create) must(ftruncate(fd, sizeof(MessageQueue)) == 0, "ftruncate");
  MessageQueue *queue = mmap(NULL, sizeof(MessageQueue), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  must(queue != MAP_FAILED, "mmap");
  sem_t *mutex = sem_open(mutex_name, create, 0600, 1);
  sem_t *items = sem_open(items_name, create, 0600, 0);
  sem_t *spaces = sem_open(spaces_name, create, 0600, MAX_MESSAGES);
  must(mutex != SEM_FAILED && items != SEM_FAILED && spaces != SEM_FAILED, "sem_open");
  if (create) {
    queue->version = QUEUE_VERSION;
    queue->head = queue->tail = queue->count = 0;
    queue->magic = QUEUE_MAGIC;
  }
  printf("Producer ready\n");
  fflush(stdout);

  for (long number = 0; running && (count < 0 || number < count); number++) {
    if (sem_wait(spaces) != 0) break;
    if (sem_wait(mutex) != 0) break;
    char *slot = queue->messages[queue->tail];
    if (label) snprintf(slot, MESSAGE_SIZE, "%s:%ld", label, number);
    else snprintf(slot, MESSAGE_SIZE, "Message #%ld from PID %d", number, (int)getpid());
    queue->tail = (queue->tail + 1) % MAX_MESSAGES;
    queue->count++;
    uint32_t size = queue->count;
    sem_post(mutex);
    sem_post(items);
    printf("Produced: Message #%ld from PID %d (queue size: %u)\n", number, (int)getpid(), size);
    fflush(stdout);
    if (interval > 0) usleep((useconds_t)interval * 1000);
  }

  /* Leave the queue to its consumer until it is empty. */
  while (running && queue->count > 0) usleep(1000);
  printf("Exiting\n");
  munmap(queue, sizeof(MessageQueue));
  sem_close(mutex);
  sem_close(items);
  sem_close(spaces);
  shm_unlink(name);
  sem_unlink(mutex_name);
  sem_unlink(items_name);
  sem_unlink(spaces_name);
  printf("Removed shared resources\n");
  return 0;
}
