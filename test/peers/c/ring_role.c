/* Takes a role of a ring, and again, in a thread that ends: NAME producer|consumer. */
#include "../../../include/bun_shm.h"
#include <pthread.h>
#include <stdlib.h>

static bun_shm_spsc ring;
static int is_producer;

static int take_role(void) {
  /* It stays after the thread, as it would in a program that forgets it. */
  if (is_producer) return bun_shm_producer_init(malloc(sizeof(bun_shm_producer)), &ring, 1);
  return bun_shm_consumer_init(malloc(sizeof(bun_shm_consumer)), &ring);
}

static void *take_twice(void *unused) {
  int first = take_role();
  int second = take_role();
  printf("%d %d\n", first, second);
  return unused;
}

int main(int argc, char **argv) {
  if (argc < 3 || bun_shm_spsc_open(&ring, argv[1]) != 0) return 2;
  is_producer = strcmp(argv[2], "producer") == 0;
  pthread_t thread;
  pthread_create(&thread, NULL, take_twice, NULL);
  pthread_join(thread, NULL);
  puts("ended");
  fflush(stdout);
  for (;;) pause();
}
