/*
 * What a libstdc++ that was built for glibc needs, and musl has not. It stands for libstdc++ itself,
 * and has that as a dependency under another name.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

char __libc_single_threaded = 0;

uint32_t arc4random(void) {
  uint32_t value;
  while (getrandom(&value, sizeof value, 0) != sizeof value) {}
  return value;
}

size_t __strftime_l(char *text, size_t size, const char *format, const struct tm *time,
                    locale_t locale) {
  return strftime_l(text, size, format, time, locale);
}

/* The unwinder looks for itself then. */
int _dl_find_object(void *address, void *result) {
  (void)address;
  (void)result;
  return -1;
}

int __cpu_indicator_init(void) { return 0; }

struct {
  unsigned vendor, type, subtype, features[1];
} __cpu_model;

struct at_exit {
  void (*call)(void *);
  void *object;
  struct at_exit *next;
};

static pthread_key_t key;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void call_all(void *first) {
  for (struct at_exit *entry = first, *next; entry != NULL; entry = next) {
    next = entry->next;
    entry->call(entry->object);
    free(entry);
  }
}

static void make_key(void) { pthread_key_create(&key, call_all); }

int __cxa_thread_atexit_impl(void (*call)(void *), void *object, void *library) {
  (void)library;
  pthread_once(&once, make_key);
  struct at_exit *entry = malloc(sizeof *entry);
  if (entry == NULL) return -1;
  entry->call = call;
  entry->object = object;
  entry->next = pthread_getspecific(key);
  return pthread_setspecific(key, entry);
}
