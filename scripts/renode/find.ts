/** Finds Renode: RENODE_PATH names it or the folder that holds it, otherwise PATH. Says what to install when there is none. */
import { accessSync, constants, statSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";

/** The release that renode/ was written for and that CI installs. */
export const VERSION = "1.16.1";

export interface Renode {
  readonly renode: string;
  /** The runner of robot tests, which stands beside it; undefined: there is none. */
  readonly test: string | undefined;
}

export const INSTALL = `Renode is neither in RENODE_PATH (the program, or the folder that holds it) nor on PATH.
Its portable release for Linux needs nothing but to be unpacked:
  https://github.com/renode/renode/releases/tag/v${VERSION}  renode-${VERSION}.linux-portable-dotnet.tar.gz
  RENODE_PATH=/where/it/lies/renode_${VERSION}-dotnet_portable
Its robot tests need Python 3 as well: pip install -r tests/requirements.txt in that folder.`;

/** RENODE_PATH is set, and there is no Renode. */
export class NoRenode extends Error {
  override name = "NoRenode";
}

/** @returns undefined when neither variable leads to a Renode
 *  @throws NoRenode when RENODE_PATH is set and leads to none: whoever set it wants that one */
export function findRenode(env: NodeJS.ProcessEnv): Renode | undefined {
  const named = env.RENODE_PATH;
  if (named !== undefined && named !== "") {
    const found = [named, join(named, "renode")].find(runs);
    if (found === undefined) {
      throw new NoRenode(`RENODE_PATH is ${named}, and no program stands there, nor ${join(named, "renode")}.`);
    }
    return beside(found);
  }
  const folder = (env.PATH ?? "").split(delimiter).find((one) => one !== "" && runs(join(one, "renode")));
  return folder === undefined ? undefined : beside(join(folder, "renode"));
}

function beside(renode: string): Renode {
  const test = join(dirname(renode), "renode-test");
  return { renode, test: runs(test) ? test : undefined };
}

function runs(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
