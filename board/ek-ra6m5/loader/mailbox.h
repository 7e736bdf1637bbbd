/* What a debugger and the RAM loader tell each other. host/flash/mailbox.ts has the same numbers, and a test compares
 * them.
 * While the processor stands still the debugger writes operations, their count and a new request number, and lets it
 * go. The loader does them in order, stops at the first that fails, and writes the request number as answered when
 * `result` and the rest are there. No result is 0, which is what a debugger reads when its probe went away. */
#pragma once
#include <stdint.h>

#define LOADER_BASE 0x20000000u       /* vector table and program, 4 KB at the most */
#define LOADER_MAILBOX 0x20001000u    /* struct mailbox */
#define LOADER_OPERATIONS 0x20001040u /* struct operation, one behind the other */
#define LOADER_OPERATIONS_MAX 500u
#define LOADER_STACK_TOP 0x20004000u /* 4 KB */
#define LOADER_BUFFER 0x20004000u    /* bytes to program */
#define LOADER_BUFFER_SIZE 0x40000u

#define LOADER_HELLO 0x314C424Du /* "MBL1": the loader runs; raised with any change of this page */

#define LOADER_DONE 0x600DF1A5u
#define LOADER_REFUSED 0x0BADF101u /* an operation outside flash, misaligned, or unknown */
#define LOADER_ERASE 0x0BADF102u   /* the sequencer did not erase; detail: what it said */
#define LOADER_PROGRAM 0x0BADF103u /* the same for programming */
#define LOADER_DIFFERS 0x0BADF104u /* the cells do not hold what they should; detail: their CRC */
#define LOADER_FAULT 0x0BADF105u   /* a fault; detail: CFSR */
#define LOADER_LOST 0x0BADF106u    /* the sequencer does not go back to read mode */
#define LOADER_CLOCK 0x0BADF107u   /* no stable clock; the loader never says hello */

#define LOADER_OP_ERASE 1u   /* the block that begins at `address` */
#define LOADER_OP_PROGRAM 2u /* `length` bytes at `address` from `argument`; blank units of code flash are left out */
#define LOADER_OP_CHECK 3u   /* CRC-32 of `length` bytes at `address` is `argument` */

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
