/* What the part says of itself, its clocks as they were set, and the cycle counter against the two 32.768 kHz clocks, RC
 * oscillator and crystal. Registers: FSP R7FA6M5BH.h (R_PSCU, R_SYSTEM, R_FACI_HP, R_CACHE, R_AGT0), bsp_clocks.c for the crystal's start. */
#include "../reg.h"
#include "../timer.h"
#include "../watchdog.h"
#include "selftest.h"

#define PSCU 0x400E0000u
#define SYSC 0x4001E000u
#define SOSCCR REG8(SYSC + 0x480)
#define PRCR REG16(SYSC + 0x3FE)
#define PRCR_OPEN_CLOCK 0xA501u
#define PRCR_CLOSE 0xA500u

#define AGT REG16(0x400E8000u)
#define AGTCR REG8(0x400E8008u)
#define AGTMR1 REG8(0x400E8009u)
#define AGTMR2 REG8(0x400E800Au)
#define AGTMR1_LOCO 0x40
#define AGTMR1_CRYSTAL 0x60
#define AGTCR_TSTART 0x01
#define AGTCR_TCSTF 0x02
#define AGTMR2_128TH 0x07
#define COUNT_LIMIT TIMER_MILLISECONDS(8) /* a 128th of the clock counts every 4 ms */
#define STOP_LIMIT TIMER_MILLISECONDS(1)

#define COUNTS 3277 /* 100 ms */
#define SETTLES 384 /* 128ths: 1.5 s; the crystal has no flag that says when it is stable */

void measure_part(uint32_t *words) {
  words[0] = REG32(PSCU + 0x2C);
  for (uint32_t i = 0; i < 5; i++) words[1 + i] = REG32(PSCU + 0x18 + 4 * i);
  words[6] = REG8(SYSC + 0x410);
  words[7] = REG16(SYSC + 0x0C0);
  words[8] = REG8(SYSC + 0x411);
}

void measure_clocks(uint32_t *words) {
  words[0] = REG32(SYSC + 0x020);
  words[1] = REG8(SYSC + 0x026);
  words[2] = REG16(SYSC + 0x028);
  words[3] = REG8(SYSC + 0x03C);
  words[4] = REG8(SYSC + 0x0A0);
  words[5] = REG8(0x4001C11Cu);
  words[6] = REG8(0x40002008u);
  words[7] = REG16(0x407FE0E4u);
  words[8] = REG32(0x40007008u);
}

/* The next count; false when none comes. */
static bool count_one(void) {
  uint16_t count = AGT;
  uint32_t began = timer_cycles();
  while (AGT == count)
    if (timer_cycles() - began > COUNT_LIMIT) return false;
  return true;
}

static bool count_many(uint32_t counts) {
  for (uint32_t i = 0; i < counts; i++) {
    if (!count_one()) return false;
    watchdog_feed();
  }
  return true;
}

/* From count to count, so that it does not matter where between two of them it begins. */
static void count(uint32_t *words) {
  words[0] = COUNTS;
  words[1] = 0;
  if (!count_one()) return;
  uint32_t began = timer_cycles();
  if (count_many(COUNTS)) words[1] = timer_cycles() - began;
}

static void source(uint8_t mode, uint8_t divider) {
  AGTCR = 0;
  uint32_t began = timer_cycles();
  while (AGTCR & AGTCR_TCSTF && timer_cycles() - began < STOP_LIMIT) continue;
  AGTMR1 = mode;
  AGTMR2 = divider;
  AGT = 0xFFFF;
  AGTCR = AGTCR_TSTART;
}

void measure_loco(uint32_t *words) {
  source(AGTMR1_LOCO, 0);
  count(words);
}

/* The crystal is left as it was found. */
void measure_crystal(uint32_t *words) {
  uint8_t before = SOSCCR;
  source(AGTMR1_LOCO, AGTMR2_128TH);
  PRCR = PRCR_OPEN_CLOCK;
  SOSCCR = 0;
  PRCR = PRCR_CLOSE;
  if (!count_many(SETTLES)) return;
  source(AGTMR1_CRYSTAL, 0);
  count(words);
  source(AGTMR1_LOCO, 0);
  PRCR = PRCR_OPEN_CLOCK;
  SOSCCR = before;
  PRCR = PRCR_CLOSE;
}
