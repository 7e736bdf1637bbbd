/* SCI0 with its 16-byte FIFOs, which cover the time the core works on a chunk. Registers: FSP R7FA6M5BH.h (R_SCI0,
 * 0x40118000), order as in r_sci_uart.c; baud formula and pins as in Zephyr's ek_ra6m5. Line errors are only
 * cleared: the frames above carry their own CRC. */
#include "reg.h"
#include "sci.h"
#include "timer.h"

#define MSTPCRB REG32(0x40084004u)
#define MSTPCRB_SCI0 (1u << 31)

#define PWPR REG8(0x40080D03u)
#define PFS_P410 REG32(0x40080928u)
#define PFS_P411 REG32(0x4008092Cu)
#define PFS_SCI_EVEN 0x04000000u /* PSEL 4: SCI0, 2, 4, 6, 8 */
#define PFS_PERIPHERAL 0x00010000u
#define PFS_PULL_UP 0x00000010u

#define SCI0 0x40118000u
#define SMR REG8(SCI0 + 0x00)
#define BRR REG8(SCI0 + 0x01)
#define SCR REG8(SCI0 + 0x02)
#define SSR REG8(SCI0 + 0x04)
#define SCMR REG8(SCI0 + 0x06)
#define SEMR REG8(SCI0 + 0x07)
#define FTDRL REG8(SCI0 + 0x0F)
#define FRDRHL REG16(SCI0 + 0x10)
#define FCR REG16(SCI0 + 0x14)
#define FDR REG16(SCI0 + 0x16)

#define SCR_TE_RE 0x30
#define SSR_ERRORS 0x38 /* ORER, FER, PER */
#define SEMR_BGDM_ABCS 0x50
#define BRR_115200 103 /* 96 MHz / (8 * 104) = 115,385 */
#define FCR_FIFO 0xF801u /* FIFO on, RTS trigger 15, receive trigger 8, transmit trigger 0 */
#define FCR_RESET 0x0006u
#define FIFO_SIZE 16
#define FDR_RECEIVED(fdr) ((fdr) & 0x1F)
#define FDR_TO_SEND(fdr) ((fdr) >> 8 & 0x1F)
#define BIT_TIME TIMER_MICROSECONDS(9)
#define SEND_LIMIT TIMER_MILLISECONDS(10) /* one byte takes 87 us */

void sci_start(void) {
  MSTPCRB &= ~MSTPCRB_SCI0;
  (void)MSTPCRB; /* the module runs once this has been read back */
  SCR = 0;
  FCR = FCR_FIFO | FCR_RESET;
  FCR = FCR_FIFO;
  SMR = 0x00; /* asynchronous, 8N1, PCLKA / 1 */
  SCMR = 0xF2;
  SEMR = SEMR_BGDM_ABCS;
  BRR = BRR_115200;
  uint32_t began = timer_cycles();
  while (timer_cycles() - began < BIT_TIME) continue;
  SCR = SCR_TE_RE;

  PWPR = 0x00;
  PWPR = 0x40;
  PFS_P410 = PFS_SCI_EVEN | PFS_PULL_UP; /* function first, then hand the pin over; no noise when nothing is plugged in */
  PFS_P410 = PFS_SCI_EVEN | PFS_PULL_UP | PFS_PERIPHERAL;
  PFS_P411 = PFS_SCI_EVEN;
  PFS_P411 = PFS_SCI_EVEN | PFS_PERIPHERAL;
  PWPR = 0x00;
  PWPR = 0x80;
}

uint32_t sci_receive(uint8_t *out, uint32_t room) {
  if (SSR & SSR_ERRORS) SSR = (uint8_t)~SSR_ERRORS; /* after an overrun nothing more arrives until this */
  uint32_t count = FDR_RECEIVED(FDR);
  if (count > room) count = room;
  for (uint32_t i = 0; i < count; i++) out[i] = (uint8_t)FRDRHL;
  return count;
}

void sci_send(const uint8_t *data, uint32_t length) {
  for (uint32_t i = 0; i < length; i++) {
    uint32_t began = timer_cycles();
    while (FDR_TO_SEND(FDR) == FIFO_SIZE)
      if (timer_cycles() - began > SEND_LIMIT) return; /* the host asks again */
    FTDRL = data[i];
  }
}
