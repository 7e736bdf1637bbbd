/* Free-running time from the core's cycle counter. */
#pragma once
#include "clock.h"
#include "reg.h"

#define DWT_CYCCNT REG32(0xE0001004u)

void timer_start(void);

/* Cycles of ICLK modulo 2^32 (22 s). Inline, so that it may be used where flash cannot be read. */
static inline __attribute__((always_inline)) uint32_t timer_cycles(void) {
  return DWT_CYCCNT;
}

#define TIMER_MICROSECONDS(n) ((uint32_t)(n) * CLOCK_ICLK_MHZ)
#define TIMER_MILLISECONDS(n) TIMER_MICROSECONDS((n) * 1000)
