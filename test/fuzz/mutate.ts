import type { Random } from "../support/random.ts";

/** Stands in a payload for JSON text that no JavaScript value becomes; `writeJson` puts the text in its place. */
const RAW = "\uE000raw:";

/** Values that nobody expects where something else belongs. */
const ODD: readonly (() => unknown)[] = [
  () => null,
  () => true,
  () => 0,
  () => -1,
  () => 1.5,
  () => "",
  () => [],
  () => ({}),
  () => raw("9007199254740993"),
  () => raw("-9223372036854775809"),
  () => raw("123456789012345678901234567890"),
  () => raw("1e400"),
  () => "\0",
  () => `before\0after`,
  () => "\uD800 lone surrogate",
  () => "'; drop table repositories; --",
  () => "../../../etc/passwd",
  () => "x".repeat(100_000),
  () => "𝔘".repeat(2_000),
  () => [[[{ id: 1 }]]],
  () => raw(`${"[".repeat(5_000)}${"]".repeat(5_000)}`),
  () => raw(`${'{"a":'.repeat(2_000)}1${"}".repeat(2_000)}`),
];
const PROTOTYPE_KEYS = ["__proto__", "constructor", "prototype", "toString", "hasOwnProperty"];

function raw(text: string): string {
  return RAW + text;
}

/** A payload as JSON text. */
export function writeJson(payload: unknown): string {
  return JSON.stringify(payload).replaceAll(new RegExp(`"${RAW}((?:[^"\\\\]|\\\\.)*)"`, "g"), (_all, text) =>
    JSON.parse(`"${text}"`),
  );
}

/** One change of a payload in place, at a random depth; the payload itself may be replaced. */
export function mutate(payload: unknown, random: Random): unknown {
  const places = listPlaces(payload);
  // Half of the changes are made near the top, where handlers look.
  const near = places.filter(({ depth }) => depth < 3);
  const place =
    random.chance(0.5) && near.length > 0 ? random.pick(near) : places[random.below(places.length)];
  if (!place) return random.pick(ODD)();
  if (random.chance(0.01)) return [payload];
  random.pick(CHANGES)(place, random);
  return payload;
}

interface Place {
  holder: Record<string, unknown>;
  key: string;
  depth: number;
}

const CHANGES: readonly ((place: Place, random: Random) => void)[] = [
  ({ holder, key }) => void delete holder[key],
  ({ holder, key }) => void delete holder[key],
  ({ holder, key }, random) => set(holder, key, random.pick(ODD)()),
  ({ holder, key }, random) => set(holder, key, random.pick(ODD)()),
  ({ holder, key }) => set(holder, key, { [key]: holder[key] }),
  ({ holder, key }) => set(holder, key, [holder[key]]),
  ({ holder, key }) => set(holder, key, retype(holder[key])),
  ({ holder, key }, random) => set(holder, random.pick(PROTOTYPE_KEYS), holder[key]),
  ({ holder, key }) => set(holder, key.toUpperCase(), holder[key]),
  ({ holder, key }, random) => {
    const other = random.pick(Object.keys(holder));
    const value = holder[key];
    set(holder, key, holder[other]);
    set(holder, other, value);
  },
];

function retype(value: unknown): unknown {
  if (typeof value === "number") return String(value);
  if (typeof value === "string") return value.length;
  if (Array.isArray(value)) return Object.fromEntries(value.entries());
  if (typeof value === "object" && value !== null) return Object.values(value);
  return value === null ? "null" : Number(value);
}

/** As JSON.parse does it: `__proto__` becomes a field like any other. */
function set(holder: Record<string, unknown>, key: string, value: unknown): void {
  Object.defineProperty(holder, key, { value, enumerable: true, configurable: true, writable: true });
}

function listPlaces(value: unknown, depth = 0): Place[] {
  if (typeof value !== "object" || value === null) return [];
  const holder = value as Record<string, unknown>;
  return Object.keys(holder).flatMap((key) => [
    { holder, key, depth },
    ...listPlaces(holder[key], depth + 1),
  ]);
}
