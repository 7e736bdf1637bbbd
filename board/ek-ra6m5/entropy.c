/* Noise: the low byte of the cycle counter (PLL from the crystal) at each count of AGT0, which the free RC
 * oscillator LOCO (32.768 kHz) drives: one sample per 30.5 us, its entropy is their jitter against each other. Raw
 * on purpose: health tests and conditioning are the core's. Registers: FSP R7FA6M5BH.h (R_AGT0, 0x400E8000), order
 * as in r_agt.c. */
#include "contract.h"
#include "entropy.h"
#include "reg.h"
#include "timer.h"

#define MSTPCRD REG32(0x4008400Cu)
#define MSTPCRD_AGT0 (1u << 3)
#define AGT REG16(0x400E8000u)
#define AGTCR REG8(0x400E8008u)
#define AGTMR1 REG8(0x400E8009u)
#define AGTMR2 REG8(0x400E800Au)
#define AGTMR1_LOCO 0x40 /* timer mode, TCK 4 */
#define AGTCR_TSTART 0x01
#define SAMPLE_LIMIT TIMER_MICROSECONDS(200)

void entropy_start(void) {
  MSTPCRD &= ~MSTPCRD_AGT0;
  (void)MSTPCRD; /* the module runs once this has been read back */
  AGTCR = 0x00;
  AGTMR2 = 0x00;
  AGTMR1 = AGTMR1_LOCO;
  AGT = 0xFFFF;
  AGTCR = AGTCR_TSTART;
}

int32_t board_entropy(uint8_t *out, uint32_t length) {
  for (uint32_t i = 0; i < length; i++) {
    uint16_t count = AGT;
    uint32_t began = timer_cycles();
    while (AGT == count)
      if (timer_cycles() - began > SAMPLE_LIMIT) return (int32_t)i;
    out[i] = (uint8_t)timer_cycles();
  }
  return (int32_t)length;
}
