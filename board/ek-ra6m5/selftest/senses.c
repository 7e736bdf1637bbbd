/* Noise, switches, lights and the line. Relies on: entropy.c, panel.c, sci.c, whose registers are read back here. */
#include "../reg.h"
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
#define FTDRL REG8(SCI0 + 0x0F)
#define FDR REG16(SCI0 + 0x16)
#define FDR_TO_SEND(fdr) ((fdr) >> 8 & 0x1F)
#define SCR_TE_RE 0x30
#define FIFO_SIZE 16u
#define BITS_PER_BYTE 10u
#define BYTE 0xFF /* a start bit, and nothing that a listener takes for a frame */
#define BIT_TIME TIMER_MICROSECONDS(9)
#define BYTE_LIMIT TIMER_MILLISECONDS(1)

bool measure_entropy(uint32_t count, uint32_t *words) {
  if (count > SELFTEST_SAMPLES_MAX) return false;
  uint8_t *samples = (uint8_t *)SELFTEST_SAMPLES;
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

/* Until so many bytes are left to send. */
static bool drain(uint32_t left) {
  uint32_t began = timer_cycles();
  while (FDR_TO_SEND(FDR) > left)
    if (timer_cycles() - began > BYTE_LIMIT * FIFO_SIZE) return false;
  return true;
}

/* The FIFO empties by one at each start bit: from the second of these to the last, 140 bits. */
void measure_uart(uint32_t brr, uint32_t *words) {
  uint8_t before = BRR;
  SCR = 0;
  BRR = (uint8_t)brr;
  uint32_t began = timer_cycles();
  while (timer_cycles() - began < BIT_TIME) continue;
  SCR = SCR_TE_RE;
  for (uint32_t i = 0; i < FIFO_SIZE; i++) FTDRL = BYTE;
  words[0] = (FIFO_SIZE - 2) * BITS_PER_BYTE;
  if (drain(FIFO_SIZE - 2)) {
    began = timer_cycles();
    if (drain(0)) words[1] = timer_cycles() - began;
  }
  began = timer_cycles();
  while (timer_cycles() - began < BYTE_LIMIT) continue; /* the last byte leaves */
  SCR = 0;
  BRR = before;
  SCR = SCR_TE_RE;
}
