/** The eight imports of the core. Meaning, units and errors: SPEC.md §1; the C side is board/contract.h. */
export declare function read(region: i32, offset: u32, pointer: usize, length: u32): i32;
export declare function program(region: i32, offset: u32, pointer: usize, length: u32): i32;
export declare function erase(region: i32, offset: u32): i32;
export declare function blank(region: i32, offset: u32, length: u32): i32;
export declare function entropy(pointer: usize, length: u32): i32;
export declare function presence(lights: i32): i32;
export declare function clock(): i64;
export declare function diag(code: i32): void;
