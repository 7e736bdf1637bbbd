/* Memory-mapped registers, and the mark for code that must run while code flash cannot be read.
 * RAMFUNC functions call only RAMFUNC or inline functions (checked in the build) and hold no constants in flash. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REG8(address) (*(volatile uint8_t *)(address))
#define REG16(address) (*(volatile uint16_t *)(address))
#define REG32(address) (*(volatile uint32_t *)(address))

#define RAMFUNC __attribute__((section(".ramfunc"), noinline, optimize("no-tree-loop-distribute-patterns")))
