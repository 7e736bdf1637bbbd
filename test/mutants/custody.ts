/** Planted bugs in making, keeping and losing a root. DESIGN.md §3.3, §3.4. */
import type { Check, Mutant } from "./mutant.js";

const STORE = "firmware/store/store.ts";
const VAULT = "firmware/store/vault.ts";
const RESET = "firmware/store/reset.ts";
const CUSTODY: Check = { file: "test/store/custody.test.ts", test: "works with either copy damaged" };
const PROVISION: Check = { file: "test/cuts/provision.test.ts", test: "survives any three cuts" };
/** A reset that is cut at each of its operations, and again and again. */
const RESET_CUTS: readonly Check[] = [
  { file: "test/torture/torture.test.ts", test: "ready: reset" },
  { file: "test/cuts/operators.test.ts", test: "cut again and again ends" },
];

export const custody: readonly Mutant[] = [
  {
    name: "custody-mac-not-checked",
    breaks: "A damaged copy of the root is taken, and everything sealed under the right one is lost.",
    file: VAULT,
    from: "return equal(TAG, at + CUSTODY_OFF_MAC, 16);",
    to: "return true;",
    caughtBy: [CUSTODY],
  },
  {
    name: "custody-not-mended",
    breaks: "A damaged copy of the root stays damaged, until the other one goes as well.",
    file: "firmware/store/journal.ts",
    from: "  mend();\n",
    to: "",
    caughtBy: [CUSTODY],
  },
  {
    name: "good-copy-rewritten",
    breaks: "Mending erases the copy of the root that is whole.",
    file: VAULT,
    from: "writeCopy(custody() == VAULT ? 1 : 0, custody());",
    to: "writeCopy(custody() == VAULT ? 0 : 1, custody());",
    caughtBy: [CUSTODY],
  },
  {
    name: "custody-not-read-back",
    breaks: "A copy of the root that the medium kept wrongly counts as written.",
    file: VAULT,
    from: "return equal(from, back, CUSTODY_PLACE) ? Status.Ok : Status.MediumFailed;",
    to: "return Status.Ok;",
    caughtBy: [{ file: "test/store/silent.test.ts" }],
  },
  {
    name: "old-root-not-cleared",
    breaks: "Provisioning announces a new root while an old one still verifies.",
    file: STORE,
    from: "  if (status == Status.Ok) status = vault.clear();\n  if (status == Status.Ok) status = journal.announce();",
    to: "  if (status == Status.Ok) status = journal.announce();",
    caughtBy: [PROVISION],
  },
  {
    name: "root-not-announced",
    breaks: "A provisioning that was cut leaves a device that looks damaged, not blank.",
    file: STORE,
    from: "  if (status == Status.Ok) status = journal.announce();\n",
    to: "",
    caughtBy: [PROVISION],
  },
  {
    name: "first-place-not-cleared",
    breaks: "A first record that was cut reads as none at one boot and as one at the next.",
    file: STORE,
    from: "return isForImage() ? forgetTraces() : afterReset();",
    to: "return State.Blank;",
    caughtBy: [PROVISION],
  },
  {
    name: "reset-erases-journal-first",
    breaks: "A reset that was cut leaves a root whose journal is gone.",
    file: RESET,
    from: "  if (status == Status.Ok) status = vault.clear();\n",
    to: "",
    also: [
      {
        file: RESET,
        from: "  if (status == Status.Ok) status = forget(place);\n",
        to: "  if (status == Status.Ok) status = forget(place);\n  if (status == Status.Ok) status = vault.clear();\n",
      },
    ],
    caughtBy: [{ file: "test/cuts/operators.test.ts", test: "erases the root before" }],
  },
  {
    name: "reset-not-announced",
    breaks: "A reset that was cut after the root has gone leaves a damaged device.",
    file: RESET,
    from: "place < PLACES ? announce(place) : Status.Ok;",
    to: "Status.Ok;",
    caughtBy: RESET_CUTS,
  },
  {
    name: "reset-announced-in-place",
    breaks: "A reset that goes on erases the only announcement there is.",
    file: RESET,
    from: "place < PLACES && announces(place)) place++;",
    to: "place < PLACES - 1 && !announces(place)) place++;",
    caughtBy: RESET_CUTS,
  },
  {
    name: "reset-announcement-left",
    breaks: "A reset leaves its announcement, and the next mount resets what was provisioned since.",
    file: RESET,
    from: "return status == Status.Ok && place < PLACES ? erase(place) : status;",
    to: "return status;",
    also: [
      {
        file: "firmware/store/store.ts",
        from: "  let status = reset.forget(-1);\n",
        to: "  let status: Status = Status.Ok;\n",
      },
    ],
    caughtBy: RESET_CUTS,
  },
];
