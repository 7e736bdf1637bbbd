/* Mutations that keep a request well-formed: libFuzzer's own hardly ever give a string another length and its head with it.
 * Half of the mutations of the session target are of this kind: one request of the input is taken apart into the pairs of
 * its map, one pair is changed, added or taken away, and all is written again, deterministically. */
#include "defs.h"
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);

enum { PAIRS_MAX = 16, KEY_MAX = 71, LAST_COMMAND = MBS_COMMAND_RESET };
enum major { UNSIGNED = 0, BYTES = 2, TEXT = 3, ARRAY = 4, SIMPLE = 7 };

struct pair {
  uint32_t key;
  enum major major;
  uint32_t value;          /* the number, or the length of the string */
  const uint8_t *content;  /* of a string; of an array, its items as they stand */
  uint32_t size;           /* of content */
};

static const uint32_t interesting[] = {0,  1,  2,  3,   7,   8,   15,  16,  17,    23,    24,         31,        32,
                                       33, 47, 48, 49,  63,  64,  65,  80,  81,    95,    96,         97,        127,
                                       128, 129, 255, 256, 257, 384, 385, 1000, 4095, 4096, 4097, 32640, 32768, 33261,
                                       65535, 65536, 0x7fffffff, 0x80000000, 0xffffffff};

static uint32_t state;

static uint32_t draw(uint32_t below) {
  state = state * 1664525 + 1013904223;
  return (uint32_t)((uint64_t)(state >> 4) * below >> 28);
}

static uint32_t some_number(void) {
  return draw(2) ? interesting[draw(sizeof interesting / sizeof *interesting)] : draw(40);
}

/* Reads a head. Answers the bytes that it takes, 0 = it is none that requests have. */
static uint32_t read_head(const uint8_t *at, const uint8_t *end, uint32_t *major, uint32_t *value) {
  if (at >= end) return 0;
  *major = *at >> 5;
  uint32_t info = *at & 31, more = info < 24 ? 0 : info > 26 ? 9 : 1u << (info - 24);
  if (more > 4 || more >= (size_t)(end - at)) return 0;
  *value = more ? 0 : info;
  for (uint32_t i = 1; i <= more; i++) *value = *value << 8 | at[i];
  return 1 + more;
}

static const uint8_t *skip(const uint8_t *at, const uint8_t *end, int depth) {
  uint32_t major, value, head = read_head(at, end, &major, &value);
  if (!head || depth > 3) return NULL;
  at += head;
  if (major == BYTES || major == TEXT) return value <= (size_t)(end - at) ? at + value : NULL;
  uint64_t items = major == ARRAY ? value : major == 5 ? 2ull * value : 0;
  for (; items > 0 && at; items--) at = skip(at, end, depth + 1);
  return at;
}

/* Takes a map apart. Answers its pairs, -1 = it is no map of a request. */
static int parse(const uint8_t *at, const uint8_t *end, struct pair *pairs) {
  uint32_t major, count, head = read_head(at, end, &major, &count);
  if (!head || major != 5 || count > PAIRS_MAX - 2) return -1;
  at += head;
  for (uint32_t i = 0; i < count; i++) {
    struct pair *one = &pairs[i];
    if (!(head = read_head(at, end, &major, &one->key)) || major != UNSIGNED) return -1;
    at += head;
    if (!(head = read_head(at, end, &major, &one->value))) return -1;
    one->major = (enum major)major;
    const uint8_t *next = skip(at, end, 0);
    if (!next || major == 1 || major == 5 || major == 6) return -1;
    one->content = at + head;
    one->size = next - one->content;
    at = next;
  }
  return at == end ? (int)count : -1;
}

static uint8_t *out, *limit;

static void put(uint8_t byte) {
  if (out < limit) *out++ = byte;
}

static void put_head(uint32_t major, uint32_t value) {
  major <<= 5;
  if (value < 24) put(major | value);
  else {
    int size = value < 0x100 ? 0 : value < 0x10000 ? 1 : 2;
    put(major | (24 + size));
    for (int i = (1 << size) - 1; i >= 0; i--) put(value >> 8 * i);
  }
}

