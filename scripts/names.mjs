/** A module without the names of its functions: what `asc --debug` makes, as the release has it. */
export function withoutNames(wasm) {
  const kept = [wasm.subarray(0, 8)];
  const number = (at) => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = wasm[at++];
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return { value, at };
    }
  };
  for (let at = 8; at < wasm.length; ) {
    const size = number(at + 1);
    const end = size.at + size.value;
    const name = number(size.at);
    const isNames = wasm[at] === 0 && wasm.toString("latin1", name.at, name.at + name.value) === "name";
    if (!isNames) kept.push(wasm.subarray(at, end));
    at = end;
  }
  return Buffer.concat(kept);
}
