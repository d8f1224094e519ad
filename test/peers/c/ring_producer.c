/* A C producer: NAME FIRST COUNT BATCH PAUSE_EVERY [CAPACITY, and then it makes the ring]. */
#include "../../../include/bun_shm.h"
#include "ring_record.h"
#include <stdlib.h>

static int fail(const char *what, int result) {
  fprintf(stderr, "%s: %d, %s\n", what, result, bun_shm_error(result));
  return 2;
}

int main(int argc, char **argv) {
  bun_shm_spsc ring;
  bun_shm_producer producer;
  if (argc < 6) return 64;
  const char *name = argv[1];
  uint32_t first = (uint32_t)strtoul(argv[2], NULL, 10);
  uint32_t count = (uint32_t)strtoul(argv[3], NULL, 10);
  uint32_t batch = (uint32_t)strtoul(argv[4], NULL, 10);
  uint32_t pause_every = (uint32_t)strtoul(argv[5], NULL, 10);
  int result = argc > 6
                   ? bun_shm_spsc_create(&ring, name, (uint32_t)strtoul(argv[6], NULL, 10), 0600)
                   : bun_shm_spsc_open(&ring, name);
  if (result < 0) return fail("open", result);
  result = bun_shm_producer_init(&producer, &ring, batch);
  if (result < 0) return fail("producer", result);
  puts("ready");
  fflush(stdout);

  uint32_t checksum = 0;
  for (uint32_t at = 0; at < count; at++) {
    uint32_t sequence = first + at;
    uint32_t length = record_length(sequence);
    void *payload = NULL;
    result = bun_shm_claim_wait(&producer, length, record_type(sequence), &payload, 30000);
    if (result <= 0) return fail("claim", result);
    uint8_t *bytes = (uint8_t *)payload;
    for (uint32_t index = 0; index < length; index++) {
      bytes[index] = record_byte(sequence, index);
      checksum = add_to_checksum(checksum, bytes[index]);
    }
    bun_shm_commit(&producer);
    if (pause_every > 0 && at % pause_every == 0) usleep(2000);
  }
  bun_shm_producer_close(&producer);
  bun_shm_spsc_close(&ring);
  printf("%u %u\n", count, checksum);
  return 0;
}
