/** The commands, each by the words that it is called by, in the order of --help. A command is loaded when it is called. */
import type { Command } from "commander";
import type { Context } from "./context.js";

/** Adds a command, or a few, to the program. */
export type Add = (program: Command, context: () => Context) => void;

interface Entry {
  words: readonly string[];
  load(): Promise<Add>;
}

export const COMMANDS: readonly Entry[] = [
  { words: ["provision"], load: async () => (await import("./provision.js")).addProvision },
  { words: ["info", "list", "find", "show"], load: async () => (await import("./query.js")).addQueries },
  { words: ["put", "replace"], load: async () => (await import("./put.js")).addPut },
  { words: ["get"], load: async () => (await import("./get.js")).addGet },
  { words: ["relabel", "evict", "epoch", "accept"], load: async () => (await import("./change.js")).addChanges },
  { words: ["generate"], load: async () => (await import("./generate.js")).addGenerate },
  { words: ["sign"], load: async () => (await import("./sign.js")).addSign },
  { words: ["agree"], load: async () => (await import("./agree.js")).addAgree },
  { words: ["public"], load: async () => (await import("./public.js")).addPublic },
  { words: ["attest"], load: async () => (await import("./attest.js")).addAttest },
  { words: ["csr"], load: async () => (await import("./csr.js")).addCsr },
  { words: ["policy"], load: async () => (await import("./policy.js")).addPolicy },
  { words: ["operator"], load: async () => (await import("./operator.js")).addOperator },
  { words: ["filekey"], load: async () => (await import("./filekey.js")).addFilekey },
  { words: ["delta"], load: async () => (await import("./delta.js")).addDelta },
  { words: ["claim"], load: async () => (await import("./claim.js")).addClaim },
  { words: ["encrypt"], load: encrypt },
  { words: ["decrypt"], load: decrypt },
  { words: ["image"], load: async () => (await import("./image.js")).addImage },
  { words: ["flash"], load: async () => (await import("./flash.js")).addFlash },
  { words: ["board"], load: async () => (await import("./board.js")).addBoard },
  { words: ["session"], load: async () => (await import("./session.js")).addSession },
  { words: ["config"], load: async () => (await import("./config.js")).addConfig },
  { words: ["reset"], load: async () => (await import("./reset.js")).addReset },
  { words: ["dump"], load: async () => (await import("./dump.js")).addDump },
  { words: ["completion"], load: async () => (await import("./completion.js")).addCompletion },
];

/** @param word that a command was called by. All of them are there for completion, and for any word that calls none: --help names them all,
 *  and so does what is said to a mistake */
export async function commandsFor(word: string | undefined): Promise<Add[]> {
  const called = COMMANDS.find(({ words }) => word !== undefined && words.includes(word));
  const needed = called === undefined || word === "completion" ? COMMANDS : [called];
  return Promise.all(needed.map(({ load }) => load()));
}

async function encrypt(): Promise<Add> {
  const [{ addEncrypt }, { claimFor }] = await Promise.all([import("./encrypt.js"), import("./claims.js")]);
  return (program, context) => addEncrypt(program, context, claimFor);
}

async function decrypt(): Promise<Add> {
  const [{ addDecrypt }, { secretFor }] = await Promise.all([import("./decrypt.js"), import("./claims.js")]);
  return (program, context) => addDecrypt(program, context, secretFor);
}
