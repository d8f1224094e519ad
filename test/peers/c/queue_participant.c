/* Takes part in a queue as Bun's handles do, from what docs/LAYOUT.md says: enqueues LABEL:0 ...
 * Usage: queue_participant NAME COUNT LABEL [outside|journal|commit|count]
 * With a last word it is killed during the last message: outside the mutex, with the journal set,
 * behind the commit, or behind the count. */
#include "../../../include/bun_shm.h"
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>

static void must(int ok, const char *what) {
  if (ok) return;
  fprintf(stderr, "%s: %s\n", what, strerror(errno));
  exit(1);
}

static sem_t *open_semaphore(const char *queue, const char *which) {
  char name[300];
  snprintf(name, sizeof name, "%s_%s", queue, which);
  sem_t *semaphore = sem_open(name, 0);
  must(semaphore != SEM_FAILED, name);
  return semaphore;
}

static void die_at(const char *step, const char *wanted) {
  if (wanted && strcmp(step, wanted) == 0) kill(getpid(), SIGKILL);
}

static uint32_t load(uint32_t *word) { return __atomic_load_n(word, __ATOMIC_SEQ_CST); }
static void store(uint32_t *word, uint32_t to) { __atomic_store_n(word, to, __ATOMIC_SEQ_CST); }

int main(int argc, char **argv) {
  must(argc >= 4, "usage");
  const char *name = argv[1], *label = argv[3], *end = argc > 4 ? argv[4] : NULL;
  int count = atoi(argv[2]);
  int object = shm_open(name, O_RDWR | O_CLOEXEC, 0);
  must(object >= 0, "shm_open");
  must(bun_shm_lock_users(object, F_RDLCK) == 0, "users");
  struct stat stat;
  must(fstat(object, &stat) == 0, "fstat");
  char *memory = mmap(NULL, (size_t)stat.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, object, 0);
  must(memory != MAP_FAILED, "mmap");
  bun_shm_message_queue_header *queue = (void *)memory;
  size_t at = (size_t)stat.st_size - BUN_SHM_QUEUE_BOOK_LENGTH;
  bun_shm_message_queue_book *book = (void *)(memory + at);
  must(queue->magic == BUN_SHM_QUEUE_MAGIC && book->magic == BUN_SHM_QUEUE_BOOK_MAGIC, "magic");
  size_t length = BUN_SHM_QUEUE_HEADER_LENGTH + (size_t)book->slots * book->slot_size;
  must((length + 127) / 128 * 128 == at && book->mode == BUN_SHM_QUEUE_MODE_NAMED, "book");
  sem_t *mutex = open_semaphore(name, "mutex");
  sem_t *items = open_semaphore(name, "items");
  sem_t *spaces = open_semaphore(name, "spaces");

  bun_shm_participant self;
  must(bun_shm_lock_join(&self, object) == 0, "join");
  bun_shm_message_queue_participant *seats = (void *)book->participants;
  bun_shm_message_queue_participant *own = seats;
  while (bun_shm_lock_try(&self, (void *)own->lock) <= 0) {
    must(++own < seats + BUN_SHM_QUEUE_PARTICIPANTS, "seat");
  }
  bun_shm_lock *lock = (void *)book->lock;
  store(&own->items, 0);
  store(&own->spaces, 0);
  store(&own->process_id, (uint32_t)getpid());

  for (int number = 0; number < count; number++) {
    const char *dies = number == count - 1 ? end : NULL;
    uint32_t none = own->spaces & ~(BUN_SHM_QUEUE_NONE_INCREMENT - 1);
    store(&own->spaces, none | BUN_SHM_QUEUE_MAY_HAVE_TOKEN);
    while (sem_wait(spaces) != 0) must(errno == EINTR, "sem_wait");
    store(&own->spaces, none | 1);
    /* An heir would have to finish what the dead one began. */
    must(bun_shm_lock_wait(&self, lock, -1) == BUN_SHM_TAKEN, "lock");
    die_at("outside", dies);
    while (sem_wait(mutex) != 0) must(errno == EINTR, "sem_wait");
    uint32_t slot = load(&queue->tail), used = load(&queue->count);
    must(slot < book->slots && used < book->slots, "slot");
    store(&book->journal, slot << BUN_SHM_QUEUE_JOURNAL_SLOT_SHIFT | BUN_SHM_QUEUE_JOURNAL_ENQUEUE);
    die_at("journal", dies);
    char *text = memory + BUN_SHM_QUEUE_HEADER_LENGTH + (size_t)slot * book->slot_size;
    snprintf(text, book->slot_size, "%s:%d", label, number);
    store(&queue->tail, (slot + 1) % book->slots);
    die_at("commit", dies);
    store(&queue->count, used + 1);
    die_at("count", dies);
    store(&book->journal, BUN_SHM_QUEUE_JOURNAL_NONE);
    book->operations++;
    if (used >= book->high_water) book->high_water = used + 1;
    sem_post(mutex);
    sem_post(items);
    must(bun_shm_lock_release(&self, lock, NULL) == 0, "release");
    store(&own->spaces, none);
  }
  store(&own->process_id, 0);
  printf("participant %d\n", (int)(own - seats));
  must(bun_shm_lock_release(&self, (void *)own->lock, NULL) == 0, "leave");
  bun_shm_lock_leave(&self);
  return 0;
}
