import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Host, imageOf } from "../../scripts/bench/host.js";
import { useEverything } from "../../scripts/bench/session.js";
import { bounds } from "../../scripts/prove/bounds.js";
import { limitsOf } from "../../scripts/prove/limits.js";
import { disassemble } from "../../scripts/prove/listing.js";
import { demand } from "../../scripts/prove/stack.js";
import { decode } from "../../scripts/prove/wasm.js";
import { builtPath } from "../device/engine.js";
import { Painted } from "./paint.js";

describe("tmp", () => {
  it("x", () => {
    const elf = builtPath("ek-ra6m5.elf");
    const module = decode(readFileSync(builtPath("core.wasm")));
    const limits = limitsOf(elf, disassemble(elf), "board/ek-ra6m5/wasm3_glue.c", []);
    const p = new Painted(imageOf(Host.provisioned().device), 0);
    console.log(p.compiling, p.wasmStack, p.cUsed(), p.wasmUsed());
    useEverything(p.host, (n, w) => {
      const r = w();
      console.log(n, p.cUsed(), p.wasmUsed());
      return r;
    });
    const f = p.frames();
    const own = module.functions.filter((o) => !o.import);
    console.log(f.length, own.length);
    let a = 0,
      b = 0;
    own.forEach((o, i) => {
      const d = demand(module, o).slots;
      a += d;
      b += f[i]!;
      if (d < f[i]!) console.log("UNDER", o.name, d, f[i]);
      else if (d > f[i]! * 1.3 + 6) console.log("over", o.name, d, f[i]);
    });
    console.log(
      a,
      b,
      bounds(module, limits).needs.map((n) => [n.name, n.wasmStack, n.cStack]),
    );
    p.close();
  });
});
