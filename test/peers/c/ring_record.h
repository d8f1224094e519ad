/* The records that the C and the Bun programs exchange: test/peers/c-ring-peer.ts has the same. */
#ifndef RING_RECORD_H
#define RING_RECORD_H

#include <stdint.h>

static inline uint32_t record_length(uint32_t sequence) {
  return 4 + (sequence * 7) % 190;
}

static inline int32_t record_type(uint32_t sequence) {
  return (int32_t)(sequence & 0xff);
}

/* The sequence number, and bytes that follow from it. */
static inline uint8_t record_byte(uint32_t sequence, uint32_t at) {
  return (uint8_t)(at < 4 ? sequence >> (8 * at) : sequence + at * 31);
}

static inline uint32_t add_to_checksum(uint32_t checksum, uint8_t byte) {
  return checksum * 31 + byte;
}

#endif
