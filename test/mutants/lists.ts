/** Planted bugs in what writes a list while it leaves. */
import type { Check, Mutant } from "./mutant.js";

const LIST: Check = { file: "test/store/list.test.ts" };

export const lists: readonly Mutant[] = [
  {
    name: "list-goes-on-in-another-answer",
    breaks: "A list that was given up goes on in the answer to what is asked then.",
    file: "firmware/session/outgoing.ts",
    from: "  list.forget();\n",
    to: "",
    caughtBy: [{ ...LIST, test: "something else is asked for" }],
  },
  {
    name: "list-vault-stays-open",
    breaks: "The keys of the store stay in RAM while a list leaves.",
    file: "firmware/command/list.ts",
    from: "  write(<i32>(to - MESSAGE));\n  vault.close();",
    to: "  write(<i32>(to - MESSAGE));",
    caughtBy: [{ ...LIST, test: "leaves no key" }],
  },
  {
    name: "list-without-custody-traps",
    breaks: "A list whose custody cannot be read any more stops the device.",
    file: "firmware/command/list.ts",
    from: "!isReadable || ",
    to: "",
    caughtBy: [{ ...LIST, test: "ends with what it has" }],
  },
  {
    name: "list-short-of-a-block",
    breaks: "The last block of a fragment is sealed before all of it is written.",
    file: "firmware/session/outgoing.ts",
    from: "list.advance(to + 63)",
    to: "list.advance(to)",
    caughtBy: [{ ...LIST, test: "wherever its fragments end" }],
  },
  {
    name: "list-counts-no-corrupt",
    breaks: "Records that do not verify are neither listed nor counted.",
    file: "firmware/command/list.ts",
    from: "      corrupt++;\n",
    to: "      corrupt = 0;\n",
    caughtBy: [{ ...LIST, test: "counts records whose header" }],
  },
];
