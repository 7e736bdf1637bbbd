/* Noise, switches, lights and the line. Relies on: entropy.c, panel.c, sci.c, whose registers are read back here. */
#include "../dmac.h"
#include "../reg.h"
#include "../sci.h"
#include "../timer.h"
#include "../watchdog.h"
#include "contract.h"
#include "defs.h"
#include "page.h"
#include "selftest.h"

#define PIDR REG16(0x40080006u)
#define LED_SHIFT 6
#define LIGHTS 7u
#define ENTROPY_PIECE 64u

#define SCI0 0x40118000u
#define BRR REG8(SCI0 + 0x01)
#define SCR REG8(SCI0 + 0x02)
#define BYTES 17u
#define BITS_PER_BYTE 10u
#define BYTE 0xFF /* a start bit, and nothing that a listener takes for a frame */
#define BIT_TIME TIMER_MICROSECONDS(9)
#define BYTE_LIMIT TIMER_MILLISECONDS(1)

bool measure_entropy(uint32_t count, uint32_t *words) {
  if (count > MBS_SELFTEST_SAMPLES_MAX) return false;
  uint8_t *samples = (uint8_t *)MBS_SELFTEST_SAMPLES;
  uint32_t began = timer_cycles();
  while (words[0] < count) {
    uint32_t wanted = count - words[0] < ENTROPY_PIECE ? count - words[0] : ENTROPY_PIECE;
    uint32_t got = (uint32_t)board_entropy(samples + words[0], wanted);
    words[0] += got;
    if (got < wanted) break;
    watchdog_feed();
  }
  words[1] = timer_cycles() - began;
  return true;
}

static uint32_t shown; /* lights */
static uint32_t seen;  /* switches */

void watch_panel(void) {
  seen |= (uint32_t)board_presence(shown);
}

void measure_panel(uint32_t lights, uint32_t *words) {
  shown = lights & LIGHTS;
  words[0] = (uint32_t)board_presence(shown);
  words[1] = PIDR >> LED_SHIFT & LIGHTS;
  words[2] = seen | words[0];
  seen = 0;
}

/* Until so many bytes are left to the DMAC. */
static bool drain(uint32_t left) {
  uint32_t began = timer_cycles();
  while (dmac_left() > left)
    if (timer_cycles() - began > BYTE_LIMIT * BYTES) return false;
  return true;
}

/* One byte goes straight on to the line, the next into TDR, and then the DMAC brings one at each start bit: from the second of these to
 * the last, 140 bits. */
void measure_uart(uint32_t brr, uint32_t *words) {
  static const uint8_t bytes[BYTES] = {[0 ... BYTES - 1] = BYTE};
  uint8_t before = BRR, on = SCR;
  SCR = 0;
  BRR = (uint8_t)brr;
  uint32_t began = timer_cycles();
  while (timer_cycles() - began < BIT_TIME) continue;
  SCR = on;
  sci_send(bytes, BYTES);
  words[0] = (BYTES - 3) * BITS_PER_BYTE;
  if (drain(BYTES - 3)) {
    began = timer_cycles();
    if (drain(0)) words[1] = timer_cycles() - began;
  }
  began = timer_cycles();
  while (timer_cycles() - began < BYTE_LIMIT) continue; /* the last byte leaves */
  SCR = 0;
  BRR = before;
  SCR = on;
}
