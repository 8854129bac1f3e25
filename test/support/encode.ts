const encoders = new Map<string, Map<string, Buffer>>();

/** Text in a legacy encoding, which Node can only read: each character is looked up among all that can be read. */
export function encodeLegacy(text: string, encoding: string): Buffer {
  let encoder = encoders.get(encoding);
  if (!encoder) {
    encoder = createEncoder(encoding);
    encoders.set(encoding, encoder);
  }
  return Buffer.concat(
    Array.from(text, (character) => {
      if (character < "\u0080") return Buffer.from(character);
      const bytes = encoder.get(character);
      if (!bytes) throw new Error(`${encoding} has no ${character}`);
      return bytes;
    }),
  );
}

function createEncoder(encoding: string): Map<string, Buffer> {
  const decoder = new TextDecoder(encoding);
  const encoder = new Map<string, Buffer>();
  const add = (bytes: Buffer) => {
    const character = decoder.decode(bytes);
    if ([...character].length === 1 && character !== "\uFFFD" && !encoder.has(character))
      encoder.set(character, bytes);
  };
  for (let lead = 0x80; lead <= 0xff; lead += 1) {
    add(Buffer.from([lead]));
    for (let trail = 0x40; trail <= 0xff; trail += 1) add(Buffer.from([lead, trail]));
  }
  return encoder;
}
