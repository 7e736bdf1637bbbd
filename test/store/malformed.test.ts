/** Messages that no client sends: every one is answered Malformed (or UnknownCommand), changes no byte of the medium, and the
 *  device still answers. SPEC.md §9; forms of RFC 8949 §3 and §4.2. */
import { afterAll, describe, expect, it } from "vitest";
import { INNER_MAX } from "../../firmware/defs/link.js";
import { Command, Key, State } from "../../firmware/defs/wire.js";
import { type Bench, deviceTargets, repeat } from "../targets.js";
import { body, get, handle, hex, put, randomBytes, ready, SMALL, says, state, token, unchanged } from "./help.js";
import { array, type Bytes, bytes, head, join, map, raw, rawPut, request, text, uint } from "./raw.js";

const NULL = Uint8Array.of(0xf6);
const TRUE = Uint8Array.of(0xf5);
const HANDLE = randomBytes(16);
const get16 = request(Command.Get, [Key.Handle, bytes(HANDLE)]);
const evict = request(Command.Evict, [Key.Handle, bytes(HANDLE)], [Key.Destroy, TRUE]);
const oneClass = map([Key.SlotUnits, uint(32)], [Key.Blocks, uint(32)]);
const provision = (classes: Bytes): Bytes =>
  request(Command.ProvisionBegin, [Key.Manifest, bytes(randomBytes(16))], [Key.Classes, classes]);
const info = (...pairs: [Key, Bytes][]): Bytes => request(Command.Info, ...pairs);
const ID = text(join([0x61]));
const operator = (role: Bytes, id: Bytes, secret: Bytes): Bytes =>
  request(Command.OperatorAdd, [Key.Role, role], [Key.Operator, id], [Key.Secret, secret]);

const agree = (...pairs: [Key, Bytes][]): Bytes =>
  request(Command.Agree, [Key.Handle, bytes(HANDLE)], [Key.Public, bytes(randomBytes(32))], ...pairs);

