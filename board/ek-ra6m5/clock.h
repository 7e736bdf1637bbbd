/* System clock, and the caches that hide the flash's wait states. */
#pragma once
#include <stdbool.h>

#define CLOCK_ICLK_MHZ 192
#define CLOCK_FCLK_MHZ 48

/* 24 MHz crystal -> PLL 192 MHz. False when crystal or PLL do not become stable; the reset clock (2 MHz) then runs
 * on. */
bool clock_start(void);
