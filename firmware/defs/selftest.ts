/** What a debugger and the self-test in RAM (board/ek-ra6m5/selftest) tell each other, and where. No result is 0, which is what a debugger
 *  reads when its probe went away. */
export const SELFTEST_BASE: u32 = 0x20000000; // vector table and program, 12 KB at the most
export const SELFTEST_STACK_TOP: u32 = 0x20004000; // 4 KB
export const SELFTEST_PAGE: u32 = 0x20004000; // struct page
export const SELFTEST_SAMPLES: u32 = 0x20005000;
export const SELFTEST_SAMPLES_MAX: u32 = 0x4000;

export const SELFTEST_HELLO: u32 = 0x3154424d; // "MBT1": it runs; raised with any change of this page

/** The page: words, little-endian; the argument follows the command. */
export const SELFTEST_OFF_REQUEST: i32 = 4;
export const SELFTEST_OFF_COMMAND: i32 = 8;
export const SELFTEST_OFF_ANSWERED: i32 = 16;
export const SELFTEST_OFF_RESULT: i32 = 20;
export const SELFTEST_OFF_WORDS: i32 = 24;
export const SELFTEST_WORDS: i32 = 32;

export const SELFTEST_DONE: u32 = 0x600df1a5;
export const SELFTEST_UNKNOWN: u32 = 0x0badf201; // no such command, or an argument out of range
export const SELFTEST_FAULT: u32 = 0x0badf202; // a fault; words: CFSR, BFAR. It serves no further command
export const SELFTEST_LOST: u32 = 0x0badf203; // the flash sequencer does not go back to read mode; likewise
export const SELFTEST_CLOCK: u32 = 0x0badf204; // no stable clock; it never says hello

/** Commands, and their words. Times are cycles of ICLK. */
export const SELFTEST_PART: i32 = 1; // DLMMON, CFSAMONA, CFSAMONB, DFSAMON, SSAMONA, SSAMONB, RSTSR0, RSTSR1, RSTSR2
export const SELFTEST_CLOCKS: i32 = 2; // SCKDIVCR, SCKSCR, PLLCCR, OSCSF, OPCCR, FLWT, SRAMWTSC, FPCKAR, CCALCF
export const SELFTEST_LOCO: i32 = 3; // counts, time that they took; time 0: it does not count
export const SELFTEST_CRYSTAL: i32 = 4; // the same of the sub-clock crystal
export const SELFTEST_CODE: i32 = 5; // blank, erase, units, program least, most, twice, holds, erase of it, ones
export const SELFTEST_DATA: i32 = 6; // blank, erase, units, program least, most, blank check, right, holds, erase of it, ones, blank
export const SELFTEST_ENTROPY: i32 = 7; // argument: samples wanted; samples got, time that they took
export const SELFTEST_PANEL: i32 = 8; // argument: LIGHT_*; SWITCH_* now, lights as their pins read, switches seen since the last time
export const SELFTEST_UART: i32 = 9; // argument: BRR; bits, time that they took

/** Flash that is erased and programmed, only if it is blank: the last block of the image region, and the last block of the ledger area. */
export const SELFTEST_CODE_AT: u32 = 0x000f8000;
export const SELFTEST_DATA_AT: u32 = 0x08001f00;
