/* See device.h. The nine imports follow SPEC.md sections 1 and 2, as board/ek-ra6m5 does them on hardware. */
#include "device.h"
#include "core.h"
#include "layout.h"
#include "watch.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS_SIZE = MBS_SLOT_BLOCK * MBS_SLOT_BLOCKS, IMAGE_SIZE = MBS_IMAGE_BLOCK * MBS_IMAGE_BLOCKS };
enum { FASTEST = 3000000 }; /* bits per second */
enum { SLOT_UNITS = SLOTS_SIZE / MBS_UNIT, DATA_UNITS = MBS_DATA_SIZE / MBS_DATA_UNIT };

struct media {
  uint8_t slots[SLOTS_SIZE], slot_programmed[SLOT_UNITS];
  uint8_t data[MBS_DATA_SIZE], data_programmed[DATA_UNITS];
  uint8_t facts[MBS_FACTS_SIZE];
};

uint8_t device_handles[DEVICE_RECORDS][MBS_HANDLE_SIZE];
uint32_t device_records;
uint64_t device_time;
uint32_t device_switches, device_operations, device_store_changes;

static struct media media, first_media;
static Z_core_instance_t core, first_core;
static uint8_t first_memory[WATCH_SIZE];
static uint8_t *memory; /* of the core: it stays where it is */
static uint64_t first_time, noise;
static bool touched[MBS_SLOT_BLOCKS]; /* blocks that differ from first_media */

void must(bool holds, const char *what) {
  if (holds) return;
  fprintf(stderr, "FINDING: %s\n", what);
  abort();
}

/* xorshift64*, Vigna 2016 */
static uint8_t sample(void) {
  noise ^= noise >> 12;
  noise ^= noise << 25;
  noise ^= noise >> 27;
  return (noise * 0x2545f4914f6cdd1d) >> 56;
}

/* What wasm2c's output asks of its runtime. */

void wasm_rt_trap(wasm_rt_trap_t code) {
  static const char *const names[] = {
      [WASM_RT_TRAP_OOB] = "out of linear memory",      [WASM_RT_TRAP_INT_OVERFLOW] = "integer overflow",
      [WASM_RT_TRAP_DIV_BY_ZERO] = "division by zero",  [WASM_RT_TRAP_UNREACHABLE] = "unreachable",
      [WASM_RT_TRAP_EXHAUSTION] = "call stack exhausted", [WASM_RT_TRAP_CALL_INDIRECT] = "indirect call"};
  bool known = code < sizeof names / sizeof *names && names[code];
  fprintf(stderr, "FINDING: the core traps: %s\n", known ? names[code] : "another trap");
  abort();
}

bool wasm_rt_is_initialized(void) {
  return true;
}

uint32_t wasm_rt_register_func_type(uint32_t params, uint32_t results, ...) {
  return 1 + (params << 8) + results;
}

void wasm_rt_allocate_memory(wasm_rt_memory_t *allocated, uint32_t initial_pages, uint32_t max_pages) {
  allocated->pages = initial_pages;
  allocated->max_pages = max_pages;
  allocated->size = initial_pages * 65536;
  allocated->data = memory = calloc(allocated->size, 1);
}

void wasm_rt_free_memory(wasm_rt_memory_t *allocated) {
  free(allocated->data);
}

/* The imports. */

/* The bytes of a region, NULL where there are none. */
static uint8_t *region(uint32_t number, uint32_t offset, uint32_t length) {
  uint64_t end = (uint64_t)offset + length;
  if (number == MBS_REGION_SLOTS && end <= SLOTS_SIZE) return media.slots + offset;
  if (number == MBS_REGION_DATA && offset >= MBS_CUSTODY_SIZE && end <= MBS_DATA_SIZE) return media.data + offset;
  if (number == MBS_REGION_CUSTODY && end <= MBS_CUSTODY_SIZE) return media.data + offset;
  if (number == MBS_REGION_FACTS && end <= MBS_FACTS_SIZE) return media.facts + offset;
  return NULL;
}

