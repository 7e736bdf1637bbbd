/** Planted bugs in slots: how a record is sealed, written, believed and given up. SPEC.md §4, §5. */
import type { Mutant } from "./mutant.js";

const STORE = "firmware/store/store.ts";
const SLOT = "firmware/store/slot.ts";
const HEADER = "firmware/store/header.ts";
const DIGEST = "firmware/store/digest.ts";
const FAILING = "test/cuts/failing.test.ts";
const SEALING = "test/store/sealing.test.ts";
const SILENT = "test/store/silent.test.ts";
const DEGRADED = "test/store/degraded.test.ts";

export const slots: readonly Mutant[] = [
  {
    name: "header-before-ciphertext",
    breaks: "A header that verifies stands over a body that is not written yet.",
    file: SLOT,
    from: `  for (let unit = 0; unit < used; unit++) {
    fillPage(`,
    to: `  if (programUnit(offset, head) != Status.Ok) return Status.MediumFailed;
  for (let unit = 0; unit < used; unit++) {
    fillPage(`,
    also: [{ file: SLOT, from: "  return programUnit(offset, head);", to: "  return Status.Ok;" }],
    caughtBy: [{ file: SEALING }],
  },
  {
    name: "live-before-written",
    breaks: "A record is committed before its slot is written: a cut leaves a live slot without a record.",
    file: STORE,
    from: "if (slots.write(slot, FRESH, label, body) == Status.Ok) return commitVersion(slot, old);",
    to: "if (commitVersion(slot, old) == Status.Ok) return slots.write(slot, FRESH, label, body);",
    caughtBy: [{ file: "test/store/records.test.ts" }],
  },
  {
    name: "write-failure-ignored",
    breaks: "A record of which a unit could not be programmed is committed.",
    file: SLOT,
    from: "if (programUnit(offset + HEADER_SIZE + unit * UNIT, PAGE) != Status.Ok) return Status.MediumFailed;",
    to: "programUnit(offset + HEADER_SIZE + unit * UNIT, PAGE);",
    caughtBy: [{ file: FAILING }],
  },
  {
    name: "slot-not-read-back",
    breaks: "A unit that the medium kept wrongly is committed.",
    file: SLOT,
    from: "return equal(PLACE, from, UNIT) ? Status.Ok : Status.MediumFailed;",
    to: "return Status.Ok;",
    caughtBy: [{ file: SILENT }],
  },
  {
    name: "retry-seals-twice",
    breaks: "After a slot that failed, the next one is written with the ciphertext sealed once more.",
    file: STORE,
    from: "    aead.open(seal, PAGE, FRESH, HEADER_OFF_TAG, body, length, FRESH + HEADER_OFF_TAG); // back",
    to: "    // back",
    caughtBy: [{ file: FAILING }],
  },
  {
    name: "nonce-kept-on-retry",
    breaks: "The random part of the nonce is drawn once for all slots that are tried.",
    file: STORE,
    from: "if (entropy.nonce(FRESH + HEADER_OFF_NONCE, 16) != Status.Ok)",
    to: "if (attempt == 0 && entropy.nonce(FRESH + HEADER_OFF_NONCE, 16) != Status.Ok)",
    caughtBy: [{ file: SEALING }],
  },
  {
    name: "nonce-kept-on-replace",
    breaks: "All versions of a record share the random part of their nonce.",
    file: STORE,
    from: "if (entropy.nonce(FRESH + HEADER_OFF_NONCE, 16) != Status.Ok)",
    to: "if (operation == Operation.Put && entropy.nonce(FRESH + HEADER_OFF_NONCE, 16) != Status.Ok)",
    caughtBy: [{ file: SEALING }],
  },
  {
    name: "nonce-without-sequence",
    breaks: "The nonce of a new version carries the sequence of the first one.",
    file: STORE,
    from: "store<u64>(PAGE, load<u32>(head, HEADER_OFF_SEQUENCE));",
    to: "store<u64>(PAGE, load<u32>(head, HEADER_OFF_CREATED));",
    caughtBy: [{ file: SEALING }],
  },
  {
    name: "seal-not-checked",
    breaks: "A body whose seal does not verify is given out.",
    file: STORE,
    from: "  if (isGenuine) return Status.Ok;",
    to: "  if (isGenuine || out != 0) return Status.Ok;",
    caughtBy: [{ file: DEGRADED }],
  },
  {
    name: "tag-not-checked",
    breaks: "Whatever was sealed opens, changed or not.",
    file: "firmware/crypto/chacha20poly1305.ts",
    from: "const genuine = equal(TAG, tag, 16);",
    to: "const genuine = true;",
    caughtBy: [{ file: DEGRADED }],
  },
  {
    name: "decrypted-before-check",
    breaks: "What is not genuine is decrypted before its tag is looked at.",
    file: "firmware/crypto/chacha20poly1305.ts",
    from: "if (genuine) chacha.xor(data, length);",
    to: "chacha.xor(data, length);",
    caughtBy: [{ file: "test/session/forged.test.ts" }],
  },
  {
    name: "header-mac-not-checked",
    breaks: "A header that nobody vouches for is listed and believed.",
    file: HEADER,
    from: "  if (!equal(TAG, HEADER + HEADER_OFF_MAC, 16)) return Status.Corrupt;\n",
    to: "",
    caughtBy: [{ file: DEGRADED }],
  },
  {
    name: "label-hash-not-checked",
    breaks: "A label that was changed on the medium is shown.",
    file: HEADER,
    from: "return equal(TAG, HEADER + HEADER_OFF_LABEL_HASH, 16) ? Status.Ok : Status.Corrupt;",
    to: "return Status.Ok;",
    caughtBy: [{ file: DEGRADED }],
  },
  {
    name: "digest-by-xor",
    breaks: "The leaf of a block does not tell in which slot a record stands, and two equal ones cancel each other.",
    file: DIGEST,
    from: "  else keyed(TAG, key(KeyName.Header), LEAF_INPUT, length);",
    to: `  else {
    wipe(TAG, 32);
    for (let i = 0; i < length; i += 8) {
      const at = TAG + (i & 8);
      store<u64>(at, load<u64>(at) ^ load<u64>(LEAF_INPUT + i));
    }
  }`,
    caughtBy: [{ file: SEALING }],
  },
  {
    name: "digest-always-stands",
    breaks: "A block that changed behind the store's back is sealed into the next digest.",
    file: DIGEST,
    from: "return equal(TAG, LEAVES + block * 16, 16);",
    to: "return true;",
    caughtBy: [{ file: DEGRADED }],
  },
  {
    name: "digest-not-checked",
    breaks: "An old image of a block or slot goes unnoticed at mount.",
    file: DIGEST,
    from: "return equal(TAG, CURRENT + BODY_OFF_DIGEST, 16);",
    to: "return true;",
    caughtBy: [{ file: DEGRADED }],
  },
  {
    name: "old-version-not-buried",
    breaks: "A replaced record stands in two live slots, and its old version comes back with an evict.",
    file: STORE,
    from: "    state.bury(NEXT, old);\n",
    to: "",
    caughtBy: [{ file: "test/store/reclaim.test.ts" }],
  },
  {
    name: "token-not-looked-up",
    breaks: "A put that is repeated after a cut stores its record twice.",
    file: STORE,
    from: "const before = replayed(token, 0, body);",
    to: "const before: i32 = 0;",
    caughtBy: [{ file: "test/store/tokens.test.ts" }],
  },
  {
    name: "accept-keeps-copies",
    breaks: "Accepting a degraded set leaves two live slots of one handle: one outlives its evict.",
    file: STORE,
    from: "(header.read(slot) != Status.Ok || isOutdone(slot))",
    to: "header.read(slot) != Status.Ok",
    caughtBy: [{ file: DEGRADED }],
  },
  {
    name: "headerless-residue-left",
    breaks: "Destroy leaves ciphertext whose header was lost in an erase that was cut.",
    file: STORE,
    from: "} else if (state.erases(CURRENT, block) > 0) {",
    to: "} else if (state.erases(CURRENT, block) > 0xffff) {",
    caughtBy: [{ file: "test/store/destroy.test.ts" }],
  },
  {
    name: "later-header-ignored",
    breaks: "An old image of the data flash is not noticed although newer records stand in the slots.",
    file: "firmware/store/header.ts",
    from: "if (read(slot) == Status.Ok && isNewest()) journal.doubt(",
    to: "if (read(slot) == Status.Ok && false) journal.doubt(",
    caughtBy: [{ file: "test/damage/rollback.test.ts" }],
  },
];
