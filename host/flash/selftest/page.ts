/** What the host and the self-test in RAM tell each other; its own page is board/ek-ra6m5/selftest/page.h. */
export const SELFTEST_BASE = 0x20000000;
export const SELFTEST_STACK_TOP = 0x20004000;
export const SELFTEST_PAGE = 0x20004000;
export const SELFTEST_WORDS = 32;
export const SELFTEST_SAMPLES = 0x20005000;
export const SELFTEST_SAMPLES_MAX = 0x4000;

export const SELFTEST_HELLO = 0x3154424d;

export const SELFTEST_DONE = 0x600df1a5;
export const SELFTEST_UNKNOWN = 0x0badf201;
export const SELFTEST_FAULT = 0x0badf202;
export const SELFTEST_LOST = 0x0badf203;
export const SELFTEST_CLOCK = 0x0badf204;

export const SELFTEST_PART = 1;
export const SELFTEST_CLOCKS = 2;
export const SELFTEST_LOCO = 3;
export const SELFTEST_CRYSTAL = 4;
export const SELFTEST_CODE = 5;
export const SELFTEST_DATA = 6;
export const SELFTEST_ENTROPY = 7;
export const SELFTEST_PANEL = 8;
export const SELFTEST_UART = 9;

/** Offsets in the page. */
export const PAGE_OFF_REQUEST = 4;
export const PAGE_OFF_COMMAND = 8;
export const PAGE_OFF_ANSWERED = 16;
export const PAGE_OFF_RESULT = 20;
export const PAGE_OFF_WORDS = 24;

/** Flash that is erased and programmed, only if it is blank. */
export const SELFTEST_CODE_AT = 0x000f8000;
export const SELFTEST_DATA_AT = 0x08001f00;
