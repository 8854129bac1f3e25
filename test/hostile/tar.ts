/** What a header says, however untrue. Without `sizeField` and `checksum` both are as they should be. */
export interface HeaderFields {
  name: string | Buffer;
  size?: number;
  type?: string;
  prefix?: string;
  linkname?: string;
  /** "ustar\0" + "00" unless told; "" is the tar of Unix v7, "ustar  \0" GNU's. */
  magic?: string;
  sizeField?: Buffer;
  checksum?: number;
}

const BLOCK = 512;

/** The two blocks that end a tar. */
export const END = Buffer.alloc(2 * BLOCK);

export function header(fields: HeaderFields): Buffer {
  const { name, size = 0, type = "0", prefix = "", linkname = "", magic = "ustar\x0000" } = fields;
  const block = Buffer.alloc(BLOCK);
  Buffer.from(name as string).copy(block, 0, 0, 100);
  block.write("0000644\0", 100);
  block.write("0000000\0", 108);
  block.write("0000000\0", 116);
  (fields.sizeField ?? Buffer.from(`${size.toString(8).padStart(11, "0")} `)).copy(block, 124);
  block.write("00000000000 ", 136);
  block.write(type, 156, "latin1");
  block.write(linkname, 157);
  block.write(magic, 257, "latin1");
  block.write(prefix, 345);
  block.fill(" ", 148, 156);
  const sum = fields.checksum ?? block.reduce((all, byte) => all + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return block;
}

/** The content with what fills its last block. */
function padded(content: string | Buffer): Buffer {
  const bytes = Buffer.from(content as string);
  return Buffer.concat([bytes, Buffer.alloc((BLOCK - (bytes.length % BLOCK)) % BLOCK)]);
}

export function entry(
  name: string | Buffer,
  content: string | Buffer = "",
  fields: Partial<HeaderFields> = {},
): Buffer {
  return Buffer.concat([header({ name, size: Buffer.byteLength(content), ...fields }), padded(content)]);
}

/** An extended header for the entry after it; with type "g" for all entries after it. */
export function pax(records: Record<string, string | Buffer>, type = "x"): Buffer {
  const lines = Object.entries(records).map(([key, value]) => paxRecord(key, Buffer.from(value as string)));
  return entry("pax_header", Buffer.concat(lines), { type });
}

/** `<length> <key>=<value>\n`, where the length counts its own digits. */
function paxRecord(key: string, value: Buffer): Buffer {
  const rest = Buffer.concat([Buffer.from(` ${key}=`), value, Buffer.from("\n")]);
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return Buffer.concat([Buffer.from(String(length)), rest]);
}

/** A number in base 256, as GNU tar writes one that is too large for octal; negative ones too. */
export function base256(value: bigint): Buffer {
  const field = Buffer.alloc(12);
  let rest = BigInt.asUintN(95, value);
  for (let at = 11; at >= 0; at -= 1) {
    field[at] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  field[0] = (field[0] ?? 0) | (value < 0n ? 0xff : 0x80);
  return field;
}
