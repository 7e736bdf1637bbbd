/* Flash controller: programs and erases code flash and data flash by CPU address. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#define FACI_DATA_FLASH 0x08000000u /* addresses from here are data flash, below code flash */

void faci_start(void);

/* Programs whole units (MBS_UNIT or MBS_DATA_UNIT) in one stay in P/E mode. False after a controller error or
 * time-out. */
bool faci_program(uint32_t address, const uint8_t *data, uint32_t length);

/* Erases the block that starts at `address`. False as above. */
bool faci_erase(uint32_t address);

/* Blank check of data flash. 1 blank | 0 not blank | -1 as above. */
int32_t faci_blank(uint32_t address, uint32_t length);
