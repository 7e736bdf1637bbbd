/* Watchdog: resets the board when nothing has fed it for 2.8 s. */
#pragma once
#include "reg.h"

#define WDTRR REG8(0x40083400u)

void watchdog_start(void);

/* Inline, so that it may be used where flash cannot be read. */
static inline __attribute__((always_inline)) void watchdog_feed(void) {
  WDTRR = 0x00;
  WDTRR = 0xFF;
}