static void write(const struct pair *pairs, int count) {
  put_head(5, count);
  for (int i = 0; i < count; i++) {
    const struct pair *one = &pairs[i];
    put_head(0, one->key);
    put_head(one->major, one->value);
    if (one->major == ARRAY)
      for (uint32_t k = 0; k < one->size; k++) put(one->content[k]);
    /* a string may have grown: what it had again and again */
    if (one->major == BYTES || one->major == TEXT)
      for (uint32_t k = 0; k < one->value && out < limit; k++) put(one->size ? one->content[k % one->size] : 'a');
  }
}

static void change_value(struct pair *one) {
  static uint8_t numbered[MBS_HANDLE_SIZE];
  if (one->key == MBS_KEY_HANDLE && draw(2)) {
    memset(numbered, draw(10), sizeof numbered);
    one->content = numbered;
    one->size = one->value = sizeof numbered;
    one->major = BYTES;
  } else if (one->major == SIMPLE) one->value = draw(2) ? 20 : 21;
  else if (one->major == UNSIGNED) one->value = one->key == 0 ? 1 + draw(LAST_COMMAND) : some_number();
  else if (one->major != ARRAY) one->value = draw(3) ? some_number() & 0xffff : one->value + draw(3) - 1;
}

static int change(struct pair *pairs, int count) {
  int which = count > 0 ? (int)draw(count) : 0;
  switch (draw(6)) {
  case 0: /* one pair less */
    if (count < 2) break;
    memmove(pairs + which, pairs + which + 1, (count - which - 1) * sizeof *pairs);
    return count - 1;
  case 1: { /* one more, in its place */
    struct pair more = {1 + draw(KEY_MAX), draw(2) ? BYTES : draw(2) ? TEXT : draw(3) ? UNSIGNED : SIMPLE, 0, NULL, 0};
    more.value = more.major == SIMPLE ? 20 + draw(2) : more.major == UNSIGNED ? some_number() : some_number() & 0x1ff;
    int to = 0;
    while (to < count && pairs[to].key < more.key) to++;
    memmove(pairs + to + 1, pairs + to, (count - to) * sizeof *pairs);
    pairs[to] = more;
    return count + 1;
  }
  default:
    if (count > 0) change_value(&pairs[which]);
  }
  return count;
}

/* Changes the first request of an input, or the one behind its first steps. */
static size_t mutate_request(uint8_t *data, size_t size, size_t max) {
  static uint8_t copy[1 << 16];
  size_t at = 1, starts[16];
  int found = 0;
  while (at < size && found < 16) {
    uint8_t operation = data[at] & 7;
    if (operation >= 5) {
      at += operation == 7 ? 1 : 2;
      continue;
    }
    if (at + 3 > size) break;
    uint32_t word = data[at + 1] | data[at + 2] << 8;
    if (word & 0x8000) break;
    starts[found++] = at;
    at += 3 + word;
  }
  if (!found || size > sizeof copy) return 0;
  at = starts[draw(found)];
  uint32_t length = data[at + 1] | data[at + 2] << 8;
  if (length > size - at - 3) length = size - at - 3;
  memcpy(copy, data, size);
  struct pair pairs[PAIRS_MAX];
  int count = parse(copy + at + 3, copy + at + 3 + length, pairs);
  if (count < 0) return 0;
  for (uint32_t times = 1 + draw(3); times > 0 && count < PAIRS_MAX - 1; times--) count = change(pairs, count);
  out = data + at + 3;
  limit = data + max;
  write(pairs, count);
  size_t now = out - (data + at + 3), rest = size - (at + 3 + length);
  if (now > 0x7fff) {
    memcpy(data, copy, size);
    return 0;
  }
  if (rest > (size_t)(limit - out)) rest = limit - out;
  memcpy(out, copy + at + 3 + length, rest);
  data[at + 1] = now;
  data[at + 2] = now >> 8;
  return at + 3 + now + rest;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed) {
  static int session = -1;
  if (session < 0) {
    const char *name = getenv("MBS_FUZZ_TARGET");
    session = name && !strcmp(name, "session");
  }
  state = seed;
  size_t changed = session && size > 4 && draw(2) ? mutate_request(data, size, max) : 0;
  return changed ? changed : LLVMFuzzerMutate(data, size, max);
}
