/* SCI0 without its FIFOs: the DMAC takes each byte from RDR and brings each to TDR. Registers: FSP R7FA6M5BH.h (R_SCI0, 0x40118000), order
 * as in r_sci_uart.c, event numbers: bsp_elc.h of ra6m5; baud formula and pins as in Zephyr's ek_ra6m5. Line errors are cleared, until then
 * nothing more arrives; frames carry their own CRC. At a raised rate the core is told, by bytes that are no frame: who speaks at the first rate
 * is heard as line errors and perhaps as nothing else, since a byte with a framing error is not transferred. When more than a whole ring came unread, nothing
 * tells so here: bytes are missing, newer ones may stand in their place, and the CRC tells it like bytes that the line lost.
 * Sending begins with a byte that the processor writes to an empty TDR; the request for the next comes when that one moves on. */
#include "contract.h"
#include "defs.h"
#include "dmac.h"
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
#define TDR_AT (SCI0 + 0x03)
#define SSR REG8(SCI0 + 0x04)
#define RDR_AT (SCI0 + 0x05)
#define SCMR REG8(SCI0 + 0x06)
#define SEMR REG8(SCI0 + 0x07)
#define FCR REG16(SCI0 + 0x14)
#define SPTR REG8(SCI0 + 0x1C)
#define EVENT_RXI 0x180u
#define EVENT_TXI 0x181u

#define SCR_ON 0x70 /* RIE, TE, RE; no interrupt is linked to RXI and TXI, the DMAC is */
#define SCR_TIE 0x80
#define SSR_TDRE 0x80
#define SSR_ERRORS 0x38 /* ORER, FER, PER */
#define SSR_NO_ERRORS 0xC0
#define SSR_TEND 0x04
#define SEMR_BGDM_ABCS 0x50
#define FCR_NO_FIFO 0xF800u
#define SPTR_HIGH 0x06 /* TX stays high while TE is off */

#define DIVIDED 12000000u /* bits per second at BRR = 0: PCLKA 96 MHz / 8 */
#define SLOWEST 115200u
#define FASTEST 3000000u
#define BIT_TIME TIMER_MICROSECONDS(9)
#define SEND_LIMIT TIMER_MILLISECONDS(10) /* for one byte, which takes 87 us at the most */

#define RX_BITS 11u
#define TX_BITS 13u
#define RX_SIZE (1u << RX_BITS)
#define TX_SIZE (1u << TX_BITS)
static struct {
  uint8_t leaving[TX_SIZE];
  volatile uint8_t arrived[RX_SIZE];
} ring __attribute__((section(".rings"), aligned(TX_SIZE)));

static uint32_t taken, known;    /* offsets in ring.arrived: what the core has, what is known to have come */
static uint32_t said;            /* bytes so far */
static uint32_t divisor, wanted; /* of DIVIDED: set; from sci_settle on */

static const uint8_t no_frame[] = {2, 0}; /* COBS: one byte is to follow, and none does */

static uint32_t divisor_for(uint32_t bits) {
  if (bits < SLOWEST || bits > FASTEST) return 0;
  uint32_t nearest = (DIVIDED + bits / 2) / bits;
  uint32_t difference = nearest * bits > DIVIDED ? nearest * bits - DIVIDED : DIVIDED - nearest * bits;
  return difference <= DIVIDED / 100 ? nearest : 0;
}

/* Transmitter and receiver are off. */
static void set_rate(void) {
  divisor = wanted;
  BRR = (uint8_t)(divisor - 1);
  uint32_t began = timer_cycles();
  while (timer_cycles() - began < BIT_TIME) continue;
}

