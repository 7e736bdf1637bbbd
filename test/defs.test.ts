/** firmware/defs against SPEC.md and against the C header made from it: each format is said once and means one thing. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import * as binding from "../firmware/defs/binding.js";
import * as boundary from "../firmware/defs/boundary.js";
import * as claims from "../firmware/defs/claims.js";
import * as custody from "../firmware/defs/custody.js";
import * as file from "../firmware/defs/file.js";
import * as filekey from "../firmware/defs/filekey.js";
import * as image from "../firmware/defs/image.js";
import * as journal from "../firmware/defs/journal.js";
import * as link from "../firmware/defs/link.js";
import * as loader from "../firmware/defs/loader.js";
import * as medium from "../firmware/defs/medium.js";
import * as operator from "../firmware/defs/operator.js";
import * as pointers from "../firmware/defs/pointers.js";
import * as record from "../firmware/defs/record.js";
import * as selftest from "../firmware/defs/selftest.js";
import * as session from "../firmware/defs/session.js";
import * as slot from "../firmware/defs/slot.js";
import * as status from "../firmware/defs/status.js";
import * as use from "../firmware/defs/use.js";
import * as wire from "../firmware/defs/wire.js";
import { DATA_FLASH } from "../host/flash/hex.js";

type Extent = { offset: number; size: number };
type Row = Extent & { name: string };

const spec = readFileSync(new URL("../firmware/SPEC.md", import.meta.url), "utf8");
const number = (text: string) => Number(text.replace(/,/g, ""));

/** Text of SPEC.md § `section`, up to the next heading. */
function text(section: number): string {
  const found = spec.split(/^## /m).find((part) => part.startsWith(`${section}. `));
  if (found === undefined) throw new Error(`SPEC.md has no section ${section}`);
  return found;
}

/** Rows of the layout tables in a text: those that begin with an offset and a size. */
function rows(lines: string): Row[] {
  return lines
    .split("\n")
    .filter((line) => /^\| *[\d,]+ *\| *[\d,]+ *\|/.test(line))
    .map((line) => {
      const cells = line.split("|").map((cell) => cell.trim());
      const [, offset = "", size = "", name = ""] = cells;
      return { offset: number(offset), size: number(size), name: name.replace(/`/g, "") };
    });
}

/** Constants of a module whose name has `_OFF_` in it, behind `prefix`. */
function offsets(module: object, prefix = ""): object {
  const is = (name: string) => name.startsWith(prefix) && name.includes("_OFF_");
  return Object.fromEntries(Object.entries(module).filter(([name]) => is(name)));
}

/** The same out of a table; rows without a name are filling. */
function named(table: Row[]): object {
  return Object.fromEntries(table.filter((row) => row.name !== "").map((row) => [row.name, row.offset]));
}

/** Members of an enum, without the reverse names that TypeScript adds. */
function members(numbers: object): [string, number][] {
  return Object.entries(numbers).filter((entry): entry is [string, number] => typeof entry[1] === "number");
}

/** Where each row ends, behind the start; equal to begins() exactly when nothing overlaps and nothing is left out. */
function ends(table: Extent[]): number[] {
  return [0, ...table.map((row) => row.offset + row.size)];
}

/** Where each row begins, and the end of the whole. */
function begins(table: Extent[], size: number): number[] {
  return [...table.map((row) => row.offset), size];
}

const layouts = [
  { section: 3, name: "custody place", module: custody, size: custody.CUSTODY_PLACE },
  { section: 4, name: "slot header", module: slot, size: slot.HEADER_SIZE },
  { section: 5, name: "journal place", module: journal, size: journal.JOURNAL_PLACE },
  { section: 6, name: "part header", module: record, size: record.PART_HEADER },
  { section: 8, name: "frame header", module: link, size: link.FRAME_HEADER },
  { section: 11, name: "operator place", module: operator, size: operator.OPERATOR_PLACE, prefix: "OPERATOR_" },
  { section: 11, name: "refusal place", module: operator, size: operator.REFUSAL_PLACE, prefix: "REFUSAL_" },
  { section: 13, name: "file header", module: file, size: file.FILE_HEADER, prefix: "FILE_" },
  { section: 14, name: "pointer place", module: pointers, size: pointers.POINTER_PLACE },
  { section: 15, name: "cache entry", module: claims, size: claims.CACHE_SIZE, prefix: "CACHE_" },
  { section: 15, name: "cached claim", module: claims, size: claims.CACHED_SIZE, prefix: "CACHED_" },
  { section: 16, name: "filekey", module: filekey, size: filekey.FILEKEY_HEAD, prefix: "FILEKEY_" },
  { section: 16, name: "delta", module: filekey, size: filekey.DELTA_SIZE, prefix: "DELTA_" },
  { section: 16, name: "sealed delta", module: filekey, size: filekey.SEALED_DELTA, prefix: "SEALED_DELTA_" },
  { section: 19, name: "binding record", module: binding, size: binding.BINDING_SIZE },
  { section: 20, name: "descriptor", module: image, size: image.DESCRIPTOR_SIZE, prefix: "DESCRIPTOR_" },
  { section: 20, name: "image header", module: image, size: image.IMAGE_HEADER, prefix: "IMAGE_" },
];

describe.each(layouts)("the table of SPEC §$section ($name)", ({ section, module, size, prefix }) => {
  // of the tables of a section, the one that names something with the prefix
  const tables = prefix === undefined ? [text(section)] : text(section).split("\n\n");
  const table = tables.map(rows).find((one) => one.some((row) => row.name.startsWith(prefix ?? "")))!;

  it("names every offset constant with its value, and no other", () => {
    expect(named(table)).toEqual(offsets(module, prefix));
  });

  it("leaves no gap and no overlap, and ends with the last byte", () => {
    expect(ends(table)).toEqual(begins(table, size));
  });

  it("would not pass with a row lost, moved, or of another size", () => {
    const last = table.findLast(({ name }) => name !== "")!;
    const lost = table.filter((row) => row !== last);
    const changed = (change: Partial<Row>) => table.map((row) => (row === last ? { ...row, ...change } : row));
    expect(named(lost)).not.toEqual(offsets(module, prefix));
    expect(ends(lost)).not.toEqual(begins(lost, size));
    expect(named(changed({ offset: last.offset + 1 }))).not.toEqual(offsets(module, prefix));
    const larger = changed({ size: last.size + 1 });
    expect(ends(larger)).not.toEqual(begins(larger, size));
  });
});

describe("the data-flash map of SPEC §2", () => {
  const areas = ["CUSTODY", "OPERATORS", "JOURNAL", "CLAIMS", "REFUSALS", "SEED", "LEDGER", "RESET"] as const;
  const values = new Map(Object.entries(medium));
  const constants = areas.map((area) => ({
    offset: values.get(`${area}_OFFSET`) ?? Number.NaN,
    size: values.get(`${area}_SIZE`) ?? Number.NaN,
    name: area.toLowerCase(),
  }));
  // the third column begins with the words of the area
  const words: Record<string, string> = {
    refusals: "refusal counters",
    seed: "entropy seed",
    ledger: "ledger frontier",
  };
  const table = rows(text(2));

  it("has the areas of medium.ts in order, with offset and size", () => {
    const said = table.map(({ offset, size }) => ({ offset, size }));
    expect(said).toEqual(constants.map(({ offset, size }) => ({ offset, size })));
    table.forEach((row, i) => {
      const area = constants[i]?.name ?? "";
      expect(row.name.startsWith(words[area] ?? area), `row ${i} is ${row.name}`).toBe(true);
    });
  });

  it("has every area that medium.ts declares", () => {
    const declared = Object.keys(medium).filter((name) => name.endsWith("_OFFSET"));
    expect(declared).toEqual(areas.map((area) => `${area}_OFFSET`));
  });

  it("fills the data flash without gaps, in whole erase blocks", () => {
    expect(ends(constants)).toEqual(begins(constants, medium.DATA_SIZE));
    for (const area of constants) expect(area.size % medium.DATA_BLOCK, area.name).toBe(0);
  });

  it("gives each area room for exactly the places that it says", () => {
    for (const row of table) {
      const places = row.name.match(/(\d+) places of (\d+)/);
      if (places) expect(number(places[1]!) * number(places[2]!), row.name).toBe(row.size);
    }
    expect(medium.CUSTODY_SIZE).toBe(custody.CUSTODY_COPIES * custody.CUSTODY_PLACE);
    expect(medium.JOURNAL_SIZE).toBe(journal.JOURNAL_PLACES * journal.JOURNAL_PLACE);
    expect(medium.OPERATORS_SIZE).toBe(operator.OPERATOR_PLACES * operator.OPERATOR_PLACE);
    expect(medium.REFUSALS_SIZE).toBe(operator.REFUSAL_PLACES * operator.REFUSAL_PLACE);
  });

  it("tells the erase blocks and program units of the regions as medium.ts has them", () => {
    const region = (name: string) => {
      const line = text(2)
        .split("\n")
        .find((row) => row.startsWith(`| \`${name}\``));
      return line?.split("|").slice(3, 5).map(number);
    };
    expect(region("Slots")).toEqual([medium.SLOT_BLOCK, medium.UNIT]);
    expect(region("Data")).toEqual([medium.DATA_BLOCK, medium.DATA_UNIT]);
    expect(region("Custody")).toEqual([medium.DATA_BLOCK, medium.DATA_UNIT]);
    expect(region("Image")?.[0]).toBe(image.IMAGE_BLOCK);
  });
});

