/** The structures that have a text. */
type Topic =
  | "lockBytes"
  | "header"
  | "waitPoint"
  | "lock"
  | "record"
  | "ring"
  | "mpsc"
  | "broadcast"
  | "sharedRecord"
  | "map"
  | "limiter"
  | "namedLocks"
  | "table"
  | "atomics"
  | "meters"
  | "messageQueue"
  | "locks"
  | "meetings";

/** What docs/LAYOUT.md says about each structure, in addition to its fields. */
export const TEXTS: Readonly<Record<Topic, string>> = {
  lockBytes: `
Kernel locks say who lives. They are open-file-description locks
(\`F_OFD_SETLK\`) on bytes of the object, whether or not there is data at that offset. Every user of
an object has a shared lock on \`USERS_BYTE\`; whoever gives an empty object its size has it
exclusively. Whoever takes part in the locks of an object has an exclusive lock far behind all data: see _The lock_. The others of these
bytes are locked exclusively, on a descriptor that was opened only for it. The kernel releases all of these locks when the process dies.

The bytes of a structure are counted from its own start in the object, so that several structures in
one object do not collide.`,

  header: `
Every structure with a header starts with these 128 bytes. The creator fills in everything else and stores \`magic\` last,
so an opener that loads the magic sees all of it. An opener waits for the object's size and then for the magic, a second
for each, and refuses another version, another kind, and another \`layout_hash\`: two builds whose layouts differ never
touch each other's memory. It waits longer for a maker that holds a lock, and so lives.

The maker of a new structure holds the lock on its \`MAKER_BYTE\` while it fills the structure in (see _Lock bytes_). Before all else it stores
\`MAKING\` in \`state\`: in a new object while it still locks the users out, so that nobody sees the object without it. After the magic it stores 1 there. If
there is no magic, \`state\` is \`MAKING\`, and the lock is free, then the maker died, and the next one begins again. An object without magic and mark belongs to somebody
else, even if it holds only zeros, and is never made over; inside a user's segment, zeros are free memory. Structures without a header carry the mark where their magic will be, and a portable segment in \`reserved\`.`,

  waitPoint: `
The wait point is an event count. A waiter sets its flag in \`state\`, keeps the value of \`state\` as its key, looks again at what it waits for, and only
then sleeps: on the futex \`state\` while that is still the key, or in its event loop until its doorbell rings. Where no id is 0, or somebody has set its own to 0, it waits by the futex. A waker first publishes
with a sequentially consistent store, and then loads \`state\`. If no flag is set, it is done. Otherwise it clears both flags and
counts one wake by compare-and-swap, wakes all sleepers of the futex, and rings every doorbell. Sleepers look again at
least every 50 ms, and event loops every 250 ms, which bounds what a killed waker costs.

A doorbell is a Unix stream socket in the abstract namespace. Its name is \`bun-shm-bell-\` and the id as eight hexadecimal digits. To ring it, send
one byte. If the connection is refused, the owner is dead, and whoever finds that out sets the id to 0.`,

  lock: `
All locks of this package are this one, wherever a field says "see the lock". C programs use it by \`bun_shm_lock_join\`, \`bun_shm_lock_wait\`
and \`bun_shm_lock_release\` in \`include/bun_shm.h\`; other languages do what follows. All accesses to its two words are sequentially consistent.

**A participant** is a thread that takes part in the locks of one object. It opens the object once more, as an open file description of its own (on Linux, by
opening \`/proc/self/fd/N\`), and takes two locks of the kernel there with \`F_OFD_SETLK\`: a shared one on \`USERS_BYTE\`, and an exclusive one on a range, after which it is a
participant. It ends with that description.

    number      random, above 0 and below PARTICIPANT_NUMBERS; another one if its range is taken
    byte        FIRST_PARTICIPANT_BYTE + number * PARTICIPANT_SPACING
    range       from byte - namespace to byte + thread + (start << PARTICIPANT_START_SHIFT), both
                included
    namespace   the number of its PID namespace: N in pid:[N], where /proc/self/ns/pid leads
    thread      its id there (gettid)
    start       field 22 of /proc/THREAD/stat, minus the offset of boottime (in ticks of 10 ms) in
                /proc/self/timens_offsets, modulo PARTICIPANT_STARTS

Where one of the three cannot be read, or /proc is that of another PID namespace (\`NSpid\` in \`/proc/self/status\` has several numbers), all three are 0. Nothing is stored in the object, so that no bytes
can forge a participant, and a copy of a file has none.

**Whether a participant lives**: ask the kernel with \`F_OFD_GETLK\` for a shared lock on its byte. If nobody has an exclusive one there, it is dead. Otherwise the answer has the range, whose ends give namespace, thread and start. If the
namespace is not the asker's own, or 0, the participant lives. If it is, it is dead when there is no such thread (\`tkill(thread, 0)\` fails with ESRCH), when that is a zombie, or when it started at another
time, by more than one tick. The kernel does not show an asker its own description: whoever finds its own number lives. A number that is not below PARTICIPANT_NUMBERS is nobody's.

**The words.** LOCK is 0, or the holder's number above two flags; NEXT is 0, or the number of whoever gets the lock next. Each change is one compare-and-swap; if it fails, begin again.

    try         LOCK: 0 -> me
                me, in either form: this thread holds it; GRANTED: any value -> me, keeping AWAITED
                LOCK_LOST_NUMBER: nobody gets it any more
                a dead holder: LOCK: dead and its flags -> me, keeping AWAITED; and it is inherited
    wait        LOCK: 0, or me and GRANTED -> me; with AWAITED from the second look on
                else LOCK: held -> held and AWAITED; from the second look on also NEXT: 0 -> me, and
                after that look at LOCK once more
                sleep on NEXT while it is me, if it is; else on LOCK while it is what was seen
                after a sleep that nobody ended: from a dead holder or from GRANTED: -> me, AWAITED
    after that  NEXT: me -> 0, also when the time is over; LOCK may have been granted meanwhile
    release     LOCK: me -> 0, and done; if it is me and AWAITED instead, read NEXT:
                n:   LOCK: me and AWAITED -> n, GRANTED, AWAITED
                     NEXT: n -> 0; if n was still there, wake one sleeper of NEXT, else go on
                0:   LOCK: what it is now -> 0; wake one sleeper of LOCK; read NEXT once more;
                     if it is n: NEXT: n -> 0, and wake one sleeper of NEXT
                then wake the wait point that belongs to the lock, if there is one
    abandon     LOCK: me -> LOCK_LOST_NUMBER, no flags; wake all sleepers of both words, and the
                wait point

Sleeps are futex waits (not private) of at most 12 ms, and of 1 ms while the lock is GRANTED. Between them whoever waits asks whether the holder lives, which is how a death is noticed. Who inherits must know it: the data may be half written, and if the heir dies before it releases the lock,
the next one inherits again. The proof is in \`src/locks/algorithm/lock-core.ts\`.`,

  record: `
Records lie in a ring one after the other, each at a multiple of 8: a header, the payload, and up to 7 bytes to the next
multiple. No record wraps around: before one that would, padding fills the ring to its end.`,

  ring: `
Positions count bytes since the ring was made, modulo 2^32, and are compared by wrapping subtraction;
\`position & (capacity - 1)\` is an index into the data. The capacity is the header's \`data_length\`, a power of two. A payload has at most a quarter of it.
Words that different processes write are 128 bytes apart.

**One producer, one consumer** (\`KIND_SPSC\`). The consumer looks at the \`length\` where the next record will be; 0 or less
is "nothing yet". The producer writes the payload and \`type\`, then 0 into the length _after_ the record (the
terminator), and then the record's own length with a sequentially consistent store, which publishes it. Records of a batch lie after its
first one, whose length is stored last. The producer writes from its tail to \`consumer_position + capacity\`,
including the terminator, so the ring never fills to the last byte. A new producer finds its tail by walking from
\`consumer_position\` to the terminator; a new consumer begins at \`consumer_position\`, and reads again what the last one had not
released.

Nobody trusts what it reads: a length must be at least 8 and end within the ring, and a consumer position must be a multiple of 8 and
within one capacity of the tail.

The producer holds the lock \`producer_role\`, the consumer \`consumer_role\`.`,

  mpsc: `
The words of the consumer's release lie at 640, the producers' slots at 1024, the cells at 1536, and the data after them, at the next multiple of 128. Each
record has a cell, in the order of the claims, and the cells form a ring too. There is one for each 16 bytes of data, and
records are multiples of 16, so cells never run out before bytes do. One compare-and-swap of a cell is the whole claim:

    free       00 lap(30)                    claimable in this lap, and in no other
    claimed    10 slot(6) units(24)          being written by the holder of that slot's lock
    committed  11 0 units(24)                a record
    padding    11 63 units(24)               nothing: skipped

Memory of zeros is a ring whose cells are free in lap 0. A producer holds the lock of its slot, of which there are
63. A claim whose slot nobody alive holds belongs to a dead producer, and is skipped or becomes padding. The consumer holds the lock \`consumer_role\`.`,

  broadcast: `
The producer's words lie at 168. \`producer_position\` is the tail: the end of what is published. Records are multiples of 16, have a
longer header that holds their number, and a payload of at most an eighth of the capacity.

**Overwrite** (\`KIND_BROADCAST\`, data at 1024). The producer stores \`tail_intent\`, then (after a store fence) writes the
records, and then stores the tail. A consumer copies what lies before the tail, and then (after a load fence) reads
\`tail_intent\`: what lies more than one capacity before it may be torn, and counts as lost. The difference of two
record numbers says how many records were lost.

**Block** (\`KIND_BROADCAST_BLOCK\`, slots at 1024, data at 5120). A consumer holds the lock of its slot, of which there are 32. To join, it stores the tail as its
position, sets its bit in \`joined\` (at 640), and reads \`limit\`; the producer stores \`limit\`, and then reads the positions
again. The tail stays at or below \`limit\`, and \`limit\` at or below every joined position plus the capacity. If nobody alive holds the slot of a set bit,
its consumer is dead, and the producer clears the bit.

The producer holds the lock \`producer_role\`.`,

  sharedRecord: `
A shared record holds the latest value of a struct (\`KIND_RECORD\`). Its slots begin at offset 384 of the data; each one is
\`version\`, 4 bytes of padding and the value, rounded up to a multiple of 128. Version v lies in
slot v mod the number of slots. The header's parameters are the number of slots, the bytes of the struct, and the bytes of the struct's declaration in C, which is kept behind the slots (ASCII, filled up to 128 bytes with zeros; 0 bytes: not kept), so that an opener can say in which field its own struct differs. The codec is \`struct:\` and FNV-1a of the struct's declaration in C, in 8 hexadecimal
digits.

The writer, which holds the lock, stores 0 into the version of slot \`latest\` + 1, copies the value
in, stores the version, and then stores \`latest\`. A reader loads \`latest\`, and keeps its copy of that
slot if the slot's version was the same before and after. A writer that dies leaves the newest
value as it was, and a slot that the next writer begins again.`,

  table: `
A table is many rows of one struct (\`KIND_TABLE\`). Its data are \`table\`; the stripes; the counters of the blocks;
the rows, each \`table_row\` and room for two values of its struct (each rounded up to 8 bytes), rounded up to 64 bytes; the names, if it has any;
and the struct's declaration in C, as a record keeps it. The header's parameters are the rows, the bytes of the struct, the rows of a block, the number of stripes
(both powers of two), the bytes of the longest name (0: no names), both halves of the seed of the names' hash, and the bytes of the declaration.

Row r belongs to block r / (rows of a block), and block b to stripe b mod the number of stripes. A block has a counter: those of a stripe lie together, in the order of their blocks,
rounded up to 128 bytes. A writer holds the lock of the row's stripe. It makes the block's counter odd, raises \`writes\` of the
stripe, stores 0 into the version of the older value, copies the value in, stores its version and then \`latest\`, and makes the counter even, above all that it was (but never 0). A reader loads
\`latest\`, and keeps its copy of that value if the value's version was \`latest\` before and after. The version after 2^32 - 1 is 2.

A watcher compares \`writes\` of the stripes, then the counters of a stripe's blocks, then \`latest\` of a block's rows with its own copies. It
does not count a block as seen while the counter is odd: so a writer that died between two steps hides nothing. Whoever
takes a stripe's lock from a dead writer makes the odd counters of the stripe even.

The names are an index (words, as many as the least power of two of at least twice the rows: 0, or a row + 1) and then one \`table_name\` with room for the longest name for each row, rounded up to 8 bytes, and all of them to 128.
The index is an open hash table by the name's hash, with steps of one. A name is given by whoever holds \`names_lock\`: it first puts the newest name into the index if it is
not there, writes the name of row \`name_count\`, raises \`name_count\`, and puts the row into the index. So a name below \`name_count\` never changes, and
only the newest one can be missing in the index.`,

  map: `
A hash map (\`KIND_MAP\`) is two wait points and a row of stripes. Each is a head, its buckets, its units and its log,
rounded up to 128 bytes. The log has the largest power of two of words that is at most a 32nd of the words before it in the stripe, from 512 to
8192. The header's parameters are the number of stripes, the buckets and the units of each, the words
of a unit, both halves of the hash's seed, and flags (1: evicts; 2: keys are bytes). Its codec names the form of the values: \`bytes\`, \`utf8\`,
\`number\` (8 bytes, f64), \`json\`, \`clone\`, \`struct:\` as for a record, or one of the user's own; an empty id allows any form.

The hash is HalfSipHash-1-3 of the key. Its low bits choose the stripe, bits 6 and up the home bucket, and the top 8 are the tag. An entry
is a chain of units: the first begins with \`map_entry\`, the others with its first two words; the payload is the key, filled
up to 4 bytes, and then the value. A slot refers to the first unit as tag << 24 | unit. The version of a value is (\`sequence\` mod 2^29) * 2^24 + unit.

The index decides: an entry is in the map exactly while a slot refers to it. A writer sets a value by writing a chain of free units and
storing the slot; it raises the old entry's \`sequence\` after that, and before its units are used again. A reader loads the slot, the unit's
sequence and the slot again, compares the key and copies the value, and keeps the copy if the sequence is still the same. Whoever gets a stripe's lock from a dead
owner rebuilds all fields that are marked as derived, and raises the sequence of every unit outside of an entry.

Beside its value, a key may have entries that are hidden: a load, which is 3 words (the loader's number as a participant, the loader's number for
it, and 1 when others wait), and an error, which is JSON. Whoever stores or removes the value removes both, under the lock, and wakes
\`loads\` if others wait. In the place of a value it may have a list, which is hidden too: a word that is 0 or 1, and two states of 3 words, of which
that word says which counts: the units where the first and the last element begin, and the number of elements. An element is a chain like an entry without a key; in the place of
\`hash\` and \`boot\` are the units of its neighbours, which count only between the ends. The owner changes the other state, and then the word. A load counts while its participant lives. An entry may go when \`stale\` ms have passed since its \`expiry\`; nobody
evicts a load that counts.

While \`watched\` is not 0, each change is logged by the lock's owner: a word, what << 16 | bytes of the key, and the key, filled up to 4
bytes; 1 set, 2 deleted, 3 expired, 4 evicted, and 5 without a key for changes of any keys. A word of 0 fills the log up where a record would
not fit before its end. The owner raises \`log_reserved\` before it writes the record, stores the slot after that, then
\`log_position\`, and wakes \`changes\` when it has released the lock. A record that begins at the log's start lowers
\`watched\` by 1, by compare-and-swap. The heir of a dead owner logs 5. A watcher begins under the lock, with a swap of \`watched\` to 2; from then on it does the same
before each look, and begins again if it finds 0.`,

  limiter: `
A rate limiter (\`KIND_LIMITER\`) is a row of stripes. Each is a head, a word for each bucket, and its entries, rounded up to 128
bytes. An entry has 128 bytes; that of a sliding window has 256, with its counts behind the key. The header's parameters are: the algorithm, and log2 of the stripes from bit 8 on; the limit; the milliseconds of
the window; the burst (0 for windows); the keys that it was made for; the entries of each stripe; and both halves of the hash's seed. The
buckets are the least power of two from 16 on that is not below the entries.

The hash is HalfSipHash-1-3 of the key. Its low bits choose the stripe, bits 6 and up the bucket. A bucket has the number
of the first entry of its chain, from 1 on. A key of over 64 bytes is stored as its SHA-256. An entry is in use while \`mark\` is not 0: whoever adds one writes all
else first, and whoever removes one stores 0 first. Whoever gets a stripe's lock from a dead owner makes again all that is marked as derived: the chains from the hashes, and the order by
\`used\`. If \`boot\` names another start of the machine, all entries are removed first of all.

Times are whole ticks since the machine's start: microseconds; but milliseconds for a GCRA or token bucket if (limit + burst) * window / ms * 1000
is above 2^53. W is the window in ticks. A GCRA or a token bucket has at \`time\` the level \`level\`: points times W, at most burst * W and at least -limit * W. Each tick adds
\`limit\`, and a point takes W. A fixed window begins at \`time\`, and \`level\` points were taken in it. A new state is written to the pair
that does not count, and then \`current\` is changed. A sliding window has sub-windows of ceil(W / 31) ticks, numbered from
the machine's start, mod 2^32. Its word \`latest\`, where \`time_0\` begins, is the number of the last one in which something happened: what is before \`latest\` - 31 is 0 before
\`latest\` is stored. All 32 counts together are at most the limit.`,

  namedLocks: `
Named locks (\`KIND_NAMED_LOCKS\`) are a head, a word for each bucket, the requests, and the names, rounded up to 128 bytes. The header's parameters are: the names
and the requests that there is room for, and both halves of the hash's seed. The buckets are the least power of two from 16 on that is not below the names.

The hash is HalfSipHash-1-3 of the name; its low bits choose the bucket, which has the number of the first name of its chain, from 1 on.
Each name has a queue of requests: first those that hold it (state REQUEST_HELD: one, or some with REQUEST_SHARED), then those that wait (REQUEST_WAITING), by \`number\`. The first that waits can never
hold beside the one before it: whoever changes the queue under the lock grants, and wakes \`granted\` when it has released the lock. A thief stores REQUEST_STOLEN for
each holder and takes it out of the queue, before it holds the name itself, goes first, and wakes \`stolen\`; a stolen request is freed by its own participant. A request is there
while its mark is not 0, and its participant alone frees it, unless that is dead. Whoever gets the lock from a dead owner makes again all that is
marked as derived, and grants. A name's mark, hash and text are written before the first request that has it, and not again before the last one is gone.`,

  atomics: `
Named words and counters (\`KIND_ATOMICS\`) are a table of names, with 64 bytes for each, rounded up to 128
bytes, and then one cell of 128 bytes for each. The header's first parameter is their number.

A counter's count is h * 2^31 + (\`low\` mod 2^31). Here h is \`half\` if its bit 0 equals bit 31 of
\`low\`, and otherwise \`half\` + 1: then a step of \`half\` is missing, and whoever sees that makes the step by
compare-and-swap. An addition is of at most 2^24.`,

  meters: `
Metrics of a cluster (\`KIND_METERS\`) are \`meters_head\`, then the directory from byte 512 of the data upwards, and the
pages from its end (a multiple of 128) downwards: page n lies at end - (n + 1) * 640. The directory takes at most half of the data after the head.

Whoever adds something holds the lock in the head. An entry is written behind the finished ones, and then
\`directory_length\` is stored with release; a family and its first series are added together. A family's name must be unique, also with the \`_bucket\`, \`_sum\` and \`_count\` of histograms.
Behind the head of a family come its bounds (double), the name, the help, and for each label the length of its name (uint16_t) and the name; behind that of a
series, for each label the length of the value (uint16_t) and the value. Texts are UTF-8, and entries are padded with zeros to 8 bytes. The values of a family's first series are all \`other\`: it takes what has no room.
Cells are numbered over all series, in the order of the directory: a series begins behind the one before, or at the next multiple of 64 if it would cross
that; one of more than 64 cells begins at such a multiple, and the next one behind it does too. A counter has one cell; a
gauge one, and a second one for the stamp if it shows the last; a histogram its sum, its largest value, and its buckets, not cumulative.

A page has the 64 cells of one block for one seat. It is filled in under the lock, and then \`page_count\` is stored with
release. The blocks of one series are taken together, the last one first, so that they lie one behind the other. A seat begins with the page whose \`seat\` is its own number, and belongs to whoever holds
the lock at the start of that page. Only the owner writes the cells, by plain stores of 8 bytes. A new owner first looks for a seat whose owner is dead or has left, under the lock of
the head: it stores 0 in \`ready\`, takes the seat's lock, clears the cells of gauges that drop, stores 1 in \`ready\`, and goes on from the other values. A
reader adds up the cells of all seats. It counts a gauge that drops only where the owner lives and \`ready\` is 1. A cell of a gauge or of a largest value that holds +0 was never set; a zero that is set is -0.`,

  messageQueue: `
This is the textbook queue, byte for byte: the struct in shared memory at \`/messagequeue\`, and the named
semaphores \`/mq_mutex\` (1), \`/mq_items\` (0) and \`/mq_spaces\` (10). A queue of another name has the semaphores
\`NAME_mutex\`, \`NAME_items\` and \`NAME_spaces\`; one of another geometry has the same header, and its slots
from offset 20 on. The creator makes the segment, then the semaphores, and stores \`magic\` last.

To enqueue: wait for spaces, wait for the mutex, copy the text and its NUL into the slot \`tail\`, advance
\`tail\` (modulo the number of slots) and \`count\`, post the mutex, post items. To dequeue, do the same
with items and spaces exchanged, and with \`head\`. At rest tail = (head + count) mod slots, items = count,
spaces = slots minus count, and mutex = 1. That is all that a C program has to know.

Bun's handles survive each other's death by the bookkeeping (\`message_queue_book\`). It begins at the
first multiple of 128 after the slots, and ends the object: a reader looks 1920 bytes before the
end, and accepts what it finds there if the magic is right and the slots lead to that very offset. Where
there is none, as in a C program's queue, the next handle locks \`QUEUE_BOOKKEEPER_BYTE\`, looks again,
enlarges the object and fills in the bookkeeping, its magic last. A creator that keeps books
holds \`QUEUE_CREATOR_BYTE\` for as long as it is open: if the byte is free, it died.

**To take part**, take the lock of the first seat, of 64 \`message_queue_participant\`, that nobody alive holds (see _The lock_);
store 0 into both token words and then the process id. A participant lives while it holds its seat's lock.

**The lock** of the queue comes before the mutex: only its holder may wait for the mutex, and nobody keeps it while
waiting for a token. Whoever inherits it from a dead holder is the heir.

**The journal** is set, by the lock's holder while it has the mutex, to the slot and the operation
before anything else changes. Then come the text, \`tail\` or \`head\`, which is the commit, \`count\`,
and 0 in the journal; then one is added to \`operations\`. If an heir finds 0 in the journal, it goes on, and the
dead holder may have had the mutex. Otherwise the dead holder had it, and the heir finishes its operation on slot k:

    enqueue   tail is k:     not done   count = (k - head) mod slots                 post spaces
              otherwise      done       count = (k - head) mod slots + 1             post items
    dequeue   head is k:     not done   count = (tail - k) mod slots, all if 0       post items
              otherwise      done       count = the same - 1                         post spaces

Then it stores 0 into the journal and posts the mutex. With a single slot, head and tail say
nothing: there the heir posts only the mutex, and the look at the tokens (below) does the rest.

**A token word** says what a participant has in hand, so that lost tokens can be told from tokens on
their way. A participant that waits for a token sets \`QUEUE_MAY_HAVE_TOKEN\` before the wait, and clears it afterwards. One that
got a token adds 1, below \`QUEUE_TOKENS_MASK\`, until the token is used or given back; one that got none
adds \`QUEUE_NONE_INCREMENT\`. A participant that finds head, tail, count, operations and all semaphores unchanged for
a while, and not adding up, makes them fit. It leaves out the tokens that live participants have in hand, and those that they
may have had since then.`,

  locks: `
These structures lie wherever the user puts them in a segment, at a multiple of 128, or at the start of an object of their own. They have no header: a
magic word, stored last, says what they are.

**Mutex.** Whoever has its lock holds it; it wakes the wait point after the release, for event loops. An heir adds 1 to \`deaths\`. C programs use \`bun_shm_mutex_find\`, \`bun_shm_mutex_lock\` and \`bun_shm_mutex_unlock\`.

**Readers-writer lock.** A reader takes the lock of a free place, and then loads \`state\`; if that is not 0, it releases the place, wakes the wait point, and waits there. A writer takes the mutex, stores 1
into \`state\`, takes the locks of all places, waiting for their readers to leave, and stores 2. To end, it stores 0 into \`unrepaired\` and into \`state\`, and releases the places and the mutex. Everybody wakes the wait point
after a release. The places of dead readers and writers are taken from them like any lock. Whoever gets the mutex and finds 2 in \`state\` has it from a writer that died while it wrote, and stores 1 into \`unrepaired\` before anything else.
Nobody gets the lock while \`state\` is 3.`,

  meetings: `
These structures, too, lie wherever the user puts them, at a multiple of 128, and have no header. Each wakes its waiters through its wait point.

Whoever takes part in a barrier holds the lock of a seat, from its first wait until it leaves. It stores FNV-1a of \`BOOT:DEVICE:INODE\` (in decimal; BOOT is the first 32 bits of the kernel's random \`boot_id\`, signed) into the seat's \`object\`: a dead one's seat counts only in the object in which it was taken, and not in a copy of the file. Under the mutex, it stores 1 into its seat's \`state\`; the last one to arrive stores 1
into \`releasing\`, 2 into every seat that is 1, and 0 into \`releasing\`. Whoever can take the lock of a seat from a dead one has found that the barrier is broken: it stores 1 into \`broken\`, and 3 into every seat that is 1. An heir of the mutex
finishes whichever of the two was begun.

Whoever has a lease's lock holds the lease. What the lease says about its holder is a report.`,
};
