/** The words of the command line, manifests and JSON for the numbers of firmware/defs. */
import {
  Atomic,
  BoundMedium,
  ConstantTime,
  Engine,
  EntropySource,
  PresenceSource,
  RootPlace,
  Sealing,
  Target,
} from "../firmware/defs/binding.js";
import { Custody } from "../firmware/defs/custody.js";
import { ImageState } from "../firmware/defs/image.js";
import {
  ALG_ED25519,
  ALG_ES256,
  ALG_ES384,
  ALG_NONE,
  ALG_PKCS8,
  ALG_X509_DER,
  ALG_X25519,
  Origin,
  PartKind,
  POLICY_EXPORTABLE,
  POLICY_PRESENCE_MASK,
  POLICY_PRESENCE_SHIFT,
  Presence,
  Tier,
  Usage,
} from "../firmware/defs/record.js";
import { OPERATOR_ID, Role } from "../firmware/defs/session.js";
import { State } from "../firmware/defs/wire.js";
import { isOperatorId } from "./client/answers.js";
import { UsageError } from "./client/errors.js";

/** A closed set of words, each for one number. */
export class Words<T extends number> {
  constructor(
    /** What the words are about, for errors. */
    readonly subject: string,
    readonly table: readonly (readonly [T, string])[],
  ) {}

  get all(): string[] {
    return this.table.map(([, word]) => word);
  }

  /** @returns the word, or the number in digits when it has none. */
  word(number: number): string {
    return this.table.find(([known]) => known === number)?.[1] ?? String(number);
  }

  /** @throws UsageError that lists the words */
  number(word: string): T {
    const found = this.table.find(([, known]) => known === word);
    if (found === undefined) throw new UsageError(`${this.subject}: expected ${this.all.join(", ")}; got "${word}".`);
    return found[0];
  }
}

export const USAGES = new Words<Usage>("usage", [
  [Usage.Opaque, "opaque"],
  [Usage.Raw, "raw"],
  [Usage.SshSig, "sshsig"],
  [Usage.SshUserAuth, "ssh-userauth"],
  [Usage.Note, "note"],
  [Usage.Attest, "attest"],
  [Usage.Agree, "agree"],
  [Usage.Certificate, "certificate"],
  [Usage.Filekey, "filekey"],
]);

/** Temp is missing because it is never stored. */
export const TIERS = new Words<Tier>("tier", [
  [Tier.Private, "private"],
  [Tier.Public, "public"],
]);

export const ORIGINS = new Words<Origin>("origin", [
  [Origin.Generated, "generated"],
  [Origin.Imported, "imported"],
]);

export const PRESENCES = new Words<Presence>("presence", [
  [Presence.Never, "never"],
  [Presence.Cached, "cached"],
  [Presence.Each, "each"],
]);

export const IMAGE_STATES = new Words<ImageState>("image", [
  [ImageState.None, "none"],
  [ImageState.Awaited, "awaited: the board has a transport key"],
  [ImageState.Foreign, "for another board"],
  [ImageState.Unopened, "not opened: damaged, of another format, or sealed to a key that is not here"],
  [ImageState.Stopped, "stopped"],
  [ImageState.Opening, "being opened"],
  [ImageState.Erasing, "being erased"],
]);
export const CUSTODIES = new Words<Custody>("custody", [
  [Custody.Device, "device"],
  [Custody.Injected, "injected"],
  [Custody.Simulated, "simulated"],
]);

export const KINDS = new Words<PartKind>("kind", [
  [PartKind.Signing, "signing key"],
  [PartKind.Agreement, "key agreement"],
  [PartKind.Chain, "certificate chain"],
  [PartKind.Opaque, "opaque"],
]);

export const ALGORITHMS = new Words<number>("algorithm", [
  [ALG_NONE, "none"],
  [ALG_ED25519, "Ed25519"],
  [ALG_ES256, "ES256"],
  [ALG_ES384, "ES384"],
  [ALG_X25519, "X25519"],
  [ALG_X509_DER, "X.509"],
  [ALG_PKCS8, "PKCS#8"],
]);