describe("the constants among themselves", () => {
  it("let the MAC of custody place, header and journal body cover everything before it", () => {
    expect(custody.CUSTODY_OFF_MAC + 16).toBe(custody.CUSTODY_PLACE);
    expect(slot.HEADER_OFF_MAC + 16).toBe(slot.HEADER_SIZE);
    expect(journal.BODY_OFF_MAC + 16).toBe(journal.BODY_OFF_SETTLED);
    expect(journal.BODY_OFF_SETTLED + medium.DATA_UNIT).toBe(journal.JOURNAL_PLACE);
  });

  it("place journal intent, body and settled word in units of their own", () => {
    for (const offset of [journal.INTENT_SIZE, journal.BODY_OFF_LIVE, journal.BODY_OFF_SETTLED])
      expect(offset % medium.DATA_UNIT).toBe(0);
    expect(journal.INTENT_OFF_CHECK + 8).toBe(journal.INTENT_SIZE);
    expect(journal.INTENT_SIZE).toBe(journal.BODY_OFF_LIVE);
    expect(journal.JOURNAL_PLACE % medium.DATA_BLOCK).toBe(0);
  });

  it("give the bitmaps a bit for every slot, and the erase counts a number for every block", () => {
    expect((journal.BODY_OFF_DIRTY - journal.BODY_OFF_LIVE) * 8).toBe(record.SLOTS_MAX);
    expect((journal.BODY_OFF_ERASES - journal.BODY_OFF_DIRTY) * 8).toBe(record.SLOTS_MAX);
    expect(journal.BODY_OFF_OPERATORS - journal.BODY_OFF_ERASES).toBe(medium.SLOT_BLOCKS * 2);
  });

  it("give every operator place a bit in use, a bit pending and a count of refusals", () => {
    expect((journal.BODY_OFF_FLAGS - journal.BODY_OFF_OPERATORS) * 8).toBeGreaterThanOrEqual(operator.OPERATOR_PLACES);
    expect((journal.BODY_OFF_DIGEST - journal.BODY_OFF_PENDING) * 8).toBeGreaterThanOrEqual(operator.OPERATOR_PLACES);
    const counts = operator.REFUSAL_OFF_MAC - operator.REFUSAL_OFF_COUNTS;
    expect(counts).toBe(operator.OPERATOR_PLACES * 2);
    expect(operator.OPERATORS_MAX).toBeLessThan(operator.OPERATOR_PLACES);
  });

  it("make an operator place of id, sealed key and tag, each in whole", () => {
    expect(operator.OPERATOR_OFF_ID + session.OPERATOR_ID).toBe(operator.OPERATOR_OFF_KEY);
    expect(operator.OPERATOR_OFF_KEY + session.PSK_SIZE).toBe(operator.OPERATOR_OFF_TAG);
    expect(operator.OPERATOR_PLACE % medium.DATA_BLOCK).toBe(0);
    expect(operator.REFUSAL_PLACE % medium.DATA_BLOCK).toBe(0);
  });

  it("make the prologue of version, instance, challenge and id, and messages of Noise of key, payload and tag", () => {
    expect(session.PROLOGUE_SIZE).toBe(1 + 16 + session.CHALLENGE_SIZE + session.OPERATOR_ID);
    expect(session.NOISE_FIRST).toBe(use.KEY_SIZE + 16);
    expect(session.NOISE_SECOND).toBe(use.KEY_SIZE + 1 + 16);
    expect(session.SEALED_EXTRA).toBe(session.SEALED_HEAD + 16);
    expect(link.INNER_MAX).toBe(link.MESSAGE_MAX - session.SEALED_EXTRA);
  });

  it("put descriptor and setup code into the firmware, and the image region between firmware and slots", () => {
    const { DESCRIPTOR_ADDRESS, DESCRIPTOR_OFF_SETUP, DESCRIPTOR_SIZE, FIRMWARE_SIZE } = image;
    expect(DESCRIPTOR_OFF_SETUP + session.PSK_SIZE).toBe(DESCRIPTOR_SIZE);
    expect(DESCRIPTOR_ADDRESS + DESCRIPTOR_SIZE).toBeLessThan(FIRMWARE_SIZE);
    expect(image.IMAGE_ADDRESS).toBe(FIRMWARE_SIZE);
    expect(image.IMAGE_ADDRESS + image.IMAGE_BLOCK * image.IMAGE_BLOCKS).toBe(0x100000);
    expect(image.IMAGE_HEADER % medium.UNIT).toBe(0);
  });

  it("let the self-test write to the last block of the image region and of the ledger area alone", () => {
    const { IMAGE_ADDRESS, IMAGE_BLOCK, IMAGE_BLOCKS } = image;
    expect(selftest.SELFTEST_CODE_AT).toBe(IMAGE_ADDRESS + IMAGE_BLOCK * (IMAGE_BLOCKS - 1));
    const ledgerEnd = medium.LEDGER_OFFSET + medium.LEDGER_SIZE;
    expect(selftest.SELFTEST_DATA_AT).toBe(DATA_FLASH.start + ledgerEnd - medium.DATA_BLOCK);
  });

  it("end the facts with setup code and binding record", () => {
    expect(boundary.FACTS_OFF_SETUP + session.PSK_SIZE).toBe(boundary.FACTS_OFF_BINDING);
    expect(boundary.FACTS_OFF_BINDING + binding.BINDING_SIZE).toBe(boundary.FACTS_SIZE);
  });

  it("make the slot header one program unit and blocks whole units", () => {
    expect(slot.HEADER_SIZE).toBe(medium.UNIT);
    expect(medium.SLOT_BLOCK % medium.UNIT).toBe(0);
  });

  it("keep room for the geometry of every class", () => {
    expect(custody.CUSTODY_OFF_GEOMETRY + record.CLASSES_MAX * custody.GEOMETRY_SIZE).toBeLessThanOrEqual(
      custody.CUSTODY_OFF_MAC,
    );
  });

  it("make the largest body fill the largest slot", () => {
    expect(record.BODY_MAX).toBe(medium.SLOT_BLOCK - slot.HEADER_SIZE);
  });

  it("make a full frame of header, payload and CRC, which fits into the window with its COBS bytes", () => {
    expect(link.FRAME_MAX).toBe(link.FRAME_HEADER + link.PAYLOAD_MAX + link.FRAME_CRC);
    expect(link.FRAME_MAX + Math.ceil(link.FRAME_MAX / 254) + 1).toBeLessThanOrEqual(boundary.TX_SIZE);
  });

  it("let one message hold the largest record with all its attributes", () => {
    const attributes = record.HANDLE_SIZE + record.TOKEN_SIZE + record.LABEL_MAX + 128;
    expect(link.INNER_MAX).toBeGreaterThanOrEqual(record.BODY_MAX + attributes);
    expect(link.INNER_MAX).toBeGreaterThanOrEqual(use.SIGN_MAX + record.HANDLE_SIZE + use.NAMESPACE_MAX + 64);
  });

  it("keep the windows apart", () => {
    expect(boundary.RX_OFFSET + boundary.RX_SIZE).toBeLessThanOrEqual(boundary.TX_OFFSET);
  });

  it("make POLICY_MAX the largest policy with a valid presence", () => {
    expect((record.Presence.Each << record.POLICY_PRESENCE_SHIFT) | record.POLICY_EXPORTABLE).toBe(record.POLICY_MAX);
  });
});

