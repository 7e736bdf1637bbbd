/** AssemblyScript's number types as tsc sees them, so that both compilers read the same files. */
declare type i32 = number;
declare type u32 = number;
