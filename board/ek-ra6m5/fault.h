/* Faults of the processor, and reads that may meet one. */
#pragma once
#include <stdint.h>

/* Handler of every system exception. */
void fault_handler(void);

/* Copies `length` bytes that the bus may refuse. 0 | 1 after a bus fault (part of `out` may be written). */
uint32_t fault_guarded_copy(uint8_t *out, const uint8_t *from, uint32_t length);