describe("Status", () => {
  const numbers = members(status.Status);

  it("gives every status a number of its own", () => {
    expect(new Set(numbers.map(([, value]) => value)).size).toBe(numbers.length);
  });

  it("has 0 for success alone and a negative number inside a group for all others", () => {
    for (const [name, value] of numbers) {
      if (name === "Ok") expect(value).toBe(0);
      else expect(value < 0 && value > -112, `${name} = ${value}`).toBe(true);
    }
  });

  it("says behind every status what happened", () => {
    const source = readFileSync(new URL("../firmware/defs/status.ts", import.meta.url), "utf8");
    for (const [name] of numbers) expect(source, name).toMatch(new RegExp(`\\*/\\n  ${name} = `));
  });

  it("keeps the groups together: caller, state, medium, integrity, who asks, use of keys, filekeys", () => {
    const source = readFileSync(new URL("../firmware/defs/status.ts", import.meta.url), "utf8");
    const body = source.slice(source.indexOf("export enum Status {"));
    const groups = body.split(/\n\n/).map((group) => [...group.matchAll(/^ {2}\w+ = (-?\d+),/gm)].map((m) => +m[1]!));
    expect(groups.map((group) => group[0])).toEqual([0, -1, -16, -32, -48, -64, -80, -96]);
    groups.forEach((group, i) => {
      const floor = [0, -15, -31, -47, -63, -79, -95, -111][i]!;
      for (const value of group) expect(value).toBeGreaterThanOrEqual(floor);
      expect(group).toEqual([...group].sort((a, b) => b - a));
    });
  });
});

