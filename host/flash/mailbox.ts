/** What the host and the RAM loader tell each other; the loader's own page is board/ek-ra6m5/loader/mailbox.h. */
export const LOADER_BUFFER = 0x20004000;
export const LOADER_BUFFER_SIZE = 0x40000;
export const LOADER_OPERATIONS_MAX = 500;

export const LOADER_DONE = 0x600df1a5;
export const LOADER_REFUSED = 0x0badf101;
export const LOADER_ERASE = 0x0badf102;
export const LOADER_PROGRAM = 0x0badf103;
export const LOADER_DIFFERS = 0x0badf104;
export const LOADER_FAULT = 0x0badf105;
export const LOADER_LOST = 0x0badf106;
export const LOADER_CLOCK = 0x0badf107;

export const LOADER_OP_ERASE = 1;
export const LOADER_OP_PROGRAM = 2;
export const LOADER_OP_CHECK = 3;
