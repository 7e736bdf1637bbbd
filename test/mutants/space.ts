/** Planted bugs in space: which slot is free, what the spare is, and what is erased when. DESIGN.md §4. */
import type { Check, Mutant } from "./mutant.js";

const SPACE = "firmware/store/space.ts";
/** One of the changes that are cut at each of their operations. */
const cut = (test: string): Check => ({ file: "test/torture/torture.test.ts", test });
const FAILING = "test/cuts/failing.test.ts";
const IDLE = "test/store/idle.test.ts";
const RECLAIM = "test/store/reclaim.test.ts";

export const space: readonly Mutant[] = [
  {
    name: "dirty-taken-for-free",
    breaks: "A slot that is not certainly erased is written.",
    file: "firmware/store/state.ts",
    from: "return !isLive(record, slot) && !isDirty(record, slot);",
    to: "return !isLive(record, slot);",
    caughtBy: [{ file: RECLAIM }],
  },
  {
    name: "spare-not-erased",
    breaks: "A spare with a single dead slot is written without an erase.",
    file: SPACE,
    from: "const erase = state.deadInBlock(CURRENT, spare) > 0;",
    to: "const erase = state.deadInBlock(CURRENT, spare) > 1;",
    caughtBy: [{ file: "test/store/spare.test.ts" }],
  },
  {
    name: "spare-erased-by-sight",
    breaks: "A spare that begins with 0xFF is taken for erased, although its erase may have been cut.",
    file: SPACE,
    from: "    if (board.erase(Region.Slots, spare * SLOT_BLOCK) != Status.Ok) return false;\n",
    to: `    board.read(Region.Slots, spare * SLOT_BLOCK, PAGE, 4);
    const blank = load<u32>(PAGE) == 0xffffffff;
    if (!blank && board.erase(Region.Slots, spare * SLOT_BLOCK) != Status.Ok) return false;
`,
    also: [{ file: SPACE, from: "import { CURRENT, NEXT } from", to: "import { CURRENT, NEXT, PAGE } from" }],
    caughtBy: [cut("in use: put that reclaims")],
  },
  {
    name: "spare-filled",
    breaks: "Records go to the last empty block: nothing is left to reclaim into.",
    file: SPACE,
    from: "return empty > 1 ? best",
    to: "return empty > 0 ? best",
    caughtBy: [{ file: "test/store/capacity.test.ts" }],
  },
  {
    name: "begun-however-worn",
    breaks:
      "A block that was begun is filled before all others, though room is made elsewhere: a class with room says that it is full.",
    file: SPACE,
    from: "    if (erases > most) continue;\n",
    to: "",
    caughtBy: [{ file: "test/store/idle.test.ts" }],
  },
  {
    name: "victim-not-dirty",
    breaks: "The block that was copied away is taken for erased.",
    file: SPACE,
    from: "    to++;\n  }\n",
    to: "    to++;\n  }\n  state.clean(NEXT, victim);\n",
    caughtBy: [{ file: RECLAIM }],
  },
  {
    name: "erase-not-counted",
    breaks: "The erase of a spare is missing in the erase counts: wear is not levelled.",
    file: SPACE,
    from: "    state.countErase(NEXT, spare);\n",
    to: "",
    caughtBy: [{ file: RECLAIM }],
  },
  {
    name: "cold-block-not-moved",
    breaks: "A block whose records never change is never erased, and the others wear out.",
    file: SPACE,
    from: "return cold >= 0 && state.erases(CURRENT, empty)",
    to: "return cold < 0 && state.erases(CURRENT, empty)",
    caughtBy: [{ file: RECLAIM }],
  },
  {
    name: "copy-without-intent",
    breaks: "Copying into an erased spare is not announced: a cut leaves slots that are taken for erased.",
    file: SPACE,
    from: "erase ? INTENT_BLOCK | INTENT_ERASES : INTENT_BLOCK",
    to: "erase ? INTENT_BLOCK | INTENT_ERASES : 0",
    caughtBy: [cut("an erased spare: put that reclaims")],
  },
  {
    name: "erase-failure-ignored",
    breaks: "Records are copied into a block whose erase failed.",
    file: SPACE,
    from: "if (board.erase(Region.Slots, spare * SLOT_BLOCK) != Status.Ok) return false;",
    to: "board.erase(Region.Slots, spare * SLOT_BLOCK);",
    caughtBy: [{ file: FAILING }],
  },
  {
    name: "copy-failure-ignored",
    breaks: "A record that could not be copied is committed at its new place, and lost.",
    file: SPACE,
    from: "if (slots.copy(slot, to) != Status.Ok) return false;",
    to: "slots.copy(slot, to);",
    caughtBy: [{ file: FAILING }],
  },
  {
    name: "no-slot-for-replace",
    breaks: "Puts take the slot that a full store needs to replace a record.",
    file: "firmware/store/geometry.ts",
    from: "return (blocks(c) - 1) * perBlock(c) - 1;",
    to: "return (blocks(c) - 1) * perBlock(c);",
    caughtBy: [{ file: "test/store/capacity.test.ts" }],
  },
  {
    name: "erased-after-commit",
    breaks: "A block counts as erased before it is.",
    file: SPACE,
    from: `  if (board.erase(Region.Slots, block * SLOT_BLOCK) != Status.Ok) {
    journal.abandon();
    return Status.MediumFailed;
  }
  state.clean(NEXT, block);
  state.countErase(NEXT, block);
  return journal.commit();`,
    to: `  state.clean(NEXT, block);
  state.countErase(NEXT, block);
  const committed = journal.commit();
  board.erase(Region.Slots, block * SLOT_BLOCK);
  return committed;`,
    caughtBy: [cut("half: put, and a quiet time")],
  },
  {
    name: "erased-unused",
    breaks: "What is erased in advance is erased again when it still has slots to be filled.",
    file: SPACE,
    from: "state.liveInBlock(CURRENT, block) == 0 && state.freeInBlock(CURRENT, block) > 0) return -1;",
    to: "state.freeInBlock(CURRENT, block) == geometry.perBlock(c)) return -1;",
    caughtBy: [{ file: IDLE }],
  },
  {
    name: "begun-block-not-first",
    breaks: "A block that was begun is left for an erased one, and its free slots are erased with it.",
    file: SPACE,
    from: "state.deadInBlock(CURRENT, block) > 0 ? erases - BEGUN : erases;",
    to: "erases;",
    caughtBy: [{ file: IDLE }],
  },
  {
    name: "erase-in-advance-not-ended",
    breaks: "A medium that failed in an erase in advance is tried again at every turn.",
    file: "firmware/store/store.ts",
    from: "if (mayChange() != Status.Ok || !space.eraseAhead()) journal.rest();",
    to: "if (mayChange() == Status.Ok && !space.eraseAhead()) return;",
    caughtBy: [{ file: IDLE }, { file: "test/cuts/idle.test.ts" }],
  },
  {
    name: "erase-at-power-up",
    breaks: "A power-up in which nothing was changed erases.",
    file: "firmware/store/journal.ts",
    from: "  changed = false;\n  writable",
    to: "  changed = true;\n  writable",
    caughtBy: [{ file: IDLE }],
  },
  {
    name: "erase-while-one-waits",
    breaks: "Whoever waits for a touch waits for an erase as well.",
    file: "firmware/idle.ts",
    from: " || session.isWaiting()",
    to: "",
    caughtBy: [{ file: IDLE }],
  },
  {
    name: "quiet-time-counted-from-the-request",
    breaks: "An answer that took long is followed by an erase at once.",
    file: "firmware/core.ts",
    from: "  idle.interrupt();\n  return link.give();",
    to: "  return link.give();",
    caughtBy: [{ file: IDLE }],
  },
  {
    name: "destroy-not-levelled",
    breaks: "The same block bears every destroy.",
    file: "firmware/store/store.ts",
    from: "  if (destroyed >= 0) settle(space.level(geometry.classOfBlock(destroyed)));\n",
    to: "",
    caughtBy: [{ file: "test/store/lifetime.test.ts" }],
  },
];