describe("SPEC §9", () => {
  const text9 = text(9);

  it("lists every command with its number, and no other", () => {
    const said = [...text9.matchAll(/^\| (\w+) (\d+) \|/gm)].map((m) => [m[1], Number(m[2])]);
    expect(Object.fromEntries(said)).toEqual(Object.fromEntries(members(wire.Command)));
  });

  it("gives every key a number of its own", () => {
    const keys = members(wire.Key);
    expect(new Set(keys.map(([, value]) => value)).size).toBe(keys.length);
  });
});

describe("SPEC §11", () => {
  it("gives every command but Hello a line in the table of roles, and just one", () => {
    const lines = text(11).split("\n");
    const from = lines.findIndex((line) => line.startsWith("| commands | roles |"));
    const table = lines.slice(from + 2, lines.indexOf("", from));
    const said = table.flatMap((line) =>
      line
        .split("|")[1]!
        .split(",")
        .map((name) => name.trim()),
    );
    const commands = members(wire.Command).map(([name]) => name);
    expect(said.sort()).toEqual(commands.filter((name) => name !== "Hello").sort());
  });
});

describe("build/defs.h", () => {
  const modules = [
    binding,
    boundary,
    claims,
    custody,
    file,
    filekey,
    image,
    journal,
    link,
    loader,
    medium,
    operator,
    pointers,
    record,
    selftest,
    session,
    slot,
    status,
    use,
    wire,
  ];
  const capitals = (name: string) => name.replace(/(?<=[a-z0-9])(?=[A-Z])/g, "_").toUpperCase();
  const expected = modules.flatMap((module) =>
    Object.entries(module).flatMap(([name, value]): [string, number][] => {
      if (typeof value === "number") return [[`MBS_${name}`, value]];
      const prefix = name === "Status" ? "MBS" : `MBS_${capitals(name)}`;
      return members(value).map(([member, number]) => [`${prefix}_${capitals(member)}`, number]);
    }),
  );
  const defined = () => {
    const header = readFileSync(new URL("../build/defs.h", import.meta.url), "utf8");
    return [...header.matchAll(/^#define (MBS_\w+) \(?(-?\d+)u?\)?$/gm)].map((m) => [m[1], Number(m[2])]);
  };

  it("gives C every constant under a name of its own", () => {
    expect(new Set(expected.map(([name]) => name)).size).toBe(expected.length);
  });

  it("has the same names and values as firmware/defs, and no other", () => {
    expect(Object.fromEntries(defined())).toEqual(Object.fromEntries(expected));
    expect(defined().length).toBe(expected.length);
  });
});
