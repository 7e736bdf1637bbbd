/** Planted leaks: what a programmer could write into firmware/ that answers right and shows a secret to whoever measures. The check of secrets
 *  must refuse each, in the function that does it. Some are written with care and do no harm: those it must accept. */
import type { Change } from "../mutants/mutant.js";

export interface Leak extends Change {
  readonly name: string;
  /** The functions in which it must be told, by the ends of their names; none: it is no leak. */
  readonly told: readonly string[];
}

const CRYPTO = "firmware/crypto";
/** How a column of the comb is chosen: every entry is looked at. */
export const COMB = `    let word = load<u64>(COMB + at) & is0;
    word |= load<u64>(COMB + at, 96) & is1;
    word |= load<u64>(COMB + at, 192) & is2;
    word |= load<u64>(COMB + at, 288) & is3;
    word |= load<u64>(COMB + at, 384) & is4;
    word |= load<u64>(COMB + at, 480) & is5;
    word |= load<u64>(COMB + at, 576) & is6;
    word |= load<u64>(COMB + at, 672) & is7;
`;
export const CHOICE = `  const first = load<u64>(A + at);
  store<u64>(A + at, first ^ ((first ^ load<u64>(C + at)) & mask));
`;
const RANDOM_CHOICE =
  "    store<u64>(out + i, random ^ ((random ^ load<u64>(OPERATOR + i, OPERATOR_OFF_KEY)) & mask));\n";

