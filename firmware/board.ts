/** The nine imports of the core. Meaning, units and errors: SPEC.md §1; the C side is board/contract.h. */
@custody
@facts
export declare function read(region: i32, offset: u32, pointer: usize, length: u32): i32;
@durable("slots")
@durable("data")
@atomic("journal")
@custody
export declare function program(region: i32, offset: u32, pointer: usize, length: u32): i32;
@durable("slots")
@durable("data")
@custody
export declare function erase(region: i32, offset: u32): i32;
@custody
export declare function blank(region: i32, offset: u32, length: u32): i32;
@entropy
export declare function entropy(pointer: usize, length: u32): i32;
@presence
export declare function presence(lights: i32): i32;
@clock
export declare function clock(): i64;
@diagnostic
export declare function diag(code: i32): void;
export declare function rate(bits: u32): i32;