/** Roles that an operator can have. */
export const ROLES = new Words<Role>("role", [
  [Role.Auditor, "auditor"],
  [Role.User, "user"],
  [Role.Admin, "admin"],
]);

export const STATES = new Words<State>("state", [
  [State.Blank, "blank"],
  [State.Provisioning, "provisioning"],
  [State.Ready, "ready"],
  [State.Degraded, "degraded"],
  [State.ReadOnly, "read-only"],
  [State.CustodyDamaged, "custody damaged"],
  [State.WrongVersion, "wrong version"],
  [State.Rescue, "rescue"],
  [State.OtherBoard, "another board's"],
]);

/** What a core can be bound to: SPEC.md §19. */
export const BOUND_TARGETS = new Words<Target>("target", [
  [Target.EkRa6m5, "EK-RA6M5"],
  [Target.Virtual, "virtual board"],
  [Target.Renode, "Renode"],
  [Target.Host, "host"],
]);

export const ENGINES = new Words<Engine>("engine", [
  [Engine.Wasm3, "wasm3"],
  [Engine.AheadOfTime, "ahead-of-time code"],
  [Engine.V8, "V8"],
]);

export const CONSTANT_TIMES = new Words<ConstantTime>("constant time", [
  [ConstantTime.Unproven, "unproven"],
  [ConstantTime.Proven, "proven"],
]);

export const BOUND_MEDIA = new Words<BoundMedium>("medium", [
  [BoundMedium.None, "nothing"],
  [BoundMedium.CodeFlash, "code flash"],
  [BoundMedium.DataFlash, "data flash"],
  [BoundMedium.SimulatedFlash, "simulated flash"],
]);

export const ATOMICS = new Words<Atomic>("atomic write", [[Atomic.SettledWord, "settled word"]]);

export const SEALINGS = new Words<Sealing>("sealing", [[Sealing.Core, "core"]]);

export const ROOT_PLACES = new Words<RootPlace>("root", [
  [RootPlace.None, "nothing"],
  [RootPlace.DataFlash, "data flash"],
  [RootPlace.Simulated, "simulated flash"],
]);

export const ENTROPY_SOURCES = new Words<EntropySource>("entropy", [
  [EntropySource.None, "nothing"],
  [EntropySource.ClockJitter, "clock jitter"],
  [EntropySource.Simulated, "simulation"],
]);

export const PRESENCE_SOURCES = new Words<PresenceSource>("presence", [
  [PresenceSource.None, "nothing"],
  [PresenceSource.Switches, "switches"],
  [PresenceSource.Simulated, "simulated switches"],
]);

/** Usage classes whose keys the device makes itself. SPEC.md §12 */
export const GENERATED_USAGES: readonly Usage[] = [Usage.Raw, Usage.SshSig, Usage.SshUserAuth, Usage.Note, Usage.Agree];

/** @throws UsageError for a name that no operator can have */
export function checkOperatorId(id: string, where = "operator"): string {
  if (isOperatorId(id)) return id;
  throw new UsageError(`${where}: expected 1 to ${OPERATOR_ID} of a-z 0-9 . _ -; got "${id}".`);
}

export interface Policy {
  exportable: boolean;
  presence: Presence;
}

/** @returns the policy byte, and `readPolicy` the reverse. */
export function makePolicy(policy: Policy): number {
  return (policy.exportable ? POLICY_EXPORTABLE : 0) | (policy.presence << POLICY_PRESENCE_SHIFT);
}

export function readPolicy(byte: number): Policy {
  return {
    exportable: (byte & POLICY_EXPORTABLE) !== 0,
    presence: (byte & POLICY_PRESENCE_MASK) >> POLICY_PRESENCE_SHIFT,
  };
}
