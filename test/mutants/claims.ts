/** Planted bugs in handing out positions. SPEC.md §14, §17. */
import type { Mutant } from "./mutant.js";

const POINTERS = "firmware/claim/pointers.ts";
const FILEKEYS = "firmware/command/filekeys.ts";
const CUTS = "test/claims/device/cuts.test.ts";
const HARM = "test/claims/device/harm.test.ts";
const COMMANDS = "test/claims/device/filekeys.test.ts";

export const claims: readonly Mutant[] = [
  {
    name: "repeated-reserve-not-settled",
    breaks:
      "A repeated request is answered from an entry that a cut left, and the next boot hands its range to somebody else.",
    file: FILEKEYS,
    from: "  let status = pointers.settle(key(KeyName.Claims));\n",
    to: "  let status: Status = Status.Ok;\n",
    caughtBy: [{ file: CUTS, test: "reserve" }],
  },
  {
    name: "pointer-not-copied-after-power-up",
    breaks: "A reserve rests on an entry that a cut left while the one before it is erased.",
    file: POINTERS,
    from: "    if (write(key) != Status.Ok) return Status.MediumFailed;\n    scan(key);\n",
    to: "",
    caughtBy: [{ file: CUTS }],
  },
  {
    name: "old-pointer-erased-first",
    breaks: "A reserve that is cut leaves a filekey without its pointer.",
    file: POINTERS,
    from: `    memory.copy(PAGE + POINTER_OFF_HANDLE, handle, HANDLE_SIZE);
    store<i64>(PAGE, latest`,
    to: `    if (old != NONE) clear(old);
    memory.copy(PAGE + POINTER_OFF_HANDLE, handle, HANDLE_SIZE);
    store<i64>(PAGE, latest`,
    caughtBy: [{ file: CUTS, test: "reserve" }],
  },
  {
    name: "pointer-not-read-back",
    breaks: "Positions are answered whose entry the medium kept wrongly.",
    file: POINTERS,
    from: "  return equal(PAGE, back, POINTER_PLACE);",
    to: "  return true;",
    caughtBy: [{ file: "test/store/silent.test.ts", test: "in a pointer of a filekey" }],
  },
  {
    name: "range-of-the-older-delta",
    breaks: "Positions are handed out behind the pointer, in a Delta that is not the newest.",
    file: FILEKEYS,
    from: "    const start = max(latest + 1, first);",
    to: "    const start = latest + 1;",
    caughtBy: [{ file: COMMANDS, test: "renews once" }],
  },
  {
    name: "reserve-past-the-end",
    breaks: "More positions are handed out than the Delta has.",
    file: FILEKEYS,
    from: "    if (size - 1 > end - start) return Status.DeltaFull;\n",
    to: "",
    caughtBy: [{ file: COMMANDS, test: "never hands out more" }],
  },
  {
    name: "lost-pointer-begins-anew",
    breaks: "A Delta whose pointer was lost is handed out from its start again.",
    file: FILEKEYS,
    from: "  if (!findPointer()) return Status.PositionsLost;\n",
    to: `  if (!findPointer()) {
    store<i64>(PAGE, load<i64>(filekey.delta(CONTENT, filekey.deltas(length)), DELTA_OFF_START) - 1, POINTER_OFF_LATEST);
    store<i64>(PAGE, 0, POINTER_OFF_START);
  }
`,
    caughtBy: [{ file: COMMANDS, test: "pointer is lost" }],
  },
  {
    name: "any-token-renews",
    breaks: "Two hosts that renew at once make one Delta, and each takes it for its own.",
    file: FILEKEYS,
    from: " && equal(filekey.delta(CONTENT, n) + DELTA_OFF_ID, request.TOKEN, 16);",
    to: ";",
    caughtBy: [{ file: COMMANDS, test: "renews once" }],
  },
  {
    name: "imported-filekey-hands-out",
    breaks: "A second device hands out positions of a filekey that it only imported.",
    file: FILEKEYS,
    from: "  return status == Status.Ok && !filekey.isAuthority(CONTENT) ? Status.NotAuthority : status;",
    to: "  return status;",
    caughtBy: [{ file: COMMANDS, test: "opens Deltas of an imported" }],
  },
  {
    name: "alpha-exported-without-policy",
    breaks: "The Alpha of a device-only filekey leaves the device.",
    file: FILEKEYS,
    from: "(load<u8>(HEADER, HEADER_OFF_POLICY) & POLICY_EXPORTABLE) != 0 ?",
    to: "true ?",
    caughtBy: [{ file: COMMANDS, test: "device-only" }],
  },
  {
    name: "reserves-cost-nothing",
    breaks: "An operator can wear out the data flash.",
    file: "firmware/claim/rate.ts",
    from: "  level--;",
    to: "",
    caughtBy: [{ file: COMMANDS, test: "at once, then every" }],
  },
  {
    name: "wrap-behind-the-last-position",
    breaks: "Behind the last position that there is a Delta is handed out from its start again.",
    file: FILEKEYS,
    from: "    if (latest >= end) return Status.DeltaFull; // the last position that there is has none behind it\n",
    to: "",
    caughtBy: [{ file: HARM, test: "begin again" }],
  },
  {
    name: "repeat-from-an-older-delta",
    breaks: "A request that names the newest Delta gets positions of the one before it.",
    file: FILEKEYS,
    from: "  if (load<i64>(PAGE, POINTER_OFF_START) < first) return false;\n",
    to: "",
    caughtBy: [{ file: HARM, test: "older Delta" }],
  },
  {
    name: "highest-sequence-counts",
    breaks: "An entry that could be neither read nor erased for a while takes the pointer back.",
    file: POINTERS,
    from: "  if (sameFilekey && latestIn(place) != latestIn(than)) return latestIn(place) > latestIn(than);\n",
    to: "",
    caughtBy: [{ file: HARM, test: "neither read nor erased" }],
  },
  {
    name: "old-pointers-not-swept",
    breaks: "Erases that fail for a while fill all places, and nothing is handed out any more.",
    file: POINTERS,
    from: "if (sequenceIn(place) == 0 || slotIn(place) == NONE || newest(slotIn(place)) != place) clear(place);",
    to: "if (sequenceIn(place) == 0) clear(place);",
    caughtBy: [{ file: HARM, test: "erases have failed" }],
  },
  {
    name: "pointer-forgotten-first",
    breaks: "A delete that is refused takes the filekey's pointer away.",
    file: FILEKEYS,
    from: "    filekey.bury(CONTENT, length);",
    to: "    pointers.forget(key(KeyName.Claims), request.HANDLE);\n    filekey.bury(CONTENT, length);",
    caughtBy: [{ file: HARM, test: "delete is refused" }],
  },
  {
    name: "any-record-of-the-token",
    breaks: "A record that is no filekey is answered as the one that was made.",
    file: FILEKEYS,
    from: "  if (load<u8>(FRESH, HEADER_OFF_USAGE) != Usage.Filekey) return Status.TokenReused;\n",
    to: "",
    caughtBy: [{ file: HARM, test: "token that made something else" }],
  },
];
