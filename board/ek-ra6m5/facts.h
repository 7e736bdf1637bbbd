/* The Facts region: what the board knows about itself. SPEC.md §2, defs/boundary.ts. */
#pragma once
#include "defs.h"
#include <stdint.h>

/* Writes the MBS_FACTS_SIZE bytes of the region. */
void facts_write(uint8_t out[MBS_FACTS_SIZE]);