void sci_start(void) {
  dmac_start();
  MSTPCRB &= ~MSTPCRB_SCI0;
  (void)MSTPCRB; /* the module runs once this has been read back */
  SCR = 0;
  FCR = FCR_NO_FIFO;
  SMR = 0x00; /* asynchronous, 8N1, PCLKA / 1 */
  SCMR = 0xF2;
  SEMR = SEMR_BGDM_ABCS;
  SPTR = SPTR_HIGH;
  wanted = divisor_for(MBS_LINE_RATE);
  set_rate();
  taken = known = said = 0;
  dmac_receive(EVENT_RXI, RDR_AT, (struct ring){(uint32_t)ring.arrived, RX_BITS});
  dmac_prepare(EVENT_TXI, (struct ring){(uint32_t)ring.leaving, TX_BITS}, TDR_AT);
  SCR = SCR_ON;

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
  if (SSR & SSR_ERRORS) {
    (void)REG8(RDR_AT); /* after an overrun nothing more arrives until both */
    SSR = SSR_NO_ERRORS;
    if (divisor != divisor_for(MBS_LINE_RATE) && room >= sizeof no_frame) {
      for (uint32_t i = 0; i < sizeof no_frame; i++) out[i] = no_frame[i];
      return sizeof no_frame;
    }
  }
  if (taken == known) known = (dmac_received() - (uint32_t)ring.arrived) % RX_SIZE; /* not before all of it was taken */
  uint32_t count = 0;
  while (taken != known && count < room) {
    uint8_t byte = ring.arrived[taken];
    taken = (taken + 1) % RX_SIZE;
    out[count++] = byte;
    if (byte == 0) break;
  }
  return count;
}

/* Until at most so many bytes are left to the DMAC, as long as it goes on. */
static bool wait_for_left(uint32_t most) {
  uint32_t before = dmac_left(), began = timer_cycles();
  for (;;) {
    uint32_t left = dmac_left();
    if (left <= most) return true;
    if (left != before) {
      before = left;
      began = timer_cycles();
    } else if (timer_cycles() - began > SEND_LIMIT) return false;
  }
}

/* `count` bytes more are to leave than those that the DMAC still has. While TDR holds a byte, the request for the next is still to come.
 * When it is empty, nobody will ask again: the processor writes the next byte, and what was asked before is forgotten. Whether a request
 * that comes between is kept does not matter: when it is lost, TDR stays empty, and once more is enough. */
static void go_on(uint32_t count) {
  uint32_t began = timer_cycles();
  do {
    count += dmac_pause();
    if (count == 0) return;
    uint32_t from = said - count;
    if (SSR & SSR_TDRE) {
      SCR = SCR_ON;
      dmac_forget();
      dmac_send((from + 1) % TX_SIZE, count - 1);
      if (count > 1) SCR = SCR_ON | SCR_TIE;
      REG8(TDR_AT) = ring.leaving[from % TX_SIZE];
    } else {
      dmac_send(from % TX_SIZE, count);
      SCR = SCR_ON | SCR_TIE;
    }
    count = 0;
  } while (SSR & SSR_TDRE && dmac_left() > 0 && timer_cycles() - began < SEND_LIMIT);
}

/* The transmitter stands still: what was said is dropped, and the host asks again. */
static void give_up(void) {
  dmac_pause();
  dmac_prepare(EVENT_TXI, (struct ring){(uint32_t)ring.leaving, TX_BITS}, TDR_AT);
}

void sci_send(const uint8_t *data, uint32_t length) {
  if (!wait_for_left(TX_SIZE - length)) give_up();
  for (uint32_t i = 0; i < length; i++) ring.leaving[said++ % TX_SIZE] = data[i];
  go_on(length);
}

void sci_settle(void) {
  if (wanted == divisor) return;
  if (!wait_for_left(0)) give_up();
  uint32_t began = timer_cycles();
  while (!(SSR & SSR_TEND) && timer_cycles() - began < SEND_LIMIT) continue;
  SCR = 0;
  set_rate();
  SCR = SCR_ON;
}

int32_t board_rate(uint32_t bits) {
  uint32_t found = divisor_for(bits);
  if (found == 0) return MBS_BAD_ARGUMENT;
  wanted = found;
  return MBS_OK;
}
