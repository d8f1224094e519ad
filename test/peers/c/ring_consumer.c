/* A C consumer: NAME COUNT MODE, which is "peek" or "read". Blocks while there is nothing. */
#include "../../../include/bun_shm.h"
#include "ring_record.h"
#include <stdlib.h>

typedef struct progress {
  uint32_t count;
  uint32_t next;
  uint32_t checksum;
  int is_wrong;
} progress;

static int fail(const char *what, int result) {
  fprintf(stderr, "%s: %d, %s\n", what, result, bun_shm_error(result));
  return 2;
}

/* Checks one record; ends the read with the last. */
static int check(const bun_shm_record *record, void *context) {
  progress *seen = (progress *)context;
  const uint8_t *bytes = (const uint8_t *)record->payload;
  uint32_t sequence = seen->next++;
  if (record->length != record_length(sequence) || record->type != record_type(sequence)) {
    seen->is_wrong = 1;
    return 1;
  }
  for (uint32_t at = 0; at < record->length; at++) {
    if (bytes[at] != record_byte(sequence, at)) seen->is_wrong = 1;
    seen->checksum = add_to_checksum(seen->checksum, bytes[at]);
  }
  return seen->is_wrong || seen->next == seen->count;
}

int main(int argc, char **argv) {
  bun_shm_spsc ring;
  bun_shm_consumer consumer;
  progress seen = {0, 0, 0, 0};
  if (argc < 4) return 64;
  seen.count = (uint32_t)strtoul(argv[2], NULL, 10);
  int is_peek = strcmp(argv[3], "peek") == 0;
  int result = bun_shm_spsc_open(&ring, argv[1]);
  if (result < 0) return fail("open", result);
  result = bun_shm_consumer_init(&consumer, &ring);
  if (result < 0) return fail("consumer", result);
  puts("ready");
  fflush(stdout);

  while (seen.next < seen.count && !seen.is_wrong) {
    if (bun_shm_wait_for_record(&consumer, 30000) == 0) return fail("wait", 0);
    if (is_peek) {
      bun_shm_record record;
      result = bun_shm_peek(&consumer, &record);
      if (result > 0) check(&record, &seen);
      bun_shm_release(&consumer);
    } else {
      result = bun_shm_read(&consumer, check, &seen, INT_MAX);
    }
    if (result < 0) return fail("read", result);
  }
  if (seen.is_wrong) {
    fprintf(stderr, "record %u is wrong\n", seen.next - 1);
    return 3;
  }
  bun_shm_consumer_close(&consumer);
  bun_shm_spsc_close(&ring);
  printf("%u %u\n", seen.next, seen.checksum);
  return 0;
}
