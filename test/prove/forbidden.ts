/** Operations of which the time depends on what they are given, whatever the interpreter is: for tests of the checker alone. Which ones the
 *  interpreter of an ELF has is found out from its machine code. */
export const forbidden: ReadonlyMap<string, string> = new Map(
  [
    ...["i32", "i64"].flatMap((type) =>
      ["div_s", "div_u", "rem_s", "rem_u", "clz", "ctz", "popcnt"].map((op) => `${type}.${op}`),
    ),
    "i64.select",
  ].map((op) => [op, "its time varies"]),
);
