/* What a debugger and the RAM loader tell each other; its numbers are in firmware/defs/loader.ts.
 * While the processor stands still the debugger writes operations, their count and a new request number, and lets it
 * go. The loader does them in order, stops at the first that fails, and writes the request number as answered when
 * `result` and the rest are there. */
#pragma once
#include "defs.h"
#include <stdint.h>

struct mailbox {
  uint32_t hello;
  uint32_t request;
  uint32_t count;
  uint32_t answered;
  uint32_t result;
  uint32_t done;   /* operations, also while they are under way */
  uint32_t detail; /* of the sequencer: FSTATR, with FASTAT in the highest byte */
};

struct operation {
  uint32_t kind;
  uint32_t address;
  uint32_t length;
  uint32_t argument;
};

_Static_assert(sizeof(struct mailbox) <= MBS_LOADER_OPERATIONS - MBS_LOADER_MAILBOX, "the mailbox has its place");
