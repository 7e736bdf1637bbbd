/** The transport key: an X25519 key of a board that holds no store, to which an image is sealed. SPEC.md §20. It stands in the second custody
 *  place, where nothing but custody's own functions reach it, and is overwritten when the image was opened, or a store made without one. */
import { wipe } from "../crypto/bytes";
import { publish } from "../crypto/declassify";
import { x25519Base } from "../crypto/x25519";
import { CUSTODY_OFF_ROOT, CUSTODY_PLACE } from "../defs/custody";
import { ImageState } from "../defs/image";
import { Status } from "../defs/status";
import { State } from "../defs/wire";
import { TAG, VAULT } from "../memory";
import * as entropy from "../store/entropy";
import * as store from "../store/store";
import * as vault from "../store/vault";
import * as standing from "./standing";

/** Writes the public half to `out`, 32 bytes; makes the key when there is none.
 *  Ok | AlreadyProvisioned | EntropyNotReady | MediumFailed | what the state calls for. */
export function provide(out: usize): Status {
  const life = store.lifeState();
  if (life != State.Blank) {
    const status = store.mayList();
    return status == Status.Ok ? Status.AlreadyProvisioned : status;
  }
  vault.close();
  let secret = vault.transportKey();
  if (secret == 0) {
    secret = VAULT + CUSTODY_PLACE + CUSTODY_OFF_ROOT;
    wipe(VAULT + CUSTODY_PLACE, CUSTODY_PLACE);
    if (entropy.random(secret, 32) != Status.Ok) return Status.EntropyNotReady;
    if (vault.keepTransportKey() != Status.Ok) return Status.MediumFailed;
    if (standing.state() == ImageState.None) standing.set(ImageState.Awaited, 0, Status.Ok);
  }
  writePublic(secret, out);
  return Status.Ok;
}

/** The public half of a secret, which is no secret, to `out`. */
export function writePublic(secret: usize, out: usize): void {
  x25519Base(TAG, secret);
  publish(out, TAG, 32);
}
