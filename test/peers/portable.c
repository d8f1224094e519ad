/* portable create|answer NAME: makes a portable segment, or answers in one. */
#define _GNU_SOURCE
#include <stdio.h>

#include "../../include/bun_shm_portable.h"

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  struct bun_shm_portable segment;
  if (strcmp(argv[1], "create") == 0) {
    if (bun_shm_portable_create(argv[2], 100, &segment) != 0) return perror("create"), 1;
    ((unsigned char *)segment.data)[0] = 7;
  } else {
    if (bun_shm_portable_open(argv[2], &segment) != 0) return perror("open"), 1;
    unsigned char *data = segment.data;
    printf("%zu %u %d\n", segment.size, segment.header->creator_pid, data[0]);
    data[1] = (unsigned char)(data[0] + 1);
  }
  return bun_shm_portable_close(&segment);
}