export const leaks: readonly Leak[] = [
  {
    name: "comb-looked-up",
    file: `${CRYPTO}/multiples25519.ts`,
    from: COMB,
    to: "    const word = load<u64>(COMB + at + <usize>index * 96);\n",
    told: ["multiples25519/addColumn"],
  },
  {
    name: "comb-column-skipped",
    file: `${CRYPTO}/multiples25519.ts`,
    from: "  const is0 = same(index, 0);\n",
    to: "  if (index == 0 && negative == 0) return;\n  const is0 = same(index, 0);\n",
    told: ["multiples25519/addColumn"],
  },
  {
    name: "comb-sign-by-branch",
    file: `${CRYPTO}/multiples25519.ts`,
    from: "    const changes = (plus ^ minus) & negative;\n    store<u64>(ENTRY + at, plus ^ changes);\n    store<u64>(ENTRY + at, minus ^ changes, 32);\n",
    to: "    if (negative != 0) {\n      store<u64>(ENTRY + at, minus);\n      store<u64>(ENTRY + at, plus, 32);\n    }\n",
    told: ["multiples25519/addColumn"],
  },
  {
    name: "ladder-by-branch",
    file: `${CRYPTO}/x25519.ts`,
    from: CHOICE,
    to: "  if (mask != 0) store<u64>(A + at, load<u64>(C + at));\n",
    told: ["x25519/x25519"],
  },
  {
    name: "ladder-by-address",
    file: `${CRYPTO}/x25519.ts`,
    from: CHOICE,
    to: "  store<u64>(A + at, load<u64>(A + at + (<usize>mask & (2 * ELEMENT))));\n",
    told: ["x25519/x25519"],
  },
  {
    name: "ladder-by-select",
    file: `${CRYPTO}/x25519.ts`,
    from: CHOICE,
    to: "  const first = load<u64>(A + at);\n  const other = load<u64>(C + at);\n  store<u64>(A + at, mask != 0 ? other : first);\n",
    told: ["x25519/x25519"],
  },
  {
    name: "ladder-from-the-highest-bit",
    file: `${CRYPTO}/x25519.ts`,
    from: "  for (let i = 254; i >= 0; i--) {\n",
    to: "  for (let i = 255 - <i32>clz(load<u64>(SCALAR, 24)); i >= 0; i--) {\n",
    told: ["x25519/x25519"],
  },
  {
    name: "poly1305-last-subtraction-by-branch",
    file: `${CRYPTO}/poly1305.ts`,
    from: "  let sum = carry * 5 + h0 + <u64>load<u32>(PAD);\n",
    to: "  if (carry != 0) wipe(R, 16);\n  let sum = carry * 5 + h0 + <u64>load<u32>(PAD);\n",
    told: ["poly1305/end"],
  },
  {
    name: "poly1305-carry-by-division",
    file: `${CRYPTO}/poly1305.ts`,
    from: "    h0 += (d >>> TOP_BITS) * 5;\n",
    to: "    h0 += (d / 17179869183) * 5;\n",
    told: ["poly1305/blocks"],
  },
  {
    name: "chacha20-branch",
    file: `${CRYPTO}/chacha20.ts`,
    from: "    store<u32>(data, (x0 + C0) ^ load<u32>(data));\n",
    to: "    if (x0 == x1) store<u32>(data, 0, 4);\n    store<u32>(data, (x0 + C0) ^ load<u32>(data));\n",
    told: ["chacha20/xorBlocks"],
  },
  {
    name: "equal-leaves-early",
    file: `${CRYPTO}/bytes.ts`,
    from: "  for (; i < length; i++) difference |= load<u8>(a + i) ^ load<u8>(b + i);\n",
    to: "  for (; i < length; i++) if (load<u8>(a + i) != load<u8>(b + i)) return false;\n",
    told: ["bytes/equal"],
  },
  {
    name: "zeros-counted",
    file: `${CRYPTO}/bytes.ts`,
    from: "  for (; i < length; i++) any |= load<u8>(at + i);\n",
    to: "  for (; i < length; i++) any |= 32 - clz<u32>(load<u8>(at + i));\n",
    told: ["bytes/isZero"],
  },
  {
    name: "tag-compared-word-by-word",
    file: `${CRYPTO}/chacha20poly1305.ts`,
    from: "  const genuine = equal(TAG, tag, 16);\n",
    to: "  const genuine = load<u64>(TAG) == load<u64>(tag) && load<u64>(TAG, 8) == load<u64>(tag, 8);\n",
    told: ["chacha20poly1305/open"],
  },
  {
    name: "field-reduced-by-branch",
    file: `${CRYPTO}/field25519.ts`,
    from: "  c = a0 + 19 * c;\n",
    to: "  if (c != 0) store<u64>(out, 0);\n  c = a0 + 19 * c;\n",
    told: ["field25519/toBytes"],
  },
  {
    name: "field-product-skips-zero",
    file: `${CRYPTO}/field25519.ts`,
    from: "  let c = a1 * b8 + a2 * b7 + a3 * b6 + a4 * b5 + a5 * b4 + a6 * b3 + a7 * b2 + a8 * b1;\n",
    to: "  if ((a0 | a1 | a2 | a3 | a4 | a5 | a6 | a7 | a8) == 0) {\n    wipe(out, 36);\n    return;\n  }\n  let c = a1 * b8 + a2 * b7 + a3 * b6 + a4 * b5 + a5 * b4 + a6 * b3 + a7 * b2 + a8 * b1;\n",
    told: ["field25519/multiply"],
  },
  {
    name: "scalar-carry-by-division",
    file: `${CRYPTO}/scalar25519.ts`,
    from: "    store<i64>(X + i, c & MASK);\n    c >>= BITS;\n",
    to: "    store<i64>(X + i, c & MASK);\n    c = (c - (c & MASK)) / 268435457;\n",
    told: ["scalar25519/carry", "scalar25519/fold", "scalar25519/finish"],
  },
  {
    name: "scalar-sign-by-branch",
    file: `${CRYPTO}/scalar25519.ts`,
    from: "  for (let j: usize = 0; j < 40; j += 8) store<i64>(X + j, load<i64>(X + j) + (load<i64>(EXCESS + j) & negative));\n",
    to: "  if (negative != 0) for (let j: usize = 0; j < 40; j += 8) store<i64>(X + j, load<i64>(X + j) + load<i64>(EXCESS + j));\n",
    told: ["scalar25519/finish"],
  },
  {
    name: "scalar-skips-zero-limbs",
    file: `${CRYPTO}/scalar25519.ts`,
    from: "    const left = load<i64>(LEFT + i);\n",
    to: "    const left = load<i64>(LEFT + i);\n    if (left == 0) continue;\n",
    told: ["scalar25519/multiplyAdd"],
  },
  {
    name: "candidate-by-branch",
    file: "firmware/operator/operators.ts",
    from: RANDOM_CHOICE,
    to: `    if (load<u64>(OPERATOR + i, OPERATOR_OFF_KEY) != 0)\n  ${RANDOM_CHOICE}`,
    told: ["operators/candidate"],
  },
  {
    name: "blake3-branch",
    file: `${CRYPTO}/blake3.ts`,
    from: "      if (--round == 0) break;\n",
    to: "      if (--round == 0 || x0 == 0) break;\n",
    told: ["blake3/compress"],
  },
  {
    name: "operator-key-left-in-the-page",
    file: "firmware/operator/operators.ts",
    from: "  forget();\n  return genuine ? place : -1;\n",
    to: "  memory.copy(PAGE, OPERATOR, OPERATOR_PLACE);\n  forget();\n  return genuine ? place : -1;\n",
    told: ["operators/candidate"],
  },
  {
    name: "ladder-by-mask-of-comparison",
    file: `${CRYPTO}/x25519.ts`,
    from: "  const mask = 0 - swap;\n",
    to: "  const mask: u64 = 0 - <u64>(swap != 0);\n",
    told: [],
  },
  {
    name: "poly1305-last-subtraction-by-select",
    file: `${CRYPTO}/poly1305.ts`,
    from: "  store<u32>(tag, <u32>sum);\n",
    to: "  store<u32>(tag, (<u32>carry != 0 ? <u32>h0 + 5 : <u32>h0) + load<u32>(PAD));\n",
    told: [],
  },
  {
    name: "field-carry-by-power-of-two",
    file: `${CRYPTO}/poly1305.ts`,
    from: "    h0 += (d >>> TOP_BITS) * 5;\n",
    to: "    h0 += (d / 17179869184) * 5;\n",
    told: [],
  },
];
