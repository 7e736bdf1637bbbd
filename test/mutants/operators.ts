/** Planted bugs around operators and refused handshakes. SPEC.md §11. */
import type { Mutant } from "./mutant.js";

const FILE = "firmware/operator/operators.ts";
const REFUSALS = "firmware/operator/refusals.ts";
const PREPARED = "test/session/prepared.test.ts";
const OPERATORS = "test/cuts/operators.test.ts";

export const operators: readonly Mutant[] = [
  {
    name: "key-pair-used-twice",
    breaks: "The key pair of a handshake is left for the next one.",
    file: "firmware/session/noise.ts",
    from: "  mixKey(EPHEMERAL, 32); // ee\n  forget();",
    to: "  mixKey(EPHEMERAL, 32); // ee",
    caughtBy: [{ file: PREPARED }],
  },
  {
    name: "key-pair-kept",
    breaks: "A session that ends leaves the key pair that was made in it.",
    file: "firmware/session/session.ts",
    from: "  channel.close(RUNNING);\n  noise.forget();",
    to: "  channel.close(RUNNING);",
    caughtBy: [{ file: PREPARED }],
  },
  {
    name: "noise-asked-at-every-turn",
    breaks: "A dead noise source is asked again and again while nobody wants anything.",
    file: "firmware/idle.ts",
    from: "else if (noise.prepare() != Status.Ok) interrupt();",
    to: "else noise.prepare();",
    caughtBy: [{ file: PREPARED }],
  },
  {
    name: "old-key-erased-before-commit",
    breaks: "A change of operators that was cut leaves an operator without a key.",
    file: FILE,
    from: `  const status = journal.commit();
  if (status != Status.Ok) return status;
  // what is left`,
    to: `  if (first >= 0) erase(first);
  if (second >= 0) erase(second);
  const status = journal.commit();
  if (status != Status.Ok) return status;
  // what is left`,
    caughtBy: [{ file: OPERATORS, test: "of a key rotated again" }],
  },
  {
    name: "operator-place-in-use-reused",
    breaks: "A new key is written over one that counts until the change is committed.",
    file: FILE,
    from: "if (!state.isOperator(CURRENT, place) && !state.isOperator(NEXT, place)) return place;",
    to: "if (!state.isOperator(NEXT, place)) return place;",
    caughtBy: [{ file: "test/torture/torture.test.ts", test: "a rotated key: another role" }],
  },
  {
    name: "operator-place-not-erased",
    breaks: "A key is written to a place whose last erase may have been cut.",
    file: FILE,
    from: "  if (erase(place) != Status.Ok) return Status.MediumFailed;\n",
    to: "",
    caughtBy: [{ file: "test/session/places.test.ts" }],
  },
  {
    name: "operator-not-read-back",
    breaks: "A key that the medium kept wrongly is committed: it opens nothing.",
    file: FILE,
    from: "return equal(PAGE, OPERATOR, OPERATOR_PLACE) ? Status.Ok : Status.MediumFailed;",
    to: "return Status.Ok;",
    caughtBy: [{ file: "test/store/silent.test.ts" }],
  },
  {
    name: "operator-tag-not-checked",
    breaks: "A place that was changed opens sessions under a role that nobody gave.",
    file: FILE,
    from: "equal(TAG, OPERATOR + OPERATOR_OFF_TAG, 16) && <i32>",
    to: "<i32>",
    caughtBy: [{ file: "test/session/places.test.ts" }],
  },
  {
    name: "old-key-kept-after-use-of-new",
    breaks: "A rotated key goes on to open sessions.",
    file: FILE,
    from: `  state.setOperator(NEXT, place, true, false);
  if (old >= 0) state.setOperator(NEXT, old, false, false);`,
    to: "  state.setOperator(NEXT, place, true, false);",
    caughtBy: [{ file: "test/session/operators.test.ts" }],
  },
  {
    name: "refusals-written-in-place",
    breaks: "A cut while refusals are written loses all that were counted before.",
    file: REFUSALS,
    from: "REFUSALS_OFFSET + (sequence % REFUSAL_PLACES) * REFUSAL_PLACE;",
    to: "REFUSALS_OFFSET;",
    caughtBy: [{ file: "test/session/counts.test.ts" }],
  },
  {
    name: "refusals-not-erased",
    breaks: "Refusals are written over older ones.",
    file: REFUSALS,
    from: "if (board.erase(Region.Data, offset) == Status.Ok) board.program",
    to: "board.program",
    caughtBy: [{ file: "test/session/counts.test.ts" }],
  },
  {
    name: "refusals-mac-not-checked",
    breaks: "Counts that were torn or changed are told.",
    file: REFUSALS,
    from: "    if (!equal(TAG, PAGE + REFUSAL_OFF_MAC, 16)) continue;\n",
    to: "",
    caughtBy: [{ file: "test/session/counts.test.ts" }],
  },
];
