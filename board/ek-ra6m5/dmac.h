/* DMAC: channel 0 writes what a peripheral received into a ring, for ever; channel 1 gives bytes of a ring to a peripheral,
 * as they come. One byte for each event, without the processor. A ring has 2^n bytes and stands at a multiple of that. */
#pragma once
#include "reg.h"

struct ring {
  uint32_t at; /* address */
  uint32_t bits; /* n */
};

void dmac_start(void);

/* Each `event` copies one byte from the register at `from`. */
void dmac_receive(uint32_t event, uint32_t from, struct ring into);

/* Where in its ring the next received byte will stand, from 0. */
uint32_t dmac_received(void);

/* The same towards a register: what the processor wrote into the ring, once dmac_send said how much. */
void dmac_prepare(uint32_t event, struct ring from, uint32_t to);

/* Holds sending after the present byte. Bytes that are left. */
uint32_t dmac_pause(void);

/* Goes on with `count` bytes from `offset` of the ring; 0: stays paused. A request that came since the pause may be served or lost. */
void dmac_send(uint32_t offset, uint32_t count);

/* Forgets a request that nobody served. While paused. */
void dmac_forget(void);

/* Bytes left to send. */
uint32_t dmac_left(void);
