/* UART on Pmod2: SCI0, TX P411, RX P410, 8N1, 115,200 baud at first. Bytes come and go by DMA, also while the processor computes or
 * programs flash. */
#pragma once
#include <stdint.h>

void sci_start(void);

/* Takes what has arrived, at most `room` bytes and nothing behind a zero, which ends a frame (SPEC.md §8): so that the answer to one frame is on its
 * way before the next is looked at. Number of bytes, 0 when none. */
uint32_t sci_receive(uint8_t *out, uint32_t room);

/* Says at most 8 KB: they leave behind what was said before, without the processor. Waits only while there is no room for them. */
void sci_send(const uint8_t *data, uint32_t length);

/* After an answer: when the core asked for another bit rate, waits until everything has left, and sets it. */
void sci_settle(void);
