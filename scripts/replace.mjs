/** Changes of text that other people wrote: what is to be changed must stand there exactly as often as is known. */

/** @param {string} text
 *  @param {[from: string, times: number, to: string]} change
 *  @returns {string} the text with it
 *  @throws Error that says how often it stands there instead */
export function replaceExactly(text, [from, times, to]) {
  const parts = text.split(from);
  if (parts.length - 1 !== times)
    throw new Error(`"${from.trim()}" stands in it ${parts.length - 1} times, expected ${times}`);
  return parts.join(to);
}