const CASES: Record<string, [string, Bytes][]> = {
  "is no map": [
    ["nothing", join()],
    ["an integer", uint(1)],
    ["an array of the same items", array(uint(0), uint(1))],
    ["a text", text(join([0x68, 0x69]))],
    ["a null", NULL],
    ["a break", join([0xff])],
    ["an empty map", map()],
    ["zeros", new Uint8Array(64)],
    ["noise of the largest size", randomBytes(INNER_MAX).fill(0xff, 0, 1)],
  ],
  "is not in shortest form": [
    ["a map head of two bytes", join(head(5, 1, 1), uint(0), uint(1))],
    ["a map head of three bytes", join(head(5, 1, 2), uint(0), uint(1))],
    ["a map head of five bytes", join(head(5, 1, 4), uint(0), uint(1))],
    ["a map head of nine bytes", join(head(5, 1, 8), uint(0), uint(1))],
    ["a key of two bytes", join(head(5, 1), head(0, 0, 1), uint(1))],
    ["a command of two bytes", join(head(5, 1), uint(0), head(0, 1, 1))],
    ["a command of five bytes", join(head(5, 1), uint(0), head(0, 1, 4))],
    ["a command of nine bytes", join(head(5, 1), uint(0), head(0, 1, 8))],
    ["a handle with a length of two bytes", request(Command.Get, [Key.Handle, join(head(2, 16, 1), HANDLE)])],
    ["an epoch of three bytes that fits two", request(Command.Epoch, [Key.Epoch, head(0, 200, 2)])],
    ["an epoch of five bytes that fits three", request(Command.Epoch, [Key.Epoch, head(0, 60000, 4)])],
    ["true in two bytes", request(Command.Evict, [Key.Handle, bytes(HANDLE)], [Key.Destroy, join([0xf8, 0x15])])],
  ],
  "has an indefinite length": [
    ["a map", join([0xbf], uint(0), uint(1), [0xff])],
    ["a byte string", request(Command.Get, [Key.Handle, join([0x5f], bytes(HANDLE), [0xff])])],
    ["a text string", request(Command.Find, [Key.Label, join([0x7f], text(join([0x61])), [0xff])])],
    ["an array", provision(join([0x9f], oneClass, [0xff]))],
    ["a map in an array", provision(array(join([0xbf], uint(27), uint(32), uint(28), uint(32), [0xff])))],
  ],
  "has a value of another type": [
    ["a text for a handle", request(Command.Get, [Key.Handle, text(HANDLE)])],
    ["an array for a handle", request(Command.Get, [Key.Handle, array(...Array.from(HANDLE, uint))])],
    ["bytes for a label", request(Command.Find, [Key.Label, bytes(join([0x61]))])],
    ["a number for destroy", request(Command.Evict, [Key.Handle, bytes(HANDLE)], [Key.Destroy, uint(1)])],
    ["null for destroy", request(Command.Evict, [Key.Handle, bytes(HANDLE)], [Key.Destroy, NULL])],
    ["undefined for destroy", request(Command.Evict, [Key.Handle, bytes(HANDLE)], [Key.Destroy, join([0xf7])])],
    ["a boolean for a number", request(Command.Epoch, [Key.Epoch, TRUE])],
    ["a negative number", request(Command.Epoch, [Key.Epoch, head(1, 4)])],
    ["a half-precision float", request(Command.Epoch, [Key.Epoch, join([0xf9, 0x3c, 0x00])])],
    ["a single-precision float", request(Command.Epoch, [Key.Epoch, join([0xfa, 0x3f, 0x80, 0, 0])])],
    ["a 64-bit number", request(Command.Epoch, [Key.Epoch, head(0, 2 ** 32, 8)])],
    ["a 64-bit command", map([Key.Command, head(0, 2 ** 32 + 1, 8)])],
    ["a bignum", request(Command.Epoch, [Key.Epoch, join([0xc2], bytes(join([1])))])],
    ["a tagged handle", request(Command.Get, [Key.Handle, join([0xd8, 0x40], bytes(HANDLE))])],
    ["a tagged message", join([0xd9, 0xd9, 0xf7], info())],
    ["a map for an array of classes", provision(oneClass)],
    ["a number for a class", provision(array(uint(1)))],
    ["a text key", join(head(5, 2), uint(0), uint(1), text(join([0x61])), uint(1))],
    ["a negative key", join(head(5, 2), uint(0), uint(1), head(1, 0), uint(1))],
    ["a reserved length", join([0xa1, 0x00, 0x1c])],
    ["a command of another type", join(head(5, 1), uint(0), bytes(join([1])))],
    ["bytes for an operator", operator(uint(4), bytes(join([0x61])), bytes(randomBytes(32)))],
    ["a text for a role", operator(ID, ID, bytes(randomBytes(32)))],
    ["a text for a secret", operator(uint(4), ID, text(new Uint8Array(32).fill(0x61)))],
    ["a number for data to sign", request(Command.Sign, [Key.Handle, bytes(HANDLE)], [Key.Data, uint(1)])],
    [
      "bytes for a namespace",
      request(Command.Sign, [Key.Handle, bytes(HANDLE)], [Key.Data, bytes(HANDLE)], [Key.Namespace, bytes(HANDLE)]),
    ],
    ["a text for a challenge", request(Command.Attest, [Key.Challenge, text(new Uint8Array(32).fill(0x61))])],
    [
      "a number for keep",
      request(
        Command.Replace,
        [Key.Handle, bytes(HANDLE)],
        [Key.Token, bytes(HANDLE)],
        [Key.Body, bytes(body(20))],
        [Key.Keep, uint(1)],
      ),
    ],
  ],
  "has other keys than its command": [
    ["no command", map([Key.Handle, bytes(HANDLE)])],
    ["no command, with the keys of a get", join(head(5, 1), uint(Key.Handle), bytes(HANDLE))],
    ["the command last", join(head(5, 2), uint(Key.Handle), bytes(HANDLE), uint(0), uint(Command.Get))],
    ["one too many", info([Key.Handle, bytes(HANDLE)])],
    ["one missing", request(Command.Evict, [Key.Handle, bytes(HANDLE)])],
    ["a key of answers", info([Key.State, uint(2)])],
    ["an unknown key", info([71 as Key, uint(2)])],
    ["key 64, whose bit would be that of the command", info([64 as Key, uint(2)])],
    ["key 65, whose bit would be that of the handle", request(Command.Get, [65 as Key, bytes(HANDLE)])],
    ["key 2^16", info([0x10000 as Key, uint(2)])],
    ["key 2^32 − 1", info([0xffffffff as Key, uint(2)])],
    ["keys out of order", request(Command.Evict, [Key.Destroy, TRUE], [Key.Handle, bytes(HANDLE)])],
    ["a key twice", request(Command.Get, [Key.Handle, bytes(HANDLE)], [Key.Handle, bytes(HANDLE)])],
    ["the command twice", join(head(5, 2), uint(0), uint(1), uint(0), uint(1))],
    ["an entry's class in a find", request(Command.Find, [Key.Class, uint(0)])],
    [
      "a role in a rotation",
      request(Command.OperatorRotate, [Key.Role, uint(4)], [Key.Operator, ID], [Key.Secret, bytes(randomBytes(32))]),
    ],
    ["a salt without a context", agree([Key.Salt, bytes(HANDLE)])],
    ["a context without a salt", agree([Key.Context, bytes(HANDLE)])],
    ["something wrapped without salt and context", agree([Key.Wrapped, bytes(randomBytes(40))])],
    [
      "a body in a generate",
      request(
        Command.Generate,
        [Key.Token, bytes(HANDLE)],
        [Key.Usage, uint(1)],
        [Key.Tier, uint(1)],
        [Key.Policy, uint(0)],
        [Key.Body, bytes(body(20))],
      ),
    ],
  ],
  "has a wrong length": [
    ["a handle of 15 bytes", request(Command.Get, [Key.Handle, bytes(HANDLE.subarray(1))])],
    ["a handle of 17 bytes", request(Command.Get, [Key.Handle, bytes(randomBytes(17))])],
    ["an empty handle", request(Command.Get, [Key.Handle, bytes(join())])],
    ["a token of 8 bytes", rawPut({ token: randomBytes(8) })],
    ["a secret of 31 bytes", operator(uint(4), ID, bytes(randomBytes(31)))],
    ["a secret of 33 bytes", operator(uint(4), ID, bytes(randomBytes(33)))],
    [
      "a public key of 31 bytes",
      request(Command.Agree, [Key.Handle, bytes(HANDLE)], [Key.Public, bytes(randomBytes(31))]),
    ],
    ["a byte behind the message", join(get16, [0])],
    ["another message behind the message", join(get16, get16)],
    ["fewer pairs than its head says", join(head(5, 3), uint(0), uint(1))],
    ["2^32 − 1 pairs", join(head(5, 0xffffffff), uint(0), uint(1))],
    ["2^32 − 1 bytes", join(head(5, 2), uint(0), uint(4), uint(1), head(2, 0xffffffff), HANDLE)],
    ["2^31 bytes", join(head(5, 2), uint(0), uint(4), uint(1), head(2, 0x80000000), HANDLE)],
    ["2^32 − 1 classes", provision(join(head(4, 0xffffffff), oneClass))],
    ["five classes", provision(array(oneClass, oneClass, oneClass, oneClass, oneClass))],
    ["a class with one key", provision(array(map([Key.SlotUnits, uint(32)])))],
    [
      "a class with three keys",
      provision(array(map([Key.SlotUnits, uint(32)], [Key.Blocks, uint(2)], [Key.Capacity, uint(2)]))),
    ],
    ["a class with its keys out of order", provision(array(map([Key.Blocks, uint(2)], [Key.SlotUnits, uint(32)])))],
    ["arrays in arrays, 30,000 deep", provision(new Uint8Array(30000).fill(0x81))],
    ["maps in maps, 10,000 deep", join(...Array.from({ length: 10000 }, () => [0xa1, 0x00]))],
  ],
};

