/** Where power is cut: every command that changes something, from every kind of state that a store can be in. Three blocks of two slots
 *  where nothing else is said, so that every few changes reclaim. */
import type { Random } from "../../board/virtual/prng.js";
import { CUSTODY_PLACE } from "../../firmware/defs/custody.js";
import { BODY_OFF_ERASES, BODY_OFF_LIVE, JOURNAL_PLACE } from "../../firmware/defs/journal.js";
import { JOURNAL_OFFSET, UNIT } from "../../firmware/defs/medium.js";
import { QUIET_MS, Role } from "../../firmware/defs/session.js";
import { HEADER_MAGIC, HEADER_OFF_MAC } from "../../firmware/defs/slot.js";
import { scene } from "../cuts/changes.js";
import type { Change } from "../cuts/look.js";
import type { Device } from "../device/device.js";
import { changeData, changeSlots, flip, forgeJournal, newestPlace } from "../store/damage.js";
import { load, type Media, save } from "./film.js";

export interface Scene {
  name: string;
  /** Makes the state; the store is off, and mounts without repair. */
  state: () => Media;
  change: Change;
}

const UNITS = 86; // of a slot of changes.ts' store
const WORN = 300; // more than WEAR_SPREAD apart, firmware/store/space.ts

/** All scenes, on one device. States are made when they are asked for. */
export function scenesOf(device: Device, random: Random): Scene[] {
  const made = scene(device, random);
  const { store, storeOf, put, evict, replace, relabel, policy, generate, attach, first, cutAt } = made;
  const { filekey, reserve, renew, bury } = made;
  const { operator, rotate, role, remove, use, finish, epoch, reset, accept, refused, provision, provisionAs } = made;

  const admin = [operator("admin"), use("admin")];
  const user = [operator("user", Role.User), use("user")];
  /** A quiet time after a change: what changes to come would erase is erased in advance. */
  const rested =
    (change: Change): Change =>
    (to) => {
      change(to);
      to.device.wait(QUIET_MS + 100);
    };
  const records = [put(20, "a"), put(30, "b"), put(40, "c")];
  const lived = [...records, evict(0), put(60, "d"), evict(1)];
  const reclaiming = put(70, "e");
  const roomy = provisionAs({ units: 86, blocks: 4 });
  const twoClasses = provisionAs({ units: 86, blocks: 3 }, { units: 16, blocks: 2 });

  /** A state after something happened to the media of another one, and after the boot that follows. */
  function after(media: Media, happens: () => void): Media {
    load(device, media);
    happens();
    device.boot();
    return save(device);
  }
  const damagedHeader = () => changeSlots(device, firstHeader(device) + HEADER_OFF_MAC, flip);
  const wear = (erases: (block: number) => number) =>
    forgeJournal(
      device,
      2,
      (record) => {
        for (let block = 0; block < 3; block++) record.writeUInt16LE(erases(block), BODY_OFF_ERASES + 2 * block);
      },
      UNITS,
    );
  const lent = (change: Change, operation: number, from: () => Media) => (): Media =>
    after(cutAt(operation, change, from()), () => {});

  const states: Record<string, () => Media> = {
    blank: () => first,
    "a provisioning that was cut": lent(provision, 47, () => first),
    empty: () => store(),
    half: () => store(put(20, "a"), put(30, "b")),
    full: () => store(...records),
    "in use": () => store(...lived),
    ready: () => store(put(20, "a"), generate(1, "key"), ...admin, ...user, finish),
    "a rotated key": () => store(put(20), ...admin, ...user, rotate("user", 1), finish),
    "a burnt slot": lent(put(300), 22, () => store(put(20, "a"))),
    "a spare half written": lent(reclaiming, 20, () => store(...lived)),
    "an erased spare": () => store(...records, evict(0, true), put(50), evict(0), put(60), evict(1)),
    "two classes": () => storeOf(twoClasses, put(20, "a", 0), put(30, "b", 1), put(200, "c", 1), evict(1)),
    "a worn spare": () => after(store(...lived), () => wear((block) => (block === 0 ? 0 : WORN))),
    "one custody copy": () => after(store(put(20)), () => changeData(device, CUSTODY_PLACE + 30, flip)),
    filekeys: () =>
      storeOf(roomy, put(20), filekey("files"), reserve(1, 5n), filekey("more"), reserve(2, 7n), reserve(1, 3n)),
    degraded: () => after(store(...records, ...admin), damagedHeader),
    "a lost record": () => after(store(put(20, "a"), ...admin, put(30, "lost")), () => loseNewest(device)),
    "a lost evict": () => after(store(...records, ...admin, evict(0)), () => loseNewest(device)),
  };

  const changes: Record<string, [string, Change][]> = {
    blank: [["provision", provision]],
    "a provisioning that was cut": [["provision", provision]],
    empty: [
      ["put", put(300, "first")],
      ["generate", generate(1, "signs")],
      ["an operator", operator("admin")],
      ["epoch", epoch],
      ["a refused handshake", refused],
      ["reset", reset],
    ],
    half: [
      ["put", put(500, "second")],
      ["put of a large record", put(2000)],
      ["replace", replace(0, 400)],
      ["relabel", relabel(0, "new name")],
      ["policy", policy(0, 0)],
      ["generate", generate(6, "agrees")],
      ["evict", evict(1)],
      ["destroy", evict(0, true)],
      ["epoch", epoch],
      ["put, and a quiet time", rested(put(400))],
    ],
    full: [
      ["replace", replace(1, 40)],
      ["relabel", relabel(2, "new")],
      ["evict", evict(1)],
      ["destroy", evict(0, true)],
      ["reset", reset],
    ],
    "in use": [
      ["put that reclaims", reclaiming],
      ["generate that reclaims", generate(2, "note")],
      ["replace", replace(0, 50)],
      ["put that reclaims, and a quiet time", rested(reclaiming)],
      ["policy", policy(0, 3)],
      ["destroy", evict(0, true)],
    ],
    ready: [
      ["put", put(50)],
      ["a chain for a generated key", attach(1, 700)],
      ["replace of a generated key", replace(1, 64)],
      ["an operator", operator("more", Role.Auditor)],
      ["rotate", rotate("user", 1)],
      ["another role", role("user", Role.Auditor)],
      ["the end of an operator", remove("user")],
      ["a refused handshake", refused],
      ["evict", evict(0)],
      ["reset", reset],
    ],
    "a rotated key": [
      ["its first use", use("user", 1)],
      ["rotated again", rotate("user", 2)],
      ["another role", role("user", Role.Auditor)],
      ["the end of an operator", remove("user")],
      ["finish once more, and an epoch", epoch],
    ],
    "a burnt slot": [
      ["put", put(80)],
      ["replace", replace(0, 90)],
      ["destroy", evict(0, true)],
      ["generate", generate(1, "key")],
    ],
    "a spare half written": [
      ["put that reclaims", put(90)],
      ["replace", replace(0, 60)],
      ["destroy", evict(0, true)],
    ],
    "an erased spare": [
      ["put that reclaims", put(70)],
      ["replace", replace(0, 70)],
    ],
    "two classes": [
      ["put in the first", put(40, "d", 0)],
      ["put in the second", put(50, "e", 1)],
      ["replace in the second", replace(1, 300)],
      ["evict in the second, and a quiet time for both", rested(evict(1))],
      ["destroy in the second", evict(1, true)],
    ],
    "a worn spare": [
      ["put that moves a cold block", put(70)],
      ["replace", replace(0, 60)],
      ["destroy that moves a cold block", evict(1, true)],
    ],
    "one custody copy": [
      ["put, which mends it", put(60)],
      ["evict", evict(0)],
      ["reset", reset],
    ],
    filekeys: [
      ["create", filekey("another")],
      ["reserve", reserve(1, 10n)],
      ["renew", renew(1)],
      ["delete", bury(1, false)],
      ["delete that destroys", bury(2, true)],
      ["put", put(60)],
      ["reset", reset],
    ],
    degraded: [
      ["accept", accept],
      ["reset", reset],
    ],
    "a lost record": [
      ["accept", accept],
      ["reset", reset],
    ],
    "a lost evict": [["accept", accept]],
  };
  // finishing wants an admin; it stands alone
  const ended: Scene = { name: "an admin: finish", state: () => store(put(20), ...admin), change: finish };
  const all = Object.entries(changes).flatMap(([name, cut]) =>
    cut.map(([what, change]): Scene => ({ name: `${name}: ${what}`, state: states[name]!, change })),
  );
  return [...all, ended];
}

/** Offset of the first header in the slot region. */
function firstHeader(device: Device): number {
  const bytes = device.slots.bytes.subarray(device.slotsOffset);
  let at = 0;
  while (bytes.readUInt16LE(at) !== HEADER_MAGIC) at += UNIT;
  return at;
}

/** Changes two bits in the body of the newest journal record: more than can be put right. */
function loseNewest(device: Device): void {
  const newest = JOURNAL_OFFSET + newestPlace(device) * JOURNAL_PLACE;
  for (const offset of [BODY_OFF_LIVE, BODY_OFF_ERASES]) changeData(device, newest + offset, flip);
}