static void count(uint32_t number, uint32_t offset) {
  device_operations++;
  if (number == MBS_REGION_SLOTS) touched[offset / MBS_SLOT_BLOCK] = true;
  bool refusals = number == MBS_REGION_DATA && offset >= MBS_REFUSALS_OFFSET &&
                  offset < MBS_REFUSALS_OFFSET + MBS_REFUSALS_SIZE;
  if (!refusals) device_store_changes++;
}

u32 Z_boardZ_read(struct Z_board_instance_t *board, u32 number, u32 offset, u32 pointer, u32 length) {
  (void)board;
  const uint8_t *from = region(number, offset, length);
  watch_writes(pointer, length);
  if (number == MBS_REGION_IMAGE && (uint64_t)offset + length <= IMAGE_SIZE) { /* no image was flashed */
    memset(device_memory() + pointer, 0xff, length);
    return MBS_OK;
  }
  if (!from) return MBS_UNREADABLE; /* a dump may ask for custody, and leaves it to the board to refuse */
  memcpy(device_memory() + pointer, from, length);
  if (number == MBS_REGION_DATA || number == MBS_REGION_CUSTODY) /* erased data flash reads as noise */
    for (uint32_t i = 0; i < length; i++)
      if (!media.data_programmed[(offset + i) / MBS_DATA_UNIT]) device_memory()[pointer + i] = sample();
  return MBS_OK;
}

u32 Z_boardZ_program(struct Z_board_instance_t *board, u32 number, u32 offset, u32 pointer, u32 length) {
  (void)board;
  bool slots = number == MBS_REGION_SLOTS;
  uint32_t unit = slots ? MBS_UNIT : MBS_DATA_UNIT;
  uint8_t *programmed = slots ? media.slot_programmed : media.data_programmed;
  uint8_t *to = region(number, offset, length);
  MUST(to && number != MBS_REGION_FACTS && length > 0 && offset % unit == 0 && length % unit == 0,
       "the core programs what are not whole units of a region");
  watch_reads(pointer, length);
  for (uint32_t at = offset / unit; at < (offset + length) / unit; at++) {
    MUST(!programmed[at], "the core programs a unit that is not erased");
    programmed[at] = 1;
  }
  memcpy(to, device_memory() + pointer, length);
  count(number, offset);
  return MBS_OK;
}

u32 Z_boardZ_erase(struct Z_board_instance_t *board, u32 number, u32 offset) {
  (void)board;
  bool slots = number == MBS_REGION_SLOTS;
  uint32_t block = slots ? MBS_SLOT_BLOCK : MBS_DATA_BLOCK, unit = slots ? MBS_UNIT : MBS_DATA_UNIT;
  uint8_t *at = region(number, offset, block);
  MUST(at && number != MBS_REGION_FACTS && offset % block == 0, "the core erases where no block of a region starts");
  memset(at, 0xff, block);
  memset((slots ? media.slot_programmed : media.data_programmed) + offset / unit, 0, block / unit);
  count(number, offset);
  return MBS_OK;
}

u32 Z_boardZ_blank(struct Z_board_instance_t *board, u32 number, u32 offset, u32 length) {
  (void)board;
  MUST(number == MBS_REGION_DATA || number == MBS_REGION_CUSTODY, "the core asks for a blank check of code flash");
  MUST(length > 0 && offset % MBS_DATA_UNIT == 0 && length % MBS_DATA_UNIT == 0, "a blank check of no whole units");
  MUST(region(number, offset, length), "a blank check leaves its region");
  for (uint32_t at = offset / MBS_DATA_UNIT; at < (offset + length) / MBS_DATA_UNIT; at++)
    if (media.data_programmed[at]) return 0;
  return 1;
}

u32 Z_boardZ_entropy(struct Z_board_instance_t *board, u32 pointer, u32 length) {
  (void)board;
  watch_writes(pointer, length);
  for (uint32_t i = 0; i < length; i++) device_memory()[pointer + i] = sample();
  return length;
}

u32 Z_boardZ_presence(struct Z_board_instance_t *board, u32 lights) {
  (void)board;
  MUST((lights & ~(MBS_LIGHT_TOUCH | MBS_LIGHT_READY | MBS_LIGHT_FAULT)) == 0, "the core shows lights that there are not");
  return device_switches;
}

u64 Z_boardZ_clock(struct Z_board_instance_t *board) {
  (void)board;
  return device_time += 10;
}

