/** A key of TEXTS. */
type Topic =
  | "lockBytes"
  | "header"
  | "waitPoint"
  | "record"
  | "ring"
  | "mpsc"
  | "broadcast"
  | "sharedRecord"
  | "map"
  | "atomics"
  | "messageQueue"
  | "locks"
  | "meetings";

/** What docs/LAYOUT.md says about each structure, beside its fields. */
export const TEXTS: Readonly<Record<Topic, string>> = {
  lockBytes: `
Roles and life are what the kernel says. Whoever uses an object holds a shared \`flock\` on it; whoever
gives an empty object its size holds it exclusively. A role (producer, consumer …) is an exclusive
open-file-description lock (\`F_OFD_SETLK\`) on one byte of the object, whether or not there is data
at that offset, taken on a descriptor that was opened only for it. The kernel releases all of them
when the process dies.

The bytes of a structure are counted from its own start in the object, so that several in one
object do not meet.`,

  header: `
Every structured segment starts with it. The creator fills in everything else and stores \`magic\` last, so an opener that
loads the magic sees all of it. An opener waits a second for the object's size and then for the magic, and refuses
another version, another kind, and another \`layout_hash\`: two builds whose layouts differ never touch each other's memory.

Who fills a new structure holds the lock on its \`MAKER_BYTE\` meanwhile (see _Lock bytes_). While it is held, the maker
lives; no magic and a free lock mean that it died, and the next one begins again.`,

  waitPoint: `
An event count. A waiter sets its flag in \`state\`, keeps the value as its key, looks again at what it waits for, and only
then sleeps: on the futex \`state\` while that is still the key, or in its event loop until its doorbell rings. A waker first publishes
with a sequentially consistent store, then loads \`state\`. Without a flag it is done. Else it clears both flags and
counts one wake by compare-and-swap, wakes all sleepers of the futex, and rings every doorbell. Sleepers look again at
least every 50 ms, event loops every 250 ms, which bounds what a killed waker costs.

A doorbell is a Unix stream socket in the abstract namespace, named \`bun-shm-bell-\` and the id as eight hexadecimal digits. To ring is to
send one byte. A refused connection says that the owner is dead; whoever learns so sets the id to 0.`,

  record: `
Records lie in a ring one behind the other, each at a multiple of 8. The payload follows the header, and up to 7
bytes to the next multiple. None wraps: a record that would is preceded by padding to the end of the ring.`,

  ring: `
Positions count bytes since the ring was made, modulo 2^32, and are compared by wrapping subtraction;
\`position & (capacity - 1)\` is an index into the data. The capacity is the header's \`data_length\`, a power of two. A payload has at most a quarter of it.
Words that different processes write are 128 bytes apart.

**One producer, one consumer** (\`KIND_SPSC\`). The consumer looks at the \`length\` where the next record will be; 0 or less
is "nothing yet". The producer writes the payload and \`type\`, then 0 into the length _behind_ the record (the
terminator), and then the record's own length, sequentially consistent, which publishes it. Records of a batch lie behind its
first one, whose length is stored last. The producer writes from its tail to \`consumer_position + capacity\`,
terminator included, so the ring never fills to the last byte. A new producer finds its tail by walking from
\`consumer_position\` to the terminator; a new consumer begins at \`consumer_position\`, and reads again what the last one had not
released.

Who reads takes nothing on trust: a length must be at least 8 and end within the ring, a consumer position must be a multiple of 8 and
within one capacity of the tail.

The producer holds the lock on byte 0 of the object, the consumer that on byte 1.`,

  mpsc: `
At 640 the words of the consumer's release, at 1024 the cells, and after them, at the next multiple of 128, the data. Each
record has a cell, in the order of the claims, and the cells are a ring of their own: one for each 16 bytes of data, and
records are multiples of 16, so cells never run out before bytes do. One compare-and-swap of a cell is the whole claim:

    free       00 lap(30)                    claimable in this lap, and in no other
    claimed    10 slot(6) units(24)          being written by the holder of the slot's lock
    committed  11 0 units(24)                a record
    padding    11 63 units(24)               nothing: skipped

Memory that is all zero is a ring whose cells are free in lap 0. A producer holds the lock on byte 64 + its slot, of 63. A
claim whose slot is not locked is a dead producer's, and becomes padding. The consumer holds the lock on byte 1.`,

  broadcast: `
At 168 the producer's words. \`producer_position\` is the tail: the end of what is published. Records are multiples of 16, have a
longer header that holds their number, and are at most an eighth of the capacity long.

**Overwrite** (\`KIND_BROADCAST\`, data at 1024). The producer stores \`tail_intent\`, then (behind a store fence) writes the
records, and then stores the tail. A consumer copies what lies before the tail, and then (behind a load fence) reads
\`tail_intent\`: what is more than one capacity before it may be torn, and counts as lost. The difference of two
record numbers says how many were lost.

**Block** (\`KIND_BROADCAST_BLOCK\`, slots at 1024, data at 5120). A consumer holds the lock on byte 64 + its slot, of 32. It stores the tail as its
position, sets its bit in \`joined\` (at 640), and reads \`limit\`; the producer stores \`limit\`, and then reads the positions
again. The tail stays at or below \`limit\`, and \`limit\` at or below every joined position plus the capacity. A bit whose
lock is free belonged to a dead consumer, and the producer clears it.

The producer holds the lock on byte 0.`,

  sharedRecord: `
The latest value of a struct (\`KIND_RECORD\`). The slots follow at offset 384 of the data; each is
\`version\`, 4 bytes of padding and the value, rounded up to a multiple of 128. Version v lies in
slot v mod the number of slots. The header's parameters: slots, bytes of the struct, and which
libc made the lock (libc << 16 | processor). Its codec is \`struct:\` and, in 8 hexadecimal digits,
FNV-1a of the struct's declaration in C.

The writer, who holds the lock, stores 0 into the version of slot \`latest\` + 1, copies the value
in, stores the version, and then \`latest\`. A reader loads \`latest\`, and keeps its copy of that
slot if the slot's version was the same before and after. A writer that dies leaves the newest
value as it was, and a slot that the next writer begins again.`,

  map: `
A hash map (\`KIND_MAP\`): stripes one behind the other, each a head, its buckets and its units,
rounded up to 128 bytes. The header's parameters: stripes, buckets in each, units in each, words
of a unit, both halves of the hash's seed, flags (1 evicts, 2 keys are bytes, and from bit 8 which
libc made the locks). Its codec says in which form the values are: \`bytes\`, \`utf8\`,
\`number\` (8 bytes, f64), \`json\`, \`clone\`, \`struct:\` as for a record, or one of the user's; empty for any.

The hash is HalfSipHash-1-3 of the key. Its low bits choose the stripe, bits 6 and up the home bucket, and the top 8 are the tag. An entry
is a chain of units: the first begins with \`map_entry\`, the others with its first two words; the payload is the key, filled
up to 4 bytes, and then the value. A slot refers to the first unit as tag << 24 | unit.

The index is the truth: an entry is in the map exactly while a slot refers to it. To set is to write a chain of free units and to
store the slot; the old entry's \`sequence\` is raised after that, and before its units are used again. A reader loads the slot, the unit's
sequence and the slot again, compares and copies, and keeps the copy if the sequence is still the same. Who gets a stripe's lock from a dead
owner rebuilds all that is marked as derived, and raises the sequence of every unit that no entry has.`,

  atomics: `
Named words and counters (\`KIND_ATOMICS\`): a table of names, 64 bytes each, rounded up to 128
bytes, and then one cell of 128 bytes for each. The header's first parameter is their number.

A counter's count is h * 2^31 + (\`low\` mod 2^31), where h is \`half\` if its bit 0 equals bit 31 of
\`low\`, and else \`half\` + 1: then the step of \`half\` is missing, and whoever sees that makes it by
compare-and-swap. Additions are of at most 2^24.`,

  messageQueue: `
The textbook queue, byte for byte: this struct in shared memory at \`/messagequeue\`, and the named
semaphores \`/mq_mutex\` (1), \`/mq_items\` (0) and \`/mq_spaces\` (10). A queue of another name has
\`NAME_mutex\`, \`NAME_items\` and \`NAME_spaces\`; one of another geometry has the same header, and its slots
from offset 20 on. The creator makes the segment, then the semaphores, and stores \`magic\` last.

To enqueue: wait for spaces, wait for the mutex, copy the text and its NUL into the slot \`tail\`, advance
\`tail\` (modulo the number of slots) and \`count\`, post the mutex, post items. To dequeue: the same
with items and spaces changed, and \`head\`. At rest tail = (head + count) mod slots, items = count,
spaces = slots minus count, and mutex = 1. That is all that a C program has to know.

Bun's handles survive each other's death by the bookkeeping (\`message_queue_book\`). It begins at the
first multiple of 128 behind the slots, and ends the object: a reader looks 1408 bytes before the
end, and believes what it finds if the magic is right, and the slots lead to that very offset. Where
there is none, as in a C program's queue, the next handle holds \`QUEUE_BOOKKEEPER_BYTE\`, looks again,
enlarges the object and fills the bookkeeping in, its magic last. A creator that keeps bookkeeping
holds \`QUEUE_CREATOR_BYTE\` for as long as it is open: the byte is free when it died.

**To take part**, lock the first byte from \`QUEUE_FIRST_PARTICIPANT_BYTE\` on that is free, of 64. Its
number n is the participant's; store 0 into both token words and then the process id. A participant
lives while its byte is locked.

**The lock** comes before the mutex: only its holder may wait for the mutex, and nobody keeps it while
waiting for a token. It is taken by compare-and-swap from 0 to n + 1, waited for at
\`lock_wait_point\`, and given back by storing 0 and waking that. A holder whose byte is free is dead:
who swaps the dead one's number for its own is the heir.

**The journal** is set, by the lock's holder while it has the mutex, to the slot and the operation
before anything else is changed; then come the text, \`tail\` or \`head\`, which is the commit, \`count\`,
and 0 in the journal again; then one is added to \`operations\`. An heir that finds 0 goes on, and the
dead one may have had the mutex. Otherwise it had it, and the heir finishes its operation on slot k:

    enqueue   tail is k:     not done   count = (k - head) mod slots                 post spaces
              otherwise      done       count = (k - head) mod slots + 1             post items
    dequeue   head is k:     not done   count = (tail - k) mod slots, all if 0       post items
              otherwise      done       count = the same - 1                         post spaces

It stores 0 into the journal and posts the mutex then. With a single slot nothing can be told from
head and tail: there the heir posts only the mutex, and the look at the tokens (below) does the rest.

**A token word** says what a participant has in hand, so that lost tokens can be told from those on
their way. Who waits for a token sets \`QUEUE_MAY_HAVE_TOKEN\` before, and clears it after; one that
got a token adds 1, below \`QUEUE_TOKENS_MASK\`, until the token is used or given back; one that got none
adds \`QUEUE_NONE_INCREMENT\`. Who finds head, tail, count, operations and all semaphores unchanged for
a while, and not adding up, makes them fit: it leaves out what the living have in hand, and what they
may have had ever since.`,

  locks: `
These lie wherever the user puts them in a segment, at a multiple of 128. The \`pthread_mutex_t\` is libc's own: a process of another libc or
processor is refused by \`abi\`. A C program may lock it; if it does not wake the wait point, event loops that wait find out
by their re-check.`,

  meetings: `
These too lie wherever the user puts them, at a multiple of 128. Each wakes who waits through its wait point. Who holds a lease is known by the
kernel's lock on the byte at the lease's own offset.`,
};
