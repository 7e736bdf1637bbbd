/* See watch.h. */
#include "layout.h"
#include "watch.h"
#include <stdio.h>
#include <stdlib.h>

enum { READ = 1, WRITE = 2 };

uint64_t watch_budget;

/* For each byte, whether it may be read and written, and up to where that goes on. */
static uint8_t flags_at[WATCH_SIZE];
static uint32_t readable[WATCH_SIZE], writable[WATCH_SIZE];

static const uint32_t gaps[] = {LAYOUT_GAPS}; /* where each region starts that has a gap before it */
static const struct {
  uint32_t at, size, scratch;
} objects[] = {LAYOUT_OBJECTS}; /* static data: tables, and scratch space */

static void mark(uint32_t from, uint32_t to, int flags) {
  for (uint32_t at = from; at < to; at++) flags_at[at] = flags;
}

void watch_init(void) {
  mark(AT_RX, AT_MEMORY_USED, READ | WRITE);
  for (size_t i = 0; i < sizeof objects / sizeof *objects; i++)
    mark(objects[i].at, objects[i].at + objects[i].size, objects[i].scratch ? READ | WRITE : READ);
  for (size_t i = 0; i < sizeof gaps / sizeof *gaps; i++)
    if (gaps[i] > 0) mark(gaps[i] - LAYOUT_GAP, gaps[i], 0);
  uint32_t reads = WATCH_SIZE, writes = WATCH_SIZE;
  for (uint32_t at = WATCH_SIZE; at-- > 0;) {
    if (!(flags_at[at] & READ)) reads = at;
    if (!(flags_at[at] & WRITE)) writes = at;
    readable[at] = reads;
    writable[at] = writes;
  }
}

void watch_found(const char *what, uint64_t at, uint64_t length) {
  fprintf(stderr, "FINDING: the core %s %llu bytes at %llu, which is no region's\n", what, (unsigned long long)length,
          (unsigned long long)at);
  abort();
}

static _Noreturn void hang(void) {
  fprintf(stderr, "FINDING: the core hangs: one call went to memory more than %llu times\n",
          (unsigned long long)WATCH_ACCESSES);
  abort();
}

static inline void spend(void) {
  if (watch_budget-- == 0) hang();
}

static inline void one(const char *what, uint64_t at, uint64_t size, int how) {
  spend();
  /* gaps are wider than any single access: its two ends tell */
  if (at + size > WATCH_SIZE || !(flags_at[at] & flags_at[at + size - 1] & how)) watch_found(what, at, size);
}

void watch_load(uint64_t at, uint64_t size) {
  one("reads", at, size, READ);
}

void watch_store(uint64_t at, uint64_t size) {
  one("writes", at, size, WRITE);
}

void watch_reads(uint64_t at, uint64_t length) {
  spend();
  if (length > 0 && (at + length > WATCH_SIZE || at + length > readable[at])) watch_found("reads", at, length);
}

void watch_writes(uint64_t at, uint64_t length) {
  spend();
  if (length > 0 && (at + length > WATCH_SIZE || at + length > writable[at])) watch_found("writes", at, length);
}

void watch_fill(uint64_t at, uint64_t length) {
  /* start() wipes everything from RX to the static data, gaps too */
  if (at != AT_RX || length != AT_STATIC_BASE - AT_RX) watch_writes(at, length);
}
