/** Signing with a record's Ed25519 key. Each usage class signs messages of one form only, and no message has two of them: a signature that
 *  was given for one purpose is good for no other. SPEC.md §12 has the table. */

import { equal, wipe } from "../crypto/bytes";
import { reveal } from "../crypto/declassify";
import * as ed25519 from "../crypto/ed25519";
import { ALG_ED25519, PART_HEADER, Usage } from "../defs/record";
import { Status } from "../defs/status";
import { KEY_SIZE, NAMESPACE_MAX, SIGN_MAX, STATEMENT_PREFIX } from "../defs/use";
import { Key } from "../defs/wire";
import { setDetail } from "../store/store";
import { PREFIX } from "./attest";
import { algorithmFor, firstSecret, publicOf } from "./keys";
import { isNote } from "./note";
import * as sshsig from "./sshsig";
import { beginsAsRequest, keyOf } from "./userauth";

const BLOB: usize = memory.data(sshsig.SSHSIG_MAX); // what an sshsig key signs; wiped by run()

function refuse(status: Status, detail: u32): Status {
  setDetail(detail);
  return status;
}

function startsWith(data: usize, length: i32, prefix: usize, prefixLength: i32): bool {
  return length >= prefixLength && equal(data, prefix, prefixLength);
}

/** The usage class that messages like this one belong to; Raw when it is none of the others. */
function usageOf(data: usize, length: i32): Usage {
  if (startsWith(data, length, sshsig.MAGIC, sshsig.MAGIC_SIZE)) return Usage.SshSig;
  if (startsWith(data, length, PREFIX, STATEMENT_PREFIX)) return Usage.Attest;
  if (beginsAsRequest(data, length)) return Usage.SshUserAuth;
  return isNote(data, length) ? Usage.Note : Usage.Raw;
}

/** Everything that can be said against a request before the record's body is opened. `data`: for sshsig the digest, otherwise the message.
 *  Ok | WrongUsage (detail: the usage) | BadArgument (detail: Namespace or Data) | ForeignMessage (detail: the other usage) | BadMessage. */
export function check(usage: u32, data: usize, length: i32, namespaceLength: i32, hasNamespace: bool): Status {
  data = reveal(data);
  if (algorithmFor(usage) != ALG_ED25519) return refuse(Status.WrongUsage, usage);
  const isSshSig = usage == Usage.SshSig;
  if (hasNamespace != isSshSig || (isSshSig && <u32>(namespaceLength - 1) >= <u32>NAMESPACE_MAX))
    return refuse(Status.BadArgument, Key.Namespace);
  if (length > SIGN_MAX) return refuse(Status.BadArgument, Key.Data);
  if (usage == Usage.Raw) {
    const foreign = usageOf(data, length);
    return foreign == Usage.Raw ? Status.Ok : refuse(Status.ForeignMessage, foreign);
  }
  const good = isSshSig
    ? sshsig.isDigest(length)
    : usage == Usage.Note
      ? isNote(data, length)
      : keyOf(data, length) != 0;
  return good ? Status.Ok : Status.BadMessage;
}

/** Signs what check() let pass: 64 bytes to `signature`, 32 to `publicKey`, which overlap nothing else. `isGenerated`: the record's origin.
 *  Ok | NoSuchKey | KeyMismatch | BadMessage (the authentication request names another key). Refused, `signature` is untouched. */
export function run(
  signature: usize,
  publicKey: usize,
  body: usize,
  bodyLength: i32,
  isGenerated: bool,
  usage: u32,
  data: usize,
  length: i32,
  namespace: usize,
  namespaceLength: i32,
): Status {
  const secret = firstSecret(body, bodyLength, ALG_ED25519);
  if (secret == 0) return Status.NoSuchKey;
  const status = publicOf(publicKey, secret, body + bodyLength, isGenerated);
  if (status != Status.Ok) return status;
  if (usage == Usage.SshUserAuth && !equal(keyOf(reveal(data), length), publicKey, KEY_SIZE)) return Status.BadMessage;
  if (usage == Usage.SshSig) {
    length = sshsig.build(BLOB, namespace, namespaceLength, data, length);
    data = BLOB;
  }
  ed25519.sign(signature, secret + PART_HEADER, publicKey, data, length);
  wipe(BLOB, sshsig.SSHSIG_MAX);
  return Status.Ok;
}
