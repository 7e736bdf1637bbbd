/* UART on Pmod2: SCI0, TX P411, RX P410, 115,200 8N1, polled. */
#pragma once
#include <stdint.h>

void sci_start(void);

/* Takes what has arrived, at most `room` bytes. Number of bytes, 0 when none. */
uint32_t sci_receive(uint8_t *out, uint32_t room);

/* Sends all bytes; returns when the last one is in the transmit FIFO. */
void sci_send(const uint8_t *data, uint32_t length);
