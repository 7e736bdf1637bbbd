/** Planted bugs in the journal: what is believed at mount, and in what order a change is written. DESIGN.md §3. */
import type { Check, Mutant } from "./mutant.js";

const file = "firmware/store/journal.ts";
/** One of the changes that are cut at each of their operations. */
const cut = (test: string): Check => ({ file: "test/torture/torture.test.ts", test });
const FAILING = "test/cuts/failing.test.ts";

export const journal: readonly Mutant[] = [
  {
    name: "settled-not-checked",
    breaks: "A record whose last word was cut is shown at once, and may read as torn at the next boot.",
    file,
    from: " && isSettled(at) && top == sequence) {",
    to: " && top == sequence) {",
    caughtBy: [{ file: "test/store/certain.test.ts" }],
  },
  {
    name: "torn-body-believed",
    breaks: "A body that was cut half-way counts as the newest state.",
    file,
    from: "return equal(TAG, at + BODY_OFF_MAC, 16);",
    to: "return true;",
    caughtBy: [cut("half: evict")],
  },
  {
    name: "torn-intent-believed",
    breaks: "An intent that was cut, or the noise of an erased place, marks slots as dirty.",
    file,
    from: "return equal(TAG, at + INTENT_OFF_CHECK, 8) && load",
    to: "return load",
    caughtBy: [{ file: "test/store/certain.test.ts" }],
  },
  {
    name: "sequence-reused-after-cut",
    breaks: "The repair after a cut takes the sequence of the change that was cut: two records are equally new.",
    file,
    from: "applyIntentsAbove(NEXT, sequence);",
    to: "applyIntentsAbove(NEXT, sequence);\n  top = sequence;",
    caughtBy: [{ file: "test/store/certain.test.ts" }],
  },
  {
    name: "intents-not-applied",
    breaks: "What a cut change had begun to write is taken for erased.",
    file,
    from: "applyIntentsAbove(NEXT, sequence);",
    to: "",
    caughtBy: [cut("half: put")],
  },
  {
    name: "touched-block-not-soiled",
    breaks: "A block into which a cut change had begun to copy is taken for erased.",
    file,
    from: "    state.soil(record, touched);\n",
    to: "",
    caughtBy: [cut("an erased spare: put that reclaims")],
  },
  {
    name: "intent-written-with-body",
    breaks: "Flash is touched before anything says so: a cut leaves no trace of what is dirty.",
    file,
    from: "return <Status>board.program(Region.Data, offset(place), NEXT, INTENT_SIZE);",
    to: "return Status.Ok;",
    also: [
      {
        file,
        from: "board.program(Region.Data, from + INTENT_SIZE, NEXT + INTENT_SIZE, BODY_OFF_SETTLED - INTENT_SIZE)",
        to: "board.program(Region.Data, from, NEXT, BODY_OFF_SETTLED)",
      },
    ],
    caughtBy: [cut("half: put")],
  },
  {
    name: "settled-before-body",
    breaks: "The settled word vouches for a body that is not there yet.",
    file,
    from: "  if (board.program(Region.Data, from + INTENT_SIZE, NEXT + INTENT_SIZE, BODY_OFF_SETTLED - INTENT_SIZE) != Status.Ok)\n",
    to: `  if (board.program(Region.Data, from + BODY_OFF_SETTLED, NEXT + BODY_OFF_SETTLED, 4) != Status.Ok)
    return Status.MediumFailed;
  if (board.program(Region.Data, from + INTENT_SIZE, NEXT + INTENT_SIZE, BODY_OFF_SETTLED - INTENT_SIZE) != Status.Ok)
`,
    also: [
      {
        file,
        from: `  if (!equal(PLACE, NEXT, BODY_OFF_SETTLED)) return Status.MediumFailed;
  if (board.program(Region.Data, from + BODY_OFF_SETTLED, NEXT + BODY_OFF_SETTLED, 4) != Status.Ok)
    return Status.MediumFailed;
`,
        to: "  if (!equal(PLACE, NEXT, BODY_OFF_SETTLED)) return Status.MediumFailed;\n",
      },
    ],
    caughtBy: [{ file: "test/store/certain.test.ts" }],
  },
  {
    name: "body-not-read-back",
    breaks: "A body that the medium kept wrongly is settled all the same.",
    file,
    from: "  if (!equal(PLACE, NEXT, BODY_OFF_SETTLED)) return Status.MediumFailed;\n",
    to: "",
    caughtBy: [{ file: "test/store/silent.test.ts" }],
  },
  {
    name: "place-erased-by-blank-check",
    breaks: "A place that reads blank is written without an erase, although its erase may have been cut.",
    file,
    from: "if (erasePlace(target) == Status.Ok) return",
    to: "if (board.blank(Region.Data, offset(target), JOURNAL_PLACE) == 1 || erasePlace(target) == Status.Ok) return",
    caughtBy: [cut("half: evict")],
  },
  {
    name: "newest-record-overwritten",
    breaks: "A change erases the only record of the state before it.",
    file,
    from: "target = after(current, step);",
    to: "target = after(current, step - 1);",
    caughtBy: [cut("half: evict")],
  },
  {
    name: "repair-over-settled",
    breaks: "The repair after a cut erases the newest settled record when no other place can be written.",
    file,
    from: "if (p == settled || ((",
    to: "if (((",
    caughtBy: [{ file: "test/store/worn.test.ts" }],
  },
  {
    name: "repair-over-trace",
    breaks: "The repair after a cut erases the intent that it has to apply: cut again, nothing tells what is dirty.",
    file,
    from: " || (((readable >>> p) & 1) != 0 && seenSequence(p) > sequence)) continue;",
    to: ") continue;",
    caughtBy: [cut("half: put")],
  },
  {
    name: "tidy-skipped",
    breaks: "What was cut and unreadable in an earlier life stays, and may be read again.",
    file,
    from: ") tidy(1);",
    to: ") mend();",
    caughtBy: [{ file: "test/store/certain.test.ts" }],
  },
  {
    name: "abandoned-slot-not-marked",
    breaks: "A slot under which the medium failed is taken for erased.",
    file,
    from: "  applyIntent(NEXT, NEXT);\n",
    to: "",
    caughtBy: [{ file: FAILING }],
  },
  {
    name: "cut-erase-not-counted",
    breaks: "An erase that was cut is missing in the erase counts.",
    file,
    from: "    if ((flags & INTENT_ERASES) != 0) state.countErase(record, touched);\n",
    to: "",
    caughtBy: [{ file: "test/store/counted.test.ts" }],
  },
  {
    name: "commit-failure-ignored",
    breaks: "A change whose record could not be written is answered with Ok.",
    file,
    from: "  if (status == Status.Ok) counted = changed = true;\n  return status;",
    to: "  if (status == Status.Ok) counted = changed = true;\n  return Status.Ok;",
    caughtBy: [{ file: FAILING }],
  },
  {
    name: "blank-by-reading",
    breaks: "A journal is called blank for what it reads, which erased data flash does not keep.",
    file,
    from: "if (board.blank(Region.Data, offset(p), JOURNAL_PLACE) != 1) return false;",
    to: "if (board.read(Region.Data, offset(p), PLACE, 4) != Status.Ok || load<u32>(PLACE) != 0xffffffff) return false;",
    caughtBy: [{ file: "test/store/provision.test.ts" }],
  },
  {
    name: "damaged-record-taken-for-a-cut-one",
    breaks: "One bad bit in the newest record brings the state before it back, and nobody is told.",
    file,
    from: "  current = findDamaged(valid);\n",
    to: "  current = valid;\n",
    caughtBy: [{ file: "test/damage/bits.test.ts" }],
  },
  {
    name: "one-bit-not-corrected",
    breaks: "One bad bit in the newest record loses the last change.",
    file,
    from: "hasIntent(at) && !isValid(at); bit++)",
    to: "false; bit++)",
    caughtBy: [{ file: "test/damage/bits.test.ts" }],
  },
  {
    name: "settled-word-erased-last",
    breaks: "A cut erase of an old place looks like damage.",
    file,
    from: "for (let at = JOURNAL_PLACE - DATA_BLOCK; at >= 0; at -= DATA_BLOCK) {",
    to: "for (let at = 0; at < JOURNAL_PLACE; at += DATA_BLOCK) {",
    caughtBy: [cut("half: put"), cut("half: evict")],
  },
  {
    name: "lost-record-found-again",
    breaks: "What is left of a lost record stays after an older state was accepted, and the next mount doubts again.",
    file: "firmware/store/store.ts",
    from: "  if (status == Status.Ok) journal.forgetLost();\n",
    to: "",
    caughtBy: [{ file: "test/damage/bits.test.ts", test: "is over once the set was accepted" }],
  },
  {
    name: "lost-record-erased-before-accept",
    breaks:
      "What is left of a lost record goes with the first step of accepting an older state, and a cut then hides the loss.",
    file,
    from: " || target == broken) continue;",
    to: ") continue;",
    caughtBy: [cut("a lost record: accept")],
  },
];
