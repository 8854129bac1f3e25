/** For each UTF-16 unit the one that stands for all that a search without case may take for the same. */
const FOLDED = makeFolding();

/** The UTF-16 units of a text: to index them is much faster than to ask a string for each. */
export function toUnits(text: string): Uint16Array {
  const bytes = Buffer.from(text, "utf16le");
  return new Uint16Array(bytes.buffer, bytes.byteOffset, text.length);
}

/** The unit that stands for all that any search without case may take for this one; an ASCII one where there is any. */
export function foldUnit(unit: number): number {
  return FOLDED[unit] as number;
}

/**
 * Connects whatever upper or lower case connects, which is at least what Unicode's simple case folding does.
 * Of characters beyond the first 65,536, which are two units, the second tells nothing here: it may differ by case.
 */
function makeFolding(): Uint16Array {
  const parent = Uint16Array.from({ length: 65_536 }, (_, unit) => unit);
  const find = (unit: number): number => {
    let root = unit;
    while (parent[root] !== root) root = parent[root] as number;
    return root;
  };
  const join = (a: number, b: number) => {
    const [rootA, rootB] = [find(a), find(b)];
    parent[Math.max(rootA, rootB)] = Math.min(rootA, rootB);
  };
  const byUpper = new Map<string, number>();
  for (let unit = 0; unit < 65_536; unit += 1) {
    if (unit >= 0xd800 && unit <= 0xdfff) continue;
    const character = String.fromCharCode(unit);
    const lower = character.toLowerCase();
    const upper = character.toUpperCase();
    if (lower.length === 1) join(unit, lower.charCodeAt(0));
    if (upper.length === 1) join(unit, upper.charCodeAt(0));
    const other = byUpper.get(upper);
    if (other === undefined) byUpper.set(upper, unit);
    else join(unit, other);
  }
  for (let unit = 0xdc00; unit <= 0xdfff; unit += 1) parent[unit] = 0xdc00;
  return parent.map((_, unit) => find(unit));
}
