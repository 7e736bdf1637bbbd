/** What a debugger and the RAM loader (board/ek-ra6m5/loader) tell each other, and where. No result is 0, which is what a debugger reads when
 *  its probe went away. */
export const LOADER_BASE: u32 = 0x20000000; // vector table and program, 4 KB at the most
export const LOADER_MAILBOX: u32 = 0x20001000; // struct mailbox
export const LOADER_OPERATIONS: u32 = 0x20001040; // struct operation, one behind the other
export const LOADER_OPERATIONS_MAX: u32 = 500;
export const LOADER_STACK_TOP: u32 = 0x20004000; // 4 KB
export const LOADER_BUFFER: u32 = 0x20004000; // bytes to program
export const LOADER_BUFFER_SIZE: u32 = 0x40000;

export const LOADER_HELLO: u32 = 0x314c424d; // "MBL1": it runs; raised with any change of this page

export const LOADER_DONE: u32 = 0x600df1a5;
export const LOADER_REFUSED: u32 = 0x0badf101; // an operation outside flash, misaligned, or unknown
export const LOADER_ERASE: u32 = 0x0badf102; // the sequencer did not erase; detail: what it said
export const LOADER_PROGRAM: u32 = 0x0badf103; // the same for programming
export const LOADER_DIFFERS: u32 = 0x0badf104; // the cells do not hold what they should; detail: their CRC
export const LOADER_FAULT: u32 = 0x0badf105; // a fault; detail: CFSR
export const LOADER_LOST: u32 = 0x0badf106; // the sequencer does not go back to read mode
export const LOADER_CLOCK: u32 = 0x0badf107; // no stable clock; it never says hello

export const LOADER_OP_ERASE: u32 = 1; // the block that begins at the address
export const LOADER_OP_PROGRAM: u32 = 2; // bytes at the address from the argument; blank units of code flash are left out
export const LOADER_OP_CHECK: u32 = 3; // CRC-32 of bytes at the address is the argument
