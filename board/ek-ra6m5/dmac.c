/* Registers and order: FSP R7FA6M5BH.h (R_DMAC0, 0x40005000; R_DMA, 0x40005200; R_ICU DELSR, 0x40006280), r_dmac.c; channels to the
 * secure side, like the peripherals that they serve: bsp_irq.c. FSP says of DMCRA = 0 in normal mode only that it "means transfer forever",
 * and uses neither that nor extended repeat areas: they are as in the header, and in the manuals of the DMAC's kin (RX DMACA). */
#include "dmac.h"

#define MSTPCRA REG32(0x40084000u)
#define MSTPCRA_DMAC (1u << 22)
#define PRCR REG16(0x4001E3FEu)
#define PRCR_OPEN_SECURITY 0xA510u
#define PRCR_CLOSE 0xA500u
#define ICUSARC REG32(0x40008048u)
#define ICUSARC_SECURE 0xFFFFFF00u /* 0: secure; one bit for each of eight channels */
#define DMAST REG8(0x40005200u)
#define DELSR(channel) REG32(0x40006280u + 4 * (channel))

#define CHANNEL(channel) (0x40005000u + 0x40 * (channel))
#define DMSAR(channel) REG32(CHANNEL(channel) + 0x00)
#define DMDAR(channel) REG32(CHANNEL(channel) + 0x04)
#define DMCRA(channel) REG32(CHANNEL(channel) + 0x08)
#define DMTMD(channel) REG16(CHANNEL(channel) + 0x10)
#define DMINT(channel) REG8(CHANNEL(channel) + 0x13)
#define DMAMD(channel) REG16(CHANNEL(channel) + 0x14)
#define DMCNT(channel) REG8(CHANNEL(channel) + 0x1C)

#define DMSTS(channel) REG8(CHANNEL(channel) + 0x1E)

#define DMTMD_BYTES 0x2001u /* normal, no repeat area, 8 bits, started by an event */
#define DMAMD_SOURCE_RING(bits) (0x8000u | (bits) << 8) /* source up within the area, destination fixed */
#define DMAMD_TARGET_RING(bits) (0x0080u | (bits))      /* the other way round */
#define DMCNT_DTE 1u
#define DMSTS_ACT 0x80u
#define ACTIVE_TURNS 1000 /* a byte takes some clocks */
#define RECEIVE 0u
#define SEND 1u

static uint32_t send_event;
static struct ring send_ring;

/* Unlinking also forgets a request that nobody served. */
static void prepare(uint32_t channel, uint32_t event, uint32_t from, uint32_t to, uint32_t mode) {
  DELSR(channel) = 0;
  DMCNT(channel) = 0;
  DELSR(channel) = event;
  DMAMD(channel) = (uint16_t)mode;
  DMTMD(channel) = DMTMD_BYTES;
  DMSAR(channel) = from;
  DMDAR(channel) = to;
  DMCRA(channel) = 0;
  DMINT(channel) = 0;
}

void dmac_start(void) {
  MSTPCRA &= ~MSTPCRA_DMAC;
  (void)MSTPCRA; /* the module runs once this has been read back */
  PRCR = PRCR_OPEN_SECURITY;
  ICUSARC = ICUSARC_SECURE;
  PRCR = PRCR_CLOSE;
  DMAST = 1;
}

void dmac_receive(uint32_t event, uint32_t from, struct ring into) {
  prepare(RECEIVE, event, from, into.at, DMAMD_TARGET_RING(into.bits));
  DMCNT(RECEIVE) = DMCNT_DTE; /* DMCRA is 0: without end */
}

uint32_t dmac_received(void) {
  uint32_t at = DMDAR(RECEIVE);
  __asm volatile("dmb" ::: "memory"); /* the bytes are read after this */
  return at;
}

void dmac_prepare(uint32_t event, struct ring from, uint32_t to) {
  send_event = event;
  send_ring = from;
  prepare(SEND, event, from.at, to, DMAMD_SOURCE_RING(from.bits));
}

uint32_t dmac_pause(void) {
  DMCNT(SEND) = 0;
  for (uint32_t turn = 0; turn < ACTIVE_TURNS && DMSTS(SEND) & DMSTS_ACT; turn++) continue;
  return DMCRA(SEND);
}

void dmac_send(uint32_t offset, uint32_t count) {
  DMSAR(SEND) = send_ring.at + offset;
  DMCRA(SEND) = count;
  __asm volatile("dsb" ::: "memory"); /* what is to be sent stands in RAM */
  if (count > 0) DMCNT(SEND) = DMCNT_DTE; /* DMCRA 0 would be without end */
}

void dmac_forget(void) {
  DELSR(SEND) = 0;
  DELSR(SEND) = send_event;
}

uint32_t dmac_left(void) {
  return DMCRA(SEND);
}
