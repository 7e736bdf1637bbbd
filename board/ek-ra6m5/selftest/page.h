/* What a debugger and the self-test in RAM tell each other. host/flash/selftest/page.ts has the same numbers, and a test
 * compares them.
 * The debugger writes command and argument, and last a request number that is new; the self-test writes the request
 * number as answered when result and words are there. No result is 0, which is what a debugger reads when its probe
 * went away. */
#pragma once
#include <stdint.h>

#define SELFTEST_BASE 0x20000000u      /* vector table and program, 12 KB at the most */
#define SELFTEST_STACK_TOP 0x20004000u /* 4 KB */
#define SELFTEST_PAGE 0x20004000u      /* struct page */
#define SELFTEST_WORDS 32u
#define SELFTEST_SAMPLES 0x20005000u
#define SELFTEST_SAMPLES_MAX 0x4000u

#define SELFTEST_HELLO 0x3154424Du /* "MBT1": it runs; raised with any change of this page */

#define SELFTEST_DONE 0x600DF1A5u
#define SELFTEST_UNKNOWN 0x0BADF201u /* no such command, or an argument out of range */
#define SELFTEST_FAULT 0x0BADF202u   /* a fault; words: CFSR, BFAR. It serves no further command */
#define SELFTEST_LOST 0x0BADF203u    /* the flash sequencer does not go back to read mode; likewise */
#define SELFTEST_CLOCK 0x0BADF204u   /* no stable clock; it never says hello */

/* Commands, and their words. Times are cycles of ICLK. */
#define SELFTEST_PART 1u     /* DLMMON, CFSAMONA, CFSAMONB, DFSAMON, SSAMONA, SSAMONB, RSTSR0, RSTSR1, RSTSR2 */
#define SELFTEST_CLOCKS 2u   /* SCKDIVCR, SCKSCR, PLLCCR, OSCSF, OPCCR, FLWT, SRAMWTSC, FPCKAR, CCALCF */
#define SELFTEST_LOCO 3u     /* counts, time that they took; time 0: it does not count */
#define SELFTEST_CRYSTAL 4u  /* the same of the sub-clock crystal */
#define SELFTEST_CODE 5u     /* blank, erase, units, program least, most, twice, holds, erase of it, ones */
#define SELFTEST_DATA 6u     /* blank, erase, units, program least, most, blank check, right, holds, erase of it, ones, blank */
#define SELFTEST_ENTROPY 7u  /* argument: samples wanted; samples got, time that they took */
#define SELFTEST_PANEL 8u    /* argument: MBS_LIGHT_*; MBS_SWITCH_* now, lights as their pins read, switches seen since the last time */
#define SELFTEST_UART 9u     /* argument: BRR; bits, time that they took */

/* Flash that is erased and programmed, only if it is blank: the last block of the image region, and the last block of
 * the ledger area. */
#define SELFTEST_CODE_AT 0x000F8000u
#define SELFTEST_DATA_AT (FACI_DATA_FLASH + MBS_LEDGER_OFFSET + MBS_LEDGER_SIZE - MBS_DATA_BLOCK)

struct page {
  uint32_t hello;
  uint32_t request;
  uint32_t command;
  uint32_t argument;
  uint32_t answered;
  uint32_t result;
  uint32_t words[SELFTEST_WORDS];
};
