/** Records: parts, attributes, limits. SPEC.md §6. */
export const HANDLE_SIZE: i32 = 16;
export const TOKEN_SIZE: i32 = 16;
export const LABEL_MAX: i32 = 48; // bytes of UTF-8
export const BODY_MAX: i32 = 32640; // 255 units
export const PARTS_MAX: i32 = 16;
export const SLOTS_MAX: i32 = 256; // spare places included
export const CLASSES_MAX: i32 = 4;

/** Header of one part inside a body: 8 bytes, then `length` bytes of content. */
export const PART_OFF_KIND: i32 = 0; // u8, PartKind
export const PART_OFF_FLAGS: i32 = 1; // u8, PART_SECRET
export const PART_OFF_LENGTH: i32 = 2; // u16
export const PART_OFF_ALGORITHM: i32 = 4; // i32, COSE algorithm number, or ALG_… (private use)
export const PART_HEADER: i32 = 8;
export const PART_SECRET: i32 = 1;

export enum PartKind {
  Signing = 1,
  Agreement = 2,
  Chain = 3,
  Opaque = 4,
}

/** COSE algorithm numbers (IANA registry; RFC 9864 for the fully specified ones). Below −65536 is private use. */
export const ALG_NONE: i32 = 0;
export const ALG_ED25519: i32 = -19;
export const ALG_ES256: i32 = -9;
export const ALG_ES384: i32 = -51;
export const ALG_X25519: i32 = -65537; // COSE names the curve, not the bare agreement
export const ALG_X509_DER: i32 = -65538; // leaf first; each certificate a u32 length and its DER
export const ALG_PKCS8: i32 = -65539; // a key the device only keeps, as PKCS#8 DER

/** What a key is for: fixed at put, part of the sealed header. */
export enum Usage {
  Opaque = 0,
  Raw = 1,
  SshSig = 2,
  SshUserAuth = 3,
  Note = 4,
  Attest = 5,
  Agree = 6,
  Certificate = 7,
  Filekey = 8, // made by the device alone: SPEC.md §16
}

/** Commitment ladder. Temp is never stored. */
export enum Tier {
  Temp = 0,
  Private = 1,
  Public = 2,
}

export enum Origin {
  Generated = 1,
  Imported = 2,
}

/** Policy byte: bit 0 exportable, bits 1–2 presence. */
export const POLICY_EXPORTABLE: i32 = 1;
export const POLICY_PRESENCE_SHIFT: i32 = 1;
export const POLICY_PRESENCE_MASK: i32 = 6;
export const POLICY_MAX: i32 = 5;

export enum Presence {
  Never = 0,
  Cached = 1,
  Each = 2,
}
