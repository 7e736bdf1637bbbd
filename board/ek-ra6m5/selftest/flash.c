/* How long flash takes, what erased cells read, whether a unit may be programmed twice: on one block of each flash, which
 * must be blank and is blank afterwards. Relies on: faci.c. */
#include "../faci.h"
#include "../timer.h"
#include "../watchdog.h"
#include "defs.h"
#include "page.h"
#include "selftest.h"

#define UNITS 8u

static uint8_t pattern[MBS_UNIT];

static void draw(uint32_t unit) {
  for (uint32_t i = 0; i < MBS_UNIT; i++) pattern[i] = (uint8_t)(i * 151 + unit * 89 + 1);
}

static bool holds(uint32_t address, uint32_t length) {
  for (uint32_t i = 0; i < length; i++)
    if (*(const volatile uint8_t *)(address + i) != pattern[i]) return false;
  return true;
}

static uint32_t ones(uint32_t address, uint32_t length) {
  uint32_t count = 0;
  for (uint32_t i = 0; i < length; i++) count += *(const volatile uint8_t *)(address + i) == 0xFF;
  return count;
}

/* Cycles; 0 when the sequencer says that it failed. */
static uint32_t erase(uint32_t address) {
  watchdog_feed();
  uint32_t began = timer_cycles();
  bool done = faci_erase(address);
  uint32_t took = timer_cycles() - began;
  return done ? took : 0;
}

/* Programs `UNITS` units one by one. words: units that hold what was programmed, least and most cycles. */
static void program(uint32_t address, uint32_t unit, uint32_t *words) {
  words[0] = 0;
  words[1] = UINT32_MAX;
  words[2] = 0;
  for (uint32_t i = 0; i < UNITS; i++) {
    draw(i);
    uint32_t began = timer_cycles();
    bool done = faci_program(address + i * unit, pattern, unit);
    uint32_t took = timer_cycles() - began;
    if (done && holds(address + i * unit, unit)) words[0]++;
    if (took < words[1]) words[1] = took;
    if (took > words[2]) words[2] = took;
  }
}

void measure_code(uint32_t *words) {
  words[0] = ones(MBS_SELFTEST_CODE_AT, MBS_SLOT_BLOCK) == MBS_SLOT_BLOCK;
  if (!words[0]) return;
  words[1] = erase(MBS_SELFTEST_CODE_AT);
  program(MBS_SELFTEST_CODE_AT, MBS_UNIT, words + 2);
  draw(0);
  for (uint32_t i = 0; i < MBS_UNIT; i++) pattern[i] &= 0x0F; /* only ones become zeros, which the cells could take */
  words[5] = faci_program(MBS_SELFTEST_CODE_AT, pattern, MBS_UNIT);
  draw(0);
  words[6] = holds(MBS_SELFTEST_CODE_AT, MBS_UNIT);
  words[7] = erase(MBS_SELFTEST_CODE_AT);
  words[8] = ones(MBS_SELFTEST_CODE_AT, MBS_SLOT_BLOCK);
}

void measure_data(uint32_t *words) {
  words[0] = faci_blank(MBS_SELFTEST_DATA_AT, MBS_DATA_BLOCK) == 1;
  if (!words[0]) return;
  words[1] = erase(MBS_SELFTEST_DATA_AT);
  program(MBS_SELFTEST_DATA_AT, MBS_DATA_UNIT, words + 2);
  uint32_t began = timer_cycles();
  int32_t blank = faci_blank(MBS_SELFTEST_DATA_AT + UNITS * MBS_DATA_UNIT, MBS_DATA_UNIT);
  words[5] = timer_cycles() - began;
  words[6] = blank == 1 && faci_blank(MBS_SELFTEST_DATA_AT, MBS_DATA_UNIT) == 0;
  draw(0);
  words[7] = holds(MBS_SELFTEST_DATA_AT, MBS_DATA_UNIT);
  words[8] = erase(MBS_SELFTEST_DATA_AT);
  words[9] = ones(MBS_SELFTEST_DATA_AT, MBS_DATA_BLOCK);
  words[10] = faci_blank(MBS_SELFTEST_DATA_AT, MBS_DATA_BLOCK) == 1;
}
