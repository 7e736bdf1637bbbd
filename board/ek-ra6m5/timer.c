/* Microseconds since power-up, from DWT CYCCNT. Armv8-M ARM (DDI 0553) D1.2.62 (DEMCR), D1.2.70 (DWT_CTRL, DWT_CYCCNT).
 * The 32-bit counter is extended at each call, which main and every erase make far more often than every 22 s. */
#include "contract.h"
#include "timer.h"

#define DEMCR REG32(0xE000EDFCu)
#define DEMCR_TRCENA (1u << 24)
#define DWT_CTRL REG32(0xE0001000u)
#define DWT_CTRL_CYCCNTENA 1u

static uint64_t microseconds;
static uint32_t counted; /* CYCCNT up to which `microseconds` has counted */

void timer_start(void) {
  DEMCR |= DEMCR_TRCENA;
  DWT_CTRL |= DWT_CTRL_CYCCNTENA;
  counted = timer_cycles();
}

uint64_t board_clock(void) {
  uint32_t passed = (timer_cycles() - counted) / CLOCK_ICLK_MHZ;
  counted += passed * CLOCK_ICLK_MHZ;
  microseconds += passed;
  return microseconds;
}
