/* Objects that this package did not make, held by plain C programs.
 *
 *   foreign hold NAME SIZE      makes and maps NAME, prints "ready", stays
 *   foreign join NAME rw|ro     maps an existing object, prints "ready", stays
 *   foreign thread NAME SIZE    like hold, but its first thread ends, and another one stays
 *   foreign many PREFIX COUNT   COUNT children, each with an object PREFIX-INDEX that it maps and
 *                               whose descriptor it closes; prints "INDEX PID" each, then "ready";
 *                               the children end with this process
 *   foreign semaphore NAME VALUE  makes a semaphore, prints "ready", stays
 *   foreign queue NAME          the classic message queue with two texts, and ends
 */
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

struct queue {
  uint32_t magic, version, head, tail, count;
  char slots[10][256];
};

static void *make(const char *name, size_t size) {
  int fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
  if (fd < 0 || ftruncate(fd, (off_t)size) != 0) {
    perror(name);
    exit(1);
  }
  void *address = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (address == MAP_FAILED) {
    perror("mmap");
    exit(1);
  }
  memcpy(address, "foreign", 8);
  return address;
}

static void stay(void) {
  puts("ready");
  fflush(stdout);
  for (;;) pause();
}

static void *stay_on(void *nothing) {
  // The first thread has ended when its state says so.
  for (char state = 'R'; state != 'Z';) {
    FILE *stat = fopen("/proc/self/stat", "r");
    if (stat == NULL || fscanf(stat, "%*d (%*[^)]) %c", &state) != 1) exit(1);
    fclose(stat);
  }
  stay();
  return nothing;
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  const char *action = argv[1], *name = argv[2];
  if (strcmp(action, "hold") == 0) {
    make(name, (size_t)atol(argv[3]));
    stay();
  } else if (strcmp(action, "join") == 0) {
    int writes = strcmp(argv[3], "rw") == 0;
    int fd = shm_open(name, writes ? O_RDWR : O_RDONLY, 0);
    int protection = writes ? PROT_READ | PROT_WRITE : PROT_READ;
    if (fd < 0 || mmap(NULL, 4096, protection, MAP_SHARED, fd, 0) == MAP_FAILED) return 1;
    close(fd);
    stay();
  } else if (strcmp(action, "thread") == 0) {
    pthread_t other;
    make(name, (size_t)atol(argv[3]));
    pthread_create(&other, NULL, stay_on, NULL);
    pthread_exit(NULL);
  } else if (strcmp(action, "many") == 0) {
    int count = atoi(argv[3]);
    for (int index = 0; index < count; index++) {
      int ready[2];
      if (pipe(ready) != 0) return 1;
      pid_t pid = fork();
      if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        char own[256];
        snprintf(own, sizeof own, "%s-%d", name, index);
        make(own, 4096);
        if (write(ready[1], "x", 1) != 1) return 1;
        for (;;) pause();
      }
      char byte;
      close(ready[1]);
      if (read(ready[0], &byte, 1) != 1) return 1;
      close(ready[0]);
      printf("%d %d\n", index, (int)pid);
    }
    stay();
  } else if (strcmp(action, "semaphore") == 0) {
    if (sem_open(name, O_CREAT | O_EXCL, 0600, (unsigned)atoi(argv[3])) == SEM_FAILED) return 1;
    stay();
  } else if (strcmp(action, "queue") == 0) {
    struct queue *queue = make(name, sizeof *queue);
    memset(queue, 0, sizeof *queue);
    queue->version = 1;
    queue->tail = queue->count = 2;
    strcpy(queue->slots[0], "first");
    strcpy(queue->slots[1], "second");
    queue->magic = 0x4D51534D;
  }
  return 0;
}
