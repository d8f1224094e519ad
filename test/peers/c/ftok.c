/* Prints the key that C makes of a path and an id: PATH ID. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/ipc.h>

int main(int argc, char **argv) {
  if (argc < 3) return 64;
  /* Unsigned, as names have it; C's key_t has the same bits. */
  printf("%u\n", (unsigned)ftok(argv[1], atoi(argv[2])));
  return 0;
}
