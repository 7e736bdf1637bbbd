/* Regions as addresses: the first four functions of contract.h. SPEC.md §2. Only whole units and blocks inside the
 * four regions get as far as faci.c. Relies on: faci.c, fault.c (reads that the bus refuses), facts.c. */
#include "contract.h"
#include "defs.h"
#include "faci.h"
#include "facts.h"
#include "fault.h"
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct region {
  uint32_t address; /* of offset 0 */
  uint32_t first;   /* offsets below are refused */
  uint32_t end;
  uint32_t block;
  uint32_t unit;
};

static const struct region regions[] = {
  [MBS_REGION_SLOTS] = {0x00100000, 0, MBS_SLOT_BLOCK * MBS_SLOT_BLOCKS, MBS_SLOT_BLOCK, MBS_UNIT},
  [MBS_REGION_DATA] = {FACI_DATA_FLASH, MBS_CUSTODY_SIZE, MBS_DATA_SIZE, MBS_DATA_BLOCK, MBS_DATA_UNIT},
  [MBS_REGION_IMAGE] = {MBS_IMAGE_ADDRESS, 0, MBS_IMAGE_BLOCK * MBS_IMAGE_BLOCKS, MBS_IMAGE_BLOCK, MBS_UNIT},
  [MBS_REGION_CUSTODY] = {FACI_DATA_FLASH, 0, MBS_CUSTODY_SIZE, MBS_DATA_BLOCK, MBS_DATA_UNIT},
};

/* The region if it holds `length` bytes at `offset`, otherwise NULL. */
static const struct region *region_of(uint32_t number, uint32_t offset, uint32_t length) {
  if (number >= sizeof regions / sizeof *regions) return NULL;
  const struct region *region = &regions[number];
  bool inside = offset >= region->first && offset <= region->end && length <= region->end - offset;
  return inside ? region : NULL;
}

int32_t board_read(uint32_t number, uint32_t offset, uint8_t *out, uint32_t length) {
  if (number == MBS_REGION_FACTS) {
    uint8_t facts[MBS_FACTS_SIZE];
    if (offset > sizeof facts || length > sizeof facts - offset) return MBS_UNREADABLE;
    facts_write(facts);
    memcpy(out, facts + offset, length);
    explicit_bzero(facts, sizeof facts); /* the setup code */
    return MBS_OK;
  }
  const struct region *region = region_of(number, offset, length);
  if (!region) return MBS_UNREADABLE;
  const uint8_t *from = (const uint8_t *)(region->address + offset);
  return fault_guarded_copy(out, from, length) ? MBS_UNREADABLE : MBS_OK;
}

int32_t board_program(uint32_t number, uint32_t offset, const uint8_t *data, uint32_t length) {
  const struct region *region = region_of(number, offset, length);
  bool programmed = region && number != MBS_REGION_IMAGE;
  if (!programmed || offset % region->unit || length % region->unit) return MBS_MEDIUM_FAILED;
  return faci_program(region->address + offset, data, length) ? MBS_OK : MBS_MEDIUM_FAILED;
}

int32_t board_erase(uint32_t number, uint32_t offset) {
  const struct region *region = region_of(number, offset, 1);
  if (!region || offset % region->block) return MBS_MEDIUM_FAILED;
  (void)board_clock(); /* one change may erase for longer than CYCCNT takes to wrap */
  return faci_erase(region->address + offset) ? MBS_OK : MBS_MEDIUM_FAILED;
}

int32_t board_blank(uint32_t number, uint32_t offset, uint32_t length) {
  const struct region *region = region_of(number, offset, length);
  bool checkable = region && region->address == FACI_DATA_FLASH && length > 0;
  if (!checkable || offset % region->unit || length % region->unit) return MBS_MEDIUM_FAILED;
  int32_t blank = faci_blank(region->address + offset, length);
  return blank < 0 ? MBS_MEDIUM_FAILED : blank;
}