describe.each(deviceTargets)("a message on $name that", (kind) => {
  const target = ready(kind, SMALL);
  const content = body(700);
  const made = handle(put(target, { body: content }));
  afterAll(() => {
    // after all of this the record is still there
    expect(hex(get(target, made).get(Key.Body))).toBe(hex(content));
    target.close();
  });

  const refused = (message: Bytes): string => {
    const answer = unchanged(target, () => raw(target, message));
    expect(state(target)).toBe(State.Ready);
    return answer;
  };

  for (const [what, messages] of Object.entries(CASES)) {
    it(`${what} is Malformed`, () => {
      for (const [which, message] of messages) expect(refused(message), which).toBe("Malformed");
    });
  }

  it("ends too early, at any byte, is Malformed", () => {
    const step = kind.slow ? 7 : 1;
    for (const message of [
      get16,
      evict,
      provision(array(oneClass, oneClass)),
      rawPut({ body: body(20), label: HANDLE.map((b) => b & 0x7f) }),
    ]) {
      for (let end = 0; end < message.length; end += step) {
        expect(refused(message.subarray(0, end)), `${end} of ${message.length}`).toBe("Malformed");
      }
    }
  });

  it("names an unknown command is UnknownCommand, whatever follows; command 0 is Malformed", () => {
    for (const command of [39, 40, 64, 255, 256, 0x10000, 0x7fffffff, 0xffffffff]) {
      expect(refused(request(command as Command))).toBe("UnknownCommand");
      expect(refused(join(request(command as Command, [Key.Handle, NULL]), [1, 2, 3]))).toBe("UnknownCommand");
    }
    expect(refused(request(0 as Command))).toBe("Malformed");
  });

  it("is right is not refused: the writer of these tests can also make good ones", () => {
    expect(raw(target, info())).toBe("Ok");
    expect(raw(target, agree())).toBe("NoSuchHandle");
    expect(raw(target, operator(uint(4), text(join([0x61, 0x41])), bytes(randomBytes(32))))).toBe(
      `BadArgument ${Key.Operator}`,
    );
    expect(raw(target, get16)).toBe("NoSuchHandle");
    expect(raw(target, provision(array(oneClass)))).toBe("AlreadyProvisioned");
    expect(says(get(target, made))).toBe("Ok");
  });

  it("was changed at random bytes is answered, and what refuses it changes nothing", () => {
    const rounds = Math.ceil(1500 * kind.share);
    const originals = [
      get16,
      evict,
      rawPut({ token: token(), label: HANDLE.map((b) => b & 0x7f), body: body(40) }),
      provision(array(oneClass)),
    ];
    for (let round = 0; round < rounds; round++) {
      const message = Uint8Array.from(originals[round % originals.length]!);
      for (const [at = 0, value = 0] of [randomBytes(2), randomBytes(2)].slice(round % 2))
        message[at % message.length] = value;
      const before = target.device.supply.operations;
      const answer = raw(target, message);
      if (answer !== "Ok") expect(target.device.supply.operations, `${answer}, ${repeat}`).toBe(before);
    }
    expect(state(target as Bench)).toBe(State.Ready);
  });
});
