/**
 * The lock bytes: part of the binary contract, though no data lies there.
 *
 * A lock byte is a one-byte open-file-description lock (`F_OFD_SETLK`) on the object, at an offset
 * that is a name and no place: the byte need not exist. The kernel releases it with its holder,
 * however that ends, so it says who lives. The bytes of a structure are counted from the structure's
 * own start in the segment, so that several in one segment do not meet.
 */

/** A ring's only producer. */
export const RING_PRODUCER_BYTE = 0;
/** A ring's only consumer. */
export const RING_CONSUMER_BYTE = 1;
/** The first of the slots of an mpsc ring's producers, or of consumers that block a broadcast. */
export const RING_FIRST_SLOT_BYTE = 64;

/** The first of a message queue's 64 participants. */
export const QUEUE_FIRST_PARTICIPANT_BYTE = 0;
/** Held by a message queue's creator while it lives. */
export const QUEUE_CREATOR_BYTE = 64;
/** Held while a C program's queue gets its bookkeeping. */
export const QUEUE_BOOKKEEPER_BYTE = 65;

/** Held by a lease's holder. */
export const LEASE_HOLDER_BYTE = 0;

/**
 * Of the object itself, beyond any offset that holds data: held while a name is compared with its
 * inode and removed.
 */
export const UNLINK_BYTE: number = 2 ** 40;
/**
 * Held by whoever makes a structure, from this byte plus the structure's offset: while it is held,
 * the maker lives; a structure that is not finished and a byte that is free mean that it died.
 */
export const MAKER_BYTE: number = 2 ** 40 + 1;