void Z_boardZ_diag(struct Z_board_instance_t *board, u32 code) {
  (void)board;
  fprintf(stderr, "the core says diagnostic code %u\n", code);
}

u32 Z_boardZ_rate(struct Z_board_instance_t *board, u32 bits) {
  (void)board;
  bool can = bits >= MBS_LINE_RATE && bits <= FASTEST; /* a board refuses what its line cannot do */
  return can ? MBS_OK : MBS_BAD_ARGUMENT;
}

/* Calls into the core. */

static bool is_zero(uint32_t from, uint32_t length) {
  uint32_t at = from;
  while (at < from + length && device_memory()[at] == 0) at++;
  return at == from + length;
}

static int32_t after(u32 answer) {
  MUST(answer <= MBS_TX_SIZE, "the core wants to send more than the window holds");
  MUST(is_zero(AT_VAULT, MBS_CUSTODY_SIZE) && is_zero(AT_KEYS, AT_KEYS_SIZE) &&
           is_zero(AT_OPERATOR, MBS_OPERATOR_PLACE) && is_zero(AT_CANDIDATES, 2 * MBS_PSK_SIZE),
       "a key of the store stays in linear memory");
  return answer;
}

int32_t device_take(const uint8_t *bytes, uint32_t length) {
  if (length) memcpy(device_memory() + AT_RX, bytes, length);
  watch_budget = WATCH_ACCESSES;
  return after(Z_coreZ_take(&core, length));
}

int32_t device_give(void) {
  watch_budget = WATCH_ACCESSES;
  return after(Z_coreZ_give(&core));
}

void device_boot(void) {
  memcpy(device_memory(), first_memory, WATCH_SIZE);
  memcpy(&core, &first_core, sizeof core);
  device_time = 0;
  watch_budget = WATCH_ACCESSES;
  MUST(Z_coreZ_start(&core, MBS_START_NORMAL, 0) == 0, "start does not answer 0");
}

void device_pass(uint32_t ms) {
  device_time += (uint64_t)ms * 1000;
}

const uint8_t *device_tx(void) {
  return device_memory() + AT_TX;
}

uint8_t *device_memory(void) {
  return memory;
}

/* The state that inputs start from: an instance that was never started, and one that was. */
static Z_core_instance_t started_core;
static uint8_t started_memory[WATCH_SIZE];

void device_init(const char *image) {
  FILE *file = fopen(image, "rb");
  if (!file || fread(&first_media, sizeof first_media, 1, file) != 1) {
    fprintf(stderr, "%s cannot be read: run npm run fuzz\n", image);
    exit(2);
  }
  device_records = fread(device_handles, MBS_HANDLE_SIZE, DEVICE_RECORDS, file);
  fclose(file);
  watch_init();
  Z_core_init_module();
  watch_budget = WATCH_ACCESSES;
  Z_core_instantiate(&core, NULL);
  memcpy(&first_core, &core, sizeof core);
  memcpy(first_memory, device_memory(), WATCH_SIZE);
  media = first_media;
  noise = 1;
  device_boot();
  MUST(device_operations == 0, "a mount with nothing to repair writes");
  memcpy(&started_core, &core, sizeof core);
  memcpy(started_memory, device_memory(), WATCH_SIZE);
  first_time = device_time;
}

void device_restore(uint64_t seed) {
  for (uint32_t block = 0; block < MBS_SLOT_BLOCKS; block++) {
    if (!touched[block]) continue;
    uint32_t from = block * MBS_SLOT_BLOCK, unit = from / MBS_UNIT;
    memcpy(media.slots + from, first_media.slots + from, MBS_SLOT_BLOCK);
    memcpy(media.slot_programmed + unit, first_media.slot_programmed + unit, MBS_SLOT_BLOCK / MBS_UNIT);
    touched[block] = false;
  }
  memcpy(media.data, first_media.data, sizeof media.data);
  memcpy(media.data_programmed, first_media.data_programmed, sizeof media.data_programmed);
  memcpy(&core, &started_core, sizeof core);
  memcpy(device_memory(), started_memory, WATCH_SIZE);
  device_time = first_time;
  device_switches = 0;
  device_operations = device_store_changes = 0;
  noise = seed | 1;
}
